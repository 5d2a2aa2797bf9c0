//! `golgi sae info`: what a dictionary is.

use std::path::Path;

use golgi_data::context::bytes_text;
use golgi_data::dictionary::{Architecture, Dictionary, Normalisation, Part, WEIGHTS};
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::style::Style;
use crate::cli::table::{Cell, Table};
use crate::cli::work::Work;
use crate::report::{number, one_line, spaced};

pub fn run(work: &Work, folder: &Path) -> anyhow::Result<Exit> {
    let dictionary = Dictionary::read(folder)?;
    let bytes = std::fs::metadata(folder.join(WEIGHTS))?.len();
    let lengths = Range::of(&lengths(&dictionary));
    let thresholds = dictionary.threshold.as_deref().map(Range::of);
    if work.out.json {
        let document = json!({
            "folder": folder,
            "config": dictionary.config,
            "parameters": parameters(&dictionary),
            "bytes": bytes,
            "skip": dictionary.skip.is_some(),
            "decoder_lengths": lengths.json(),
            "thresholds": thresholds.as_ref().map(Range::json),
        });
        work.out.document("sae.info", document)?;
        return Ok(Exit::Success);
    }
    let config = &dictionary.config;
    let said = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut rows = vec![
        ("dictionary", summary(&dictionary)),
        ("reads", parts(&config.inputs)),
        ("writes", if config.is_autoencoder() { "the same".to_owned() } else { parts(&config.outputs) }),
        ("normalised", normalisation(config.normalisation)),
        (
            "b_dec",
            if config.subtract_decoder_bias { "subtracted from inputs" } else { "not subtracted from inputs" }.into(),
        ),
        ("decoder rows", format!("of length {lengths}")),
        ("thresholds", thresholds.map(|range| range.to_string()).unwrap_or_default()),
        ("first position", if config.skip_first { "was left out of the training" } else { "" }.into()),
        (
            "massive rows",
            config.max_norm.map(|norm| format!("of a norm above {norm:.1} were left out")).unwrap_or_default(),
        ),
        ("model", said(&config.model)),
        ("weights", said(&config.model_digest)),
        ("corpus", said(&config.corpus)),
        ("context", config.context.map(|length| format!("{length} tokens")).unwrap_or_default()),
        ("from", said(&config.source)),
        ("size", format!("{} parameters, {}", spaced(parameters(&dictionary)), bytes_text(bytes))),
    ];
    rows.retain(|(_, value)| !value.is_empty());
    let mut facts = Table::new().left("").flexible("");
    for (label, value) in rows {
        facts.row([Cell::new(label, Style::Dim), one_line(&value).into()]);
    }
    work.out.table(&facts)?;
    if !config.conversions.is_empty() {
        work.out.heading("Converted")?;
        for sentence in &config.conversions {
            work.out.line(&one_line(sentence))?;
        }
    }
    Ok(Exit::Success)
}

/// A dictionary in one line.
pub(super) fn summary(dictionary: &Dictionary) -> String {
    let config = &dictionary.config;
    let kind = match (config.is_autoencoder(), config.inputs.len().max(config.outputs.len()), &dictionary.skip) {
        (true, 1, _) => "autoencoder",
        (true, ..) => "crosscoder",
        (false, 1, None) => "transcoder",
        (false, 1, Some(_)) => "skip transcoder",
        _ => "cross-layer transcoder",
    };
    let architecture = match &config.architecture {
        Architecture::Standard => "ReLU".to_owned(),
        Architecture::Gated => "gated".to_owned(),
        Architecture::TopK { k } => format!("TopK, k = {k}"),
        Architecture::BatchTopK { k } => format!("BatchTopK, k = {k}"),
        Architecture::JumpRelu => "JumpReLU".to_owned(),
        Architecture::Matryoshka { k, prefixes } => format!("Matryoshka, k = {k}, {} prefixes", prefixes.len()),
    };
    let sites = match config.is_autoencoder() {
        true => parts(&config.inputs),
        false => format!("{} → {}", parts(&config.inputs), parts(&config.outputs)),
    };
    format!("{kind}, {architecture}, {} latents, {sites}", spaced(u64::from(config.latents)))
}

/// What programs are told of a dictionary that was imported.
pub(super) fn described(dictionary: &Dictionary) -> Value {
    let config = &dictionary.config;
    json!({
        "architecture": config.architecture,
        "latents": config.latents,
        "inputs": config.inputs,
        "outputs": config.outputs,
        "model": config.model,
        "conversions": config.conversions,
    })
}

fn parts(parts: &[Part]) -> String {
    let shown = |part: &Part| format!("{} ({})", part.site, part.width);
    match parts {
        [first, .., last] if parts.len() > 3 => format!("{} … {}, {} sites", shown(first), shown(last), parts.len()),
        _ => parts.iter().map(shown).collect::<Vec<_>>().join(", "),
    }
}

fn normalisation(normalisation: Normalisation) -> String {
    match normalisation {
        Normalisation::None => String::new(),
        Normalisation::Scale { input, output } if input == output => format!("by a factor of {}", number(input.into())),
        Normalisation::Scale { input, output } => {
            format!("by a factor of {}, outputs of {}", number(input.into()), number(output.into()))
        }
        Normalisation::RowNorm => "each row to the length √d".to_owned(),
        Normalisation::LayerNorm => "each row to mean 0 and standard deviation 1".to_owned(),
    }
}

fn parameters(dictionary: &Dictionary) -> u64 {
    let optional = |values: Option<&Vec<f32>>| values.map_or(0, Vec::len);
    let magnitude = dictionary.magnitude.as_ref().map_or(0, |one| one.log_scale.len() + one.bias.len());
    let plain = [&dictionary.encoder, &dictionary.encoder_bias, &dictionary.decoder, &dictionary.decoder_bias];
    let plain: usize = plain.iter().map(|values| values.len()).sum();
    (plain + magnitude + optional(dictionary.threshold.as_ref()) + optional(dictionary.skip.as_ref())) as u64
}

fn lengths(dictionary: &Dictionary) -> Vec<f32> {
    let rows = dictionary.decoder.chunks(dictionary.config.d_out().max(1));
    rows.map(|row| row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt() as f32).collect()
}

/// The least, the mean and the largest of numbers.
struct Range {
    min: f32,
    mean: f64,
    max: f32,
}

impl Range {
    fn of(values: &[f32]) -> Range {
        Range {
            min: values.iter().copied().fold(f32::INFINITY, f32::min),
            mean: values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len().max(1) as f64,
            max: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        }
    }

    fn json(&self) -> Value {
        json!({ "min": self.min, "mean": self.mean, "max": self.max })
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.max - self.min {
            width if width.abs() < 1e-4 * self.max.abs() => f.write_str(&number(self.mean)),
            _ => write!(f, "{} to {}, mean {}", number(self.min.into()), number(self.max.into()), number(self.mean)),
        }
    }
}
