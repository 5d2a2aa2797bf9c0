//! The documents of sparse dictionaries and toy models.

use super::Schema;

/// What `golgi sae` and `golgi superposition` print.
pub const SCHEMAS: &[Schema] = &[
    Schema {
        name: "golgi.sae.train/1",
        about: "golgi sae train … --json",
        fields: &[
            (
                "script",
                "object",
                "what was trained: model, corpus, tokens, context, on_the_fly, buffer, split, dictionaries",
            ),
            ("out", "text", "the folder of the run"),
            ("report", "object", "dictionaries (name, folder, last record), steps, rows, seconds, stopped"),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.sae.eval/1",
        about: "golgi sae eval DIR --json",
        fields: &[
            ("params", "object", "as used"),
            (
                "evaluation",
                "object",
                "quality, left_out, baselines, splice (one entry for each thing in the activation's place), splice_tokens, \
                 decoder_similarity, sites (name, explained variance), site_shares (of each latent's decoder norm; several sites), \
                 probing (tasks: accuracy by coding and k; perturbation; absorption), stability (cosines, mean_max_cosine, matched), \
                 stability_by_chance",
            ),
            ("report", "object", "golgi.report"),
        ],
    },
    Schema {
        name: "golgi.sae.prompt/1",
        about: "golgi sae prompt DIR --text T --json",
        fields: &[
            (
                "features",
                "object",
                "tokens, pieces, active (latent, activation, attribution, loss_effect, by position), unexplained, target, foil, difference, \
                 error_attribution",
            ),
            ("report", "object", "golgi.report"),
        ],
    },
    Schema {
        name: "golgi.sae.steer/1",
        about: "golgi sae steer DIR --text T --latent CHANGE --json",
        fields: &[("steered", "object", "edits, plain, steered, control, control_latents, kl, control_kl")],
    },
    Schema {
        name: "golgi.sae.geometry/1",
        about: "golgi sae geometry DIR --json",
        fields: &[
            ("params", "object", "as used: cloud, lobes, crystals"),
            (
                "geometry",
                "object",
                "cloud (eigenvalues, slope?, negentropy? and those of Gaussians), lobes? (blocks, latents, counts, levels, map), \
                 crystals? (relations, raw, held_out, shuffled, accuracy, closure, map, labels, names)",
            ),
            ("report", "object", "golgi.report"),
            ("out", "text?", "the file"),
        ],
    },
    Schema {
        name: "golgi.sae.info/1",
        about: "golgi sae info DIR --json",
        fields: &[
            ("folder", "text", "of the dictionary"),
            (
                "config",
                "object",
                "dictionary.json: architecture, inputs, outputs, latents, conventions, conversions, training",
            ),
            ("parameters", "number", "how many"),
            ("bytes", "number", "of the weights on disk"),
            ("skip", "truth", "whether it has a skip connection"),
            ("decoder_lengths", "object", "of decoder rows: min, mean, max"),
            ("thresholds", "object?", "of latents: min, mean, max"),
        ],
    },
    Schema {
        name: "golgi.sae.import/1",
        about: "golgi sae import PATH … --json",
        fields: &[
            ("path", "text", "as typed"),
            ("format", "text", "the form it was read as"),
            ("out", "text", "the folder that was written"),
            (
                "dictionaries",
                "list",
                "folder, summary, architecture, latents, inputs, outputs, model?, conversions (what was changed, in sentences)",
            ),
        ],
    },
    Schema {
        name: "golgi.sae.export/1",
        about: "golgi sae export DIR … --json",
        fields: &[
            ("dictionary", "text", "its folder"),
            ("format", "text", "the form it was written in"),
            ("out", "text", "the folder that was written"),
            ("bytes", "number", "of its files"),
            ("conversions", "list", "what was changed, in sentences"),
        ],
    },
    Schema {
        name: "golgi.superposition/1",
        about: "golgi superposition … --json",
        fields: &[
            (
                "parts",
                "list",
                "part (solve, phase, sweep), params, report (golgi.report), result: of solve task, best (toy, loss), losses, features \
                 (norm, interference, dimensionality, bias), polytopes, dimensions_per_feature, linear, linear_features, \
                 without_superposition; of phase hidden, densities, importances, cells; of sweep features, hidden, stages",
            ),
            ("out", "text?", "the file"),
        ],
    },
];
