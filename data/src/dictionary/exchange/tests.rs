//! Every form against what its own library computes, there and back, and what is refused.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dictionary::{Architecture, Codes, Config, Magnitude, Normalisation, Part};
use crate::weights::Weights;

/// Largest difference from what the library computes in f32.
const TOLERANCE: f32 = 1e-5;

/// Dictionaries that the libraries wrote, with what they compute; `make_dictionaries.py` there made them.
fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/reference/dictionaries").join(name)
}

fn one(path: &Path) -> Dictionary {
    let mut all = read(path, &Options::default()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(all.len(), 1, "{}", path.display());
    all.remove(0)
}

fn refused(path: &Path) -> String {
    read(path, &Options::default()).unwrap_err().to_string()
}

fn dense(codes: &Codes, m: usize) -> Vec<f32> {
    let mut rows = vec![0f32; codes.len() * m];
    for (index, row) in rows.chunks_mut(m).enumerate() {
        let (latents, values) = codes.row(index);
        latents.iter().zip(values).for_each(|(latent, value)| row[*latent as usize] = *value);
    }
    rows
}

fn off(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Asserts that latents and outputs are those of the library.
fn agrees(name: &str) -> Dictionary {
    let path = reference(name);
    let dictionary = one(&path);
    let expected = Weights::open(&path.join("expected.safetensors")).unwrap();
    let x = expected.read_f32("x").unwrap();
    let codes = dictionary.encode(&x).unwrap();
    let f = off(&dense(&codes, dictionary.config.latents as usize), &expected.read_f32("f").unwrap());
    let y = off(&dictionary.decode(&codes, &x).unwrap(), &expected.read_f32("y").unwrap());
    assert!(f < TOLERANCE && y < TOLERANCE, "{name}: latents are off by {f}, outputs by {y}");
    dictionary
}

#[test]
fn sae_lens_means_what_sae_lens_computes() {
    let k = 3;
    let prefixes = vec![4, 8, 16];
    for (name, architecture) in [
        ("standard", Architecture::Standard),
        ("no_b_dec", Architecture::Standard),
        ("layer_norm", Architecture::Standard),
        ("constant_norm_rescale", Architecture::Standard),
        ("hook_z", Architecture::Standard),
        ("gated", Architecture::Gated),
        ("topk", Architecture::TopK { k }),
        ("topk_by_norm", Architecture::TopK { k }),
        ("jumprelu", Architecture::JumpRelu),
        ("batchtopk", Architecture::BatchTopK { k }),
        ("batchtopk_training", Architecture::BatchTopK { k }),
        ("matryoshka", Architecture::Matryoshka { k, prefixes: prefixes.clone() }),
        ("matryoshka_training", Architecture::Matryoshka { k, prefixes }),
        ("transcoder", Architecture::Standard),
        ("skip_transcoder", Architecture::Standard),
        ("jumprelu_transcoder", Architecture::JumpRelu),
        ("jumprelu_skip_transcoder", Architecture::JumpRelu),
        ("v3_standard", Architecture::Standard),
        ("v3_topk", Architecture::TopK { k }),
        ("v3_gated", Architecture::Gated),
        ("v3_jumprelu", Architecture::JumpRelu),
        ("v3_finetuned", Architecture::Standard),
    ] {
        let dictionary = agrees(&format!("sae_lens/{name}"));
        let config = &dictionary.config;
        assert_eq!(config.architecture, architecture, "{name}");
        assert_eq!(config.model.as_deref(), Some("gpt2-small"));
        assert_eq!((config.context, config.corpus.as_deref()), (Some(128), Some("Skylion007/openwebtext")));
        assert_eq!(config.is_autoencoder(), !name.ends_with("transcoder"), "{name}");
        assert_eq!(dictionary.skip.is_some(), name.contains("skip"), "{name}");
        let said = config.conversions.join(" ");
        assert_eq!(
            said.contains("length of their decoder row"),
            name.contains("norm") && name.contains("topk") || name.ends_with("training"),
            "{name}: {said}"
        );
        assert_eq!(said.contains("shrinkage"), name == "v3_finetuned");
        assert_eq!((config.skip_first, said.contains("without a BOS")), (name == "jumprelu", name == "jumprelu"));
    }
    let transcoder = one(&reference("sae_lens/transcoder"));
    assert_eq!(transcoder.config.inputs[0].site, "blocks.3.ln2.hook_normalized");
    assert_eq!(transcoder.config.outputs, [Part { site: "blocks.3.hook_mlp_out".into(), width: 4 }]);
    assert_eq!(one(&reference("sae_lens/hook_z")).config.inputs[0].site, "blocks.3.attn.hook_z");
}

#[test]
fn sparsify_means_what_sparsify_computes() {
    for (name, m, input, output) in [
        ("layers.3", 16, "blocks.3.hook_resid_post", "blocks.3.hook_resid_post"),
        ("layers.4", 12, "blocks.4.hook_resid_post", "blocks.4.hook_resid_post"),
        ("layers.3.mlp", 16, "blocks.3.ln2.hook_normalized", "blocks.3.hook_mlp_out"),
        ("layers.5", 6, "blocks.5.hook_resid_post", "blocks.5.hook_resid_post"),
    ] {
        let config = agrees(&format!("sparsify/run/{name}")).config;
        assert_eq!((config.latents, config.architecture), (m, Architecture::TopK { k: 3 }), "{name}");
        assert_eq!((config.inputs[0].site.as_str(), config.outputs[0].site.as_str()), (input, output));
        assert_eq!((config.model.as_deref(), config.context), (Some("EleutherAI/pythia-70m"), Some(2048)));
    }
}

#[test]
fn dictionary_learning_means_what_dictionary_learning_computes() {
    let k = 3;
    for (name, architecture) in [
        ("standard", Architecture::Standard),
        ("new", Architecture::Standard),
        ("gated", Architecture::Gated),
        ("top_k", Architecture::TopK { k }),
        ("batch_top_k", Architecture::BatchTopK { k }),
        ("matryoshka", Architecture::Matryoshka { k, prefixes: vec![4, 8, 16] }),
        ("jump_relu", Architecture::JumpRelu),
    ] {
        let config = agrees(&format!("dictionary_learning/{name}")).config;
        assert_eq!(config.architecture, architecture, "{name}");
        assert_eq!(config.inputs[0].site, "blocks.8.hook_resid_post");
        assert_eq!((config.context, config.subtract_decoder_bias), (Some(128), !["new", "jump_relu"].contains(&name)));
        assert_eq!(config.conversions.len(), usize::from(name == "standard"), "{:?}", config.conversions);
    }
}

#[test]
fn scopes_mean_what_their_loaders_compute() {
    let first = agrees("gemma_scope/gemma-scope-2b-pt-res/layer_20/width_16/average_l0_5").config;
    assert_eq!(
        (first.model.as_deref(), first.inputs[0].site.as_str()),
        (Some("google/gemma-2-2b"), "blocks.20.hook_resid_post")
    );
    assert_eq!(first.training.unwrap()["gemma_scope"]["path"], "layer_20/width_16/average_l0_5");
    let second = agrees("gemma_scope/gemma-scope-2-1b-pt/transcoder/layer_7_width_16_l0_small_affine").config;
    assert_eq!(second.inputs[0].site, "blocks.7.ln2.hook_normalized");
    assert_eq!(second.outputs, [Part { site: "blocks.7.hook_mlp_out".into(), width: 4 }]);
    let llama = agrees("llama_scope/Llama3_1-8B-Base-L15R-8x").config;
    assert!(matches!(llama.normalisation, Normalisation::Scale { input, output } if input == output && input > 1.4));
    assert_eq!(llama.conversions.len(), 2);
}

#[test]
fn sets_of_transcoders_sum_to_what_circuit_tracer_computes() {
    for (name, layers, input) in [("per_layer", 2, "ln2.hook_normalized"), ("cross_layer", 3, "hook_resid_mid")] {
        let path = reference(&format!("circuit_tracer/{name}"));
        let all = read(&path, &Options::default()).unwrap();
        let expected = Weights::open(&path.join("expected.safetensors")).unwrap();
        let [x, f, y] = ["x", "f", "y"].map(|name| expected.read_f32(name).unwrap());
        assert_eq!(all.len(), layers);
        let (n, d, m) = (7, 6, 16);
        let mut sum = vec![0f32; y.len()];
        for (layer, dictionary) in all.iter().enumerate() {
            assert_eq!(dictionary.config.inputs[0].site, format!("blocks.{layer}.{input}"));
            assert_eq!(dictionary.config.outputs.len(), if name == "per_layer" { 1 } else { layers - layer });
            let x = &x[layer * n * d..(layer + 1) * n * d];
            let codes = dictionary.encode(x).unwrap();
            assert!(off(&dense(&codes, m), &f[layer * n * m..(layer + 1) * n * m]) < TOLERANCE);
            let out = dictionary.decode(&codes, x).unwrap();
            for (part, written) in dictionary.config.outputs.iter().enumerate() {
                assert_eq!(written.site, format!("blocks.{}.hook_mlp_out", layer + part));
                for (row, out) in out.chunks(dictionary.config.d_out()).enumerate() {
                    let at = ((layer + part) * n + row) * d;
                    sum[at..at + d].iter_mut().zip(&out[part * d..]).for_each(|(sum, out)| *sum += out);
                }
            }
        }
        assert!(off(&sum, &y) < TOLERANCE, "{name}");
    }
}

#[test]
fn forms_are_told_by_their_files() {
    for (path, name) in [
        ("sae_lens/gated", "sae_lens"),
        ("sae_lens/gated/cfg.json", "sae_lens"),
        ("sparsify/run/layers.3", "sparsify"),
        ("dictionary_learning/new", "dictionary_learning"),
        ("gemma_scope/gemma-scope-2b-pt-res/layer_20/width_16/average_l0_5/params.npz", "gemma_scope"),
        ("gemma_scope/gemma-scope-2-1b-pt/transcoder/layer_7_width_16_l0_small_affine", "gemma_scope"),
        ("llama_scope/Llama3_1-8B-Base-L15R-8x", "llama_scope"),
        ("circuit_tracer/per_layer", "circuit_tracer"),
        ("circuit_tracer/cross_layer", "circuit_tracer"),
    ] {
        assert_eq!(detect(&reference(path)).unwrap().name, name, "{path}");
    }
    let hint = detect(&reference("sparsify/run")).unwrap_err().to_string();
    assert!(hint.contains("its folder `layers.3` looks like sparsify"), "{hint}");
    assert!(detect(&reference("nowhere")).unwrap_err().to_string().contains("cannot read"));
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(folder.path()).contains("it holds nothing; expected are sae_lens (cfg.json and"));
    for name in ["cfg.json", "sae_weights.safetensors", "sae.safetensors"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    assert!(refused(folder.path()).contains("could be sae_lens or sparsify; say which with --format"));
    assert!(Format::find("saelens").unwrap_err().to_string().contains("known are sae_lens, sparsify"));
}

/// A dictionary of every architecture, of numbers that f32 has.
fn small(architecture: Architecture, transcoder: bool, skip: bool) -> Dictionary {
    let numbers = |n: usize, seed: f32| (0..n).map(|i| ((i as f32 + seed) * 1.7).sin()).collect::<Vec<f32>>();
    let site = Part { site: "blocks.2.hook_resid_post".into(), width: 3 };
    let mut config = Config::autoencoder(architecture.clone(), site, 8);
    if transcoder {
        config.inputs[0].site = "blocks.2.ln2.hook_normalized".into();
        config.outputs[0].site = "blocks.2.hook_mlp_out".into();
        config.subtract_decoder_bias = false;
    }
    config.model = Some("gemma-2-2b".into());
    config.model_digest = Some("1234".into());
    config.skip_first = true;
    config.conversions = vec!["Something was changed.".into()];
    config.source = Some("elsewhere".into());
    config.training = Some(json!({ "steps": 1000, "lr": 1e-3 }));
    Dictionary {
        encoder: numbers(24, 0.1),
        encoder_bias: numbers(8, 0.5),
        decoder: numbers(24, 0.3),
        decoder_bias: numbers(3, 0.7),
        threshold: architecture.has_threshold().then(|| numbers(8, 0.9)),
        magnitude: (architecture == Architecture::Gated)
            .then(|| Magnitude { log_scale: numbers(8, 0.2), bias: numbers(8, 0.6) }),
        skip: skip.then(|| numbers(9, 0.4)),
        config,
    }
}

fn there_and_back(dictionary: &Dictionary, format: &str) -> Dictionary {
    let folder = tempfile::tempdir().unwrap();
    write(dictionary, Format::find(format).unwrap(), folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    one(folder.path())
}

fn architectures() -> [Architecture; 6] {
    [
        Architecture::Standard,
        Architecture::Gated,
        Architecture::TopK { k: 2 },
        Architecture::BatchTopK { k: 2 },
        Architecture::JumpRelu,
        Architecture::Matryoshka { k: 2, prefixes: vec![2, 8] },
    ]
}

#[test]
fn what_is_written_comes_back_bit_for_bit() {
    for architecture in architectures() {
        for normalisation in [Normalisation::None, Normalisation::RowNorm, Normalisation::LayerNorm] {
            let mut dictionary = small(architecture.clone(), false, false);
            dictionary.config.normalisation = normalisation;
            assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
            dictionary.config.subtract_decoder_bias = false;
            assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
        }
        let transcodes = architecture == Architecture::Standard || architecture.has_threshold();
        for skip in [false, true].into_iter().filter(|_| transcodes) {
            let dictionary = small(architecture.clone(), true, skip);
            assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
        }
    }
    for (transcoder, skip) in [(false, false), (false, true), (true, false), (true, true)] {
        let dictionary = small(Architecture::TopK { k: 2 }, transcoder, skip);
        assert_eq!(there_and_back(&dictionary, "sparsify"), dictionary);
    }
    // Without a layer of its own in the name, and with a site that is not TransformerLens'.
    let mut dictionary = small(Architecture::Standard, false, false);
    dictionary.config.inputs[0].site = "layer3.0.conv2".into();
    dictionary.config.outputs = dictionary.config.inputs.clone();
    assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
}

#[test]
fn what_was_imported_can_be_exported_and_imported_again() {
    for name in
        ["standard", "topk_by_norm", "matryoshka_training", "jumprelu_skip_transcoder", "v3_gated", "v3_finetuned"]
    {
        let dictionary = one(&reference(&format!("sae_lens/{name}")));
        assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary, "{name}");
    }
    let dictionary = one(&reference("sparsify/run/layers.3.mlp"));
    assert_eq!(there_and_back(&dictionary, "sparsify"), dictionary);
    let dictionary = one(&reference("llama_scope/Llama3_1-8B-Base-L15R-8x")).folded().unwrap();
    assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
}

#[test]
fn folding_a_scale_changes_nothing() {
    for architecture in architectures() {
        for subtract in [false, true] {
            let mut dictionary = small(architecture.clone(), false, !subtract);
            dictionary.config.subtract_decoder_bias = subtract;
            let output = if subtract { 1.5 } else { 0.75 };
            dictionary.config.normalisation = Normalisation::Scale { input: 1.5, output };
            let folded = dictionary.folded().unwrap();
            assert_eq!(folded.config.normalisation, Normalisation::None);
            let x: Vec<f32> = (0..30).map(|i| (i as f32 * 0.77).cos()).collect();
            let (before, after) = (dictionary.encode(&x).unwrap(), folded.encode(&x).unwrap());
            assert!(off(&dense(&before, 8), &dense(&after, 8)) < TOLERANCE);
            let (before, after) = (dictionary.decode(&before, &x).unwrap(), folded.decode(&after, &x).unwrap());
            assert!(off(&before, &after) < TOLERANCE);
        }
    }
    let mut apart = small(Architecture::Standard, false, false);
    apart.config.normalisation = Normalisation::Scale { input: 2.0, output: 3.0 };
    assert!(apart.folded().unwrap_err().to_string().contains("one bias"));
}

#[test]
fn what_a_form_cannot_say_is_refused_with_the_reason() {
    let why = |dictionary: &Dictionary, format: &str| {
        let folder = tempfile::tempdir().unwrap();
        let error = write(dictionary, Format::find(format).unwrap(), folder.path()).unwrap_err().to_string();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        error
    };
    let standard = small(Architecture::Standard, false, false);
    let top_k = small(Architecture::TopK { k: 2 }, false, false);
    let changed = |dictionary: &Dictionary, change: &dyn Fn(&mut Dictionary)| {
        let mut dictionary = dictionary.clone();
        change(&mut dictionary);
        dictionary
    };
    let scaled = |d: &mut Dictionary| d.config.normalisation = Normalisation::Scale { input: 2.0, output: 2.0 };
    let two = |d: &mut Dictionary| {
        d.config.subtract_decoder_bias = false;
        d.config.outputs.push(Part { site: "blocks.3.hook_resid_post".into(), width: 3 });
        d.decoder.extend(vec![0.5; 24]);
        d.decoder_bias.extend([0.5; 3]);
    };
    for (dictionary, format, expected) in [
        (changed(&standard, &scaled), "sae_lens", "fold it into the weights first"),
        (changed(&standard, &two), "sae_lens", "writes 2, where"),
        (small(Architecture::Standard, false, true), "sae_lens", "skip connections in transcoders only"),
        (small(Architecture::Gated, true, false), "sae_lens", "no transcoder of the architecture `gated`"),
        (
            changed(&small(Architecture::Standard, true, false), &|d| d.config.normalisation = Normalisation::RowNorm),
            "sae_lens",
            "does not undo",
        ),
        (changed(&standard, &|d| d.threshold = Some(vec![1.0; 8])), "sae_lens", "has a threshold"),
        (standard.clone(), "sparsify", "sparsify has TopK only"),
        (changed(&top_k, &scaled), "sparsify", "fold it into the weights first"),
        (changed(&top_k, &two), "sparsify", "writes 2, where"),
        (changed(&top_k, &|d| d.config.subtract_decoder_bias = false), "sparsify", "always subtracts"),
        (changed(&top_k, &|d| d.config.normalisation = Normalisation::LayerNorm), "sparsify", "does not normalise"),
        (standard.clone(), "gemma_scope", "cannot be written as gemma_scope; choose one of sae_lens, sparsify"),
        (changed(&standard, &|d| d.encoder[0] = f32::NAN), "sae_lens", "NaN"),
    ] {
        let error = why(&dictionary, format);
        assert!(error.contains(expected), "{error}");
    }
}

/// Copies a reference folder, changes its configuration, and says what reading it says.
fn with_config(name: &str, file: &str, change: impl FnOnce(&mut Value)) -> String {
    let folder = copy(name);
    let path = folder.path().join(file);
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(&path, value.to_string()).unwrap();
    match read(folder.path(), &Options::default()) {
        Ok(all) => all[0].config.conversions.join(" "),
        Err(error) => error.to_string(),
    }
}

fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(reference(name)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

#[test]
fn configurations_that_cannot_be_are_explained() {
    let set = |key: &'static str, value: Value| move |cfg: &mut Value| cfg[key] = value;
    let meta = |key: &'static str, value: Value| move |cfg: &mut Value| cfg["metadata"][key] = value;
    let less = |key: &'static str| move |cfg: &mut Value| drop(cfg.as_object_mut().unwrap().remove(key));
    let lens =
        |name: &str, change: Box<dyn FnOnce(&mut Value)>| with_config(&format!("sae_lens/{name}"), "cfg.json", change);
    for (name, change, expected) in [
        (
            "standard",
            Box::new(set("architecture", json!("temporal"))) as Box<dyn FnOnce(&mut Value)>,
            "`temporal` is not known to Golgi; known are",
        ),
        ("standard", Box::new(set("d_in", json!("six"))), "`d_in` is \"six\", expected is a whole number above 0"),
        ("standard", Box::new(set("d_in", json!(-1))), "`d_in` is -1"),
        ("standard", Box::new(set("d_in", json!(7))), "`W_enc` has the shape [6, 16], expected is [7, 16]"),
        ("standard", Box::new(set("d_sae", json!(1u64 << 40))), "which no dictionary has"),
        ("standard", Box::new(set("d_sae", json!(20_000_000))), "20000000 latents"),
        ("standard", Box::new(less("d_sae")), "`d_sae` is missing"),
        ("standard", Box::new(set("architecture", json!("gated"))), "it has no `b_gate`"),
        ("standard", Box::new(set("architecture", json!("jumprelu"))), "it has no `threshold`"),
        (
            "standard",
            Box::new(set("normalize_activations", json!("covariance_whitening"))),
            "`covariance_whitening`, which is not known",
        ),
        (
            "standard",
            Box::new(set("normalize_activations", json!("expected_average_only_in"))),
            "the factor is not in the folder",
        ),
        (
            "standard",
            Box::new(meta("hook_name", json!("blocks.3.hook_rezid"))),
            "knows no site `blocks.3.hook_rezid`; say which site it is with --site",
        ),
        ("standard", Box::new(meta("hook_name", Value::Null)), "it says no `hook_name`"),
        ("standard", Box::new(meta("hook_head_index", json!(3))), "head 3 alone"),
        ("transcoder", Box::new(set("normalize_activations", json!("layer_norm"))), "its outputs are not"),
        ("transcoder", Box::new(set("apply_b_dec_to_input", json!(true))), "which SAELens' transcoders do not have"),
        ("transcoder", Box::new(less("d_out")), "`d_out` is missing"),
        ("topk", Box::new(set("k", json!(17))), "k is 17, but it has 16 latents"),
        ("topk", Box::new(less("k")), "`k` is missing"),
        (
            "v3_topk",
            Box::new(set("activation_fn_str", json!("tanh-relu"))),
            "`tanh-relu` of architecture `standard` is not known",
        ),
        (
            "v3_topk",
            Box::new(set("activation_fn_kwargs", json!({ "k": 3, "postact_fn": "Identity" }))),
            "the option `postact_fn`",
        ),
        ("v3_gated", Box::new(set("activation_fn_str", json!("topk"))), "`topk` of architecture `gated`"),
        (
            "v3_finetuned",
            Box::new(set("finetuning_scaling_factor", json!(false))),
            "`finetuning_scaling_factor` is not true",
        ),
        ("standard", Box::new(|cfg: &mut Value| *cfg = json!([1])), "it holds no JSON object"),
    ] {
        let said = lens(name, change);
        assert!(said.contains(expected), "{name}, {expected}: {said}");
    }
    let sparsify = |change: Box<dyn FnOnce(&mut Value)>| with_config("sparsify/run/layers.3", "cfg.json", change);
    // The folder's own name says the site, and a copy has another name.
    assert!(sparsify(Box::new(|_| {})).contains("--site"));
    for (change, expected) in [
        (Box::new(set("activation", json!("groupmax"))) as Box<dyn FnOnce(&mut Value)>, "`groupmax`"),
        (Box::new(set("signed", json!(true))), "can be negative"),
        (Box::new(less("k")), "`k` is missing"),
        (Box::new(set("num_latents", json!(0))), "--site"),
    ] {
        let said = sparsify(change);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    for (name, change, expected) in [
        (
            "standard",
            Box::new(|cfg: &mut Value| cfg["trainer"]["dict_class"] = json!("IdentityDict"))
                as Box<dyn FnOnce(&mut Value)>,
            "known are AutoEncoder",
        ),
        (
            "standard",
            Box::new(|cfg: &mut Value| cfg["trainer"]["dict_class"] = json!("JumpReluAutoEncoder")),
            "has `W_enc`",
        ),
        ("standard", Box::new(|cfg: &mut Value| cfg["trainer"]["dict_size"] = json!(17)), "`trainer.dict_size` is 17"),
        (
            "standard",
            Box::new(|cfg: &mut Value| cfg["trainer"]["dict_class"] = json!("GatedAutoEncoder")),
            "`bias` is not known",
        ),
        ("top_k", Box::new(|cfg: &mut Value| cfg["trainer"]["k"] = json!(4)), "the weights say 3"),
        ("top_k", Box::new(|cfg: &mut Value| cfg["trainer"]["submodule_name"] = json!("unembed")), "no clear site"),
        ("top_k", Box::new(|cfg: &mut Value| cfg["buffer"]["io"] = json!("in")), "no clear site"),
        (
            "top_k",
            Box::new(|cfg: &mut Value| drop(cfg.as_object_mut().unwrap().remove("trainer"))),
            "`trainer` is missing",
        ),
    ] {
        let said = with_config(&format!("dictionary_learning/{name}"), "config.json", change);
        assert!(said.contains(expected), "{name}, {expected}: {said}");
    }
}

#[test]
fn the_users_word_about_a_site_counts() {
    let folder = copy("sparsify/run/layers.3");
    let options = Options { site: Some("blocks.9.hook_resid_mid".into()), ..Options::default() };
    let config = read(folder.path(), &options).unwrap().remove(0).config;
    assert_eq!((config.inputs[0].site.as_str(), config.is_autoencoder()), ("blocks.9.hook_resid_mid", true));
    assert!(config.conversions[0].contains("given by hand"));
    let both = Options { target: Some("blocks.9.hook_mlp_out".into()), ..options };
    assert!(read(folder.path(), &both).unwrap_err().to_string().contains("leave --target out"));
    let config = read(&reference("sae_lens/transcoder"), &both).unwrap().remove(0).config;
    assert_eq!(
        (config.inputs[0].site.as_str(), config.outputs[0].site.as_str()),
        ("blocks.9.hook_resid_mid", "blocks.9.hook_mlp_out")
    );
    // A set takes the point alone.
    let point = Options { site: Some("hook_resid_mid".into()), ..Options::default() };
    let all = read(&reference("circuit_tracer/per_layer"), &point).unwrap();
    assert_eq!(all[1].config.inputs[0].site, "blocks.1.hook_resid_mid");
    // Golgi's own remarks give way too.
    let folder = tempfile::tempdir().unwrap();
    write(&small(Architecture::Standard, false, false), Format::find("sae_lens").unwrap(), folder.path()).unwrap();
    let config = read(folder.path(), &Options { site: Some("blocks.9.hook_resid_mid".into()), ..Options::default() });
    assert_eq!(config.unwrap()[0].config.inputs[0].site, "blocks.9.hook_resid_mid");
}

#[test]
fn remarks_that_contradict_are_left_aside() {
    let folder = tempfile::tempdir().unwrap();
    write(&small(Architecture::JumpRelu, false, false), Format::find("sae_lens").unwrap(), folder.path()).unwrap();
    let path = folder.path().join("cfg.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [("\"latents\": 8", "\"latents\": 9"), ("\"kind\": \"jump_relu\"", "\"kind\": \"gated\"")] {
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let config = one(folder.path()).config;
        assert_eq!((config.latents, &config.architecture), (8, &Architecture::JumpRelu));
        assert!(config.conversions.last().unwrap().contains("contradict"), "{:?}", config.conversions);
    }
}

#[test]
fn weights_that_cannot_be_are_explained() {
    let folder = copy("sae_lens/standard");
    let path = folder.path().join("sae_weights.safetensors");
    let good = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let mut bad = good.clone();
    bad[header + 4..header + 8].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, bad).unwrap();
    assert!(refused(folder.path()).contains("NaN"), "{}", refused(folder.path()));
    std::fs::write(&path, &good[..good.len() - 9]).unwrap();
    assert!(refused(folder.path()).contains("sae_weights.safetensors"));
    let renamed = String::from_utf8_lossy(&good[8..header]).replace("W_dec", "W_odd");
    std::fs::write(&path, [&good[..8], renamed.as_bytes(), &good[header..]].concat()).unwrap();
    assert!(refused(folder.path()).contains("`W_odd` is not known to Golgi"), "{}", refused(folder.path()));
    std::fs::remove_file(&path).unwrap();
    assert!(read(folder.path(), &Options { format: Some(FORMATS[0]), ..Options::default() }).is_err());
    // A set that stops in the middle is one of fewer layers, and its cross-layer decoders do not fit any more.
    let folder = copy("circuit_tracer/cross_layer");
    std::fs::remove_file(folder.path().join("W_enc_2.safetensors")).unwrap();
    assert!(refused(folder.path()).contains("expected is [16, 2, 6]"), "{}", refused(folder.path()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_folders_are_an_error_or_a_usable_dictionary(
        which in 0usize..6,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        file in 0usize..2,
    ) {
        let (name, files) = [
            ("sae_lens/gated", ["cfg.json", "sae_weights.safetensors"]),
            ("sae_lens/v3_topk", ["cfg.json", "sae_weights.safetensors"]),
            ("sparsify/run/layers.3", ["cfg.json", "sae.safetensors"]),
            ("dictionary_learning/matryoshka", ["config.json", "ae.pt"]),
            ("gemma_scope/gemma-scope-2-1b-pt/transcoder/layer_7_width_16_l0_small_affine", ["config.json", "params.safetensors"]),
            ("circuit_tracer/per_layer", ["config.yaml", "layer_1.safetensors"]),
        ][which];
        let folder = copy(name);
        let path = folder.path().join(files[file]);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        std::fs::write(&path, bytes).unwrap();
        let options = Options { site: (which == 2).then(|| "blocks.0.hook_resid_post".to_owned()), ..Options::default() };
        for dictionary in read(folder.path(), &options).unwrap_or_default() {
            prop_assert!(dictionary.check().is_ok());
        }
    }

    #[test]
    fn any_bytes_as_configuration_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = copy("sae_lens/standard");
        std::fs::write(folder.path().join("cfg.json"), bytes).unwrap();
        prop_assert!(read(folder.path(), &Options::default()).is_err());
    }
}
