//! To SAELens, in the form of version 6.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::tensors::transpose;
use super::super::{ExchangeError, files, remarks, sites};
use super::{CONFIG, FORMAT, KEPT, METADATA, WEIGHTS, is_modern};
use crate::dictionary::native::Floats;
use crate::dictionary::{Architecture, Config, Dictionary, Normalisation};

/// The version whose form this is.
const VERSION: &str = "6.0.0";

pub(super) fn write(dictionary: &Dictionary, folder: &Path) -> Result<(), ExchangeError> {
    let config = &dictionary.config;
    let architecture =
        expressible(dictionary).map_err(|why| ExchangeError::Inexpressible { name: FORMAT.name, why })?;
    let (m, d_in, d_out) = (config.latents as usize, config.d_in(), config.d_out());
    let encoder = transpose(&dictionary.encoder, m, d_in);
    let gated = config.architecture == Architecture::Gated;
    let mut tensors = vec![
        ("W_enc", Floats::new(&encoder, &[d_in, m])),
        (if gated { "b_gate" } else { "b_enc" }, Floats::new(&dictionary.encoder_bias, &[m])),
        ("W_dec", Floats::new(&dictionary.decoder, &[m, d_out])),
        ("b_dec", Floats::new(&dictionary.decoder_bias, &[d_out])),
    ];
    tensors.extend(dictionary.threshold.iter().map(|values| ("threshold", Floats::new(values, &[m]))));
    tensors.extend(
        dictionary
            .magnitude
            .iter()
            .flat_map(|one| [("r_mag", Floats::new(&one.log_scale, &[m])), ("b_mag", Floats::new(&one.bias, &[m]))]),
    );
    tensors.extend(dictionary.skip.iter().map(|values| ("W_skip", Floats::new(values, &[d_out, d_in]))));
    files::write(folder, (WEIGHTS, tensors), (CONFIG, &configuration(config, architecture)))
}

/// SAELens' name of the architecture, or why it has none.
fn expressible(dictionary: &Dictionary) -> Result<&'static str, String> {
    let config = &dictionary.config;
    if config.inputs.len() > 1 || config.outputs.len() > 1 {
        let (inputs, outputs) = (config.inputs.len(), config.outputs.len());
        return Err(format!("it reads {inputs} sites and writes {outputs}, where SAELens has one of each"));
    }
    if let Normalisation::Scale { .. } = config.normalisation {
        return Err("SAELens has no place for a scale of activations; fold it into the weights first (--fold)".into());
    }
    if dictionary.threshold.is_some() && !config.architecture.has_threshold() {
        return Err(format!(
            "it has a threshold, which the architecture `{}` does not use",
            config.architecture.name()
        ));
    }
    if dictionary.magnitude.is_some() && config.architecture != Architecture::Gated {
        return Err("it has the magnitudes of a gate but is not gated".into());
    }
    if config.is_autoencoder() {
        if dictionary.skip.is_some() {
            return Err("SAELens has skip connections in transcoders only, and this is an autoencoder".into());
        }
        return Ok(match config.architecture {
            Architecture::Standard => "standard",
            Architecture::Gated => "gated",
            Architecture::TopK { .. } => "topk",
            Architecture::BatchTopK { .. } | Architecture::JumpRelu | Architecture::Matryoshka { .. } => "jumprelu",
        });
    }
    if config.normalisation != Normalisation::None {
        return Err("SAELens does not undo the normalisation of a transcoder".into());
    }
    match (&config.architecture, dictionary.skip.is_some()) {
        (Architecture::Standard, false) => Ok("transcoder"),
        (Architecture::Standard, true) => Ok("skip_transcoder"),
        (one, false) if one.has_threshold() => Ok("jumprelu_transcoder"),
        (one, true) if one.has_threshold() => Ok("jumprelu_skip_transcoder"),
        (one, _) => Err(format!("SAELens has no transcoder of the architecture `{}`", one.name())),
    }
}

fn configuration(config: &Config, architecture: &str) -> Value {
    let site = &config.inputs[0].site;
    let mut cfg = json!({
        "architecture": architecture,
        "d_in": config.d_in(),
        "d_sae": config.latents,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": config.subtract_decoder_bias,
        "normalize_activations": match config.normalisation {
            Normalisation::RowNorm => "constant_norm_rescale",
            Normalisation::LayerNorm => "layer_norm",
            Normalisation::None | Normalisation::Scale { .. } => "none",
        },
        "reshape_activations": if config.is_autoencoder() && site.ends_with("attn.hook_z") { "hook_z" } else { "none" },
    });
    if !config.is_autoencoder() {
        cfg["d_out"] = json!(config.d_out());
    }
    if let Architecture::TopK { k } = config.architecture {
        cfg["k"] = json!(k);
        cfg["rescale_acts_by_decoder_norm"] = json!(false);
    }
    cfg["metadata"] = Value::Object(metadata(config));
    cfg
}

/// What SAELens knows about the model and the site: what it once said, with what Golgi knows in its place.
fn metadata(config: &Config) -> Map<String, Value> {
    let kept = config.training.as_ref().and_then(|training| training.get(KEPT));
    let version = |value: &Value| value.get("sae_lens_version").and_then(Value::as_str).map(str::to_owned);
    let modern = kept.and_then(|kept| kept.get("metadata")).filter(|one| is_modern(version(one).as_deref()));
    let mut metadata = match (modern, kept) {
        (Some(Value::Object(metadata)), _) => metadata.clone(),
        (_, Some(Value::Object(flat))) => flat
            .iter()
            .filter(|(key, _)| METADATA.contains(&key.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        _ => Map::new(),
    };
    let mut set = |key: &str, value: Value| metadata.insert(key.to_owned(), value);
    if modern.is_none() {
        set("sae_lens_version", json!(VERSION));
        set("sae_lens_training_version", Value::Null);
    }
    set("hook_name", json!(sites::to_hook(&config.inputs[0].site)));
    set("hook_head_index", Value::Null);
    if !config.is_autoencoder() {
        set("hook_name_out", json!(sites::to_hook(&config.outputs[0].site)));
    }
    for (key, value) in [("model_name", &config.model), ("dataset_path", &config.corpus)] {
        if let Some(value) = value {
            set(key, json!(value));
        }
    }
    if let Some(context) = config.context {
        set("context_size", json!(context));
    }
    match &config.architecture {
        Architecture::BatchTopK { k } => {
            set("training_architecture", json!("batchtopk"));
            set("training_architecture_details", json!({ "k": k }));
        }
        Architecture::Matryoshka { k, prefixes } => {
            set("training_architecture", json!("matryoshka_batchtopk"));
            set("training_architecture_details", json!({ "k": k, "matryoshka_widths": prefixes }));
        }
        _ => {}
    }
    set(remarks::FIELD, json!(config));
    metadata.entry("prepend_bos").or_insert(json!(true));
    if config.skip_first && !metadata.contains_key("exclude_special_tokens") {
        metadata.entry("seqpos_slice").or_insert(json!([1, null]));
    }
    metadata
}
