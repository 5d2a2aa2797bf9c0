//! Qwen 3 (arXiv 2505.09388): Llama with a norm over each query and key head.

use serde_json::Value;

use super::config::{Biases, Config, LlamaLike};
use super::qwen2::windows;
use crate::error::Result;
use crate::layers::Loader;
use crate::transformer::Transformer;

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let mut dims = config.dims()?;
    dims.d_head = config.size_or(&["head_dim"], 128)?;
    let bias = config.flag("attention_bias", false);
    let windows = windows(config, dims.n_layers)?;
    LlamaLike {
        family: "qwen3",
        dims,
        biases: Biases { qkv: bias, o: bias },
        mlp_bias: false,
        head_norms: true,
        default_theta: 1_000_000.0,
        windows,
    }
    .build(value, root)
}
