//! `golgi report`: the pages of units, as a file.

use std::collections::HashSet;

use golgi_analysis::prompt::{Needs, PromptInput, PromptRun};
use golgi_analysis::provenance;
use golgi_analysis::units::page::unit_page;
use golgi_data::unit::Unit;
use golgi_probes::intervention::Traces;
use golgi_probes::{OpenModel, ProbeError};
use serde_json::json;

use super::args::{Budget, Changes, Input, Out};
use super::error::failure;
use super::exit::Exit;
use super::work::Work;
use super::{change, suggest};
use crate::report::{Document, Format, OutFile};

/// Arguments of `golgi report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name from `golgi models`, a folder, a file, or hf://org/repo
    model: String,
    /// Addresses of units: L5N123 is a neuron, L18H6 a head, `blocks.5.hook_resid_post:7` any coordinate of any site
    #[arg(required = true, value_name = "UNIT")]
    units: Vec<String>,
    #[command(flatten)]
    input: Input,
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
    let model = work.open(&args.model)?;
    units.iter().try_for_each(|unit| check(&model, unit))?;
    let input_text = args.input.text.clone();
    let tokens = work.tokens(&model, &args.input.into())?;
    let text = input_text.unwrap_or_else(|| tokens.iter().map(|id| model.piece(*id)).collect());
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
        let n = if units.len() == 1 { "1 page".to_owned() } else { format!("{} pages", units.len()) };
        work.out.line(&format!("{n} written to {}", out.path().display()))?;
    }
    Ok(Exit::Success)
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
