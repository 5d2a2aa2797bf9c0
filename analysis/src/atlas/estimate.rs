//! What a build will take, before it begins.

use golgi_data::context::RunContext;
use golgi_data::corpus::PackedCorpus;
use serde::Serialize;

use super::BuildOptions;
use super::aftermath::Aftermath;
use super::batch::{Batch, Counts};
use super::block::Block;
use super::collector::{Collector, Purpose};
use super::examples::{BANDS, PER_BAND, REACH, TOP};
use super::neighbours::ROWS;
use super::plan::Plan;
use super::run::{forward, plan};
use super::subject::Subject;
use super::units::{Units, count_blocks};
use super::weights::{ENDS, has_vectors};
use crate::error::Result;

/// Tokens of the timed prefix.
const TIMED_TOKENS: usize = 512;

/// A forecast, from the sizes of the model and a short timed run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BuildEstimate {
    /// Tokens that the corpus has for these options, of those asked for.
    pub tokens: u64,
    /// Units of all kinds.
    pub units: u64,
    /// Memory at the peak, the model included.
    pub memory_bytes: u64,
    /// The tables, about.
    pub disk_bytes: u64,
    /// A checkpoint. There are two for a moment whenever one is written, and none at the end. A provisional atlas takes up to
    /// `disk_bytes` besides.
    pub checkpoint_bytes: u64,
    /// Seconds in all.
    pub seconds: f64,
    /// Of these, for running the model over the corpus with statistics.
    pub pass_seconds: f64,
    /// Of these, for tables, weights and neighbours, which follow. They depend on the model's size and not on the corpus.
    pub after_seconds: f64,
}

/// Estimates memory, disk space and time of a build. Runs the model on a few hundred tokens and does small pieces of what follows.
///
/// # Errors
/// As [`build`](super::build), files apart.
pub fn estimate<'a>(
    subject: impl Into<Subject<'a>>,
    corpus: &PackedCorpus,
    options: &BuildOptions,
    ctx: &RunContext,
) -> Result<BuildEstimate> {
    let subject = &subject.into();
    let model = subject.model;
    options.check(model.model.dims.n_ctx)?;
    ctx.stage("estimating", 0);
    let full = plan(subject, corpus, options)?;
    let groups = subject.groups(options);
    let units: u64 = groups.iter().map(|group| u64::from(group.count)).sum();
    // Those with n-grams and weights come first.
    let vectors = groups.partition_point(|group| has_vectors(group.kind));
    let neurons = count_blocks(&groups[..vectors]) as u64;
    let others = count_blocks(&groups[vectors..]) as u64;
    // Dictionaries besides, and what they make of a batch.
    let latents = subject.dictionaries.iter().map(|own| {
        let dictionary = own.coder.dictionary();
        let weights = dictionary.encoder.len() + dictionary.decoder.len();
        4 * (weights + dictionary.config.latents as usize * options.batch_tokens * 2) as u64
    });
    let latents: u64 = latents.sum();
    let state = neurons * Block::bytes(&full, &options.bins, true) + others * Block::bytes(&full, &options.bins, false);
    let rows = (options.batch_tokens / full.longest).max(1);
    let pass = model.model.estimate(rows, full.longest, |_| false, false).total();
    // In the end, when the rest is gone: the sample in f32 twice, and a piece of the matrix of products.
    let last = units * 4 * (2 * full.sample_len() + ROWS) as u64;
    let pass_seconds = pass_seconds(subject, corpus, options, &full, ctx)?;
    let after_seconds = Aftermath::measure(subject, corpus, options, &full, ctx)?.seconds();
    Ok(BuildEstimate {
        tokens: full.counted,
        units,
        memory_bytes: pass + latents + state.max(last),
        disk_bytes: disk(&full, options, units, neurons),
        checkpoint_bytes: state,
        seconds: pass_seconds + after_seconds,
        pass_seconds,
        after_seconds,
    })
}

/// Seconds for all of `full`, from a batch with the statistics of one layer.
fn pass_seconds(
    subject: &Subject,
    corpus: &PackedCorpus,
    options: &BuildOptions,
    full: &Plan,
    ctx: &RunContext,
) -> Result<f64> {
    let brief = BuildOptions {
        tokens: TIMED_TOKENS as u64,
        batch_tokens: TIMED_TOKENS,
        vocab_budget_bytes: options.vocab_budget_bytes.min(16 << 20),
        correlation_slots: 0,
        ..options.clone()
    };
    let short = plan(subject, corpus, &brief)?;
    let layers = subject.model.model.blocks.len();
    let mut units = Units::some(subject, &short, &brief)?;
    let (batch, counts) = (Batch::new(&short, &short.batches[0]), Counts::new(&short));
    let mut seconds = 0.0;
    // The first round is slower than all that follow.
    for _ in 0..2 {
        ctx.check()?;
        let start = std::time::Instant::now();
        let mut collector = Collector::new(&mut units, &short, &batch, Purpose::Add(&counts));
        forward(subject.model, &batch, &mut collector)?;
        let of_one_layer = collector.seconds - collector.latent_seconds;
        seconds = start.elapsed().as_secs_f64() + of_one_layer * (layers as f64 - 1.0);
    }
    let calibration = options.calibration_tokens.min(full.counted as usize / 16) as f64;
    Ok(seconds / batch.tokens.len() as f64 * (full.run_tokens() as f64 + calibration))
}

/// Bytes of the tables, compressed about as far as those of real models are.
fn disk(full: &Plan, options: &BuildOptions, units: u64, neuron_blocks: u64) -> u64 {
    let examples = (TOP + BANDS * PER_BAND) * (2 * REACH + 1) * 3;
    let profiles = 8 * full.position_bins() + options.bins.count();
    let lists = 2 * ENDS * 8 + 2 * options.neighbours * 6 + 200;
    units * (examples + profiles + lists) as u64 + neuron_blocks * 64 * (2 * ENDS * 8) as u64 + full.run_tokens() * 4
}
