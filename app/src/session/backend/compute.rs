//! The work itself, on the model's thread: from a subject to plain data.
//!
//! The captured runs of the prompt, unchanged and changed, stay on that thread, so that the results of one prompt share them.

use golgi_analysis::prompt::attention::{AttentionMaps, attention_maps};
use golgi_analysis::prompt::attribution::{self, Attribution};
use golgi_analysis::prompt::effect::Effect;
use golgi_analysis::prompt::logit_lens::{LogitLens, logit_lens};
use golgi_analysis::prompt::token_stats::{TokenStats, token_stats};
use golgi_analysis::prompt::{Needs, PromptInput, PromptRun, effect as effects};
use golgi_analysis::units::page::{UnitPage, unit_page};
use golgi_analysis::units::table::{NeuronTable, neuron_table};
use golgi_data::context::RunContext;
use golgi_probes::OpenModel;
use golgi_probes::host::Hosted;
use golgi_probes::intervention::{Intervention, Traces};

use super::{Failure, Subject};
use crate::session::notice::Notice;

/// Candidates per position in the next-token table.
const TOP: usize = 20;
/// Candidates per cell of the lens.
const TOP_LENS: usize = 6;

/// The runs that are kept: of the model as it is, and of the changed one.
#[derive(Default)]
pub(super) struct Runs {
    original: Option<PromptRun>,
    changed: Option<PromptRun>,
}

/// The open model and the kept runs.
struct Bench<'a> {
    model: &'a OpenModel,
    runs: &'a mut Runs,
    traces: &'a Traces,
    budget: Option<u64>,
    ctx: &'a RunContext,
}

impl<'a> Bench<'a> {
    fn new(hosted: &'a mut Hosted, budget: Option<u64>, ctx: &'a RunContext) -> Result<Bench<'a>, Failure> {
        let Hosted { model, traces, slots } = hosted;
        let model = model.as_ref().ok_or_else(|| Failure::Failed(Notice::failure("No model is open.")))?;
        Ok(Bench { model, runs: slots.of::<Runs>(), traces, budget, ctx })
    }

    /// Makes sure that the run with these interventions is there.
    fn prepare(&mut self, prompt: &str, interventions: &[Intervention]) -> Result<(), Failure> {
        let ctx = self.ctx;
        let tokens = self.model.encode(prompt).map_err(failed("The text could not be run.", ctx))?;
        let input = PromptInput { tokens, interventions: interventions.to_vec(), fused_attention: false };
        let slot = if interventions.is_empty() { &mut self.runs.original } else { &mut self.runs.changed };
        if slot.as_ref().is_some_and(|run| *run.input() == input) {
            return Ok(());
        }
        // The old run goes first: two of a long text may not fit into memory.
        *slot = None;
        let needs = Needs { lens: true, ..Needs::default() };
        let run = PromptRun::new(self.model, &input, self.traces, needs, self.budget, ctx)
            .map_err(failed("The text could not be run.", ctx))?;
        *slot = Some(run);
        Ok(())
    }

    fn run(&mut self, subject: &Subject) -> Result<&PromptRun, Failure> {
        self.prepare(&subject.prompt, &subject.interventions)?;
        let slot = if subject.interventions.is_empty() { &self.runs.original } else { &self.runs.changed };
        slot.as_ref().ok_or(Failure::Cancelled)
    }
}

/// Turns an error into a failure that says what was being done.
fn failed<E: std::error::Error + 'static>(doing: &'static str, ctx: &RunContext) -> impl Fn(E) -> Failure {
    let ctx = ctx.clone();
    move |error| Failure::of(doing, &error, &ctx)
}

/// The subject's position, else the last one.
fn position(subject: &Subject, run: &PromptRun) -> usize {
    let last = run.tokens().len().saturating_sub(1);
    subject.position.unwrap_or(last).min(last)
}

pub(super) fn stats(
    hosted: &mut Hosted,
    subject: &Subject,
    budget: Option<u64>,
    ctx: &RunContext,
) -> Result<TokenStats, Failure> {
    let mut bench = Bench::new(hosted, budget, ctx)?;
    let model = bench.model;
    token_stats(model, bench.run(subject)?, TOP).map_err(failed("The token statistics could not be computed.", ctx))
}

pub(super) fn lens(
    hosted: &mut Hosted,
    subject: &Subject,
    budget: Option<u64>,
    ctx: &RunContext,
) -> Result<LogitLens, Failure> {
    let mut bench = Bench::new(hosted, budget, ctx)?;
    let model = bench.model;
    logit_lens(model, bench.run(subject)?, TOP_LENS, ctx).map_err(failed("The logit lens could not be computed.", ctx))
}

pub(super) fn attention(
    hosted: &mut Hosted,
    subject: &Subject,
    budget: Option<u64>,
    ctx: &RunContext,
) -> Result<AttentionMaps, Failure> {
    let mut bench = Bench::new(hosted, budget, ctx)?;
    let model = bench.model;
    attention_maps(model, bench.run(subject)?).map_err(failed("The attention patterns could not be computed.", ctx))
}

pub(super) fn neurons(
    hosted: &mut Hosted,
    subject: &Subject,
    budget: Option<u64>,
    ctx: &RunContext,
) -> Result<NeuronTable, Failure> {
    let mut bench = Bench::new(hosted, budget, ctx)?;
    let model = bench.model;
    let run = bench.run(subject)?;
    neuron_table(model, run, position(subject, run), None).map_err(failed("The neurons could not be listed.", ctx))
}

pub(super) fn unit(
    hosted: &mut Hosted,
    subject: &Subject,
    budget: Option<u64>,
    ctx: &RunContext,
) -> Result<UnitPage, Failure> {
    let unit = subject.unit.as_ref().ok_or(Failure::Cancelled)?;
    let mut bench = Bench::new(hosted, budget, ctx)?;
    let model = bench.model;
    unit_page(model, bench.run(subject)?, unit, TOP_LENS + 6).map_err(failed("The unit's page could not be made.", ctx))
}

pub(super) fn effect(
    hosted: &mut Hosted,
    subject: &Subject,
    budget: Option<u64>,
    ctx: &RunContext,
) -> Result<Effect, Failure> {
    let mut bench = Bench::new(hosted, budget, ctx)?;
    bench.prepare(&subject.prompt, &[])?;
    bench.prepare(&subject.prompt, &subject.interventions)?;
    let (Some(before), Some(after)) = (&bench.runs.original, &bench.runs.changed) else {
        return Err(Failure::Cancelled);
    };
    effects::effect(bench.model, before, after, position(subject, after), 10)
        .map_err(failed("The effect of the interventions could not be computed.", ctx))
}

pub(super) fn attribution(
    hosted: &mut Hosted,
    subject: &Subject,
    budget: Option<u64>,
    ctx: &RunContext,
) -> Result<Attribution, Failure> {
    let mut bench = Bench::new(hosted, budget, ctx)?;
    let model = bench.model;
    let run = bench.run(subject)?;
    let params = attribution::Params { position: Some(position(subject, run) as i64), ..Default::default() };
    attribution::attribution(model, run, &params).map_err(failed("The attribution could not be computed.", ctx))
}
