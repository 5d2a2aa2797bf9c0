//! From the tensors of a GGUF file back to those of the hub: names, and what the converter changed.
//!
//! Everything here mirrors llama.cpp's conversion scripts (`conversion/*.py`, tensor names from `gguf-py`).

use super::metadata::GgufMetadata;
use crate::weights::TensorInfo;
use crate::weights::error::FormatError;
use crate::weights::source::{Layout, RowOrder};

/// The architectures whose tensors are given back their hub names, as `general.architecture` calls them.
pub(crate) const SUPPORTED: &str = "llama (and mistral), qwen2, qwen3, gemma2, gemma3, phi3, gpt2, gptneox, bert";

/// A family of models known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    Llama,
    Qwen2,
    Qwen3,
    Gemma2,
    Gemma3,
    Phi3,
    Gpt2,
    GptNeox,
    Bert,
}

impl Architecture {
    /// From `general.architecture`.
    pub(crate) fn parse(name: &str) -> Option<Architecture> {
        Some(match name {
            "llama" => Architecture::Llama,
            "qwen2" => Architecture::Qwen2,
            "qwen3" => Architecture::Qwen3,
            "gemma2" => Architecture::Gemma2,
            "gemma3" => Architecture::Gemma3,
            "phi3" => Architecture::Phi3,
            "gpt2" => Architecture::Gpt2,
            "gptneox" => Architecture::GptNeox,
            "bert" => Architecture::Bert,
            _ => return None,
        })
    }

    /// The stem of a tensor's name on the hub from that in the file: `blk.3.attn_q` to `model.layers.3.self_attn.q_proj`.
    fn hub_stem(self, stem: &str) -> Option<String> {
        let Some(block) = stem.strip_prefix("blk.") else {
            return self.outer(stem).map(str::to_owned);
        };
        let (layer, part) = block.split_once('.')?;
        let layer: u32 = layer.parse().ok()?;
        let (prefix, part) = (self.layers(), self.inner(part)?);
        Some(format!("{prefix}.{layer}.{part}"))
    }

    /// Where the blocks are.
    fn layers(self) -> &'static str {
        match self {
            Architecture::Gpt2 => "transformer.h",
            Architecture::GptNeox => "gpt_neox.layers",
            Architecture::Bert => "encoder.layer",
            _ => "model.layers",
        }
    }

    /// Names outside the blocks.
    fn outer(self, stem: &str) -> Option<&'static str> {
        Some(match (self, stem) {
            (Architecture::Gpt2, "token_embd") => "transformer.wte",
            (Architecture::Gpt2, "position_embd") => "transformer.wpe",
            (Architecture::Gpt2, "output_norm") => "transformer.ln_f",
            (Architecture::GptNeox, "token_embd") => "gpt_neox.embed_in",
            (Architecture::GptNeox, "output_norm") => "gpt_neox.final_layer_norm",
            (Architecture::GptNeox, "output") => "embed_out",
            (Architecture::Bert, "token_embd") => "embeddings.word_embeddings",
            (Architecture::Bert, "position_embd") => "embeddings.position_embeddings",
            (Architecture::Bert, "token_types") => "embeddings.token_type_embeddings",
            (Architecture::Bert, "token_embd_norm") => "embeddings.LayerNorm",
            (Architecture::Bert, _) => return None,
            (_, "token_embd") => "model.embed_tokens",
            (_, "output_norm") => "model.norm",
            (_, "output") => "lm_head",
            _ => return None,
        })
    }

    /// Names inside a block.
    fn inner(self, part: &str) -> Option<&'static str> {
        match self {
            Architecture::Gpt2 => gpt2_block(part),
            Architecture::GptNeox => gpt_neox_block(part),
            Architecture::Bert => bert_block(part),
            Architecture::Gemma2 | Architecture::Gemma3 => match part {
                "post_attention_norm" => Some("post_attention_layernorm"),
                "ffn_norm" => Some("pre_feedforward_layernorm"),
                "post_ffw_norm" => Some("post_feedforward_layernorm"),
                other => llama_block(other),
            },
            Architecture::Phi3 => match part {
                "attn_qkv" => Some("self_attn.qkv_proj"),
                "ffn_up" => Some("mlp.gate_up_proj"),
                other => llama_block(other),
            },
            Architecture::Llama | Architecture::Qwen2 | Architecture::Qwen3 => llama_block(part),
        }
    }
}

fn llama_block(part: &str) -> Option<&'static str> {
    Some(match part {
        "attn_norm" => "input_layernorm",
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_q_norm" => "self_attn.q_norm",
        "attn_k_norm" => "self_attn.k_norm",
        "attn_output" => "self_attn.o_proj",
        "ffn_norm" => "post_attention_layernorm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" => "mlp.up_proj",
        "ffn_down" => "mlp.down_proj",
        _ => return None,
    })
}

fn gpt2_block(part: &str) -> Option<&'static str> {
    Some(match part {
        "attn_norm" => "ln_1",
        "attn_qkv" => "attn.c_attn",
        "attn_output" => "attn.c_proj",
        "ffn_norm" => "ln_2",
        "ffn_up" => "mlp.c_fc",
        "ffn_down" => "mlp.c_proj",
        _ => return None,
    })
}

fn gpt_neox_block(part: &str) -> Option<&'static str> {
    Some(match part {
        "attn_norm" => "input_layernorm",
        "attn_qkv" => "attention.query_key_value",
        "attn_output" => "attention.dense",
        "ffn_norm" => "post_attention_layernorm",
        "ffn_up" => "mlp.dense_h_to_4h",
        "ffn_down" => "mlp.dense_4h_to_h",
        _ => return None,
    })
}

fn bert_block(part: &str) -> Option<&'static str> {
    Some(match part {
        "attn_q" => "attention.self.query",
        "attn_k" => "attention.self.key",
        "attn_v" => "attention.self.value",
        "attn_output" => "attention.output.dense",
        "attn_output_norm" => "attention.output.LayerNorm",
        "ffn_up" => "intermediate.dense",
        "ffn_down" => "output.dense",
        "layer_output_norm" => "output.LayerNorm",
        _ => return None,
    })
}

/// An architecture with the numbers that undoing its conversion takes.
#[derive(Debug)]
pub(crate) struct Family {
    architecture: Architecture,
    heads: usize,
    kv_heads: usize,
}

impl Family {
    /// The family of a file, if it is known. Missing head counts are found out only where they are needed.
    pub(crate) fn of(metadata: &GgufMetadata) -> Option<Family> {
        let name = metadata.string("general.architecture")?;
        let count = |key: &str| metadata.u64(&format!("{name}.attention.{key}")).and_then(|n| usize::try_from(n).ok());
        let heads = count("head_count").unwrap_or(0);
        let kv_heads = count("head_count_kv").unwrap_or(heads);
        Some(Family { architecture: Architecture::parse(name)?, heads, kv_heads })
    }

    /// The name, the shape and the layout that a stored tensor has for readers who expect the hub's. A tensor that the
    /// hub does not have, such as `rope_freqs.weight`, stays as it is.
    pub(crate) fn restore(
        &self,
        name: String,
        mut info: TensorInfo,
    ) -> Result<(String, TensorInfo, Layout), FormatError> {
        let known = name.rsplit_once('.').and_then(|(stem, kind)| {
            matches!(kind, "weight" | "bias").then_some(())?;
            Some((stem, format!("{}.{kind}", self.architecture.hub_stem(stem)?)))
        });
        let Some((stem, hub)) = known else {
            return Ok((name, info, Layout::Contiguous));
        };
        let part = stem.rsplit('.').next().unwrap_or(stem);
        let layout = match (self.architecture, part) {
            (Architecture::Llama, "attn_q") => Layout::Rows(RowOrder::Interleaved { heads: self.heads }),
            (Architecture::Llama, "attn_k") => Layout::Rows(RowOrder::Interleaved { heads: self.kv_heads }),
            (Architecture::GptNeox, "attn_qkv") => Layout::Rows(RowOrder::SplitQkv { heads: self.heads }),
            (Architecture::Gemma2 | Architecture::Gemma3, part) if part.ends_with("norm") => Layout::OneAdded,
            (Architecture::Gpt2, "attn_qkv" | "attn_output" | "ffn_up" | "ffn_down") if info.shape.len() == 2 => {
                Layout::Transposed
            }
            _ => Layout::Contiguous,
        };
        if let Layout::Rows(order) = layout {
            let rows = info.shape.first().copied().unwrap_or(0);
            let row = info.shape.iter().skip(1).product();
            let whole = order.divisor() > 0 && rows > 0 && rows % order.divisor() == 0;
            if !whole || info.stored.bytes_for(row).is_none() {
                let cause = format!("the {rows} rows of `{name}` do not divide into the heads that the metadata gives");
                return Err(FormatError::Header(cause));
            }
        }
        if layout == Layout::Transposed {
            info.shape.reverse();
        }
        Ok((hub, info, layout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_each_family() {
        let name = |architecture: &str, stem: &str| Architecture::parse(architecture).unwrap().hub_stem(stem);
        assert_eq!(name("llama", "blk.12.attn_q").unwrap(), "model.layers.12.self_attn.q_proj");
        assert_eq!(name("qwen3", "blk.0.attn_k_norm").unwrap(), "model.layers.0.self_attn.k_norm");
        assert_eq!(name("gemma3", "blk.1.ffn_norm").unwrap(), "model.layers.1.pre_feedforward_layernorm");
        assert_eq!(name("gemma2", "blk.1.post_ffw_norm").unwrap(), "model.layers.1.post_feedforward_layernorm");
        assert_eq!(name("phi3", "blk.1.ffn_up").unwrap(), "model.layers.1.mlp.gate_up_proj");
        assert_eq!(name("gpt2", "blk.1.ffn_down").unwrap(), "transformer.h.1.mlp.c_proj");
        assert_eq!(name("gpt2", "output").unwrap(), "lm_head");
        assert_eq!(name("gptneox", "output").unwrap(), "embed_out");
        assert_eq!(name("bert", "token_types").unwrap(), "embeddings.token_type_embeddings");
        assert_eq!(name("llama", "rope_freqs"), None);
        assert_eq!(name("llama", "blk.x.attn_q"), None);
        assert_eq!(Architecture::parse("mamba"), None);
    }
}
