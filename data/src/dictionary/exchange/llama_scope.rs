//! Llama Scope (github.com/OpenMOSS/Language-Model-SAEs): `hyperparams.json` and `checkpoints/final.safetensors`.
//!
//! Activations are scaled to a mean norm of √d. The one threshold of all latents is meant for what the release's loader makes
//! of the weights: scales folded in, decoder rows of length 1. In the scaled space that is `θᵢ = t · s_out / ‖dᵢ‖`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::convert::decoder_norms;
use super::json::Json;
use super::sites::{self, Named};
use super::tensors::Tensors;
use super::{ExchangeError, Format, Sink, Source, finish};
use crate::dictionary::{Architecture, Config, Dictionary, Normalisation};

/// Llama Scope's folders.
pub(super) static FORMAT: Format = Format {
    name: "llama_scope",
    about: "Llama Scope",
    files: "hyperparams.json and checkpoints/final.safetensors",
    recognise: |folder| folder.join(CONFIG).is_file() && weights_of(folder).is_some(),
    read,
    write: None,
};

const CONFIG: &str = "hyperparams.json";
/// The only model there is such a release for.
const MODEL: &str = "meta-llama/Llama-3.1-8B";

fn weights_of(folder: &Path) -> Option<PathBuf> {
    let places = ["checkpoints/final.safetensors", "final.safetensors"];
    places.iter().map(|place| folder.join(place)).find(|path| path.is_file())
}

fn read(source: &Source<'_>, each: &mut Sink<'_>) -> Result<(), ExchangeError> {
    let cfg = Json::open(&source.folder.join(CONFIG))?;
    let path = weights_of(&source.folder).unwrap_or_else(|| source.folder.join("checkpoints/final.safetensors"));
    let (config, scales) = configuration(source, &cfg)?;
    config.check()?;
    let tensors = Tensors::open(&path)?;
    tensors.only(&["encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"])?;
    let (m, d) = (config.latents as usize, config.d_in());
    let mut dictionary = Dictionary {
        encoder: tensors.read("encoder.weight", &[m, d])?,
        encoder_bias: tensors.read("encoder.bias", &[m])?,
        decoder: tensors.read_transposed("decoder.weight", [d, m])?,
        decoder_bias: match cfg.flag("use_decoder_bias")? {
            Some(false) => vec![0.0; d],
            _ => tensors.read("decoder.bias", &[d])?,
        },
        ..Dictionary::empty(config)
    };
    dictionary.config.conversions.extend(tensors.rounded());
    if dictionary.config.architecture == Architecture::JumpRelu {
        let threshold = cfg.need("jump_relu_threshold", cfg.float("jump_relu_threshold")?)?;
        let of = |norm: &f32| (threshold * scales.1 / f64::from(norm.max(1e-8))) as f32;
        dictionary.threshold = Some(decoder_norms(&dictionary).iter().map(of).collect());
        dictionary.config.conversions.push(format!(
            "The threshold {threshold} is meant for decoder rows of length 1 and activations that are not scaled; each latent got \
             its own, {threshold} · {} / ‖d‖.",
            scales.1
        ));
    }
    finish(dictionary, &FORMAT, each)
}

/// The configuration, and the factors of inputs and outputs.
fn configuration(source: &Source<'_>, cfg: &Json) -> Result<(Config, (f64, f64)), ExchangeError> {
    let d = cfg.need("d_model", cfg.count("d_model")?)?;
    let m = match cfg.count("d_sae")? {
        Some(m) => m,
        None => d.saturating_mul(cfg.need("expansion_factor", cfg.count("expansion_factor")?)?),
    };
    for (key, unwanted) in [("use_glu_encoder", true), ("apply_decoder_bias_to_pre_encoder", true)] {
        if cfg.flag(key)? == Some(unwanted) {
            return Err(cfg.unsupported(format!("`{key}` is {unwanted}, which is not known to Golgi")));
        }
    }
    let architecture = match cfg.text("act_fn")?.map(str::to_lowercase).as_deref() {
        Some("jumprelu") => Architecture::JumpRelu,
        Some("relu") => Architecture::Standard,
        other => {
            let other: String = other.unwrap_or("none").chars().take(60).collect();
            let what = format!("its activation function `{other}` is not known to Golgi; known are jumprelu and relu");
            return Err(cfg.unsupported(what));
        }
    };
    let scales = match cfg.text("norm_activation")?.unwrap_or("dataset-wise") {
        "dataset-wise" => {
            let norms = cfg.object("dataset_average_activation_norm")?;
            let norms = cfg.need("dataset_average_activation_norm", norms)?;
            let factor = |key: &str| -> Result<f64, ExchangeError> {
                let norm = norms.need(key, norms.float(key)?)?;
                if !norm.is_normal() || norm < 0.0 {
                    return Err(norms.wrong(format!("the mean norm `{key}` is {norm}, expected is a number above 0")));
                }
                Ok((d as f64).sqrt() / norm)
            };
            (factor("in")?, factor("out")?)
        }
        "inference" => (1.0, 1.0),
        other => {
            let other: String = other.chars().take(60).collect();
            return Err(
                cfg.unsupported(format!("its activations are normalised `{other}`, which is not known to Golgi"))
            );
        }
    };
    let hook = |key: &str| match cfg.get(key).and_then(|value| value.as_str()) {
        Some(hook) => sites::from_hook(hook, Some(MODEL)),
        None => Err(format!("it says no `{key}`")),
    };
    let input: Result<Named, String> = hook("hook_point_in");
    let elsewhere = cfg.get("hook_point_out").is_some_and(|out| Some(out) != cfg.get("hook_point_in"));
    let output = elsewhere.then(|| hook("hook_point_out"));
    let (input, output) = sites::both(source.options, input, output, None, cfg.path())?;
    let mut conversions = Vec::new();
    let input = input.part(d, &mut conversions);
    let output = output.map(|output| output.part(d, &mut conversions));
    let latents = u32::try_from(m).map_err(|_| cfg.wrong(format!("it has {m} latents, which no dictionary has")))?;
    let mut config = Config::autoencoder(architecture, input.clone(), latents);
    config.outputs = vec![output.unwrap_or(input)];
    config.subtract_decoder_bias = false;
    if scales != (1.0, 1.0) {
        config.normalisation = Normalisation::Scale { input: scales.0 as f32, output: scales.1 as f32 };
        conversions.push(format!(
            "Activations are multiplied by √d / mean norm: {} for inputs and {} for outputs.",
            scales.0 as f32, scales.1 as f32
        ));
    }
    config.model = Some(MODEL.to_owned());
    config.conversions = conversions;
    config.training = Some(json!({ FORMAT.name: cfg.value() }));
    Ok((config, scales))
}
