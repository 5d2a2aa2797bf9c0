//! Gemma 2 (arXiv 2408.00118): norms on both sides of attention and MLP with `1 + gain`, scaled embeddings, soft caps on scores and
//! logits, every other layer with a sliding window.

use serde_json::Value;

use super::config::{
    Biases, Config, DECODER_PREFIXES, attention, attention_shape, gated_mlp, token_embedding, unembedding,
};
use crate::error::Result;
use crate::layers::{Activation, AttentionShape, Loader, NormKind, Rotary};
use crate::transformer::{Block, Dims, Embedding, Head, Layout, Transformer};

pub(super) fn build(value: &Value, root: &Loader) -> Result<Transformer> {
    let config = Config(value);
    let mut dims = config.dims()?;
    dims.d_head = config.size_or(&["head_dim"], 256)?;
    let rotary = Rotary::from_config(value, None, dims.d_head, 10_000.0)?;
    let window = config.optional_size(&["sliding_window"])?;
    let layers = (0..dims.n_layers).map(|layer| GemmaLayer {
        rotary: 0,
        window: window.filter(|_| config.layer_is(layer, "sliding_attention", layer % 2 == 0)),
    });
    let parts = Gemma { family: "gemma2", head_norms: false, layers: layers.collect(), rotaries: vec![rotary], dims };
    parts.build(value, root)
}

/// What differs between the layers of a Gemma.
pub(super) struct GemmaLayer {
    pub rotary: usize,
    pub window: Option<usize>,
}

/// Gemma 2 and 3, told apart by norms over heads, rotations and windows.
pub(super) struct Gemma {
    pub family: &'static str,
    pub dims: Dims,
    pub head_norms: bool,
    pub layers: Vec<GemmaLayer>,
    pub rotaries: Vec<Rotary>,
}

impl Gemma {
    pub(super) fn build(self, value: &Value, root: &Loader) -> Result<Transformer> {
        let config = Config(value);
        let Gemma { family, dims, head_norms, layers, rotaries } = self;
        let eps = config.number("rms_norm_eps").unwrap_or(1e-6);
        let activation = Activation::from_config(value, &["hidden_activation", "hidden_act"], Activation::GeluTanh)?;
        // Released configurations name exact GELU by mistake; the models were trained with the tanh form.
        let activation = if activation == Activation::Gelu { Activation::GeluTanh } else { activation };
        let shape = AttentionShape {
            scale: config.number("query_pre_attn_scalar").unwrap_or(dims.d_head as f64).powf(-0.5),
            softcap: config.number("attn_logit_softcapping"),
            ..attention_shape(&dims)
        };
        let bias = config.flag("attention_bias", false);
        let kind = NormKind::RmsPlusOne;
        let model = root.first_of(DECODER_PREFIXES, "embed_tokens.weight");
        let embedding = Embedding {
            scale: Some((dims.d_model as f64).sqrt()),
            ..token_embedding(model.tensor("embed_tokens.weight", &[dims.d_vocab, dims.d_model])?)
        };
        let mut blocks = Vec::with_capacity(dims.n_layers);
        for (index, layer) in layers.into_iter().enumerate() {
            let at = model.at("layers").at(index);
            let norm = |name: &str| at.norm(name, dims.d_model, kind, eps);
            let norms = head_norms.then_some((kind, eps));
            blocks.push(Block {
                ln1: norm("input_layernorm")?,
                attn: attention(&at.at("self_attn"), &dims, shape, Biases { qkv: bias, o: bias }, norms)?,
                ln2: norm("pre_feedforward_layernorm")?,
                mlp: gated_mlp(&at.at("mlp"), &dims, activation, false)?,
                layout: Layout::Sandwich {
                    ln1_post: norm("post_attention_layernorm")?,
                    ln2_post: norm("post_feedforward_layernorm")?,
                },
                rotary: layer.rotary,
                window: layer.window,
            });
        }
        let norm = Some(model.norm("norm", dims.d_model, kind, eps)?);
        let unembed = unembedding(root, "lm_head", config.flag("tie_word_embeddings", true), &dims, &embedding)?;
        Ok(Transformer {
            family,
            dims,
            embedding,
            blocks,
            head: Head::Lm { norm, project_out: None, unembed, softcap: config.number("final_logit_softcapping") },
            rotaries,
            causal: true,
            kind: root.kind(),
            device: root.device(),
        })
    }
}
