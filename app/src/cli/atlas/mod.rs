//! `golgi atlas`: build an atlas, look at it, and ask it questions.

mod build;
mod info;
mod query;
pub mod report;

use std::path::{Path, PathBuf};

use golgi_data::atlas::Atlas;

use super::exit::Exit;
use super::work::Work;

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

fn open(folder: &Path) -> anyhow::Result<Atlas> {
    Ok(Atlas::open(folder)?)
}
