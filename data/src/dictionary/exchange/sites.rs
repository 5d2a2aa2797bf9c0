//! Names of sites in other libraries: TransformerLens' hooks of all its versions, and module paths of the hub's models.

use super::{ExchangeError, Options};
use crate::dictionary::Part;
use crate::site::{BlockPoint, Site};
use std::path::Path;

/// A site, and what there is to say about how it was understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub site: String,
    pub note: Option<String>,
}

impl Named {
    fn plain(site: Site) -> Named {
        Named { site: site.to_string(), note: None }
    }

    fn noted(site: Site, note: String) -> Named {
        Named { site: site.to_string(), note: Some(note) }
    }

    /// The part of a dictionary, with its note among the conversions.
    pub(super) fn part(self, width: usize, conversions: &mut Vec<String>) -> Part {
        if let Some(note) = self.note
            && !conversions.contains(&note)
        {
            conversions.push(note);
        }
        // Too wide for u32 is refused when the configuration is checked: no such width is accepted.
        Part { site: self.site, width: u32::try_from(width).unwrap_or(u32::MAX) }
    }
}

/// Whose point of view a name takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What goes into a module.
    Input,
    /// What comes out of it.
    Output,
}

/// Takes the site that the user says, or else the one that the files say. `layer` belongs to a set of layers, where users name
/// the point alone.
pub(super) fn choose(
    told: Option<&str>,
    guess: Result<Named, String>,
    layer: Option<u32>,
    path: &Path,
) -> Result<Named, ExchangeError> {
    let Some(told) = told else {
        return guess.map_err(|what| ExchangeError::Site { path: path.to_owned(), what });
    };
    let in_layer = layer.and_then(|layer| format!("blocks.{layer}.{told}").parse::<Site>().ok());
    if layer.is_some() && in_layer.is_none() {
        let what = format!("`{told}` is no point of a block, as a set with a dictionary for each layer needs");
        return Err(ExchangeError::Site { path: path.to_owned(), what });
    }
    let site = match in_layer {
        Some(site) => site,
        None => {
            told.parse().map_err(|error| ExchangeError::Site { path: path.to_owned(), what: format!("{error}") })?
        }
    };
    let same = guess.as_ref().is_ok_and(|guess| guess.site == site.to_string() && guess.note.is_none());
    let note = format!("Its site `{site}` was given by hand.");
    Ok(if same { Named::plain(site) } else { Named::noted(site, note) })
}

/// The site that a dictionary reads, and the one that it writes if it is a transcoder; the user's word counts.
pub(super) fn both(
    options: &Options,
    input: Result<Named, String>,
    output: Option<Result<Named, String>>,
    layer: Option<u32>,
    path: &Path,
) -> Result<(Named, Option<Named>), ExchangeError> {
    let input = choose(options.site.as_deref(), input, layer, path)?;
    match output {
        Some(output) => Ok((input, Some(choose(options.target.as_deref(), output, layer, path)?))),
        None if options.target.is_some() => {
            let what = "it is an autoencoder, which writes the site that it reads; leave --target out".to_owned();
            Err(ExchangeError::File { path: path.to_owned(), what })
        }
        None => Ok((input, None)),
    }
}

/// The site that TransformerLens calls `hook`, in the `model` of this name.
pub(super) fn from_hook(hook: &str, model: Option<&str>) -> Result<Named, String> {
    if let Ok(site) = hook.parse::<Site>() {
        return match site.point() {
            Some(BlockPoint::Ln1Normalized | BlockPoint::Ln2Normalized) => before_gain(site, hook, model),
            _ if site == Site::LnFinalNormalized => before_gain(site, hook, model),
            _ => Ok(Named::plain(site)),
        };
    }
    let unknown = || format!("Golgi knows no site `{}`", hook.chars().take(80).collect::<String>());
    let (layer, point) = hook.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')).ok_or_else(unknown)?;
    let layer: u32 = layer.parse().map_err(|_| unknown())?;
    let block = |point: BlockPoint| {
        let site = Site::block(layer, point);
        let note = format!("TransformerLens' hook `{hook}` is Golgi's site `{site}`.");
        Ok(Named::noted(site, note))
    };
    match point {
        "hook_in" | "ln1.hook_in" => block(BlockPoint::ResidPre),
        "hook_out" => block(BlockPoint::ResidPost),
        "ln1.hook_out" | "attn.hook_in" => block(BlockPoint::Ln1Normalized),
        // `hook_mlp_in` is the stream before its norm.
        "hook_mlp_in" | "ln2.hook_in" => block(BlockPoint::ResidMid),
        "ln2.hook_out" | "mlp.hook_in" => block(BlockPoint::Ln2Normalized),
        "attn.hook_out" | "mlp.hook_out" if has_norm_behind(model) => {
            Err(format!("`{hook}` lies before the norm behind the module, which is no site of Golgi"))
        }
        "attn.hook_out" => block(BlockPoint::AttnOut),
        "mlp.hook_out" => block(BlockPoint::MlpOut),
        _ => Err(unknown()),
    }
}

/// `hook_normalized` lies before the gain in TransformerLens (before 3.0, of LayerNorm behind it), and behind it in Golgi.
fn before_gain(site: Site, hook: &str, model: Option<&str>) -> Result<Named, String> {
    if has_rms_norm(model) {
        return Err(format!(
            "TransformerLens' `{hook}` lies before the gain of the norm, Golgi's site of that name behind it, so that the \
             dictionary would read other numbers"
        ));
    }
    let note = format!(
        "In TransformerLens `{hook}` can lie before the gain of the norm; it is taken to be Golgi's site, which includes it."
    );
    Ok(Named::noted(site, note))
}

/// How TransformerLens, and so SAELens, calls a site.
pub(super) fn to_hook(site: &str) -> String {
    let Ok(parsed) = site.parse::<Site>() else { return site.to_owned() };
    match (parsed.layer(), parsed.point()) {
        // Behind the gain, which `hook_normalized` is not.
        (Some(layer), Some(BlockPoint::Ln1Normalized)) => format!("blocks.{layer}.attn.hook_in"),
        (Some(layer), Some(BlockPoint::Ln2Normalized)) => format!("blocks.{layer}.mlp.hook_in"),
        _ => site.to_owned(),
    }
}

/// The site at a module of a model as the hub has it, such as `model.layers.5.mlp`; of families whose meaning is not clear
/// from the path alone, nothing.
pub(super) fn from_module(module: &str, side: Side, model: Option<&str>) -> Result<Named, String> {
    let shown: String = module.chars().take(80).collect();
    let what = if side == Side::Input { "input" } else { "output" };
    let unknown = || format!("Golgi knows no site at the {what} of the module `{shown}`");
    let noted = |site: Site| {
        let note = format!("The {what} of the module `{shown}` is Golgi's site `{site}`.");
        Ok(Named::noted(site, note))
    };
    let parts: Vec<&str> = module.split('.').collect();
    let last = parts.last().copied().unwrap_or_default();
    if side == Side::Output && ["embed_tokens", "wte", "embed_in"].contains(&last) {
        // Gemma multiplies embeddings behind this module.
        return if is_gemma(model) { Err(unknown()) } else { noted(Site::Embed) };
    }
    let at = parts.iter().position(|part| ["layers", "h", "blocks", "layer"].contains(part)).ok_or_else(unknown)?;
    let layer: u32 = parts.get(at + 1).and_then(|layer| layer.parse().ok()).ok_or_else(unknown)?;
    let rest = parts[at + 2..].join(".");
    let point = match (rest.as_str(), side) {
        ("", Side::Input) => BlockPoint::ResidPre,
        ("", Side::Output) => BlockPoint::ResidPost,
        ("mlp", Side::Input) => BlockPoint::Ln2Normalized,
        ("self_attn" | "attn" | "attention", Side::Input) => BlockPoint::Ln1Normalized,
        ("mlp" | "self_attn" | "attn" | "attention", Side::Output) if has_norm_behind(model) => {
            return Err(format!("the output of `{shown}` lies before the norm behind it, which is no site of Golgi"));
        }
        ("mlp", Side::Output) => BlockPoint::MlpOut,
        ("self_attn" | "attn" | "attention", Side::Output) => BlockPoint::AttnOut,
        ("self_attn.o_proj" | "attn.c_proj" | "attention.dense", Side::Input) => BlockPoint::Z,
        ("mlp.down_proj" | "mlp.c_proj" | "mlp.dense_4h_to_h", Side::Input) => BlockPoint::MlpPost,
        ("input_layernorm", Side::Output) => BlockPoint::Ln1Normalized,
        ("pre_feedforward_layernorm", Side::Output) => BlockPoint::Ln2Normalized,
        ("post_feedforward_layernorm", Side::Output) => BlockPoint::MlpOut,
        _ => return Err(unknown()),
    };
    noted(Site::block(layer, point))
}

fn names(model: Option<&str>, families: &[&str]) -> bool {
    let model = model.unwrap_or_default().to_lowercase();
    families.iter().any(|family| model.contains(family))
}

fn is_gemma(model: Option<&str>) -> bool {
    names(model, &["gemma"])
}

/// Whether what attention and MLP put out is normalised before it is added to the stream.
fn has_norm_behind(model: Option<&str>) -> bool {
    names(model, &["gemma-2", "gemma2", "gemma-3", "gemma3", "olmo-2", "olmo2"])
}

/// Whether its norms have a gain but no bias, as far as names tell.
fn has_rms_norm(model: Option<&str>) -> bool {
    names(model, &["gemma", "llama", "qwen", "mistral", "mixtral", "phi-3", "smollm", "deepseek", "olmo-2"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_sites_in_every_version() {
        let of = |hook: &str| from_hook(hook, Some("gpt2")).unwrap();
        assert_eq!(of("blocks.3.hook_resid_post"), Named { site: "blocks.3.hook_resid_post".into(), note: None });
        for (hook, site) in [
            ("blocks.3.hook_out", "blocks.3.hook_resid_post"),
            ("blocks.3.mlp.hook_in", "blocks.3.ln2.hook_normalized"),
            ("blocks.3.hook_mlp_in", "blocks.3.hook_resid_mid"),
            ("blocks.3.mlp.hook_out", "blocks.3.hook_mlp_out"),
        ] {
            assert_eq!(of(hook).site, site);
            assert!(of(hook).note.unwrap().contains(hook));
        }
        assert!(of("blocks.1.ln2.hook_normalized").note.unwrap().contains("gain"));
        for (hook, model, why) in [
            ("blocks.1.ln2.hook_normalized", "gemma-2-2b", "before the gain"),
            ("blocks.1.mlp.hook_out", "google/gemma-3-1b", "before the norm"),
            ("blocks.x.mlp.hook_out", "gpt2", "knows no site"),
            ("blocks.1.hook_nonsense", "gpt2", "knows no site"),
        ] {
            assert!(from_hook(hook, Some(model)).unwrap_err().contains(why), "{hook}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same_site() {
        for point in BlockPoint::ALL {
            let site = Site::block(2, *point).to_string();
            assert_eq!(from_hook(&to_hook(&site), Some("gemma-2-2b")).unwrap().site, site);
        }
    }

    #[test]
    fn modules_are_sites_by_what_goes_in_or_comes_out() {
        let of = |module: &str, side| from_module(module, side, Some("EleutherAI/pythia-70m")).map(|one| one.site);
        assert_eq!(of("gpt_neox.layers.3", Side::Output).unwrap(), "blocks.3.hook_resid_post");
        assert_eq!(of("layers.3", Side::Input).unwrap(), "blocks.3.hook_resid_pre");
        assert_eq!(of("transformer.h.0.mlp", Side::Output).unwrap(), "blocks.0.hook_mlp_out");
        assert_eq!(of("layers.3.mlp", Side::Input).unwrap(), "blocks.3.ln2.hook_normalized");
        assert_eq!(of("layers.3.self_attn.o_proj", Side::Input).unwrap(), "blocks.3.attn.hook_z");
        assert_eq!(of("embed_tokens", Side::Output).unwrap(), "hook_embed");
        assert!(of("layers.x.mlp", Side::Input).is_err());
        assert!(of("layers.3.rotary", Side::Output).is_err());
        assert!(
            from_module("layers.3.mlp", Side::Output, Some("gemma-2-2b")).unwrap_err().contains("no site of Golgi")
        );
        assert!(from_module("model.embed_tokens", Side::Output, Some("google/gemma-2b")).is_err());
    }

    #[test]
    fn what_the_user_says_counts() {
        let wrong = || Err("nothing".to_owned());
        let path = Path::new("x");
        assert!(choose(None, wrong(), None, path).unwrap_err().to_string().contains("--site"));
        let told = choose(Some("blocks.4.hook_resid_mid"), wrong(), None, path).unwrap();
        assert_eq!((told.site.as_str(), told.note.is_some()), ("blocks.4.hook_resid_mid", true));
        assert_eq!(choose(Some("hook_resid_mid"), wrong(), Some(7), path).unwrap().site, "blocks.7.hook_resid_mid");
        assert!(choose(Some("blocks.4.hook_resid_mid"), wrong(), Some(7), path).is_err());
        assert!(choose(Some("blocks.4.hook_resid_mdi"), wrong(), None, path).is_err());
    }
}
