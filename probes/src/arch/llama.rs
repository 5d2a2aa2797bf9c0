//! Llama (Touvron et al., arXiv 2302.13971; Llama 3 with its rotary scaling) and the many models stored as one, such as
//! SmolLM2. RMS norm, rotary positions, grouped keys and values, gated MLP.

use serde_json::Value;

use super::config::{Biases, Config, LlamaLike};
use crate::error::Result;
use crate::layers::Loader;
use crate::transformer::Transformer;

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let dims = config.dims()?;
    let bias = config.flag("attention_bias", false);
    let windows = vec![None; dims.n_layers];
    LlamaLike {
        family: "llama",
        dims,
        biases: Biases { qkv: bias, o: bias },
        mlp_bias: config.flag("mlp_bias", false),
        head_norms: false,
        default_theta: 10_000.0,
        windows,
    }
    .build(value, root)
}
