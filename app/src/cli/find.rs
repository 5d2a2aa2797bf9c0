//! `golgi find`: looks for what an atlas holds.

use std::path::PathBuf;

use golgi_analysis::families::{self, Params};
use golgi_data::atlas::Atlas;
use serde_json::{Map, Value, json};

use super::analyse::assignment;
use super::exit::Exit;
use super::show;
use super::work::Work;

/// Arguments of `golgi find`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What is looked for.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Families of neurons: dead, detectors, positional, prediction, entropy, attention and explained ones, with their nulls
    Families(FamilyArgs),
}

/// Arguments of `golgi find families`.
#[derive(Debug, clap::Args)]
struct FamilyArgs {
    /// The folder of the atlas; families.parquet and families.json are written into it
    #[arg(value_name = "DIR")]
    atlas: PathBuf,
    /// The model, if it is not to be found under the name that the atlas has for it
    #[arg(long, value_name = "MODEL", conflicts_with = "no_model")]
    model: Option<String>,
    /// Look only for what follows from the atlas alone: dead, detector and positional neurons
    #[arg(long)]
    no_model: bool,
    /// A parameter, as name=value, such as tokens=20000; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = assignment)]
    params: Vec<(String, Value)>,
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    let What::Families(args) = args.what;
    let given = Value::Object(args.params.into_iter().collect::<Map<_, _>>());
    let params = Params::parse(&given)?;
    let atlas = Atlas::open(&args.atlas)?;
    let model = match (&args.model, args.no_model) {
        (_, true) => None,
        (Some(spec), false) => Some(work.open(spec)?),
        (None, false) => Some(work.open(&atlas.manifest().model)?),
    };
    let report = {
        let _watch = work.watch();
        families::find(&atlas, model.as_ref(), &params, &work.ctx)?
    };
    let written = [atlas.path("families"), atlas.folder().join("families.json")];
    if work.out.json {
        work.out.document("find", json!({ "params": params, "report": report, "written": written }))?;
    } else {
        show::report(&work.out, &report)?;
        work.out.line(&format!("\nWritten to {}", written[0].display()))?;
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::Cli;

    #[test]
    fn a_model_and_no_model_exclude_each_other() {
        assert!(Cli::try_parse_from(["golgi", "find", "families", "dir", "--param", "tokens=100"]).is_ok());
        assert!(Cli::try_parse_from(["golgi", "find", "families", "dir", "--model", "m", "--no-model"]).is_err());
        assert!(Cli::try_parse_from(["golgi", "find"]).is_err());
    }
}
