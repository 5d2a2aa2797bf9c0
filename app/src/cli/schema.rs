//! `golgi schema`: the JSON documents, described. What the README says about them is this list.

mod sae;

use serde_json::{Map, Value, json};

use super::exit::Exit;
use super::style::Style;
use super::table::{Cell, Table};
use super::work::Work;

/// One document.
pub struct Schema {
    /// Its name and version, as in the field `schema`.
    pub name: &'static str,
    /// Where it comes from.
    pub about: &'static str,
    /// Its other fields at the top: name, type, meaning. A type that ends in `?` may be null.
    pub fields: &'static [(&'static str, &'static str, &'static str)],
}

/// The documents that the program prints or writes; those of dictionaries are in [`sae`].
const SCHEMAS: &[Schema] = &[
    Schema {
        name: "golgi.models/1",
        about: "golgi models --json",
        fields: &[
            ("home", "text", "the folder under which models lie"),
            (
                "models",
                "list",
                "name, title, description, licence, licence_url, needs_consent, revision, bytes, installed, path",
            ),
        ],
    },
    Schema {
        name: "golgi.models.fetch/1",
        about: "golgi models fetch NAME --json",
        fields: &[
            ("name", "text", "and the other fields of an entry of golgi.models"),
            ("fetched", "truth", "false if it was there already"),
        ],
    },
    Schema {
        name: "golgi.classify/1",
        about: "golgi classify MODEL PICTURE… --json",
        fields: &[
            ("model", "text", "its name"),
            ("digest", "text", "SHA-256 of its weight files"),
            (
                "preprocess",
                "object",
                "what the network expects of a picture: fit, interpolation, antialias, scale, mean, std",
            ),
            (
                "pictures",
                "list",
                "path, width, height, remarks, classes (index, name, logit, probability), the most probable first",
            ),
        ],
    },
    Schema {
        name: "golgi.vis/1",
        about: "golgi vis MODEL UNIT… --out DIR --json",
        fields: &[
            (
                "settings",
                "object",
                "parametrisation, size, steps, rate, redirected, jitter (border, crop, scales, turns, last_crop), diversity",
            ),
            (
                "units",
                "list",
                "unit, value, start, verdict, curve (step, value), file?, best_real? (picture, value), twin?, negative?, facets? \
                 (facets: size, exemplars, exemplar_value, start, value, percentile, file; explained, explained_shuffled, purity, stability)",
            ),
            ("out", "text", "the folder"),
            ("report", "object", "the report, with its pictures"),
        ],
    },
    Schema {
        name: "golgi.dissect/1",
        about: "golgi dissect MODEL SITE --images SET --json",
        fields: &[
            ("settings", "object", "limit, quantile, side, least, exemplars, exemplar_quantile"),
            (
                "dissection",
                "object",
                "site, units (unit, concept, iou, null_iou, interpretable, milan, milan_score, threshold, exemplars), concepts with their shares of \
                 pixels, pictures",
            ),
            ("report", "object", "the report, with its pictures"),
        ],
    },
    Schema {
        name: "golgi.attribute/1",
        about: "golgi attribute MODEL PICTURE… --out DIR --json",
        fields: &[
            (
                "pictures",
                "list",
                "picture, unit, name, layer, value, maps (method, file, completeness? (difference, sum, nodes), cascade? (steps: site, share, \
                 similarity), sensitivity? (other, correlation, insensitive))",
            ),
            ("out", "text", "the folder"),
            ("report", "object", "the report, with its pictures"),
        ],
    },
    Schema {
        name: "golgi.inspect/1",
        about: "golgi inspect MODEL --json",
        fields: &[
            ("name", "text", "a short name"),
            ("path", "text", "file or folder"),
            ("licence", "text?", "as the files state it"),
            ("revision", "text?", "commit on the hub, or version of the package"),
            ("bytes_on_disk", "number", "size of the weight files"),
            ("parameters_on_disk", "number", "elements of all tensors that are not integers"),
            ("stored", "list", "element types: type, elements"),
            ("tensors", "list?", "name, shape, type; with --tensors, or where no network is known"),
            (
                "network",
                "object?",
                "of a network for images: family, classes, preprocess, dtype, parameters, multiplications, sites (site, axes, shape, units, \
                 receptive_field, description); of others: family, dims, predicts_tokens, causal, dtype, parameters, parameter_counts, tokenizer?, sites (site, axes, \
                 shape, units, description)",
            ),
            ("reason", "text", "only where network is null: why"),
        ],
    },
    Schema {
        name: "golgi.capture/1",
        about: "golgi capture MODEL … --json",
        fields: &[
            ("model", "text", "as typed"),
            ("model_digest", "text", "SHA-256 of the weight files"),
            ("dtype", "text", "float32 or bfloat16"),
            ("out", "text", "the file: one entry per site under its name, and tokens (int64, [1, pos])"),
            ("bytes", "number", "its size"),
            ("tokens", "list", "token ids"),
            ("sites", "list", "site, shape"),
            ("estimate", "object", "bytes expected before the run: program, weights, captured, working"),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.corpora/1",
        about: "golgi corpora --json",
        fields: &[
            ("folder", "text", "where the starter corpus lies"),
            ("documents", "number", "how many"),
            ("bytes", "number", "of text"),
            ("sha256", "text", "digest of documents.jsonl"),
            ("parts", "list", "package, version, language, genre, licence, documents, bytes"),
        ],
    },
    Schema {
        name: "golgi.corpora.describe/1",
        about: "golgi corpora CORPUS --json",
        fields: &[
            ("corpus", "text", "as typed"),
            ("name", "text", "a short name"),
            ("path", "text", "file or folder"),
            ("digest", "text", "BLAKE3 of every document's id, text and labels"),
            ("files", "number", "how many"),
            ("documents", "number", "how many"),
            ("bytes", "number", "of text"),
            ("languages", "object", "documents and bytes by language; the empty name: unlabelled"),
            ("genres", "object", "the same by genre"),
            ("splits", "object", "the same by split: explore, tune, confirm"),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.harvest/1",
        about: "golgi harvest MODEL … --json",
        fields: &[
            ("model", "text", "as typed"),
            ("model_digest", "text", "SHA-256 of the weight files"),
            ("out", "text", "the folder of the store"),
            (
                "estimate",
                "object",
                "before the run: tokens, rows, todo (rows to compute), contexts, shards, bytes, seconds",
            ),
            (
                "report",
                "object",
                "tokens, rows, contexts, shards, written, damaged (files made again), bytes, overflowed, seconds, computed (rows)",
            ),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.prompt/1",
        about: "golgi prompt MODEL … --json",
        fields: &[
            (
                "tokens",
                "object",
                "tokens (id, text, loss?, prob?, rank?, entropy), mean_loss?, next (by position: id, text, prob, logit); \
                 losses and entropies in nats",
            ),
            (
                "lens",
                "object?",
                "depths, tokens, cells (depths × tokens, row by row: top, entropy, kl_to_final, rank_of_final, prob_of_next?)",
            ),
            (
                "attribution",
                "object?",
                "position, target, foil?, embed, pos_embed, heads[layer][head], attn_bias[layer], mlps[layer], neurons, \
                 constant, interventions, total, actual",
            ),
            (
                "effect",
                "object?",
                "only with interventions: position, rows, kl, kl_by_position, loss_before?, loss_after?",
            ),
            ("controls", "list", "label, value, formula"),
            (
                "provenance",
                "object",
                "version, model, model_digest, device, dtype, attention, seed, tokens, interventions",
            ),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.generate/1",
        about: "golgi generate MODEL … --json",
        fields: &[
            ("model", "text", "as typed"),
            ("model_digest", "text", "SHA-256 of the weight files"),
            ("seed", "number", "of sampling"),
            ("prompt", "list", "token ids"),
            ("text", "text?", "what was written; null without a tokenizer"),
            ("steps", "list", "id, text, log_prob (nats), top (id, text, prob)"),
            ("stop", "text", "stop_token, max_tokens or context"),
            ("out", "text?", "the file of captured activations"),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.document/1",
        about: "golgi report MODEL UNIT… --out FILE.json writes this",
        fields: &[
            ("title", "text", "heading"),
            ("text", "text", "the text that was looked at"),
            ("provenance", "object", "as in golgi.prompt"),
            (
                "sections",
                "list",
                "each { \"unit\": … } (unit, kind, measures, ends, tokens, activations, activation_formula, attributions, \
                 predictions) or { \"report\": golgi.report }",
            ),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.report/1",
        about: "the result of one analysis: golgi analyse … --out FILE.json writes this",
        fields: &[
            ("analysis", "text", "the registered name"),
            ("title", "text", "heading"),
            ("summary", "list", "label, value, formula"),
            ("controls", "list", "what the result is compared with, likewise"),
            ("tables", "list", "name, columns, rows"),
            (
                "figures",
                "list",
                "kind heatmap (rows, columns, values, labels, signed), tokens (tokens, values, signed), bars (labels, values, signed) or scatter \
                 (x, y, log_x, square, series, levels)",
            ),
            ("warnings", "list", "texts"),
            ("provenance", "object", "as in golgi.prompt"),
        ],
    },
    Schema {
        name: "golgi.pages/1",
        about: "golgi report MODEL UNIT… --json",
        fields: &[
            ("out", "text", "the file"),
            ("units", "list", "addresses"),
            ("document", "object", "golgi.document"),
        ],
    },
    Schema {
        name: "golgi.analyses/1",
        about: "golgi analyse --json",
        fields: &[("analyses", "list", "name, title, about, params (the defaults), needs_text")],
    },
    Schema {
        name: "golgi.analyse/1",
        about: "golgi analyse NAME MODEL … --json",
        fields: &[("params", "object", "as used"), ("report", "object", "golgi.report"), ("out", "text?", "the file")],
    },
    Schema {
        name: "golgi.find/1",
        about: "golgi find families DIR --json",
        fields: &[
            ("params", "object", "as used"),
            ("report", "object", "golgi.report: members, chance and verdict of each family"),
            ("written", "list", "the files: families.parquet, families.json"),
        ],
    },
    Schema {
        name: "golgi.run/1",
        about: "golgi run SCRIPT.toml --json",
        fields: &[
            ("script", "text", "the file"),
            ("title", "text", "its heading"),
            ("model", "text", "as named in the script"),
            ("dry_run", "truth", "whether nothing was run"),
            ("plan", "list", "the steps: what, memory_bytes?"),
            ("results", "list", "id, report (golgi.report); empty in a dry run, as are files and expectations"),
            ("files", "list", "what was written"),
            ("expectations", "list", "expected, found, holds"),
            ("met", "truth?", "whether all expectations hold; false ends the program with 1; null in a dry run"),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.units/1",
        about: "golgi report --atlas DIR … --out FILE.json writes this",
        fields: &[
            ("title", "text", "heading"),
            ("query", "text?", "the query that chose the units"),
            ("manifest", "object", "what the atlas says of itself: the file atlas.json in its folder"),
            (
                "units",
                "list",
                "id, unit, short, kind, layer, statistics (name, value?, percentile?), histogram (low, high, count), positions \
                 (position, mean, rate), languages and genres (label, tokens, mean, rate), top_tokens, bottom_tokens, promoted, \
                 suppressed (token, text, value, count?), nearest_by_weights, nearest_by_correlation (id, unit, value), examples \
                 (band, rank, value, context, position, document, language?, genre?, tokens, values, peak, before, after), \
                 triggers (n, text, fired, occurs, error), families (family, kind, score, threshold, evidence)",
            ),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.report.atlas/1",
        about: "golgi report --atlas DIR … --json",
        fields: &[
            ("out", "text", "the file"),
            ("figures", "text?", "the folder of its figures"),
            ("units", "list", "addresses"),
            ("found", "number", "units asked for; the query may find more than are written"),
        ],
    },
    Schema {
        name: "golgi.atlas.build/1",
        about: "golgi atlas build MODEL … --json",
        fields: &[
            ("out", "text", "the folder"),
            (
                "estimate",
                "object",
                "tokens, units, memory_bytes, disk_bytes, checkpoint_bytes, seconds (pass_seconds and after_seconds together): \
                 expected before the run",
            ),
            ("manifest", "object?", "the file atlas.json; null in a dry run"),
            ("bytes", "number", "size of the folder"),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.atlas.query/1",
        about: "golgi atlas query DIR SQL --json",
        fields: &[
            ("query", "text", "as typed"),
            ("columns", "list", "names"),
            ("rows", "list", "lists of values, one for each column; null where there is none"),
            ("found", "number", "rows of the whole answer"),
        ],
    },
    Schema {
        name: "golgi.atlas.info/1",
        about: "golgi atlas info DIR --json",
        fields: &[
            ("folder", "text", "as typed"),
            ("manifest", "object", "the file atlas.json"),
            ("tables", "list", "name, rows, bytes, columns"),
        ],
    },
    Schema {
        name: "golgi.explain/1",
        about: "golgi explain ATLAS … --json",
        fields: &[
            ("atlas", "text", "as typed"),
            ("by", "text", "who explains"),
            ("judge", "text", "who judges"),
            ("options", "object", "scores, passages, simulated, examples, contexts"),
            (
                "estimate",
                "object",
                "expected before the run: units, calls, tokens_in, tokens_out, model_tokens, seconds",
            ),
            ("units", "list", "short addresses"),
            ("found", "number", "units asked for; the query may find more than are explained"),
            (
                "outcome",
                "object?",
                "records (as the lines of explanations.jsonl: id, unit, by, text, rule?, judge, scores, evidence, settings), resumed, \
                 stopped, calls, tokens_in, tokens_out; null in a dry run",
            ),
            ("file", "text?", "where the records lie; null in a dry run"),
            ("warnings", "list", "texts"),
        ],
    },
    Schema {
        name: "golgi.explain.search/1",
        about: "golgi explain search ATLAS TEXT --json",
        fields: &[
            ("atlas", "text", "as typed"),
            ("query", "text", "as typed"),
            ("hits", "list", "similarity (cosine), explanation (a line of explanations.jsonl), the nearest first"),
            ("explanations", "number", "how many were searched"),
        ],
    },
    Schema {
        name: "golgi.schema/1",
        about: "golgi schema --json",
        fields: &[("schemas", "list", "name, about, fields (name, type, meaning)")],
    },
];

/// Every document that the program prints or writes.
fn all() -> impl Iterator<Item = &'static Schema> {
    SCHEMAS.iter().chain(sae::SCHEMAS)
}

pub fn run(work: &Work) -> anyhow::Result<Exit> {
    if work.out.json {
        let schemas: Vec<Value> = all()
            .map(|schema| {
                let fields: Vec<Value> = schema
                    .fields
                    .iter()
                    .map(|(name, kind, meaning)| json!({ "name": name, "type": kind, "meaning": meaning }))
                    .collect();
                json!({ "name": schema.name, "about": schema.about, "fields": fields })
            })
            .collect();
        work.out.document("schema", Value::Object(Map::from_iter([("schemas".to_owned(), Value::Array(schemas))])))?;
        return Ok(Exit::Success);
    }
    work.out.line(
        "With --json every command prints one document on standard output. Its field `schema` names its form and version;\nthe \
         version rises when a reader of the old form would be misled. A type with ? may be null.",
    )?;
    for schema in all() {
        work.out.heading(&format!("{}  {}", schema.name, schema.about))?;
        let mut table = Table::new().left("").left("").flexible("");
        for (name, kind, meaning) in schema.fields {
            table.row([Cell::new(*name, Style::Name), Cell::new(*kind, Style::Dim), (*meaning).into()]);
        }
        work.out.table(&table)?;
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_versioned() {
        let names: HashSet<&str> = all().map(|schema| schema.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(names.iter().all(|name| name.starts_with("golgi.") && name.ends_with("/1")));
        assert!(names.contains(golgi_analysis::report::SCHEMA) && names.contains(crate::report::SCHEMA));
        assert!(names.contains(crate::report::UNITS_SCHEMA));
    }
}
