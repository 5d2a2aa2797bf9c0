//! `golgi sae`: sparse dictionaries – train them, judge them, use them.

mod eval;
mod prompt;
mod steer;
mod train;

use golgi_data::dictionary::Config;

use super::error::failure;
use super::exit::Exit;
use super::work::Work;

/// Arguments of `golgi sae`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Train sparse autoencoders and transcoders on what a model computes over a corpus
    Train(Box<train::Args>),
    /// Judge a dictionary: reconstruction, sparsity, the model's loss with it, beside baselines
    Eval(eval::Args),
    /// Show which latents a text makes active, and which of them explain its next token
    Prompt(prompt::Args),
    /// Generate with latents changed, beside a generation without and a control
    Steer(steer::Args),
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    match args.what {
        What::Train(args) => train::run(work, &args),
        What::Eval(args) => eval::run(work, &args),
        What::Prompt(args) => prompt::run(work, args),
        What::Steer(args) => steer::run(work, args),
    }
}

/// The model that was named, else the one that the dictionary names.
fn model_of(given: Option<&str>, config: &Config) -> anyhow::Result<String> {
    let missing = || failure("the dictionary does not say which model it belongs to; give --model");
    given.map(str::to_owned).or_else(|| config.model.clone()).ok_or_else(missing)
}
