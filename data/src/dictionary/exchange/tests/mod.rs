//! Every form against what its own library computes, there and back, and what is refused.

mod refusals;
mod round_trip;

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

fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(reference(name)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}
