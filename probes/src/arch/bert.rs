//! BERT (Devlin et al., arXiv 1810.04805): every position sees every other, norms behind attention and MLP; with or without its
//! masked-language-model head.

use serde_json::Value;

use super::config::{Config, attention_shape, token_embedding};
use crate::error::Result;
use crate::layers::{Activation, Attention, Linear, Loader, Mlp, NormKind};
use crate::transformer::{Block, Embedding, Head, Layout, MlmHead, PositionEmbedding, Transformer};

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let dims = config.dims()?;
    let d_model = dims.d_model;
    let eps = config.number("layer_norm_eps").unwrap_or(1e-12);
    let activation = Activation::from_config(value, &["hidden_act"], Activation::Gelu)?;
    let model = root.first_of(&["bert.", ""], "embeddings.word_embeddings.weight");
    let tables = model.at("embeddings");
    let types = config.size_or(&["type_vocab_size"], 2)?;
    let embedding = Embedding {
        positions: Some(PositionEmbedding {
            weight: tables.tensor("position_embeddings.weight", &[dims.n_ctx, d_model])?,
            offset: 0,
        }),
        token_types: Some(tables.tensor("token_type_embeddings.weight", &[types, d_model])?),
        norm: Some(tables.norm("LayerNorm", d_model, NormKind::Layer, eps)?),
        ..token_embedding(tables.tensor("word_embeddings.weight", &[dims.d_vocab, d_model])?)
    };
    let mut blocks = Vec::with_capacity(dims.n_layers);
    for layer in 0..dims.n_layers {
        let at = model.at("encoder.layer").at(layer);
        let own = at.at("attention.self");
        blocks.push(Block {
            ln1: at.norm("attention.output.LayerNorm", d_model, NormKind::Layer, eps)?,
            attn: Attention {
                q: own.linear("query", d_model, d_model, true)?,
                k: own.linear("key", d_model, d_model, true)?,
                v: own.linear("value", d_model, d_model, true)?,
                o: at.linear("attention.output.dense", d_model, d_model, true)?,
                norms: None,
                shape: attention_shape(&dims),
            },
            ln2: at.norm("output.LayerNorm", d_model, NormKind::Layer, eps)?,
            mlp: Mlp {
                pre: at.linear("intermediate.dense", d_model, dims.d_mlp, true)?,
                pre_linear: None,
                down: at.linear("output.dense", dims.d_mlp, d_model, true)?,
                activation,
            },
            layout: Layout::PostNorm,
            rotary: 0,
            window: None,
        });
    }
    let predictions = root.at("cls.predictions");
    let head = if predictions.has("bias") {
        let transform = predictions.at("transform");
        let head = MlmHead {
            dense: transform.linear("dense", d_model, d_model, true)?,
            activation,
            norm: transform.norm("LayerNorm", d_model, NormKind::Layer, eps)?,
        };
        let weight = if predictions.has("decoder.weight") {
            predictions.tensor("decoder.weight", &[dims.d_vocab, d_model])?
        } else {
            embedding.tokens.shallow_clone()
        };
        let bias = Some(predictions.tensor("bias", &[dims.d_vocab])?);
        Head::Mlm { head: Box::new(head), unembed: Linear { weight, bias } }
    } else {
        Head::None
    };
    Ok(Transformer {
        family: "bert",
        dims,
        embedding,
        blocks,
        head,
        rotaries: Vec::new(),
        causal: false,
        kind: root.kind(),
        device: root.device(),
    })
}
