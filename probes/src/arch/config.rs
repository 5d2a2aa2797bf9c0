//! Reading configurations, and the parts that several families describe alike.

use serde_json::Value;

use crate::error::{ProbeError, Result};
use crate::layers::{Attention, AttentionShape, HeadNorms, Linear, Loader, Mlp, NormKind};
use crate::transformer::{Dims, Embedding, Head, Transformer};

/// No size in a configuration may exceed this. It keeps products of two sizes far from overflow; the largest real value
/// is a vocabulary of a few hundred thousand.
const MAX_SIZE: u64 = 1 << 28;

/// A configuration with readable refusals.
#[derive(Clone, Copy)]
pub(super) struct Config<'a>(pub &'a Value);

impl Config<'_> {
    /// A positive size under the first of `keys` that is there.
    pub fn size(&self, keys: &[&str]) -> Result<usize> {
        self.optional_size(keys)?.ok_or_else(|| ProbeError::Config(format!("it lacks `{}`", keys[0])))
    }

    pub fn size_or(&self, keys: &[&str], default: usize) -> Result<usize> {
        Ok(self.optional_size(keys)?.unwrap_or(default))
    }

    pub fn optional_size(&self, keys: &[&str]) -> Result<Option<usize>> {
        let Some((key, value)) = keys.iter().find_map(|key| Some((key, self.0.get(*key).filter(|v| !v.is_null())?)))
        else {
            return Ok(None);
        };
        match value.as_u64().filter(|n| (1..=MAX_SIZE).contains(n)) {
            Some(n) => Ok(Some(n as usize)),
            None => Err(ProbeError::Config(format!(
                "`{key}` is {value}, where a whole number from 1 to {MAX_SIZE} belongs"
            ))),
        }
    }

    pub fn number(&self, key: &str) -> Option<f64> {
        self.0.get(key).and_then(Value::as_f64)
    }

    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(default)
    }

    /// Whether layer `layer` of a model with `layer_types` is of type `name`; `default` where the list is absent.
    pub fn layer_is(&self, layer: usize, name: &str, default: bool) -> bool {
        let types = self.0.get("layer_types").and_then(Value::as_array);
        types.and_then(|types| types.get(layer)).and_then(Value::as_str).map_or(default, |found| found == name)
    }

    /// The sizes under the names that most families use.
    pub fn dims(&self) -> Result<Dims> {
        let d_model = self.size(&["hidden_size"])?;
        let n_heads = self.size(&["num_attention_heads"])?;
        let dims = Dims {
            n_layers: self.size(&["num_hidden_layers"])?,
            d_model,
            n_heads,
            n_kv_heads: self.size_or(&["num_key_value_heads"], n_heads)?,
            d_head: self.size_or(&["head_dim"], d_model / n_heads)?,
            d_mlp: self.size(&["intermediate_size"])?,
            d_vocab: self.size(&["vocab_size"])?,
            n_ctx: self.size_or(&["max_position_embeddings"], 2048)?,
        };
        checked(dims)
    }
}

/// Refuses sizes that contradict each other.
pub(super) fn checked(dims: Dims) -> Result<Dims> {
    if dims.n_layers > 4096 {
        return Err(ProbeError::Config(format!("{} layers are more than any model has", dims.n_layers)));
    }
    if dims.d_head == 0 || !dims.n_heads.is_multiple_of(dims.n_kv_heads) {
        let Dims { n_heads, n_kv_heads, d_model, .. } = dims;
        return Err(ProbeError::Config(format!(
            "{n_heads} heads with {n_kv_heads} key-value heads do not fit a width of {d_model}"
        )));
    }
    Ok(dims)
}

/// Scores are multiplied by `1/√d_head`.
pub(super) fn attention_shape(dims: &Dims) -> AttentionShape {
    AttentionShape {
        n_heads: dims.n_heads as i64,
        n_kv_heads: dims.n_kv_heads as i64,
        d_head: dims.d_head as i64,
        scale: 1.0 / (dims.d_head as f64).sqrt(),
        softcap: None,
    }
}

/// Which of the attention's maps have biases.
#[derive(Clone, Copy, Default)]
pub(super) struct Biases {
    pub qkv: bool,
    pub o: bool,
}

/// `q_proj`, `k_proj`, `v_proj`, `o_proj` and, with `norms`, `q_norm` and `k_norm` of that kind and ε.
pub(super) fn attention(
    at: &Loader,
    dims: &Dims,
    shape: AttentionShape,
    biases: Biases,
    norms: Option<(NormKind, f64)>,
) -> Result<Attention> {
    let (queries, keys) = (dims.n_heads * dims.d_head, dims.n_kv_heads * dims.d_head);
    let head_norms = |(kind, eps)| -> Result<HeadNorms> {
        Ok(HeadNorms { q: at.norm("q_norm", dims.d_head, kind, eps)?, k: at.norm("k_norm", dims.d_head, kind, eps)? })
    };
    Ok(Attention {
        q: at.linear("q_proj", dims.d_model, queries, biases.qkv)?,
        k: at.linear("k_proj", dims.d_model, keys, biases.qkv)?,
        v: at.linear("v_proj", dims.d_model, keys, biases.qkv)?,
        o: at.linear("o_proj", queries, dims.d_model, biases.o)?,
        norms: norms.map(head_norms).transpose()?,
        shape,
    })
}

/// `gate_proj`, `up_proj`, `down_proj`.
pub(super) fn gated_mlp(at: &Loader, dims: &Dims, activation: crate::layers::Activation, bias: bool) -> Result<Mlp> {
    Ok(Mlp {
        pre: at.linear("gate_proj", dims.d_model, dims.d_mlp, bias)?,
        pre_linear: Some(at.linear("up_proj", dims.d_model, dims.d_mlp, bias)?),
        down: at.linear("down_proj", dims.d_mlp, dims.d_model, bias)?,
        activation,
    })
}

/// An unembedding: `name.weight`, or the embeddings themselves where the configuration ties them. A missing weight that is not
/// tied is an error, never a silent tie.
pub(super) fn unembedding(root: &Loader, name: &str, tied: bool, dims: &Dims, embedding: &Embedding) -> Result<Linear> {
    if tied {
        return Ok(Linear { weight: embedding.tokens.shallow_clone(), bias: None });
    }
    root.linear(name, dims.d_model, dims.d_vocab, false)
}

/// An embedding that is just a table of tokens.
pub(super) fn token_embedding(tokens: tch::Tensor) -> Embedding {
    Embedding { tokens, scale: None, project_in: None, positions: None, token_types: None, norm: None }
}

/// The prefixes under which decoders of this style are stored: with a head, without, and inside a multimodal model.
pub(super) const DECODER_PREFIXES: &[&str] = &["model.", "", "language_model.model.", "model.language_model."];

/// The parts of a llama-like decoder that its families share: RMS norms before attention and MLP, rotary positions, a gated
/// MLP. What differs comes as arguments.
pub(super) struct LlamaLike {
    pub family: &'static str,
    pub dims: Dims,
    pub biases: Biases,
    pub mlp_bias: bool,
    pub head_norms: bool,
    pub default_theta: f64,
    /// The window of each layer.
    pub windows: Vec<Option<usize>>,
}

impl LlamaLike {
    pub fn build(self, value: &Value, root: &Loader) -> Result<Transformer> {
        use crate::layers::{Activation, Rotary};
        use crate::transformer::{Block, Layout};

        let config = Config(value);
        let LlamaLike { family, dims, biases, mlp_bias, head_norms, default_theta, windows } = self;
        let eps = config.number("rms_norm_eps").unwrap_or(1e-6);
        let activation = Activation::from_config(value, &["hidden_act"], Activation::Silu)?;
        let mut rotary = Rotary::from_config(value, None, dims.d_head, default_theta)?;
        let model = root.first_of(DECODER_PREFIXES, "embed_tokens.weight");
        if root.has("rope_freqs.weight") {
            // A GGUF carries Llama 3's scaling as one factor per frequency.
            let factors = root.tensor("rope_freqs.weight", &[dims.d_head / 2])?;
            rotary.divide(&Vec::<f32>::try_from(factors.f_to_kind(tch::Kind::Float)?)?)?;
        }
        let embedding = token_embedding(model.tensor("embed_tokens.weight", &[dims.d_vocab, dims.d_model])?);
        let mut blocks = Vec::with_capacity(dims.n_layers);
        for (layer, window) in windows.into_iter().enumerate() {
            let at = model.at("layers").at(layer);
            let norms = head_norms.then_some((NormKind::Rms, eps));
            blocks.push(Block {
                ln1: at.norm("input_layernorm", dims.d_model, NormKind::Rms, eps)?,
                attn: attention(&at.at("self_attn"), &dims, attention_shape(&dims), biases, norms)?,
                ln2: at.norm("post_attention_layernorm", dims.d_model, NormKind::Rms, eps)?,
                mlp: gated_mlp(&at.at("mlp"), &dims, activation, mlp_bias)?,
                layout: Layout::PreNorm,
                rotary: 0,
                window,
            });
        }
        let tied = config.flag("tie_word_embeddings", false);
        let unembed = unembedding(root, "lm_head", tied, &dims, &embedding)?;
        let norm = Some(model.norm("norm", dims.d_model, NormKind::Rms, eps)?);
        Ok(Transformer {
            family,
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
}
