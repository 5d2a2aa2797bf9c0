//! `golgi dissect`: names for the units of a site, by pictures with label maps.

use std::path::PathBuf;

use golgi_analysis::dissection::{DissectionSettings, dissect, report};
use golgi_data::images::{ImageSet, generate};
use golgi_data::site::Site;
use serde_json::json;

use super::error::failure;
use super::exit::Exit;
use super::show;
use super::work::Work;
use crate::report::{Document, Format, OutFile};

/// What generated scenes are called on the command line.
const SCENES: &str = "scenes";

/// Arguments of `golgi dissect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Label maps belong to a table with the columns path and mask, and a labels.csv beside them. `scenes` are generated pictures with exact \
                  label maps of colours, shapes and textures."
)]
pub struct Args {
    /// A network for images: a name from `golgi models`, a folder or a file
    model: String,
    /// The site whose units are named, such as _blocks.5.add
    site: Site,
    /// Pictures with label maps: a folder, a table, or `scenes`
    #[arg(long, default_value = SCENES, value_name = "SET")]
    images: String,
    /// Pictures at most
    #[arg(long, default_value_t = 500, value_name = "N")]
    limit: usize,
    /// A unit fires above this quantile of its values
    #[arg(long, default_value_t = DissectionSettings::default().quantile, value_name = "SHARE")]
    quantile: f64,
    /// Below this overlap a unit has no name
    #[arg(long, default_value_t = DissectionSettings::default().least, value_name = "OVERLAP")]
    least: f64,
    /// A report: .html, .md or .json
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let settings = DissectionSettings {
        limit: args.limit,
        quantile: args.quantile,
        least: args.least,
        ..DissectionSettings::default()
    };
    let out = match &args.out {
        Some(path) => Some((Format::of(path)?, OutFile::new(path)?)),
        None => None,
    };
    let open = work.open_vision(&args.model)?;
    open.network.find(&args.site)?;
    let scenes = tempfile::tempdir().map_err(|error| failure(format!("there is no place for scenes: {error}")))?;
    let _watch = work.watch();
    let set = if args.images == SCENES {
        let options = generate::SceneOptions { side: 224, ..generate::SceneOptions::default() };
        generate::write_set(scenes.path(), args.limit.max(1), work.global.seed(), &options, &work.ctx)?;
        ImageSet::open(&scenes.path().to_string_lossy())?
    } else {
        ImageSet::open(&args.images)?
    };
    let found = dissect(&open, &args.site, &set, &settings, &work.ctx)?;
    let report = report(&found, &open, &set, &settings, work.global.seed())?;
    drop(_watch);
    if let Some((format, file)) = &out {
        file.write(Document::of_report(report.clone()).render(*format).as_bytes())?;
    }
    if work.out.json {
        work.out.document("dissect", json!({ "settings": settings, "dissection": found, "report": report }))?;
    } else {
        show::report(&work.out, &report)?;
        if let Some((_, file)) = &out {
            work.out.line(&format!("\nWritten to {}", file.path().display()))?;
        }
    }
    Ok(Exit::Success)
}
