//! `golgi sae prompt`: the latents of a text, and which of them explain its next token.

use std::path::PathBuf;

use golgi_analysis::sae::features;
use golgi_data::dictionary::Dictionary;
use golgi_sae::Coder;
use serde_json::json;

use crate::cli::args::Input;
use crate::cli::exit::Exit;
use crate::cli::show;
use crate::cli::work::Work;

/// Arguments of `golgi sae prompt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the dictionary
    #[arg(value_name = "DIR")]
    dictionary: PathBuf,
    /// The model, if it is not to be found under the name that the dictionary has for it
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    #[command(flatten)]
    input: Input,
    /// The next token to be explained, as an id; the likeliest by default
    #[arg(long, value_name = "ID")]
    target: Option<u32>,
    /// The token it is compared with; the next likely one by default
    #[arg(long, value_name = "ID")]
    foil: Option<u32>,
    /// How many latents of each token are shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    let dictionary = Dictionary::read(&args.dictionary)?;
    let model = work.open(&super::model_of(args.model.as_deref(), &dictionary.config)?)?;
    let tokens = work.tokens(&model, &args.input.into())?;
    let coder = Coder::new(dictionary)?;
    let found = features(&model, &coder, &tokens, args.target, args.foil)?;
    let report = found.report(&model, args.top, work.global.seed())?;
    if work.out.json {
        work.out.document("sae.prompt", json!({ "features": found, "report": report }))?;
    } else {
        show::report(&work.out, &report)?;
    }
    Ok(Exit::Success)
}
