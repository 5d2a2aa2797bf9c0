//! dictionary_learning (github.com/saprmarks/dictionary_learning): `ae.pt`, a state dict, and `config.json` with the trainer.

use serde_json::{Value, json};

use super::convert::{decoder_norms, fold_decoder_norms};
use super::json::Json;
use super::sites::Named;
use super::tensors::{Tensors, transpose};
use super::{ExchangeError, Format, Sink, Source, finish, sites};
use crate::dictionary::{Architecture, Config, Dictionary, Magnitude};
use crate::site::{BlockPoint, Site};

/// dictionary_learning's folders.
pub(super) static FORMAT: Format = Format {
    name: "dictionary_learning",
    about: "dictionary_learning",
    files: "ae.pt and config.json",
    recognise: |folder| folder.join(WEIGHTS).is_file() && folder.join(CONFIG).is_file(),
    read,
    write: None,
};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "ae.pt";

/// The classes of dictionaries, named as in `dict_class`.
const CLASSES: &[&str] = &[
    "AutoEncoder",
    "AutoEncoderNew",
    "GatedAutoEncoder",
    "AutoEncoderTopK",
    "BatchTopKSAE",
    "MatryoshkaBatchTopKSAE",
    "JumpReluAutoEncoder",
];

fn read(source: &Source<'_>, each: &mut Sink<'_>) -> Result<(), ExchangeError> {
    let cfg = Json::open(&source.folder.join(CONFIG))?;
    let trainer = cfg.need("trainer", cfg.object("trainer")?)?;
    let class = trainer.need("dict_class", trainer.text("dict_class")?)?.to_owned();
    if !CLASSES.contains(&class.as_str()) {
        let class: String = class.chars().take(60).collect();
        return Err(cfg.unsupported(format!("its class `{class}` is not known; known are {}", CLASSES.join(", "))));
    }
    let tensors = Tensors::open(&source.folder.join(WEIGHTS))?;
    // Matrices that stand for themselves lie as [in, out], those of linear layers as [out, in].
    let (encoder, linear) = match tensors.first(&["encoder.weight", "W_enc"])? {
        "encoder.weight" => (tensors.matrix("encoder.weight")?, true),
        name => {
            let [d, m] = tensors.matrix(name)?;
            ([m, d], false)
        }
    };
    let own = ["JumpReluAutoEncoder", "MatryoshkaBatchTopKSAE"].contains(&class.as_str());
    if own == linear {
        let (has, wants) = if linear { ("encoder.weight", "W_enc") } else { ("W_enc", "encoder.weight") };
        return Err(tensors.wrong(format!("it holds `{has}`, but a {class} has `{wants}`")));
    }
    let [m, d] = encoder;
    for (key, actual) in [("dict_size", m), ("activation_dim", d)] {
        if let Some(said) = trainer.count(key)?
            && said != actual
        {
            return Err(trainer.wrong(format!("`trainer.{key}` is {said}, but the weights have {actual}")));
        }
    }
    let architecture = architecture(&class, &trainer, &tensors, m)?;
    let mut config = configuration(source, &cfg, &trainer, architecture, [m, d])?;
    config.subtract_decoder_bias = !["JumpReluAutoEncoder", "AutoEncoderNew"].contains(&class.as_str());
    config.conversions.extend(tensors.rounded());
    config.check()?;
    let mut dictionary = weights(config, &class, &tensors, linear)?;
    if class == "AutoEncoder" && decoder_norms(&dictionary).iter().any(|norm| (norm - 1.0).abs() > 1e-5) {
        fold_decoder_norms(&mut dictionary);
        dictionary.config.conversions.push(
            "Decoder rows were made of length 1 and their lengths folded into the encoder, as dictionary_learning does when it \
             loads this class."
                .into(),
        );
    }
    finish(dictionary, &FORMAT, each)
}

fn architecture(class: &str, trainer: &Json, tensors: &Tensors, m: usize) -> Result<Architecture, ExchangeError> {
    let k = || -> Result<u32, ExchangeError> {
        let said = trainer.count("k")?;
        let stored = if tensors.has("k") { tensors.integers("k")?.first().copied() } else { None };
        if let (Some(said), Some(stored)) = (said, stored)
            && said as i64 != stored
        {
            return Err(trainer.wrong(format!("`trainer.k` is {said}, but the weights say {stored}")));
        }
        let k = trainer.need("k", said.or(stored.and_then(|k| usize::try_from(k).ok())))?;
        u32::try_from(k).map_err(|_| trainer.wrong(format!("`trainer.k` is {k}, which no dictionary has")))
    };
    Ok(match class {
        "GatedAutoEncoder" => Architecture::Gated,
        "AutoEncoderTopK" => Architecture::TopK { k: k()? },
        "BatchTopKSAE" => Architecture::BatchTopK { k: k()? },
        "JumpReluAutoEncoder" => Architecture::JumpRelu,
        "MatryoshkaBatchTopKSAE" => {
            let sizes = tensors.integers("group_sizes")?;
            let ends = sizes.iter().scan(0i64, |end, size| {
                *end = end.checked_add(*size)?;
                Some(*end)
            });
            let prefixes: Vec<u32> = ends.map_while(|end| u32::try_from(end).ok()).collect();
            if prefixes.len() != sizes.len() || prefixes.last().is_none_or(|last| *last as usize != m) {
                return Err(tensors.wrong(format!("its `group_sizes` do not add up to its {m} latents")));
            }
            Architecture::Matryoshka { k: k()?, prefixes }
        }
        _ => Architecture::Standard,
    })
}

fn configuration(
    source: &Source<'_>,
    cfg: &Json,
    trainer: &Json,
    architecture: Architecture,
    [m, d]: [usize; 2],
) -> Result<Config, ExchangeError> {
    let mut conversions = Vec::new();
    let buffer = cfg.object("buffer")?;
    let model = trainer.text("lm_name")?.map(str::to_owned);
    let side = match &buffer {
        Some(buffer) => buffer.text("io")?.unwrap_or("out"),
        None => "out",
    };
    let site = site(trainer, side);
    let (site, _) = sites::both(source.options, site, None, None, cfg.path())?;
    let latents = u32::try_from(m).map_err(|_| cfg.wrong(format!("it has {m} latents, which no dictionary has")))?;
    let mut config = Config::autoencoder(architecture, site.part(d, &mut conversions), latents);
    if let Some(buffer) = &buffer {
        config.context = buffer.get("ctx_len").and_then(Value::as_u64).and_then(|length| u32::try_from(length).ok());
        config.skip_first = buffer.get("remove_bos") == Some(&Value::Bool(true));
    }
    config.model = model;
    config.conversions = conversions;
    config.training = Some(json!({ FORMAT.name: cfg.value() }));
    Ok(config)
}

/// The site by the layer and the name that the trainer was given.
fn site(trainer: &Json, side: &str) -> Result<Named, String> {
    let layer = trainer.get("layer").and_then(Value::as_u64).and_then(|layer| u32::try_from(layer).ok());
    let layer = layer.ok_or("it says no `trainer.layer`")?;
    let name = trainer.get("submodule_name").and_then(Value::as_str);
    let lower = name.unwrap_or("resid_post").to_lowercase();
    let has = |part: &str| lower.contains(part);
    let point = match side {
        "out" if has("resid_post") => BlockPoint::ResidPost,
        "out" if has("resid_pre") => BlockPoint::ResidPre,
        "out" if has("resid_mid") => BlockPoint::ResidMid,
        "out" if has("mlp_out") => BlockPoint::MlpOut,
        "out" if has("attn_out") || has("attention_out") => BlockPoint::AttnOut,
        _ => {
            let name: String = name.unwrap_or("a layer").chars().take(60).collect();
            return Err(format!("it was trained on what goes {side} of `{name}`, which is no clear site"));
        }
    };
    let site = Site::block(layer, point);
    let note = name.is_none().then(|| format!("It names no module; the site is taken to be `{site}`."));
    Ok(Named { site: site.to_string(), note })
}

fn weights(config: Config, class: &str, tensors: &Tensors, linear: bool) -> Result<Dictionary, ExchangeError> {
    let (m, d) = (config.latents as usize, config.d_in());
    let bias = match class {
        "AutoEncoder" => "bias",
        "AutoEncoderNew" => "decoder.bias",
        "GatedAutoEncoder" => "decoder_bias",
        _ => "b_dec",
    };
    let gated = class == "GatedAutoEncoder";
    let encoder_bias = if gated {
        "gate_bias"
    } else if linear {
        "encoder.bias"
    } else {
        "b_enc"
    };
    let mut known = vec![bias, encoder_bias];
    known.extend(if linear { ["encoder.weight", "decoder.weight"] } else { ["W_enc", "W_dec"] });
    let threshold = config.architecture.has_threshold() && {
        known.push("threshold");
        true
    };
    match class {
        "GatedAutoEncoder" => known.extend(["r_mag", "mag_bias"]),
        // A TopK dictionary keeps a threshold too, which its `encode` does not use.
        "AutoEncoderTopK" => known.extend(["k", "threshold"]),
        "BatchTopKSAE" => known.push("k"),
        "MatryoshkaBatchTopKSAE" => known.extend(["k", "group_sizes"]),
        _ => {}
    }
    tensors.only(&known)?;
    let (encoder, decoder) = if linear {
        (tensors.read("encoder.weight", &[m, d])?, tensors.read_transposed("decoder.weight", [d, m])?)
    } else {
        (transpose(&tensors.read("W_enc", &[d, m])?, d, m), tensors.read("W_dec", &[m, d])?)
    };
    let threshold = match threshold {
        true if tensors.shape("threshold")?.is_empty() => Some(vec![tensors.scalar("threshold")?; m]),
        true => Some(tensors.read("threshold", &[m])?),
        false => None,
    };
    Ok(Dictionary {
        encoder,
        encoder_bias: tensors.read(encoder_bias, &[m])?,
        decoder,
        decoder_bias: tensors.read(bias, &[d])?,
        threshold,
        magnitude: if gated {
            Some(Magnitude { log_scale: tensors.read("r_mag", &[m])?, bias: tensors.read("mag_bias", &[m])? })
        } else {
            None
        },
        skip: None,
        config,
    })
}
