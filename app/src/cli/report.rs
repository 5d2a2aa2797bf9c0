//! `golgi report`: the pages of units, as a file: over one text, or with `--atlas` over a whole corpus.

use std::collections::HashSet;
use std::path::PathBuf;

use golgi_analysis::prompt::{Needs, PromptInput, PromptRun};
use golgi_analysis::provenance;
use golgi_analysis::units::page::unit_page;
use golgi_data::unit::Unit;
use golgi_probes::intervention::Traces;
use golgi_probes::{OpenModel, ProbeError};
use serde_json::json;

use super::args::{Budget, Changes, OptionalInput, Out};
use super::error::failure;
use super::exit::Exit;
use super::work::Work;
use super::{atlas, change, suggest};
use crate::report::{Document, Format, OutFile};

/// Arguments of `golgi report`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Two forms:\n  golgi report MODEL L5N123 L18H6 --text TEXT --out FILE     what they do on a text\n  \
    golgi report --atlas DIR --units L5N123,L7N1 --out FILE    what an atlas knows of them"
)]
pub struct Args {
    /// A name from `golgi models`, a folder, a file, or hf://org/repo
    #[arg(required_unless_present = "atlas", conflicts_with = "atlas")]
    model: Option<String>,
    /// Addresses of units: L5N123 is a neuron, L18H6 a head, `blocks.5.hook_resid_post:7` any coordinate of any site
    #[arg(required_unless_present = "atlas", value_name = "UNIT")]
    units: Vec<String>,
    /// The text
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        required_unless_present_any = ["tokens", "atlas"],
        conflicts_with_all = ["tokens", "atlas"]
    )]
    text: Option<String>,
    /// Token ids in place of a text
    #[arg(long, value_name = "IDS", value_delimiter = ',', conflicts_with = "atlas")]
    tokens: Option<Vec<u32>>,
    /// The folder of an atlas, which `golgi atlas build` makes
    #[arg(long, value_name = "DIR")]
    atlas: Option<PathBuf>,
    #[command(flatten)]
    chosen: atlas::report::Chosen,
    #[command(flatten)]
    out: Out,
    /// How many tokens to list at each end of the vocabulary
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    top: u16,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    budget: Budget,
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    if let Some(folder) = &args.atlas {
        return atlas::report::run(work, folder, &args.chosen, &args.out.out);
    }
    let format = Format::of(&args.out.out)?;
    let out = OutFile::new(&args.out.out)?;
    let mut seen = HashSet::new();
    let mut units = Vec::new();
    for text in &args.units {
        let unit: Unit = text.parse()?;
        if seen.insert(unit.clone()) {
            units.push(unit);
        }
    }
    let interventions = change::parse(&args.changes.interventions)?;
    let model = work.open(args.model.as_deref().unwrap_or_default())?;
    units.iter().try_for_each(|unit| check(&model, unit))?;
    let tokens = work.tokens(&model, &OptionalInput { text: args.text.clone(), tokens: args.tokens })?;
    let text = args.text.unwrap_or_else(|| tokens.iter().map(|id| model.piece(*id)).collect());
    let input = PromptInput { tokens, interventions, fused_attention: work.global.fused_attention };

    let watch = work.watch();
    let run = PromptRun::new(&model, &input, &Traces::new(), Needs::default(), args.budget.budget, &work.ctx)?;
    work.ctx.stage("drawing pages", units.len() as u64);
    let mut pages = Vec::new();
    for unit in &units {
        work.ctx.check()?;
        pages.push(unit_page(&model, &run, unit, usize::from(args.top))?);
        work.ctx.advance(1);
    }
    let mut document = Document::of_units(pages, text, provenance(&model, &input, work.global.seed())?);
    document.warnings = work.ctx.warnings();
    work.ctx.check()?;
    out.write(document.render(format).as_bytes())?;
    drop(watch);

    if work.out.json {
        let addresses: Vec<String> = units.iter().map(Unit::to_string).collect();
        work.out.document("pages", json!({ "out": out.path(), "units": addresses, "document": document.json() }))?;
    } else {
        work.out.line(&format!("{} written to {}", pages_text(units.len()), out.path().display()))?;
    }
    Ok(Exit::Success)
}

/// `1 page`, `7 pages`.
pub fn pages_text(n: usize) -> String {
    if n == 1 { "1 page".to_owned() } else { format!("{n} pages") }
}

/// Refuses a unit that the model does not have.
fn check(model: &OpenModel, unit: &Unit) -> anyhow::Result<()> {
    let spec = model.model.site(&unit.site).map_err(|error| suggest::with_sites(error, &model.model))?;
    let size = spec.units(&model.model.dims);
    if (unit.index as usize) < size {
        return Ok(());
    }
    let error = ProbeError::UnknownUnit { unit: unit.clone(), size };
    Err(failure(format!("{error}; choose one from 0 to {}", size.saturating_sub(1))))
}
