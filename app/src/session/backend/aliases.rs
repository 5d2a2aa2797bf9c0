//! What the hub's implementations call the sites: module paths, as seen in `model.named_modules()`.
//!
//! Only where the module's output (or, so marked, its input) is the site's value. Sites without a module of their own have none.

use golgi_data::site::{BlockPoint, Site};

/// Names of one family's modules. Block names are relative to `block`, whose `{}` is the layer.
struct Names {
    embed: &'static str,
    positions: &'static str,
    block: &'static str,
    points: &'static [(BlockPoint, &'static str)],
    final_norm: &'static str,
    logits: &'static str,
}

use BlockPoint as P;

const LLAMA: Names = Names {
    embed: "model.embed_tokens",
    positions: "",
    block: "model.layers.{}",
    points: &[
        (P::Ln1Normalized, "input_layernorm"),
        (P::Q, "self_attn.q_proj"),
        (P::K, "self_attn.k_proj"),
        (P::V, "self_attn.v_proj"),
        (P::QNormNormalized, "self_attn.q_norm"),
        (P::KNormNormalized, "self_attn.k_norm"),
        (P::Z, "self_attn.o_proj (input)"),
        (P::AttnOut, "self_attn"),
        (P::Ln2Normalized, "post_attention_layernorm"),
        (P::MlpPre, "mlp.gate_proj"),
        (P::MlpPreLinear, "mlp.up_proj"),
        (P::MlpPost, "mlp.down_proj (input)"),
        (P::MlpOut, "mlp"),
        (P::ResidPost, ""),
    ],
    final_norm: "model.norm",
    logits: "lm_head",
};

const GEMMA: Names = Names {
    points: &[
        (P::Ln1Normalized, "input_layernorm"),
        (P::Q, "self_attn.q_proj"),
        (P::K, "self_attn.k_proj"),
        (P::V, "self_attn.v_proj"),
        (P::QNormNormalized, "self_attn.q_norm"),
        (P::KNormNormalized, "self_attn.k_norm"),
        (P::Z, "self_attn.o_proj (input)"),
        (P::AttnOut, "post_attention_layernorm"),
        (P::Ln1PostNormalized, "post_attention_layernorm"),
        (P::Ln2Normalized, "pre_feedforward_layernorm"),
        (P::MlpPre, "mlp.gate_proj"),
        (P::MlpPreLinear, "mlp.up_proj"),
        (P::MlpPost, "mlp.down_proj (input)"),
        (P::Ln2PostNormalized, "post_feedforward_layernorm"),
        (P::MlpOut, "post_feedforward_layernorm"),
        (P::ResidPost, ""),
    ],
    ..LLAMA
};

const PHI3: Names = Names {
    points: &[
        (P::Ln1Normalized, "input_layernorm"),
        (P::Z, "self_attn.o_proj (input)"),
        (P::AttnOut, "self_attn"),
        (P::Ln2Normalized, "post_attention_layernorm"),
        (P::MlpPost, "mlp.down_proj (input)"),
        (P::MlpOut, "mlp"),
        (P::ResidPost, ""),
    ],
    ..LLAMA
};

const GPT2: Names = Names {
    embed: "transformer.wte",
    positions: "transformer.wpe",
    block: "transformer.h.{}",
    points: &[
        (P::Ln1Normalized, "ln_1"),
        (P::Z, "attn.c_proj (input)"),
        (P::AttnOut, "attn"),
        (P::Ln2Normalized, "ln_2"),
        (P::MlpPre, "mlp.c_fc"),
        (P::MlpPost, "mlp.act"),
        (P::MlpOut, "mlp"),
        (P::ResidPost, ""),
    ],
    final_norm: "transformer.ln_f",
    logits: "lm_head",
};

const GPT_NEOX: Names = Names {
    embed: "gpt_neox.embed_in",
    positions: "",
    block: "gpt_neox.layers.{}",
    points: &[
        (P::Ln1Normalized, "input_layernorm"),
        (P::Z, "attention.dense (input)"),
        (P::AttnOut, "attention"),
        (P::Ln2Normalized, "post_attention_layernorm"),
        (P::MlpPre, "mlp.dense_h_to_4h"),
        (P::MlpPost, "mlp.act"),
        (P::MlpOut, "mlp"),
        (P::ResidPost, ""),
    ],
    final_norm: "gpt_neox.final_layer_norm",
    logits: "embed_out",
};

const CLIP_TEXT: Names = Names {
    embed: "text_model.embeddings.token_embedding",
    positions: "text_model.embeddings.position_embedding",
    block: "text_model.encoder.layers.{}",
    points: &[
        (P::Ln1Normalized, "layer_norm1"),
        (P::Q, "self_attn.q_proj"),
        (P::K, "self_attn.k_proj"),
        (P::V, "self_attn.v_proj"),
        (P::Z, "self_attn.out_proj (input)"),
        (P::AttnOut, "self_attn"),
        (P::Ln2Normalized, "layer_norm2"),
        (P::MlpPre, "mlp.fc1"),
        (P::MlpPost, "mlp.activation_fn"),
        (P::MlpOut, "mlp"),
        (P::ResidPost, ""),
    ],
    final_norm: "text_model.final_layer_norm",
    logits: "",
};

const OPT: Names = Names {
    embed: "model.decoder.embed_tokens",
    positions: "model.decoder.embed_positions",
    block: "model.decoder.layers.{}",
    points: &[
        (P::Ln1Normalized, "self_attn_layer_norm"),
        (P::Q, "self_attn.q_proj"),
        (P::K, "self_attn.k_proj"),
        (P::V, "self_attn.v_proj"),
        (P::Z, "self_attn.out_proj (input)"),
        (P::AttnOut, "self_attn"),
        (P::Ln2Normalized, "final_layer_norm"),
        (P::MlpPre, "fc1"),
        (P::MlpPost, "activation_fn"),
        (P::MlpOut, "fc2"),
        (P::ResidPost, ""),
    ],
    final_norm: "model.decoder.final_layer_norm",
    logits: "lm_head",
};

const BERT: Names = Names {
    embed: "embeddings.word_embeddings",
    positions: "embeddings.position_embeddings",
    block: "encoder.layer.{}",
    points: &[
        (P::Q, "attention.self.query"),
        (P::K, "attention.self.key"),
        (P::V, "attention.self.value"),
        (P::Z, "attention.self"),
        (P::AttnOut, "attention.output.dense"),
        (P::Ln1Normalized, "attention.output.LayerNorm"),
        (P::MlpPre, "intermediate.dense"),
        (P::MlpPost, "intermediate"),
        (P::MlpOut, "output.dense"),
        (P::Ln2Normalized, "output.LayerNorm"),
        (P::ResidPost, ""),
    ],
    final_norm: "cls.predictions.transform.LayerNorm",
    logits: "cls.predictions.decoder",
};

fn names(family: &str) -> Option<&'static Names> {
    Some(match family {
        "llama" | "mistral" | "qwen2" | "qwen3" => &LLAMA,
        "gemma2" | "gemma3" => &GEMMA,
        "phi3" => &PHI3,
        "gpt2" => &GPT2,
        "gpt_neox" => &GPT_NEOX,
        "opt" => &OPT,
        "clip_text" => &CLIP_TEXT,
        "bert" => &BERT,
        _ => return None,
    })
}

/// The module path of `site` in the hub's implementation of `family`.
pub(super) fn hub_path(family: &str, site: &Site) -> Option<String> {
    let names = names(family)?;
    let whole = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    match site {
        Site::Embed => whole(names.embed),
        Site::PosEmbed => whole(names.positions),
        Site::TokenTypeEmbed => Some("embeddings.token_type_embeddings".into()),
        Site::EmbedNormNormalized => Some("embeddings.LayerNorm".into()),
        Site::LnFinalNormalized => whole(names.final_norm),
        Site::Logits => whole(names.logits),
        Site::Block { layer, point } => {
            let (_, name) = names.points.iter().find(|(named, _)| named == point)?;
            let block = names.block.replace("{}", &layer.to_string());
            Some(if name.is_empty() { block } else { format!("{block}.{name}") })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_names_its_sites() {
        for family in golgi_probes::arch::FAMILIES {
            assert!(hub_path(family.name, &Site::block(3, P::ResidPost)).is_some(), "{}", family.name);
        }
        let q = hub_path("qwen3", &Site::block(3, P::Q));
        assert_eq!(q.as_deref(), Some("model.layers.3.self_attn.q_proj"));
        assert_eq!(hub_path("gpt2", &Site::block(0, P::Q)), None, "one matrix makes queries, keys and values");
        assert_eq!(hub_path("unheard-of", &Site::Embed), None);
    }
}
