//! The text tower of CLIP (Radford et al., arXiv 2103.00020): a causal transformer whose final norm, at the last token of a text, is projected to what is
//! compared with images. It predicts no tokens.

use serde_json::Value;

use super::config::{Config, attention_shape, checked, token_embedding};
use crate::error::Result;
use crate::layers::{Activation, Attention, Loader, Mlp, NormKind};
use crate::transformer::{Block, Dims, Embedding, Head, Layout, PositionEmbedding, Transformer};

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let value = value.get("text_config").unwrap_or(value);
    let config = Config(value);
    let (d_model, n_heads) = (config.size(&["hidden_size"])?, config.size(&["num_attention_heads"])?);
    let dims = checked(Dims {
        n_layers: config.size(&["num_hidden_layers"])?,
        d_model,
        n_heads,
        n_kv_heads: n_heads,
        d_head: d_model / n_heads,
        d_mlp: config.size(&["intermediate_size"])?,
        d_vocab: config.size(&["vocab_size"])?,
        n_ctx: config.size_or(&["max_position_embeddings"], 77)?,
    })?;
    let eps = config.number("layer_norm_eps").unwrap_or(1e-5);
    let activation = Activation::from_config(value, &["hidden_act"], Activation::QuickGelu)?;
    let model = root.first_of(&["text_model.", ""], "embeddings.token_embedding.weight");
    let tables = model.at("embeddings");
    let embedding = Embedding {
        positions: Some(PositionEmbedding {
            weight: tables.tensor("position_embedding.weight", &[dims.n_ctx, d_model])?,
            offset: 0,
        }),
        ..token_embedding(tables.tensor("token_embedding.weight", &[dims.d_vocab, d_model])?)
    };
    let mut blocks = Vec::with_capacity(dims.n_layers);
    for layer in 0..dims.n_layers {
        let at = model.at("encoder.layers").at(layer);
        let attn = at.at("self_attn");
        blocks.push(Block {
            ln1: at.norm("layer_norm1", d_model, NormKind::Layer, eps)?,
            attn: Attention {
                q: attn.linear("q_proj", d_model, d_model, true)?,
                k: attn.linear("k_proj", d_model, d_model, true)?,
                v: attn.linear("v_proj", d_model, d_model, true)?,
                o: attn.linear("out_proj", d_model, d_model, true)?,
                norms: None,
                shape: attention_shape(&dims),
            },
            ln2: at.norm("layer_norm2", d_model, NormKind::Layer, eps)?,
            mlp: Mlp {
                pre: at.linear("mlp.fc1", d_model, dims.d_mlp, true)?,
                pre_linear: None,
                down: at.linear("mlp.fc2", dims.d_mlp, d_model, true)?,
                activation,
            },
            layout: Layout::PreNorm,
            rotary: 0,
            window: None,
        });
    }
    Ok(Transformer {
        family: "clip_text",
        dims,
        embedding,
        blocks,
        head: Head::Norm(model.norm("final_layer_norm", d_model, NormKind::Layer, eps)?),
        rotaries: Vec::new(),
        causal: true,
        kind: root.kind(),
        device: root.device(),
    })
}
