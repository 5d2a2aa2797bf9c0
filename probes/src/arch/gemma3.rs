//! Gemma 3 (arXiv 2503.19786): Gemma 2 without soft caps, with norms over query and key heads, and five layers with a sliding
//! window and their own rotation for each one without. Of a multimodal model only the language model is read.

use serde_json::Value;

use super::config::Config;
use super::gemma2::{Gemma, GemmaLayer};
use crate::error::Result;
use crate::layers::{Loader, Rotary};
use crate::transformer::Transformer;

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let value = value.get("text_config").unwrap_or(value);
    let config = Config(value);
    let mut dims = config.dims()?;
    dims.d_head = config.size_or(&["head_dim"], 256)?;
    let period = config.size_or(&["sliding_window_pattern", "_sliding_window_pattern"], 6)?;
    let window = config.size_or(&["sliding_window"], 4096)?;
    let local_theta = config.number("rope_local_base_freq").unwrap_or(10_000.0);
    let global = Rotary::from_config(value, Some("full_attention"), dims.d_head, 1_000_000.0)?;
    let local = match value.pointer("/rope_parameters/sliding_attention") {
        Some(_) => Rotary::from_config(value, Some("sliding_attention"), dims.d_head, local_theta)?,
        None => Rotary::new(dims.d_head, local_theta),
    };
    let layers = (0..dims.n_layers).map(|layer| {
        let slides = config.layer_is(layer, "sliding_attention", !(layer + 1).is_multiple_of(period));
        GemmaLayer { rotary: usize::from(slides), window: slides.then_some(window) }
    });
    let layers = layers.collect();
    Gemma { family: "gemma3", dims, head_norms: true, layers, rotaries: vec![global, local] }.build(value, root)
}
