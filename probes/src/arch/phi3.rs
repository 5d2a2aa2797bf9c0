//! Phi 3 (arXiv 2404.14219): Llama with fused query-key-value and gate-up maps, which are taken apart here.

use serde_json::Value;

use super::config::{Config, DECODER_PREFIXES, attention_shape, token_embedding, unembedding};
use crate::error::{ProbeError, Result};
use crate::layers::{Activation, Attention, Loader, Mlp, NormKind, Rotary};
use crate::transformer::{Block, Dims, Head, Layout, Transformer};

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let dims = config.dims()?;
    let eps = config.number("rms_norm_eps").unwrap_or(1e-5);
    let activation = Activation::from_config(value, &["hidden_act"], Activation::Silu)?;
    let window = config.optional_size(&["sliding_window"])?;
    let rotary = Rotary::from_config(value, None, dims.d_head, 10_000.0)?;
    let model = root.first_of(DECODER_PREFIXES, "embed_tokens.weight");
    let embedding = token_embedding(model.tensor("embed_tokens.weight", &[dims.d_vocab, dims.d_model])?);
    let mut blocks = Vec::with_capacity(dims.n_layers);
    for layer in 0..dims.n_layers {
        let at = model.at("layers").at(layer);
        blocks.push(Block {
            ln1: at.norm("input_layernorm", dims.d_model, NormKind::Rms, eps)?,
            attn: fused_attention(&at.at("self_attn"), &dims)?,
            ln2: at.norm("post_attention_layernorm", dims.d_model, NormKind::Rms, eps)?,
            mlp: fused_mlp(&at.at("mlp"), &dims, activation)?,
            layout: Layout::PreNorm,
            rotary: 0,
            window,
        });
    }
    let unembed = unembedding(root, "lm_head", config.flag("tie_word_embeddings", false), &dims, &embedding)?;
    let norm = Some(model.norm("norm", dims.d_model, NormKind::Rms, eps)?);
    Ok(Transformer {
        family: "phi3",
        dims,
        embedding,
        blocks,
        head: Head::Lm { norm, project_out: None, unembed, softcap: None },
        rotaries: vec![rotary],
        causal: true,
        kind: root.kind(),
        device: root.device(),
    })
}

/// `qkv_proj`: all queries, then all keys, then all values.
fn fused_attention(at: &Loader, dims: &Dims) -> Result<Attention> {
    let (queries, keys) = (dims.n_heads * dims.d_head, dims.n_kv_heads * dims.d_head);
    let fused = at.linear("qkv_proj", dims.d_model, queries + 2 * keys, false)?;
    let [q, k, v] = three(fused.split(&[queries, keys, keys])?)?;
    let o = at.linear("o_proj", queries, dims.d_model, false)?;
    Ok(Attention { q, k, v, o, norms: None, shape: attention_shape(dims) })
}

/// `gate_up_proj`: the gate, then the linear branch.
fn fused_mlp(at: &Loader, dims: &Dims, activation: Activation) -> Result<Mlp> {
    let fused = at.linear("gate_up_proj", dims.d_model, 2 * dims.d_mlp, false)?;
    let mut halves = fused.split(&[dims.d_mlp, dims.d_mlp])?;
    let pre_linear = halves.pop();
    let pre = halves.pop().ok_or_else(|| ProbeError::Config("the fused gate could not be split".into()))?;
    Ok(Mlp { pre, pre_linear, down: at.linear("down_proj", dims.d_mlp, dims.d_model, false)?, activation })
}

/// The three parts of a split map.
pub(super) fn three<T>(parts: Vec<T>) -> Result<[T; 3]> {
    parts.try_into().map_err(|_| ProbeError::Config("the fused attention map could not be split".into()))
}
