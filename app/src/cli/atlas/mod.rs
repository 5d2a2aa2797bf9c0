//! `golgi atlas`: build an atlas, look at it, and ask it questions.

mod build;
mod info;
mod query;
pub mod report;

pub(super) use build::duration;

use std::path::{Path, PathBuf};

use golgi_data::atlas::{Atlas, Provisional};

use super::exit::Exit;
use super::work::Work;
use crate::report::spaced;

/// Arguments of `golgi atlas`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run a model over a corpus and write down everything about every unit
    Build(build::Args),
    /// Answer an SQL query over an atlas' tables
    Query(query::Args),
    /// Show what an atlas holds: model, corpus, units, tables
    Info {
        /// The folder of the atlas
        dir: PathBuf,
    },
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Build(args) => build::run(work, &args),
        Command::Query(args) => query::run(work, &args),
        Command::Info { dir } => info::run(work, &dir),
    }
}

/// How far an unfinished build has come, and how it goes on.
fn so_far(provisional: &Provisional) -> String {
    let (tokens, of) = (spaced(provisional.tokens), spaced(provisional.of));
    format!("provisional: {tokens} of {of} tokens so far; a build that was stopped goes on with --resume")
}

fn open(folder: &Path) -> anyhow::Result<Atlas> {
    Ok(Atlas::open(folder)?)
}
