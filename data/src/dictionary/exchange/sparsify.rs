//! sparsify (github.com/EleutherAI/sparsify): a folder named after the module, with `cfg.json` and `sae.safetensors`; TopK only.

use std::path::Path;

use serde_json::{Value, json};

use super::json::Json;
use super::sites::{self, Named, Side};
use super::tensors::Tensors;
use super::{ExchangeError, Format, Sink, Source, files, finish, remarks};
use crate::dictionary::native::Floats;
use crate::dictionary::{Architecture, Config, Dictionary, Normalisation};

/// sparsify's folders.
pub(super) static FORMAT: Format = Format {
    name: "sparsify",
    about: "EleutherAI's sparsify",
    files: "cfg.json and sae.safetensors",
    recognise: |folder| folder.join(CONFIG).is_file() && folder.join(WEIGHTS).is_file(),
    read,
    write: Some(write),
};

const CONFIG: &str = "cfg.json";
const WEIGHTS: &str = "sae.safetensors";
/// Where Golgi keeps the configurations: a field of `training`.
const KEPT: &str = "sparsify";
/// sparsify's default.
const EXPANSION: usize = 32;

fn read(source: &Source<'_>, each: &mut Sink<'_>) -> Result<(), ExchangeError> {
    let cfg = Json::open(&source.folder.join(CONFIG))?;
    // Of the whole run; it lies beside the folders of the modules.
    let run = source.folder.parent().map(|parent| parent.join("config.json")).filter(|path| path.is_file());
    let run = run.map(|path| Json::open(&path)).transpose()?;
    let mut config = configuration(source, &cfg, run.as_ref())?;
    config.check()?;
    let tensors = Tensors::open(&source.folder.join(WEIGHTS))?;
    let known = ["encoder.weight", "encoder.bias", "W_dec", "decoder.weight", "b_dec", "W_skip"];
    tensors.only(&known)?;
    config.conversions.extend(tensors.rounded());
    let (m, d) = (config.latents as usize, config.d_in());
    let decoder = match tensors.first(&["W_dec", "decoder.weight"])? {
        // Today's layout; square matrices are taken to have it.
        "W_dec" if tensors.matrix("W_dec")? == [m, d] || m == d => tensors.read("W_dec", &[m, d])?,
        name => {
            config
                .conversions
                .push(format!("`{name}` lies the other way round, as in old versions; it was transposed."));
            tensors.read_transposed(name, [d, m])?
        }
    };
    let skip = cfg.flag("skip_connection")?.unwrap_or(false);
    if skip != tensors.has("W_skip") {
        let (is, has) = if skip { ("", "no ") } else { ("not ", "") };
        return Err(cfg.wrong(format!("`skip_connection` is {is}true, but the weights hold {has}`W_skip`")));
    }
    let mut dictionary = Dictionary {
        encoder: tensors.read("encoder.weight", &[m, d])?,
        encoder_bias: tensors.read("encoder.bias", &[m])?,
        decoder,
        decoder_bias: tensors.read("b_dec", &[d])?,
        skip: if skip { Some(tensors.read("W_skip", &[d, d])?) } else { None },
        ..Dictionary::empty(config)
    };
    remarks::restore(cfg.get(remarks::FIELD), &mut dictionary.config, source.options, str::to_owned);
    finish(dictionary, &FORMAT, each)
}

fn configuration(source: &Source<'_>, cfg: &Json, run: Option<&Json>) -> Result<Config, ExchangeError> {
    let mut conversions = Vec::new();
    let d_in = cfg.need("d_in", cfg.count("d_in")?)?;
    // 0 stands for `expansion_factor`.
    let zero = cfg.get("num_latents").and_then(Value::as_u64) == Some(0);
    let latents = match if zero { None } else { cfg.count("num_latents")? } {
        Some(latents) => latents,
        None => d_in.saturating_mul(cfg.count("expansion_factor")?.unwrap_or(EXPANSION)),
    };
    let k = cfg.need("k", cfg.count("k")?)?;
    let (Ok(latents), Ok(k)) = (u32::try_from(latents), u32::try_from(k)) else {
        return Err(cfg.wrong(format!("it has {latents} latents and k is {k}, which no dictionary has")));
    };
    match cfg.text("activation")?.unwrap_or("topk") {
        "topk" => {}
        other => {
            let other: String = other.chars().take(60).collect();
            return Err(
                cfg.unsupported(format!("its activation function `{other}` is not known to Golgi; known is topk"))
            );
        }
    }
    if cfg.flag("signed")?.unwrap_or(false) {
        return Err(cfg.unsupported("its latents can be negative (`signed`), which Golgi's cannot"));
    }
    let transcode = cfg.flag("transcode")?.unwrap_or(false);
    let model = match run {
        Some(run) => run.text("model")?.map(str::to_owned),
        None => None,
    };
    let remark: Option<Config> = cfg.get(remarks::FIELD).and_then(|value| serde_json::from_value(value.clone()).ok());
    let module = source.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let site = |side: Side, ours: fn(&Config) -> &str| match &remark {
        Some(remark) if remark.check().is_ok() => Ok(Named { site: ours(remark).to_owned(), note: None }),
        _ => sites::from_module(&module, side, model.as_deref()),
    };
    let input = site(if transcode { Side::Input } else { Side::Output }, |one| &one.inputs[0].site);
    let output = transcode.then(|| site(Side::Output, |one| &one.outputs[0].site));
    let (input, output) = sites::both(source.options, input, output, None, cfg.path())?;
    let input = input.part(d_in, &mut conversions);
    let output = output.map(|output| output.part(d_in, &mut conversions)).unwrap_or_else(|| input.clone());
    let mut config = Config::autoencoder(Architecture::TopK { k }, input, latents);
    config.outputs = vec![output];
    config.subtract_decoder_bias = !transcode;
    let mut kept = json!({ "cfg": without_remarks(cfg) });
    if let Some(run) = run {
        kept["run"] = run.value();
        config.corpus = run.get("dataset").and_then(Value::as_str).map(str::to_owned);
        config.context = run.get("ctx_len").and_then(Value::as_u64).and_then(|length| u32::try_from(length).ok());
    }
    config.model = model;
    config.training = Some(json!({ KEPT: kept }));
    config.conversions = conversions;
    Ok(config)
}

fn without_remarks(cfg: &Json) -> Value {
    let mut value = cfg.value();
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove(remarks::FIELD);
    }
    value
}

fn write(dictionary: &Dictionary, folder: &Path) -> Result<(), ExchangeError> {
    let config = &dictionary.config;
    let k = expressible(dictionary).map_err(|why| ExchangeError::Inexpressible { name: FORMAT.name, why })?;
    let (m, d) = (config.latents as usize, config.d_in());
    let mut tensors = vec![
        ("encoder.weight", Floats::new(&dictionary.encoder, &[m, d])),
        ("encoder.bias", Floats::new(&dictionary.encoder_bias, &[m])),
        ("W_dec", Floats::new(&dictionary.decoder, &[m, d])),
        ("b_dec", Floats::new(&dictionary.decoder_bias, &[d])),
    ];
    tensors.extend(dictionary.skip.iter().map(|values| ("W_skip", Floats::new(values, &[d, d]))));
    let kept = config.training.as_ref().and_then(|training| training.get(KEPT)?.get("cfg").cloned());
    let mut cfg =
        kept.filter(Value::is_object).unwrap_or_else(|| json!({ "normalize_decoder": false, "multi_topk": false }));
    for (key, value) in [
        ("activation", json!("topk")),
        ("expansion_factor", json!(m.div_ceil(d))),
        ("num_latents", json!(m)),
        ("k", json!(k)),
        ("skip_connection", json!(dictionary.skip.is_some())),
        ("transcode", json!(!config.subtract_decoder_bias)),
        ("d_in", json!(d)),
        (remarks::FIELD, json!(config)),
    ] {
        cfg[key] = value;
    }
    files::write(folder, (WEIGHTS, tensors), (CONFIG, &cfg))
}

/// k, or why sparsify cannot say what the dictionary computes.
fn expressible(dictionary: &Dictionary) -> Result<u32, String> {
    let config = &dictionary.config;
    let Architecture::TopK { k } = config.architecture else {
        return Err(format!("sparsify has TopK only, and its architecture is `{}`", config.architecture.name()));
    };
    if config.inputs.len() > 1 || config.outputs.len() > 1 {
        let (inputs, outputs) = (config.inputs.len(), config.outputs.len());
        return Err(format!("it reads {inputs} sites and writes {outputs}, where sparsify has one of each"));
    }
    if config.d_in() != config.d_out() {
        let (d_in, d_out) = (config.d_in(), config.d_out());
        return Err(format!("it reads {d_in} dimensions and writes {d_out}, where sparsify has one width"));
    }
    if config.is_autoencoder() != config.subtract_decoder_bias {
        return Err(
            "sparsify always subtracts the decoder's bias from the input of an autoencoder, and this one does not"
                .into(),
        );
    }
    match config.normalisation {
        Normalisation::None => {}
        Normalisation::Scale { .. } => {
            return Err(
                "sparsify has no place for a scale of activations; fold it into the weights first (--fold)".into()
            );
        }
        Normalisation::RowNorm | Normalisation::LayerNorm => {
            return Err("sparsify does not normalise activations".into());
        }
    }
    if dictionary.threshold.is_some() || dictionary.magnitude.is_some() {
        return Err("it has a threshold or magnitudes, which TopK does not use".into());
    }
    Ok(k)
}
