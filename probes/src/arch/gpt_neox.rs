//! GPT-NeoX and Pythia (Black et al., arXiv 2204.06745): attention and MLP read the same residual stream, a part of each head is
//! rotated, queries, keys and values lie interleaved per head in one map.

use serde_json::Value;

use super::config::{Config, attention_shape, token_embedding, unembedding};
use super::phi3::three;
use crate::error::Result;
use crate::layers::{Activation, Attention, Linear, Loader, Mlp, NormKind, Rotary};
use crate::transformer::{Block, Dims, Head, Layout, Transformer};

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let dims = config.dims()?;
    let d_model = dims.d_model;
    let eps = config.number("layer_norm_eps").unwrap_or(1e-5);
    let activation = Activation::from_config(value, &["hidden_act"], Activation::Gelu)?;
    let parallel = config.flag("use_parallel_residual", true);
    let bias = config.flag("attention_bias", true);
    let rotary = Rotary::from_config(&with_theta(value), None, dims.d_head, 10_000.0)?;
    let model = root.first_of(&["gpt_neox.", ""], "embed_in.weight");
    let embedding = token_embedding(model.tensor("embed_in.weight", &[dims.d_vocab, d_model])?);
    let mut blocks = Vec::with_capacity(dims.n_layers);
    for layer in 0..dims.n_layers {
        let at = model.at("layers").at(layer);
        let attention = at.at("attention");
        let fused = attention.linear("query_key_value", d_model, 3 * d_model, bias)?;
        let [q, k, v] = de_interleave(fused, &dims)?;
        let o = attention.linear("dense", d_model, d_model, bias)?;
        blocks.push(Block {
            ln1: at.norm("input_layernorm", d_model, NormKind::Layer, eps)?,
            attn: Attention { q, k, v, o, norms: None, shape: attention_shape(&dims) },
            ln2: at.norm("post_attention_layernorm", d_model, NormKind::Layer, eps)?,
            mlp: Mlp {
                pre: at.at("mlp").linear("dense_h_to_4h", d_model, dims.d_mlp, true)?,
                pre_linear: None,
                down: at.at("mlp").linear("dense_4h_to_h", dims.d_mlp, d_model, true)?,
                activation,
            },
            layout: if parallel { Layout::Parallel } else { Layout::PreNorm },
            rotary: 0,
            window: None,
        });
    }
    let norm = Some(model.norm("final_layer_norm", d_model, NormKind::Layer, eps)?);
    // Files written by transformers 5 call it `lm_head`, all others `embed_out`.
    let name = if root.has("embed_out.weight") { "embed_out" } else { "lm_head" };
    let unembed = unembedding(root, name, config.flag("tie_word_embeddings", false), &dims, &embedding)?;
    Ok(Transformer {
        family: "gpt_neox",
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

/// Older files say `rotary_emb_base` and leave the rotated share, a quarter, unsaid.
fn with_theta(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut()
        && !fields.contains_key("rope_parameters")
    {
        if let Some(base) = fields.get("rotary_emb_base").cloned() {
            fields.entry("rope_theta").or_insert(base);
        }
        fields.entry("rotary_pct").or_insert(Value::from(0.25));
    }
    value
}

/// Rows come as (head, q/k/v, d_head); each part is wanted as (head, d_head).
fn de_interleave(fused: Linear, dims: &Dims) -> Result<[Linear; 3]> {
    let (heads, d_head, d_model) = (dims.n_heads as i64, dims.d_head as i64, dims.d_model as i64);
    let weights = fused.weight.f_view([heads, 3, d_head, d_model])?;
    let biases = fused.bias.map(|bias| bias.f_view([heads, 3, d_head])).transpose()?;
    let part = |index: i64| -> Result<Linear> {
        let weight = weights.f_select(1, index)?.f_reshape([heads * d_head, d_model])?;
        let bias = match &biases {
            Some(bias) => Some(bias.f_select(1, index)?.f_reshape([heads * d_head])?),
            None => None,
        };
        Ok(Linear { weight, bias })
    };
    three(vec![part(0)?, part(1)?, part(2)?])
}
