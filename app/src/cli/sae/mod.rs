//! `golgi sae`: sparse dictionaries – train them, judge them, use them, exchange them with other libraries.

mod eval;
mod exchange;
mod geometry;
mod info;
mod prompt;
mod steer;
mod train;

use std::path::PathBuf;

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
    /// Look at the geometry of the decoder: crystals, lobes and the galaxy, each beside its null
    Geometry(Box<geometry::Args>),
    /// Generate with latents changed, beside a generation without and a control
    Steer(steer::Args),
    /// Show what a dictionary is: architecture, sites, conventions, where it comes from
    Info {
        /// The folder of the dictionary
        dir: PathBuf,
    },
    /// Read a dictionary of another library: SAELens, sparsify, dictionary_learning, Gemma Scope, Llama Scope, circuit-tracer
    Import(exchange::Import),
    /// Write a dictionary for another library: SAELens, sparsify
    Export(exchange::Export),
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    match args.what {
        What::Train(args) => train::run(work, &args),
        What::Eval(args) => eval::run(work, &args),
        What::Prompt(args) => prompt::run(work, args),
        What::Geometry(args) => geometry::run(work, &args),
        What::Steer(args) => steer::run(work, args),
        What::Info { dir } => info::run(work, &dir),
        What::Import(args) => exchange::import(work, &args),
        What::Export(args) => exchange::export(work, &args),
    }
}

/// The model that was named, else the one that the dictionary names.
fn model_of(given: Option<&str>, config: &Config) -> anyhow::Result<String> {
    let missing = || failure("the dictionary does not say which model it belongs to; give --model");
    given.map(str::to_owned).or_else(|| config.model.clone()).ok_or_else(missing)
}
