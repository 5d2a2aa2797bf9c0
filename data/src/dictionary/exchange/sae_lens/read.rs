//! From SAELens.

use serde_json::{Value, json};

use super::super::convert::fold_decoder_norms;
use super::super::json::Json;
use super::super::sites::{self, Named};
use super::super::tensors::Tensors;
use super::super::{ExchangeError, Sink, Source, finish, remarks};
use super::{CONFIG, FORMAT, KEPT, WEIGHTS, is_modern};
use crate::dictionary::{Architecture, Config, Dictionary, Magnitude, Normalisation, Part};

/// Tensors whose meaning is known.
const TENSORS: &[&str] = &[
    "W_enc",
    "W_dec",
    "b_enc",
    "b_dec",
    "b_gate",
    "b_mag",
    "r_mag",
    "threshold",
    "log_threshold",
    "topk_threshold",
    "W_skip",
    "scaling_factor",
    "finetuning_scaling_factor",
];

pub(super) fn read(source: &Source<'_>, each: &mut Sink<'_>) -> Result<(), ExchangeError> {
    let cfg = Json::open(&source.folder.join(CONFIG))?;
    let form = Form::of(&cfg)?;
    let mut config = configuration(source, &cfg, &form)?;
    config.check()?;
    let tensors = Tensors::open(&source.folder.join(WEIGHTS))?;
    tensors.only(TENSORS)?;
    config.conversions.extend(tensors.rounded());
    let mut dictionary = weights(config, &cfg, &form, &tensors)?;
    remarks::restore(form.metadata.get(remarks::FIELD), &mut dictionary.config, source.options, sites::to_hook);
    finish(dictionary, &FORMAT, each)
}

/// What kind of dictionary a configuration describes.
struct Form {
    metadata: Json,
    name: String,
    transcoder: bool,
    skip: bool,
    architecture: Architecture,
}

impl Form {
    fn of(cfg: &Json) -> Result<Form, ExchangeError> {
        let metadata = cfg.object("metadata")?;
        let version = match cfg.text("sae_lens_version")? {
            Some(version) => Some(version.to_owned()),
            None => match &metadata {
                Some(metadata) => metadata.text("sae_lens_version")?.map(str::to_owned),
                None => None,
            },
        };
        let modern = is_modern(version.as_deref());
        let metadata = match metadata {
            Some(metadata) if modern => metadata,
            _ => Json::new(cfg.path(), cfg.value().as_object().cloned().unwrap_or_default()),
        };
        let said = cfg.text("architecture")?.map(str::to_owned);
        let mut name = if modern { cfg.need("architecture", said)? } else { said.unwrap_or_else(|| "standard".into()) };
        if !modern {
            name = old_activation(cfg, name)?;
        }
        let architecture = match name.as_str() {
            "standard" | "transcoder" | "skip_transcoder" => Architecture::Standard,
            "gated" => Architecture::Gated,
            "topk" => Architecture::TopK { k: top_k(cfg, modern)? },
            "jumprelu" | "jumprelu_transcoder" | "jumprelu_skip_transcoder" => trained_as(&metadata, cfg)?,
            "batchtopk" | "matryoshka_batchtopk" => in_batches(&name, cfg, cfg)?.unwrap_or(Architecture::JumpRelu),
            _ => {
                let name: String = name.chars().take(60).collect();
                return Err(cfg.unsupported(format!(
                    "its architecture `{name}` is not known to Golgi; known are standard, gated, topk, jumprelu, batchtopk, \
                     matryoshka_batchtopk, transcoder, skip_transcoder, jumprelu_transcoder and jumprelu_skip_transcoder"
                )));
            }
        };
        let (transcoder, skip) = (name.ends_with("transcoder"), name.ends_with("skip_transcoder"));
        Ok(Form { metadata, name, transcoder, skip, architecture })
    }
}

/// Before version 6, TopK was an activation function of the standard architecture.
fn old_activation(cfg: &Json, architecture: String) -> Result<String, ExchangeError> {
    let activation = match cfg.text("activation_fn_str")? {
        Some(name) => Some(name),
        None => cfg.text("activation_fn")?,
    };
    match activation.unwrap_or("relu") {
        "relu" => Ok(architecture),
        "topk" if architecture == "standard" || architecture == "topk" => Ok("topk".to_owned()),
        other => {
            let other: String = other.chars().take(60).collect();
            Err(cfg.unsupported(format!(
                "its activation function `{other}` of architecture `{architecture}` is not known"
            )))
        }
    }
}

fn top_k(cfg: &Json, modern: bool) -> Result<u32, ExchangeError> {
    let kwargs = if modern { None } else { cfg.object("activation_fn_kwargs")? };
    if let Some(kwargs) = &kwargs
        && let Some(key) = ["signed", "postact_fn"].into_iter().find(|key| {
            kwargs.get(key).is_some_and(|value| *value != Value::Bool(false) && value.as_str() != Some("relu"))
        })
    {
        return Err(cfg.unsupported(format!("its activation function has the option `{key}`, which is not known")));
    }
    let k = match kwargs.as_ref().map(|kwargs| kwargs.count("k")).transpose()?.flatten() {
        Some(k) => k,
        None => cfg.need("k", cfg.count("k")?)?,
    };
    small(cfg, "k", k)
}

fn small(cfg: &Json, key: &str, value: usize) -> Result<u32, ExchangeError> {
    u32::try_from(value).map_err(|_| cfg.wrong(format!("`{key}` is {value}, which no dictionary has")))
}

/// What a JumpReLU dictionary was in training, where it is said.
fn trained_as(metadata: &Json, cfg: &Json) -> Result<Architecture, ExchangeError> {
    let name = metadata.get("training_architecture").and_then(Value::as_str);
    let details = metadata.object("training_architecture_details")?;
    let (Some(name), Some(details)) = (name, details) else { return Ok(Architecture::JumpRelu) };
    Ok(in_batches(name, &details, cfg)?.unwrap_or(Architecture::JumpRelu))
}

/// BatchTopK or Matryoshka, if `details` say so in whole numbers that are possible.
fn in_batches(name: &str, details: &Json, cfg: &Json) -> Result<Option<Architecture>, ExchangeError> {
    let m = cfg.count("d_sae")?.unwrap_or(0) as u64;
    let whole = |value: &Value| value.as_f64().filter(|k| *k >= 1.0 && k.fract() == 0.0 && *k <= m as f64);
    let Some(k) = details.get("k").and_then(whole).map(|k| k as u32) else { return Ok(None) };
    if name == "batchtopk" {
        return Ok(Some(Architecture::BatchTopK { k }));
    }
    let widths = details.get("matryoshka_widths").and_then(Value::as_array);
    let mut prefixes: Vec<u32> = match widths {
        Some(widths) if name == "matryoshka_batchtopk" => {
            widths.iter().filter_map(whole).map(|width| width as u32).collect()
        }
        _ => return Ok(None),
    };
    if prefixes.last().is_none_or(|last| u64::from(*last) != m) {
        prefixes.push(u32::try_from(m).unwrap_or(u32::MAX));
    }
    Ok(prefixes.is_sorted_by(|a, b| a < b).then_some(Architecture::Matryoshka { k, prefixes }))
}

fn configuration(source: &Source<'_>, cfg: &Json, form: &Form) -> Result<Config, ExchangeError> {
    let mut conversions = Vec::new();
    let d_in = cfg.need("d_in", cfg.count("d_in")?)?;
    let latents = small(cfg, "d_sae", cfg.need("d_sae", cfg.count("d_sae")?)?)?;
    let d_out = if form.transcoder { cfg.need("d_out", cfg.count("d_out")?)? } else { d_in };
    let metadata = &form.metadata;
    for key in ["hook_head_index", "hook_point_head_index", "hook_head_index_out"] {
        if let Some(head) = metadata.get(key) {
            return Err(cfg.unsupported(format!("it reads or writes head {head} alone, where Golgi has whole sites")));
        }
    }
    let said = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    let model = said("model_name");
    let remark: Option<Config> =
        metadata.get(remarks::FIELD).and_then(|value| serde_json::from_value(value.clone()).ok());
    let site = |hook: Option<String>, ours: Option<&Part>, key: &str| match (hook, ours) {
        (Some(hook), Some(ours)) if sites::to_hook(&ours.site) == hook => {
            Ok(Named { site: ours.site.clone(), note: None })
        }
        (Some(hook), _) => sites::from_hook(&hook, model.as_deref()),
        (None, _) => Err(format!("it says no `{key}`")),
    };
    let ours = |parts: fn(&Config) -> &Vec<Part>| remark.as_ref().and_then(|one| parts(one).first());
    let input = site(said("hook_name").or_else(|| said("hook_point")), ours(|one| &one.inputs), "hook_name");
    let output = form.transcoder.then(|| site(said("hook_name_out"), ours(|one| &one.outputs), "hook_name_out"));
    let (input, output) = sites::both(source.options, input, output, None, cfg.path())?;
    let input = input.part(d_in, &mut conversions);
    let output = match output {
        Some(output) => output.part(d_out, &mut conversions),
        None => input.clone(),
    };
    let mut config = Config::autoencoder(form.architecture.clone(), input, latents);
    config.outputs = vec![output];
    let subtract = cfg.flag("apply_b_dec_to_input")?.unwrap_or(!form.transcoder);
    if subtract && form.transcoder {
        return Err(cfg.wrong("`apply_b_dec_to_input` is true, which SAELens' transcoders do not have"));
    }
    config.subtract_decoder_bias = subtract;
    config.normalisation = normalisation(source, cfg, form, &mut conversions)?;
    if metadata.get("prepend_bos") == Some(&Value::Bool(false)) {
        conversions
            .push("It was trained on contexts without a BOS token in front, so prompts should have none.".into());
    }
    let first = metadata.get("seqpos_slice").and_then(|slice| slice.get(0)).and_then(Value::as_u64);
    let special = metadata.get("exclude_special_tokens") == Some(&Value::Bool(true));
    config.skip_first = first.is_some_and(|first| first > 0) || special;
    config.model = model;
    config.corpus = said("dataset_path").filter(|path| !path.is_empty());
    config.context = metadata.get("context_size").and_then(Value::as_u64).and_then(|size| u32::try_from(size).ok());
    config.training = Some(json!({ KEPT: without_remarks(cfg) }));
    config.conversions = conversions;
    Ok(config)
}

/// The whole configuration of SAELens, less what Golgi once added.
fn without_remarks(cfg: &Json) -> Value {
    let mut value = cfg.value();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove(remarks::FIELD);
    }
    value
}

fn normalisation(
    source: &Source<'_>,
    cfg: &Json,
    form: &Form,
    conversions: &mut Vec<String>,
) -> Result<Normalisation, ExchangeError> {
    let name = match cfg.get("normalize_activations") {
        None | Some(Value::Bool(false)) => "none",
        Some(Value::Bool(true)) => "expected_average_only_in",
        Some(Value::String(name)) => name.as_str(),
        Some(other) => {
            return Err(cfg.wrong(format!("`normalize_activations` is {other}, expected is a text")));
        }
    };
    if form.transcoder && ["layer_norm", "constant_norm_rescale"].contains(&name) {
        return Err(cfg.unsupported(format!(
            "its inputs are normalised by `{name}` and its outputs are not, which no dictionary of Golgi does"
        )));
    }
    match name {
        "none" => Ok(Normalisation::None),
        "constant_norm_rescale" => Ok(Normalisation::RowNorm),
        "layer_norm" => Ok(Normalisation::LayerNorm),
        "expected_average_only_in" => {
            let path = source.folder.join("activation_scaler.json");
            let factor = if path.is_file() { Json::open(&path)?.float("scaling_factor")? } else { None };
            let Some(factor) = factor else {
                conversions.push(
                    "Activations were scaled in training and the factor is not in the folder; as in SAELens it is used without. \
                     If reconstructions are off by a factor, that is why."
                        .into(),
                );
                return Ok(Normalisation::None);
            };
            conversions
                .push(format!("Activations are multiplied by {factor}, the factor of `activation_scaler.json`."));
            Ok(Normalisation::Scale { input: factor as f32, output: factor as f32 })
        }
        other => {
            let other: String = other.chars().take(60).collect();
            Err(cfg.unsupported(format!("its activations are normalised by `{other}`, which is not known to Golgi")))
        }
    }
}

fn weights(config: Config, cfg: &Json, form: &Form, tensors: &Tensors) -> Result<Dictionary, ExchangeError> {
    let (m, d_in, d_out) = (config.latents as usize, config.d_in(), config.d_out());
    let gated = config.architecture == Architecture::Gated;
    let encoder_bias = tensors.read(if gated { "b_gate" } else { "b_enc" }, &[m])?;
    let magnitude = if gated {
        Some(Magnitude { log_scale: tensors.read("r_mag", &[m])?, bias: tensors.read("b_mag", &[m])? })
    } else {
        None
    };
    let threshold = match tensors.first(&["threshold", "log_threshold", "topk_threshold"]) {
        _ if !config.architecture.has_threshold() => None,
        Err(missing) => return Err(missing),
        Ok("log_threshold") => {
            Some(tensors.read("log_threshold", &[m])?.into_iter().map(f32::exp).collect::<Vec<f32>>())
        }
        Ok("topk_threshold") => Some(vec![tensors.scalar("topk_threshold")?; m]),
        Ok(name) => Some(tensors.read(name, &[m])?),
    };
    let mut dictionary = Dictionary {
        encoder: tensors.read_transposed("W_enc", [d_in, m])?,
        encoder_bias,
        decoder: tensors.read("W_dec", &[m, d_out])?,
        decoder_bias: tensors.read("b_dec", &[d_out])?,
        threshold,
        magnitude,
        skip: if form.skip { Some(tensors.read("W_skip", &[d_out, d_in])?) } else { None },
        config,
    };
    scaled(&mut dictionary, cfg, tensors)?;
    let by_norm = cfg.flag("rescale_acts_by_decoder_norm")?.unwrap_or(false);
    if by_norm && ["topk", "batchtopk", "matryoshka_batchtopk"].contains(&form.name.as_str()) {
        fold_decoder_norms(&mut dictionary);
        dictionary.config.conversions.push(
            "Latents were ranked by their activation times the length of their decoder row; these lengths were folded into \
             the encoder."
                .into(),
        );
    }
    Ok(dictionary)
}

/// Multiplies decoder rows by the factors that were once fine-tuned against shrinkage.
fn scaled(dictionary: &mut Dictionary, cfg: &Json, tensors: &Tensors) -> Result<(), ExchangeError> {
    let Ok(name) = tensors.first(&["finetuning_scaling_factor", "scaling_factor"]) else { return Ok(()) };
    let factors = tensors.read(name, &[dictionary.config.latents as usize])?;
    if factors.iter().all(|factor| (factor - 1.0).abs() <= 1e-5) {
        return Ok(());
    }
    if cfg.flag("finetuning_scaling_factor")? != Some(true) {
        return Err(cfg.wrong(format!("its weights hold `{name}`, but `finetuning_scaling_factor` is not true")));
    }
    let width = dictionary.config.d_out();
    for (row, factor) in dictionary.decoder.chunks_mut(width).zip(&factors) {
        row.iter_mut().for_each(|value| *value *= factor);
    }
    dictionary
        .config
        .conversions
        .push("The factors that were tuned against shrinkage were folded into the decoder.".into());
    Ok(())
}
