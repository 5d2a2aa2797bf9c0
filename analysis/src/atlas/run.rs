//! The build itself.

use std::path::Path;

use golgi_data::atlas::{Manifest, provisional_folder};
use golgi_data::context::RunContext;
use golgi_data::corpus::PackedCorpus;
use golgi_probes::{Batch as Tokens, ForwardOptions, OpenModel, Tensor};

use super::aftermath::{Aftermath, span};
use super::batch::{Batch, Counts};
use super::collector::{Collector, Purpose};
use super::pace::Pace;
use super::plan::Plan;
use super::recipe::{Recipe, start_token};
use super::subject::Subject;
use super::tables::Source;
use super::units::{Units, count_blocks};
use super::{BuildError, BuildOptions, checkpoint, folder, tables};
use crate::error::Result;

/// Builds the atlas of `subject`, a model perhaps with dictionaries, over `corpus` in the folder `out`, or goes on with the build that was begun there.
///
/// Now and then what is known so far is written as a provisional atlas within `out`, which [`Atlas::open`](golgi_data::atlas::Atlas::open)
/// finds; it is gone in the end.
///
/// When `ctx` is cancelled the state is saved before the build ends, so that cancelling is pausing. A build that is complete
/// already is not repeated.
///
/// # Errors
/// If the options are impossible, the corpus has no tokens or belongs to another tokenizer, the folder holds another build or
/// cannot be written to, another build writes to it, the model fails, or somebody cancels.
pub fn build<'a>(
    subject: impl Into<Subject<'a>>,
    corpus: &PackedCorpus,
    options: &BuildOptions,
    out: &Path,
    ctx: &RunContext,
) -> Result<Manifest> {
    let subject = &subject.into();
    options.check(subject.model.model.dims.n_ctx)?;
    let recipe = Recipe::new(subject, corpus, options)?;
    // Held to the end.
    let _claim = folder::claim(out, &recipe)?;
    if let Ok(manifest) = Manifest::read(out)
        && manifest.complete
    {
        folder::tidy(out);
        return Ok(manifest);
    }
    ctx.stage("counting the corpus", 0);
    let plan = plan(subject, corpus, options)?;
    let mut units = Units::new(subject, &plan, options)?;
    let mut counts = Counts::new(&plan);
    let key = recipe.key();
    let resumed = checkpoint::load(out, &key, &mut counts, &mut units)?;
    let after = Aftermath::measure(subject, corpus, options, &plan, ctx)?;
    if !resumed {
        calibrate(subject.model, &plan, options, &mut units, (&after, ctx))?;
    }
    collect(subject, &plan, options, (&mut counts, &mut units), (out, &key), (&after, ctx))?;
    let manifest = tables::finish(&Source::new(subject, &plan, options, &counts), units, out, (&after, ctx))?;
    folder::tidy(out);
    Ok(manifest)
}

/// The plan of a build.
pub(super) fn plan<'a>(subject: &Subject, corpus: &'a PackedCorpus, options: &BuildOptions) -> Result<Plan<'a>> {
    let (model, groups) = (subject.model, subject.groups(options));
    if groups.is_empty() {
        return Err(BuildError::NoUnits.into());
    }
    let blocks = count_blocks(&groups);
    Ok(Plan::new(corpus, options, (model.model.dims.d_vocab, blocks), start_token(model))?)
}

/// Runs the model over one batch.
pub(super) fn forward(model: &OpenModel, batch: &Batch, collector: &mut Collector) -> Result<()> {
    let ids: Vec<i64> = batch.tokens.iter().map(|token| i64::from(*token)).collect();
    let ids = Tensor::f_from_slice(&ids)?.f_view([batch.contexts.len() as i64, batch.len as i64])?;
    model.model.forward(&Tokens::from_tensors(ids, None), collector, ForwardOptions::default())?;
    match &collector.not_finite {
        Some(site) => Err(BuildError::NotFinite { site: site.to_string() }.into()),
        None => Ok(()),
    }
}

/// Finds thresholds and bands on the first batches.
fn calibrate(
    model: &OpenModel,
    plan: &Plan,
    options: &BuildOptions,
    units: &mut Units,
    (after, ctx): (&Aftermath, &RunContext),
) -> Result<()> {
    // A short run does not spend more than a sixteenth of its time on this.
    let enough = options.calibration_tokens.min(plan.counted as usize / 16);
    let mut numbers = Vec::new();
    let mut seen = 0;
    for batch in plan.batches.iter().map(|numbers| Batch::new(plan, numbers)) {
        if seen > 0 && seen >= enough {
            break;
        }
        seen += batch.counted() as usize;
        numbers.push(batch);
    }
    // The whole pass is still to come, at about this speed.
    ctx.stage_from("finding thresholds", 0, seen as u64 + plan.counted, span(after.seconds()));
    for batch in &numbers {
        ctx.check()?;
        let mut collector = Collector::new(units, plan, batch, Purpose::Calibrate);
        forward(model, batch, &mut collector)?;
        ctx.advance(batch.counted());
    }
    units.settle(options);
    Ok(())
}

/// Runs what is left of the batches.
fn collect(
    subject: &Subject,
    plan: &Plan,
    options: &BuildOptions,
    (counts, units): (&mut Counts, &mut Units),
    (out, key): (&Path, &[u8; 32]),
    (after, ctx): (&Aftermath, &RunContext),
) -> Result<()> {
    ctx.stage_from("collecting statistics", counts.tokens, plan.counted, span(after.seconds()));
    let mut saving = Pace::new(options.checkpoint_secs, options.checkpoint_batches, 0.0);
    let mut showing = Pace::new(options.snapshot_secs, options.snapshot_batches, after.tables);
    let mut shows = true;
    let done = counts.batches as usize;
    for numbers in &plan.batches[done.min(plan.batches.len())..] {
        if let Err(cancelled) = ctx.check() {
            ctx.stage("saving", 0);
            checkpoint::save(out, key, counts, units)?;
            return Err(cancelled.into());
        }
        let batch = Batch::new(plan, numbers);
        let mut collector = Collector::new(units, plan, &batch, Purpose::Add(counts));
        forward(subject.model, &batch, &mut collector)?;
        counts.add(&batch);
        ctx.advance(batch.counted());
        saving.step();
        showing.step();
        if saving.is_due() {
            saving.spend(|| checkpoint::save(out, key, counts, units))?;
        }
        if shows && showing.is_due() {
            let source = Source::new(subject, plan, options, counts);
            match showing.spend(|| tables::provisional(&source, units, out, &ctx.silent())) {
                // Stopped: the next round sees to that.
                Ok(()) => {}
                Err(error) if error.is_cancelled() => {}
                Err(error) => {
                    // The build itself can do without.
                    ctx.warn(format!("what is known so far cannot be shown: {error}"));
                    std::fs::remove_dir_all(provisional_folder(out)).ok();
                    shows = false;
                }
            }
        }
    }
    // What follows can be repeated from here.
    if saving.since() > 0 {
        ctx.stage("saving", 0);
        checkpoint::save(out, key, counts, units)?;
    }
    Ok(())
}
