//! Gemma Scope: `params.npz` of the first release, `params.safetensors` with `config.json` of the second. JumpReLU; nothing is
//! subtracted from inputs. Of the first release only the path says the model, the layer and the site.

use std::path::Path;

use serde_json::json;

use super::json::Json;
use super::npz::Npz;
use super::sites::{self, Named, Side};
use super::tensors::{Tensors, transpose};
use super::{ExchangeError, Format, Sink, Source, finish};
use crate::dictionary::{Architecture, Config, Dictionary};
use crate::site::{BlockPoint, Site};

/// Gemma Scope's folders.
pub(super) static FORMAT: Format = Format {
    name: "gemma_scope",
    about: "Gemma Scope 1 and 2",
    files: "params.npz, or params.safetensors and config.json",
    recognise: |folder| folder.join(FIRST).is_file() || folder.join(SECOND).is_file() && folder.join(CONFIG).is_file(),
    read,
    write: None,
};

const FIRST: &str = "params.npz";
const SECOND: &str = "params.safetensors";
const CONFIG: &str = "config.json";
/// Tokens of the contexts that these dictionaries were trained on.
const CONTEXT: u32 = 1024;

fn read(source: &Source<'_>, each: &mut Sink<'_>) -> Result<(), ExchangeError> {
    let dictionary = if source.folder.join(FIRST).is_file() { first(source)? } else { second(source)? };
    finish(dictionary, &FORMAT, each)
}

/// The first release.
fn first(source: &Source<'_>) -> Result<Dictionary, ExchangeError> {
    let path = source.folder.join(FIRST);
    let mut npz = Npz::open(&path)?;
    let wrong = |what: String| ExchangeError::File { path: path.clone(), what };
    let known = ["W_enc", "W_dec", "b_enc", "b_dec", "threshold"];
    if let Some(name) = npz.names().iter().find(|name| !known.iter().any(|one| one.eq_ignore_ascii_case(name))) {
        let what = format!("its array `{name}` is not known to Golgi and may change what it computes");
        return Err(ExchangeError::Unsupported { path, what });
    }
    // Written with a small or a capital w.
    let name = |npz: &Npz, wanted: &str| {
        let found = npz.names().iter().find(|name| name.eq_ignore_ascii_case(wanted));
        found.cloned().unwrap_or_else(|| wanted.to_owned())
    };
    let shape = npz.shape(&name(&npz, "W_enc"))?;
    let [d_in, m] = <[usize; 2]>::try_from(&shape[..])
        .map_err(|_| wrong(format!("`W_enc` has the shape {shape:?}, expected is a matrix")))?;
    let bias = npz.shape("b_dec")?;
    let &[d_out] = &bias[..] else {
        return Err(wrong(format!("`b_dec` has the shape {bias:?}, expected is a vector")));
    };
    let place = Place::of(&source.folder);
    let mut config = configuration(source, &path, &place, [d_in, m, d_out])?;
    config.check()?;
    let mut encoder = transpose(&npz.read(&name(&npz, "W_enc"), &[d_in, m])?, d_in, m);
    let mut decoder = npz.read(&name(&npz, "W_dec"), &[m, d_out])?;
    if place.embedding {
        let scale = (d_in as f32).sqrt();
        encoder.iter_mut().for_each(|value| *value /= scale);
        decoder.iter_mut().for_each(|value| *value *= scale);
        config.conversions.push(format!(
            "It was trained on embeddings before they are multiplied by √{d_in}; this factor was folded into the weights."
        ));
    }
    Ok(Dictionary {
        encoder,
        encoder_bias: npz.read("b_enc", &[m])?,
        decoder,
        decoder_bias: npz.read("b_dec", &[d_out])?,
        threshold: Some(npz.read("threshold", &[m])?),
        ..Dictionary::empty(config)
    })
}

fn configuration(
    source: &Source<'_>,
    path: &Path,
    place: &Place,
    [d_in, m, d_out]: [usize; 3],
) -> Result<Config, ExchangeError> {
    let mut conversions = Vec::new();
    let output = place.transcoder || source.options.target.is_some();
    let (input, output) =
        sites::both(source.options, place.site(Side::Input), output.then(|| place.site(Side::Output)), None, path)?;
    let input = input.part(d_in, &mut conversions);
    let output = output.map(|output| output.part(d_out, &mut conversions));
    let what = || format!("it has {m} latents, which no dictionary has");
    let latents = u32::try_from(m).map_err(|_| ExchangeError::File { path: path.to_owned(), what: what() })?;
    let mut config = Config::autoencoder(Architecture::JumpRelu, input.clone(), latents);
    config.outputs = vec![output.unwrap_or(input)];
    config.subtract_decoder_bias = false;
    config.model = place.model.clone();
    config.context = Some(CONTEXT);
    config.conversions = conversions;
    config.training = Some(json!({ FORMAT.name: { "path": place.path } }));
    Ok(config)
}

/// What a path such as `gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71` says.
struct Place {
    /// The last folders, as they are named.
    path: String,
    model: Option<String>,
    layer: Option<u32>,
    embedding: bool,
    transcoder: bool,
    kind: Option<String>,
}

impl Place {
    fn of(folder: &Path) -> Place {
        let names: Vec<String> = folder.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let layer = names.iter().rposition(|name| name.starts_with("layer_") || name == "embedding");
        let layer_name = layer.map(|at| names[at].as_str()).unwrap_or_default();
        // In the hub's cache: models--google--gemma-scope-2b-pt-res.
        let release = names.iter().rev().find_map(|name| name.split_once("gemma-scope-").map(|(_, rest)| rest));
        let mut words = release.unwrap_or_default().split('-');
        let (size, tuning, kind) = (words.next(), words.next(), words.next());
        let model = match (size, tuning) {
            (Some(size), Some("it")) => Some(format!("google/gemma-2-{size}-it")),
            (Some(size), Some("pt")) => Some(format!("google/gemma-2-{size}")),
            _ => None,
        };
        Place {
            path: names[layer.unwrap_or(names.len().saturating_sub(1))..].join("/"),
            model,
            layer: layer_name.strip_prefix("layer_").and_then(|layer| layer.parse().ok()),
            embedding: layer_name == "embedding",
            transcoder: kind == Some("transcoders"),
            kind: kind.map(str::to_owned),
        }
    }

    fn site(&self, side: Side) -> Result<Named, String> {
        if self.embedding {
            return Ok(Named { site: Site::Embed.to_string(), note: None });
        }
        let clear = "the folders above it say neither layer nor site, as `gemma-scope-2b-pt-res/layer_20/…` would";
        let (Some(layer), Some(kind)) = (self.layer, &self.kind) else { return Err(clear.to_owned()) };
        let point = match (kind.as_str(), side) {
            ("res", _) => BlockPoint::ResidPost,
            ("mlp", _) | ("transcoders", Side::Output) => BlockPoint::MlpOut,
            ("att", _) => BlockPoint::Z,
            ("transcoders", Side::Input) => BlockPoint::Ln2Normalized,
            _ => return Err(clear.to_owned()),
        };
        sites::from_hook(&Site::block(layer, point).to_string(), self.model.as_deref())
    }
}

/// The second release.
fn second(source: &Source<'_>) -> Result<Dictionary, ExchangeError> {
    let cfg = Json::open(&source.folder.join(CONFIG))?;
    match cfg.text("architecture")? {
        None | Some("jump_relu") => {}
        Some(other) => {
            let other: String = other.chars().take(60).collect();
            return Err(
                cfg.unsupported(format!("its architecture `{other}` is not known to Golgi; known is jump_relu"))
            );
        }
    }
    let tensors = Tensors::open(&source.folder.join(SECOND))?;
    tensors.only(&["w_enc", "w_dec", "b_enc", "b_dec", "threshold", "affine_skip_connection"])?;
    let [d_in, m] = tensors.matrix("w_enc")?;
    if tensors.shape("w_dec")?.len() == 3 {
        return Err(cfg.unsupported("it is one layer of a cross-layer transcoder in a file of its own"));
    }
    let [_, d_out] = tensors.matrix("w_dec")?;
    let model = cfg.text("model_name")?.map(str::to_owned);
    let point = |key: &str| -> Result<Option<Result<Named, String>>, ExchangeError> {
        Ok(cfg.text(key)?.map(|hook| match hook.rsplit_once('.') {
            Some((module, "input")) => sites::from_module(module, Side::Input, model.as_deref()),
            Some((module, "output")) => sites::from_module(module, Side::Output, model.as_deref()),
            _ => Err(format!("`{key}` ends in neither `.input` nor `.output`")),
        }))
    };
    let input = point("hf_hook_point_in")?.unwrap_or_else(|| Err("it says no `hf_hook_point_in`".into()));
    let output = point("hf_hook_point_out")?.filter(|_| cfg.get("hf_hook_point_out") != cfg.get("hf_hook_point_in"));
    let (input, output) = sites::both(source.options, input, output, None, cfg.path())?;
    let mut conversions = Vec::new();
    let input = input.part(d_in, &mut conversions);
    let output = output.map(|output| output.part(d_out, &mut conversions));
    let latents = u32::try_from(m).map_err(|_| cfg.wrong(format!("it has {m} latents, which no dictionary has")))?;
    let mut config = Config::autoencoder(Architecture::JumpRelu, input.clone(), latents);
    config.outputs = vec![output.unwrap_or(input)];
    config.subtract_decoder_bias = false;
    config.context = Some(CONTEXT);
    config.training = Some(json!({ FORMAT.name: cfg.value() }));
    config.model = model;
    conversions.extend(tensors.rounded());
    config.conversions = conversions;
    config.check()?;
    let skip = tensors.has("affine_skip_connection");
    Ok(Dictionary {
        encoder: tensors.read_transposed("w_enc", [d_in, m])?,
        encoder_bias: tensors.read("b_enc", &[m])?,
        decoder: tensors.read("w_dec", &[m, d_out])?,
        decoder_bias: tensors.read("b_dec", &[d_out])?,
        threshold: Some(tensors.read("threshold", &[m])?),
        skip: if skip { Some(tensors.read_transposed("affine_skip_connection", [d_in, d_out])?) } else { None },
        ..Dictionary::empty(config)
    })
}
