//! From the metadata of a GGUF file to the `config.json` that the model has on the hub.

use serde_json::{Map, Value, json};

use super::hub::{Architecture, SUPPORTED};
use super::metadata::GgufMetadata;
use crate::weights::{Weights, WeightsError};

/// The configuration that the model of a GGUF file has on the hub, under the key names that transformers uses for its
/// family. `weights` are those that `metadata` came with; sizes that the file does not spell out are read off them.
///
/// Where the file holds per-frequency divisors for rotary embeddings (`rope_freqs.weight`, how Llama 3 scaling is
/// stored), the configuration has `"rope_freqs": true`: divide the frequencies by that tensor.
///
/// # Errors
/// If the architecture is not known, or a size is missing.
pub fn hub_config(metadata: &GgufMetadata, weights: &Weights) -> Result<Value, WeightsError> {
    let name = metadata.string("general.architecture").unwrap_or("(none given)");
    let unsupported = |found: String| WeightsError::Architecture { found, supported: SUPPORTED.to_owned() };
    let architecture = Architecture::parse(name).ok_or_else(|| unsupported(name.to_owned()))?;
    let source = Source { metadata, weights, name };
    if let Some(experts) = source.u64("expert_count").filter(|experts| *experts > 0) {
        return Err(unsupported(format!("{name} with {experts} experts")));
    }
    let mut config = Map::new();
    let (class, model_type) = match architecture {
        // Both are one architecture to GGUF; a sliding window is what tells them apart.
        Architecture::Llama if source.window().is_some() => ("MistralForCausalLM", "mistral"),
        Architecture::Llama => ("LlamaForCausalLM", "llama"),
        Architecture::Qwen2 => ("Qwen2ForCausalLM", "qwen2"),
        Architecture::Qwen3 => ("Qwen3ForCausalLM", "qwen3"),
        Architecture::Gemma2 => ("Gemma2ForCausalLM", "gemma2"),
        Architecture::Gemma3 => ("Gemma3ForCausalLM", "gemma3_text"),
        Architecture::Phi3 => ("Phi3ForCausalLM", "phi3"),
        Architecture::Gpt2 => ("GPT2LMHeadModel", "gpt2"),
        Architecture::GptNeox => ("GPTNeoXForCausalLM", "gpt_neox"),
        Architecture::Bert => ("BertModel", "bert"),
    };
    let mut set = |key: &str, value: Value| config.insert(key.to_owned(), value);
    set("architectures", json!([class]));
    set("model_type", json!(model_type));
    for (key, token) in [("bos_token_id", "bos"), ("eos_token_id", "eos"), ("pad_token_id", "padding")] {
        set(key, json!(metadata.u64(&format!("tokenizer.ggml.{token}_token_id"))));
    }
    let (embedding, head) = match architecture {
        Architecture::Gpt2 => ("transformer.wte.weight", "lm_head.weight"),
        Architecture::GptNeox => ("gpt_neox.embed_in.weight", "embed_out.weight"),
        Architecture::Bert => ("embeddings.word_embeddings.weight", "lm_head.weight"),
        _ => ("model.embed_tokens.weight", "lm_head.weight"),
    };
    set("vocab_size", json!(source.rows(embedding)?));
    set("tie_word_embeddings", json!(weights.info(head).is_none()));
    match architecture {
        Architecture::Gpt2 => source.gpt2(&mut config)?,
        Architecture::GptNeox => source.gpt_neox(&mut config)?,
        Architecture::Bert => source.bert(&mut config)?,
        _ => source.llama_like(architecture, &mut config)?,
    }
    Ok(Value::Object(config))
}

/// The metadata under an architecture's prefix, and the tensors.
struct Source<'a> {
    metadata: &'a GgufMetadata,
    weights: &'a Weights,
    name: &'a str,
}

impl Source<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    fn u64(&self, key: &str) -> Option<u64> {
        self.metadata.u64(&self.key(key))
    }

    /// A number; most are stored as `f32`, so the shortest decimal that means the same `f32` is what was meant.
    fn f64(&self, key: &str) -> Option<f64> {
        (self.metadata.f64(&self.key(key))? as f32).to_string().parse().ok()
    }

    fn size(&self, key: &str) -> Result<u64, WeightsError> {
        self.u64(key).filter(|n| *n > 0).ok_or_else(|| WeightsError::Metadata { key: self.key(key) })
    }

    fn rows(&self, tensor: &str) -> Result<usize, WeightsError> {
        let missing = || WeightsError::NoTensor { name: tensor.to_owned(), closest: Vec::new() };
        self.weights.info(tensor).and_then(|info| info.shape.first().copied()).ok_or_else(missing)
    }

    fn window(&self) -> Option<u64> {
        self.u64("attention.sliding_window").filter(|window| *window > 0)
    }

    fn head_dim(&self) -> Result<u64, WeightsError> {
        let computed = self.size("embedding_length")? / self.size("attention.head_count")?;
        Ok(self.u64("attention.key_length").unwrap_or(computed))
    }

    /// The share of a head that rotates.
    fn rotary_share(&self) -> Result<f64, WeightsError> {
        let head_dim = self.head_dim()?.max(1);
        Ok(self.u64("rope.dimension_count").unwrap_or(head_dim) as f64 / head_dim as f64)
    }

    /// Sizes that most families call the same.
    fn sizes(&self, config: &mut Map<String, Value>) -> Result<(), WeightsError> {
        for (key, stored) in [
            ("hidden_size", "embedding_length"),
            ("intermediate_size", "feed_forward_length"),
            ("num_hidden_layers", "block_count"),
            ("num_attention_heads", "attention.head_count"),
            ("max_position_embeddings", "context_length"),
        ] {
            config.insert(key.into(), json!(self.size(stored)?));
        }
        Ok(())
    }

    fn llama_like(&self, architecture: Architecture, config: &mut Map<String, Value>) -> Result<(), WeightsError> {
        self.sizes(config)?;
        let gemma = matches!(architecture, Architecture::Gemma2 | Architecture::Gemma3);
        let heads = self.size("attention.head_count")?;
        let layers = self.size("block_count")?;
        let head_dim = self.head_dim()?;
        let default_theta = if architecture == Architecture::Gemma3 { 1e6 } else { 1e4 };
        let mut set = |key: &str, value: Value| config.insert(key.to_owned(), value);
        set("num_key_value_heads", json!(self.u64("attention.head_count_kv").unwrap_or(heads)));
        set("head_dim", json!(head_dim));
        let epsilon = "attention.layer_norm_rms_epsilon";
        let missing = || WeightsError::Metadata { key: self.key(epsilon) };
        set("rms_norm_eps", json!(self.f64(epsilon).ok_or_else(missing)?));
        set("rope_theta", json!(self.f64("rope.freq_base").unwrap_or(default_theta)));
        set("rope_scaling", self.rope_scaling()?);
        set("sliding_window", json!(self.window()));
        set(
            if gemma { "hidden_activation" } else { "hidden_act" },
            json!(if gemma { "gelu_pytorch_tanh" } else { "silu" }),
        );
        let has = |name: &str| self.weights.info(&format!("model.layers.0.{name}")).is_some();
        set("attention_bias", json!(has("self_attn.q_proj.bias")));
        set("mlp_bias", json!(has("mlp.up_proj.bias")));
        if self.weights.info("rope_freqs.weight").is_some() {
            set("rope_freqs", json!(true));
        }
        match architecture {
            Architecture::Qwen2 | Architecture::Qwen3 => {
                set("use_sliding_window", json!(self.window().is_some()));
            }
            Architecture::Phi3 => {
                set("partial_rotary_factor", json!(self.rotary_share()?));
                let original = self.u64("rope.scaling.original_context_length");
                set("original_max_position_embeddings", json!(original));
            }
            Architecture::Gemma2 => {
                set("attn_logit_softcapping", json!(self.f64("attn_logit_softcapping").unwrap_or(50.0)));
                set("final_logit_softcapping", json!(self.f64("final_logit_softcapping").unwrap_or(30.0)));
                set("sliding_window", json!(self.window().unwrap_or(4096)));
                // The 27B model, told by its depth, scales by its width per head instead of its head size.
                let scalar = if layers == 46 { self.size("embedding_length")? / heads } else { head_dim };
                set("query_pre_attn_scalar", json!(scalar));
                set("layer_types", layer_types(layers, 2));
            }
            Architecture::Gemma3 => {
                set("attn_logit_softcapping", Value::Null);
                set("final_logit_softcapping", json!(self.f64("final_logit_softcapping")));
                set("rope_local_base_freq", json!(self.f64("rope.freq_base_swa").unwrap_or(1e4)));
                let scalar = if layers == 62 { self.size("embedding_length")? / heads } else { head_dim };
                set("query_pre_attn_scalar", json!(scalar));
                let pattern = self.u64("attention.sliding_window_pattern").filter(|n| *n > 0).unwrap_or(6);
                set("sliding_window_pattern", json!(pattern));
                set("layer_types", layer_types(layers, pattern));
            }
            _ => {}
        }
        Ok(())
    }

    fn rope_scaling(&self) -> Result<Value, WeightsError> {
        let original = self.u64("rope.scaling.original_context_length");
        let (long, short) = ("rope_factors_long.weight", "rope_factors_short.weight");
        if self.weights.info(long).is_some() && self.weights.info(short).is_some() {
            return Ok(json!({
                "type": "longrope",
                "rope_type": "longrope",
                "long_factor": self.weights.read_f32(long)?,
                "short_factor": self.weights.read_f32(short)?,
                "original_max_position_embeddings": original,
                "attention_factor": self.f64("rope.scaling.attn_factor"),
            }));
        }
        let factor = self.f64("rope.scaling.factor");
        Ok(match (self.metadata.string(&self.key("rope.scaling.type")), factor) {
            (Some(kind @ "linear"), Some(factor)) => json!({"type": kind, "rope_type": kind, "factor": factor}),
            (Some(kind @ "yarn"), Some(factor)) => json!({
                "type": kind, "rope_type": kind, "factor": factor, "original_max_position_embeddings": original,
            }),
            _ => Value::Null,
        })
    }

    fn gpt2(&self, config: &mut Map<String, Value>) -> Result<(), WeightsError> {
        for (key, stored) in [
            ("n_embd", "embedding_length"),
            ("n_inner", "feed_forward_length"),
            ("n_layer", "block_count"),
            ("n_head", "attention.head_count"),
        ] {
            config.insert(key.into(), json!(self.size(stored)?));
        }
        let positions = self.rows("transformer.wpe.weight")?;
        config.insert("n_positions".into(), json!(positions));
        config.insert("n_ctx".into(), json!(positions));
        config.insert("layer_norm_epsilon".into(), json!(self.f64("attention.layer_norm_epsilon").unwrap_or(1e-5)));
        config.insert("activation_function".into(), json!("gelu_new"));
        Ok(())
    }

    fn gpt_neox(&self, config: &mut Map<String, Value>) -> Result<(), WeightsError> {
        self.sizes(config)?;
        let theta = self.f64("rope.freq_base").unwrap_or(1e4);
        let parallel = self.metadata.bool(&self.key("use_parallel_residual")).unwrap_or(true);
        let mut set = |key: &str, value: Value| config.insert(key.to_owned(), value);
        set("layer_norm_eps", json!(self.f64("attention.layer_norm_epsilon").unwrap_or(1e-5)));
        set("rotary_pct", json!(self.rotary_share()?));
        set("rotary_emb_base", json!(theta));
        set("rope_theta", json!(theta));
        set("use_parallel_residual", json!(parallel));
        set("hidden_act", json!("gelu"));
        set("attention_bias", json!(self.weights.info("gpt_neox.layers.0.attention.dense.bias").is_some()));
        Ok(())
    }

    fn bert(&self, config: &mut Map<String, Value>) -> Result<(), WeightsError> {
        self.sizes(config)?;
        let mut set = |key: &str, value: Value| config.insert(key.to_owned(), value);
        set("max_position_embeddings", json!(self.rows("embeddings.position_embeddings.weight")?));
        set("type_vocab_size", json!(self.rows("embeddings.token_type_embeddings.weight")?));
        set("layer_norm_eps", json!(self.f64("attention.layer_norm_epsilon").unwrap_or(1e-12)));
        set("position_embedding_type", json!("absolute"));
        set("hidden_act", json!("gelu"));
        Ok(())
    }
}

/// Every `pattern`-th layer sees everything, the others a window. Longer lists than any model has are cut.
fn layer_types(layers: u64, pattern: u64) -> Value {
    let layers = 1..=layers.min(1 << 16);
    layers.map(|n| if n.is_multiple_of(pattern) { "full_attention" } else { "sliding_attention" }).collect()
}
