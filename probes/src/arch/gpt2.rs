//! GPT-2 (Radford et al., 2019): learned positions, layer norm before attention and MLP, `Conv1D` maps stored `[in, out]`,
//! queries, keys and values in one of them.

use serde_json::Value;

use super::config::{Config, attention_shape, checked, token_embedding, unembedding};
use super::phi3::three;
use crate::error::Result;
use crate::layers::{Activation, Attention, Loader, Mlp, NormKind};
use crate::transformer::{Block, Dims, Embedding, Head, Layout, PositionEmbedding, Transformer};

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let d_model = config.size(&["n_embd", "hidden_size"])?;
    let n_heads = config.size(&["n_head", "num_attention_heads"])?;
    let dims = checked(Dims {
        n_layers: config.size(&["n_layer", "num_hidden_layers"])?,
        d_model,
        n_heads,
        n_kv_heads: n_heads,
        d_head: d_model / n_heads,
        d_mlp: config.size_or(&["n_inner"], 4 * d_model)?,
        d_vocab: config.size(&["vocab_size"])?,
        n_ctx: config.size_or(&["n_positions", "max_position_embeddings"], 1024)?,
    })?;
    let eps = config.number("layer_norm_epsilon").unwrap_or(1e-5);
    let activation = Activation::from_config(value, &["activation_function"], Activation::GeluTanh)?;
    let mut shape = attention_shape(&dims);
    if !config.flag("scale_attn_weights", true) {
        shape.scale = 1.0;
    }
    let by_layer = config.flag("scale_attn_by_inverse_layer_idx", false);

    let model = root.first_of(&["transformer.", ""], "wte.weight");
    let positions = PositionEmbedding { weight: model.tensor("wpe.weight", &[dims.n_ctx, d_model])?, offset: 0 };
    let embedding = Embedding {
        positions: Some(positions),
        ..token_embedding(model.tensor("wte.weight", &[dims.d_vocab, d_model])?)
    };
    let mut blocks = Vec::with_capacity(dims.n_layers);
    for layer in 0..dims.n_layers {
        let at = model.at("h").at(layer);
        let mut shape = shape;
        if by_layer {
            shape.scale /= (layer + 1) as f64;
        }
        let [q, k, v] = three(at.conv1d("attn.c_attn", d_model, 3 * d_model)?.split(&[d_model; 3])?)?;
        let o = at.conv1d("attn.c_proj", d_model, d_model)?;
        blocks.push(Block {
            ln1: at.norm("ln_1", d_model, NormKind::Layer, eps)?,
            attn: Attention { q, k, v, o, norms: None, shape },
            ln2: at.norm("ln_2", d_model, NormKind::Layer, eps)?,
            mlp: Mlp {
                pre: at.conv1d("mlp.c_fc", d_model, dims.d_mlp)?,
                pre_linear: None,
                down: at.conv1d("mlp.c_proj", dims.d_mlp, d_model)?,
                activation,
            },
            layout: Layout::PreNorm,
            rotary: 0,
            window: None,
        });
    }
    let norm = Some(model.norm("ln_f", d_model, NormKind::Layer, eps)?);
    let unembed = unembedding(root, "lm_head", config.flag("tie_word_embeddings", true), &dims, &embedding)?;
    Ok(Transformer {
        family: "gpt2",
        dims,
        embedding,
        blocks,
        head: Head::Lm { norm, project_out: None, unembed, softcap: None },
        rotaries: Vec::new(),
        causal: true,
        kind: root.kind(),
        device: root.device(),
    })
}
