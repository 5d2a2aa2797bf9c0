//! Qwen 2 and 2.5 (arXiv 2407.10671): Llama with biases on queries, keys and values.

use serde_json::Value;

use super::config::{Biases, Config, LlamaLike};
use crate::error::Result;
use crate::layers::Loader;
use crate::transformer::Transformer;

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let dims = config.dims()?;
    let windows = windows(config, dims.n_layers)?;
    LlamaLike {
        family: "qwen2",
        dims,
        biases: Biases { qkv: true, o: false },
        mlp_bias: false,
        head_norms: false,
        default_theta: 1_000_000.0,
        windows,
    }
    .build(value, root)
}

/// Qwen slides its window only if told to, and then from layer `max_window_layers` on.
pub(super) fn windows(config: Config, n_layers: usize) -> Result<Vec<Option<usize>>> {
    if !config.flag("use_sliding_window", false) {
        return Ok(vec![None; n_layers]);
    }
    let size = config.optional_size(&["sliding_window"])?;
    let first = config.0.get("max_window_layers").and_then(Value::as_u64).unwrap_or(28) as usize;
    Ok((0..n_layers)
        .map(|layer| size.filter(|_| config.layer_is(layer, "sliding_attention", layer >= first)))
        .collect())
}
