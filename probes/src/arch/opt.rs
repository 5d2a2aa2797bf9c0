//! OPT (Zhang et al., arXiv 2205.01068): learned positions with two unused rows, ReLU; the 350M model normalises behind
//! attention and MLP, and projects narrower embeddings in and out.

use serde_json::Value;

use super::config::{Config, attention_shape, checked, token_embedding};
use crate::error::Result;
use crate::layers::{Activation, Attention, Linear, Loader, Mlp, NormKind};
use crate::transformer::{Block, Dims, Embedding, Head, Layout, PositionEmbedding, Transformer};

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let d_model = config.size(&["hidden_size"])?;
    let n_heads = config.size(&["num_attention_heads"])?;
    let dims = checked(Dims {
        n_layers: config.size(&["num_hidden_layers"])?,
        d_model,
        n_heads,
        n_kv_heads: n_heads,
        d_head: d_model / n_heads,
        d_mlp: config.size(&["ffn_dim", "intermediate_size"])?,
        d_vocab: config.size(&["vocab_size"])?,
        n_ctx: config.size_or(&["max_position_embeddings"], 2048)?,
    })?;
    let d_embed = config.size_or(&["word_embed_proj_dim"], d_model)?;
    let pre_norm = config.flag("do_layer_norm_before", true);
    let bias = config.flag("enable_bias", true);
    let activation = Activation::from_config(value, &["activation_function"], Activation::Relu)?;
    let eps = 1e-5;

    let model = root.first_of(&["model.decoder.", "decoder.", ""], "embed_tokens.weight");
    let tokens = model.tensor("embed_tokens.weight", &[dims.d_vocab, d_embed])?;
    let project = d_embed != d_model;
    let offset = 2;
    let rows = dims.n_ctx + offset;
    let embedding = Embedding {
        project_in: if project { Some(model.linear("project_in", d_embed, d_model, false)?) } else { None },
        positions: Some(PositionEmbedding {
            weight: model.tensor("embed_positions.weight", &[rows, d_model])?,
            offset: offset as i64,
        }),
        ..token_embedding(tokens)
    };
    let mut blocks = Vec::with_capacity(dims.n_layers);
    for layer in 0..dims.n_layers {
        let at = model.at("layers").at(layer);
        let attn = at.at("self_attn");
        blocks.push(Block {
            ln1: at.norm("self_attn_layer_norm", d_model, NormKind::Layer, eps)?,
            attn: Attention {
                q: attn.linear("q_proj", d_model, d_model, bias)?,
                k: attn.linear("k_proj", d_model, d_model, bias)?,
                v: attn.linear("v_proj", d_model, d_model, bias)?,
                o: attn.linear("out_proj", d_model, d_model, bias)?,
                norms: None,
                shape: attention_shape(&dims),
            },
            ln2: at.norm("final_layer_norm", d_model, NormKind::Layer, eps)?,
            mlp: Mlp {
                pre: at.linear("fc1", d_model, dims.d_mlp, bias)?,
                pre_linear: None,
                down: at.linear("fc2", dims.d_mlp, d_model, bias)?,
                activation,
            },
            layout: if pre_norm { Layout::PreNorm } else { Layout::PostNorm },
            rotary: 0,
            window: None,
        });
    }
    let has_final_norm = pre_norm && !config.flag("_remove_final_layer_norm", false);
    let norm = if has_final_norm { Some(model.norm("final_layer_norm", d_model, NormKind::Layer, eps)?) } else { None };
    let project_out = if project { Some(model.linear("project_out", d_model, d_embed, false)?) } else { None };
    let unembed = if config.flag("tie_word_embeddings", true) {
        Linear { weight: embedding.tokens.shallow_clone(), bias: None }
    } else {
        root.linear("lm_head", d_embed, dims.d_vocab, false)?
    };
    Ok(Transformer {
        family: "opt",
        dims,
        embedding,
        blocks,
        head: Head::Lm { norm, project_out, unembed, softcap: None },
        rotaries: Vec::new(),
        causal: true,
        kind: root.kind(),
        device: root.device(),
    })
}
