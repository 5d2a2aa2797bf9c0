//! The model families: one file each, and one line each in [`FAMILIES`].
//!
//! A family reads its configuration (a Hugging Face `config.json`, or the same made from a GGUF's metadata) and names
//! the weights of each part. To add one, start from `llama.rs` (pre-norm, gated MLP), `gpt2.rs` (learned positions, plain
//! MLP), `gpt_neox.rs` (attention and MLP side by side), `bert.rs` (post-norm, no causal mask) or `gemma2.rs` (norms on both
//! sides), add a line to the list, and add its reference activations under `assets/reference/`; the parity test runs over the
//! list.

mod bert;
mod clip_text;
mod config;
mod gemma2;
mod gemma3;
mod gpt2;
mod gpt_neox;
mod llama;
mod mistral;
mod opt;
mod phi3;
mod qwen2;
mod qwen3;

use serde_json::Value;

use crate::error::{ProbeError, Result};
use crate::layers::Loader;
use crate::transformer::Transformer;

/// A model family.
pub struct Family {
    /// Its name, as in `model_type`.
    pub name: &'static str,
    /// Every `model_type` it reads.
    pub model_types: &'static [&'static str],
    /// Builds the model from its configuration and weights.
    pub build: fn(&Value, &Loader) -> Result<Transformer>,
}

/// Every family.
pub const FAMILIES: &[Family] = &[
    Family { name: "gpt2", model_types: &["gpt2"], build: gpt2::build },
    Family { name: "gpt_neox", model_types: &["gpt_neox"], build: gpt_neox::build },
    Family { name: "opt", model_types: &["opt"], build: opt::build },
    Family { name: "llama", model_types: &["llama"], build: llama::build },
    Family { name: "mistral", model_types: &["mistral"], build: mistral::build },
    Family { name: "qwen2", model_types: &["qwen2"], build: qwen2::build },
    Family { name: "qwen3", model_types: &["qwen3"], build: qwen3::build },
    Family { name: "gemma2", model_types: &["gemma2"], build: gemma2::build },
    Family { name: "gemma3", model_types: &["gemma3_text", "gemma3"], build: gemma3::build },
    Family { name: "phi3", model_types: &["phi3"], build: phi3::build },
    Family { name: "bert", model_types: &["bert"], build: bert::build },
    Family { name: "clip_text", model_types: &["clip_text_model", "clip"], build: clip_text::build },
];

/// The family that a configuration names.
///
/// # Errors
/// [`ProbeError::UnknownFamily`], with the list of those that are known.
pub fn recognise(config: &Value) -> Result<&'static Family> {
    let found = config.get("model_type").and_then(Value::as_str).unwrap_or("(no model_type)");
    FAMILIES.iter().find(|family| family.model_types.contains(&found)).ok_or_else(|| ProbeError::UnknownFamily {
        found: found.chars().take(80).collect(),
        supported: FAMILIES.iter().map(|family| family.name).collect::<Vec<_>>().join(", "),
    })
}
