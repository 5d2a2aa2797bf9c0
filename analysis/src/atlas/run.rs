//! The build itself.

use std::path::Path;
use std::time::Instant;

use golgi_data::atlas::Manifest;
use golgi_data::context::RunContext;
use golgi_data::corpus::PackedCorpus;
use golgi_probes::{Batch as Tokens, ForwardOptions, OpenModel, Tensor};

use super::batch::{Batch, Counts};
use super::collector::{Collector, Purpose};
use super::plan::Plan;
use super::recipe::{Recipe, start_token};
use super::units::{Units, count_blocks, kinds};
use super::{BuildError, BuildOptions, checkpoint, tables};
use crate::error::Result;

/// Checkpoints take at most this share of the time.
const CHECKPOINT_SHARE: f64 = 0.05;

/// Builds the atlas of `model` over `corpus` in the folder `out`, or goes on with the build that was begun there.
///
/// When `ctx` is cancelled the state is saved before the build ends, so that cancelling is pausing. A build that is complete
/// already is not repeated.
///
/// # Errors
/// If the options are impossible, the corpus has no tokens or belongs to another tokenizer, the folder holds another build or
/// cannot be written to, the model fails, or somebody cancels.
pub fn build(
    model: &OpenModel,
    corpus: &PackedCorpus,
    options: &BuildOptions,
    out: &Path,
    ctx: &RunContext,
) -> Result<Manifest> {
    options.check(model.model.dims.n_ctx)?;
    let recipe = Recipe::new(model, corpus, options)?;
    let written = |error: std::io::Error| BuildError::Write { path: out.to_owned(), cause: error.to_string() };
    std::fs::create_dir_all(out).map_err(written)?;
    recipe.claim(out)?;
    if let Ok(manifest) = Manifest::read(out)
        && manifest.complete
    {
        return Ok(manifest);
    }
    ctx.stage("counting the corpus", 0);
    let plan = plan(model, corpus, options)?;
    let mut units = Units::new(model, &plan, options)?;
    let mut counts = Counts::new(&plan);
    let key = recipe.key();
    if !checkpoint::load(out, &key, &mut counts, &mut units)? {
        calibrate(model, &plan, options, &mut units, ctx)?;
    }
    collect(model, &plan, options, (&mut counts, &mut units), (out, &key), ctx)?;
    let manifest = tables::finish(model, &plan, options, &counts, units, out, ctx)?;
    std::fs::remove_file(checkpoint::path(out)).ok();
    Ok(manifest)
}

/// The plan of a build.
pub(super) fn plan<'a>(model: &OpenModel, corpus: &'a PackedCorpus, options: &BuildOptions) -> Result<Plan<'a>> {
    let blocks = count_blocks(&kinds(model, options));
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
    ctx: &RunContext,
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
    ctx.stage("finding thresholds", seen as u64);
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
    model: &OpenModel,
    plan: &Plan,
    options: &BuildOptions,
    (counts, units): (&mut Counts, &mut Units),
    (out, key): (&Path, &[u8; 32]),
    ctx: &RunContext,
) -> Result<()> {
    ctx.stage("collecting statistics", plan.counted);
    ctx.advance(counts.tokens);
    let mut saved = Instant::now();
    let mut pause = options.checkpoint_secs;
    let mut since = 0;
    let done = counts.batches as usize;
    for numbers in &plan.batches[done.min(plan.batches.len())..] {
        if let Err(cancelled) = ctx.check() {
            ctx.stage("saving", 0);
            checkpoint::save(out, key, counts, units)?;
            return Err(cancelled.into());
        }
        let batch = Batch::new(plan, numbers);
        let mut collector = Collector::new(units, plan, &batch, Purpose::Add(counts));
        forward(model, &batch, &mut collector)?;
        counts.add(&batch);
        ctx.advance(batch.counted());
        since += 1;
        if saved.elapsed().as_secs_f64() >= pause || options.checkpoint_batches.is_some_and(|every| since >= every) {
            let start = Instant::now();
            checkpoint::save(out, key, counts, units)?;
            pause = options.checkpoint_secs.max(start.elapsed().as_secs_f64() / CHECKPOINT_SHARE);
            (saved, since) = (Instant::now(), 0);
        }
    }
    // What follows can be repeated from here.
    if since > 0 {
        ctx.stage("saving", 0);
        checkpoint::save(out, key, counts, units)?;
    }
    Ok(())
}
