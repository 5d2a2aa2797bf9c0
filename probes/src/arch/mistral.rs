//! Mistral (Jiang et al., arXiv 2310.06825): Llama with a sliding window in every layer.

use serde_json::Value;

use super::config::{Biases, Config, LlamaLike};
use crate::error::Result;
use crate::layers::Loader;
use crate::transformer::Transformer;

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let dims = config.dims()?;
    let windows = vec![config.optional_size(&["sliding_window"])?; dims.n_layers];
    LlamaLike {
        family: "mistral",
        dims,
        biases: Biases::default(),
        mlp_bias: false,
        head_norms: false,
        default_theta: 10_000.0,
        windows,
    }
    .build(value, root)
}
