//! `golgi sae`: sparse dictionaries – train them, judge them.

mod eval;
mod train;

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
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    match args.what {
        What::Train(args) => train::run(work, &args),
        What::Eval(args) => eval::run(work, &args),
    }
}
