//! `golgi sae steer`: a generation with latents changed, beside one without and a control.

use std::path::PathBuf;

use golgi_analysis::sae::steer;
use golgi_data::dictionary::Dictionary;
use golgi_probes::generate::{GenerateOptions, Sampling};
use golgi_sae::{Coder, LatentEdit};
use serde_json::json;

use crate::cli::args::Input;
use crate::cli::error::failure;
use crate::cli::exit::Exit;
use crate::cli::work::Work;
use crate::report::{number, token};

/// Arguments of `golgi sae steer`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Amounts are in units of the dictionary's activations, as `golgi sae prompt` shows them.")]
pub struct Args {
    /// The folder of the dictionary
    #[arg(value_name = "DIR")]
    dictionary: PathBuf,
    /// The model, if it is not to be found under the name that the dictionary has for it
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    #[command(flatten)]
    input: Input,
    /// A change: 123=ablate, 123=clamp:8, 123=scale:2, 123=add:5; may be repeated
    #[arg(long = "latent", value_name = "CHANGE", required = true, value_parser = change)]
    latents: Vec<(u32, LatentEdit)>,
    /// At most so many new tokens
    #[arg(long, value_name = "N", default_value_t = 40)]
    max_tokens: usize,
    /// Sample at this temperature; without it the likeliest token is taken
    #[arg(long, value_name = "T")]
    temperature: Option<f32>,
}

/// Reads `123=clamp:8`.
fn change(text: &str) -> Result<(u32, LatentEdit), String> {
    let unknown = || format!("`{text}` is no change; write 123=ablate, 123=clamp:8, 123=scale:2 or 123=add:5");
    let (latent, edit) = text.split_once('=').ok_or_else(unknown)?;
    let latent = latent.parse().map_err(|_| unknown())?;
    let (name, amount) = edit.split_once(':').map_or((edit, None), |(name, amount)| (name, Some(amount)));
    let amount = amount.map(str::parse::<f32>).transpose().map_err(|_| unknown())?;
    if amount.is_some_and(|amount| !amount.is_finite()) {
        return Err(unknown());
    }
    let edit = match (name, amount) {
        ("ablate", None) => LatentEdit::Ablate,
        ("clamp", Some(value)) => LatentEdit::Clamp { value },
        ("scale", Some(factor)) => LatentEdit::Scale { factor },
        ("add", Some(amount)) => LatentEdit::Add { amount },
        _ => return Err(unknown()),
    };
    Ok((latent, edit))
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    let dictionary = Dictionary::read(&args.dictionary)?;
    let model = work.open(&super::model_of(args.model.as_deref(), &dictionary.config)?)?;
    let tokens = work.tokens(&model, &args.input.into())?;
    if args.temperature.is_some_and(|temperature| !(temperature.is_finite() && temperature >= 0.0)) {
        return Err(failure("a temperature is a number from 0 up"));
    }
    let sampling = match args.temperature {
        None | Some(0.0) => Sampling::Greedy,
        Some(temperature) => Sampling::Random { temperature, top_k: 0, top_p: 1.0 },
    };
    let options = GenerateOptions { max_tokens: args.max_tokens, sampling, ..GenerateOptions::default() };
    let coder = Coder::new(dictionary)?;
    let watch = work.watch();
    let steered = steer(&model, &coder, &args.latents, &tokens, &options, &work.ctx)?;
    drop(watch);
    if work.out.json {
        work.out.document("sae.steer", json!({ "steered": steered }))?;
        return Ok(Exit::Success);
    }
    let control: Vec<String> = steered.control_latents.iter().map(u32::to_string).collect();
    for (name, text) in [
        ("as it is", &steered.plain),
        (format!("changed (KL {})", number(steered.kl)).as_str(), &steered.steered),
        (
            format!("control, latent {} (KL {})", control.join(", "), number(steered.control_kl)).as_str(),
            &steered.control,
        ),
    ] {
        work.out.heading(name)?;
        work.out.line(&token(text))?;
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_or_refused() {
        assert_eq!(change("12=ablate"), Ok((12, LatentEdit::Ablate)));
        assert_eq!(change("12=add:-2.5"), Ok((12, LatentEdit::Add { amount: -2.5 })));
        for bad in ["", "12", "12=", "12=ablate:1", "12=clamp", "x=ablate", "-1=ablate", "12=add:NaN", "12=add:1e99"] {
            assert!(change(bad).is_err(), "{bad}");
        }
    }
}
