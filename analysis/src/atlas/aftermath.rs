//! How long the stages behind the pass over the corpus will take: tables, weights, neighbours. They depend on the model's size and
//! not on the corpus, and in short builds they are most of the time. A small piece of each is done and timed.

use std::time::{Duration, Instant};

use golgi_data::context::RunContext;
use golgi_data::corpus::PackedCorpus;
use golgi_probes::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::batch::{Batch, Counts};
use super::examples::{BANDS, PER_BAND, TOP};
use super::neighbours::Nearest;
use super::plan::Plan;
use super::run::plan;
use super::subject::Subject;
use super::units::Units;
use super::weights::has_vectors;
use super::{BuildOptions, tables, weights};
use crate::error::Result;

/// Tokens whose tables are written.
const TOKENS: usize = 512;
/// Rows among which neighbours are looked for.
const ROWS: usize = 1536;

/// Expected seconds of each stage.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aftermath {
    /// The tables that need neither weights nor neighbours.
    pub tables: f64,
    pub weights: f64,
    pub by_weights: f64,
    pub by_correlation: f64,
}

impl Aftermath {
    /// Times a piece of each stage of a build that goes by the plan `full`.
    pub fn measure(
        subject: &Subject,
        corpus: &PackedCorpus,
        options: &BuildOptions,
        full: &Plan,
        ctx: &RunContext,
    ) -> Result<Aftermath> {
        let groups = subject.groups(options);
        let units: f64 = groups.iter().map(|group| f64::from(group.count)).sum();
        let vectors = groups.iter().filter(|group| has_vectors(group.kind)).map(|group| f64::from(group.count)).sum();
        let near = |count: f64, width: usize| {
            if options.neighbours == 0 { Ok(0.0) } else { near(count, width, options.neighbours) }
        };
        let slots = full.sample_len();
        ctx.check()?;
        let tables = tables_per_unit(subject, corpus, options, full)? * units;
        ctx.check()?;
        Ok(Aftermath {
            tables,
            weights: weights::expected_seconds(subject.model, vectors)?,
            by_weights: near(vectors, subject.model.model.dims.d_model)?,
            by_correlation: if slots > 1 { near(units, slots)? } else { 0.0 },
        })
    }

    /// All stages.
    pub fn seconds(&self) -> f64 {
        self.tables + self.after_tables()
    }

    /// What follows the tables.
    pub fn after_tables(&self) -> f64 {
        self.weights + self.after_weights()
    }

    /// What follows the weights.
    pub fn after_weights(&self) -> f64 {
        self.by_weights + self.by_correlation
    }
}

/// Seconds as a length of time.
pub(super) fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Seconds for the tables of one unit, by those of the last layer with made-up activations.
fn tables_per_unit(subject: &Subject, corpus: &PackedCorpus, options: &BuildOptions, full: &Plan) -> Result<f64> {
    let brief = BuildOptions {
        tokens: TOKENS as u64,
        batch_tokens: TOKENS,
        vocab_budget_bytes: options.vocab_budget_bytes.min(16 << 20),
        correlation_slots: 0,
        ..options.clone()
    };
    let short = plan(subject, corpus, &brief)?;
    let (mut units, mut counts) = (Units::some(subject, &short, &brief)?, Counts::new(&short));
    let batch = Batch::new(&short, &short.batches[0]);
    for group in &mut units.groups {
        let shape = [batch.contexts.len() as i64, batch.len as i64, i64::from(group.about.count)];
        group.fill(&drawn(&shape)?, &batch, &counts, &short);
    }
    counts.add(&batch);
    let count: u64 = units.groups.iter().map(|group| u64::from(group.about.count)).sum();
    let examples: usize = units.groups.iter().map(|group| group.examples()).sum();
    // A time is wanted, no tables; without a place for them there is none.
    let Ok(folder) = tempfile::tempdir() else { return Ok(0.0) };
    let start = Instant::now();
    let source = tables::Source::new(subject, &short, &brief, &counts);
    tables::so_far(&source, &units, folder.path(), &RunContext::new(0))?;
    let seconds = start.elapsed().as_secs_f64();
    // Few tokens give few examples, of which most of the time goes into.
    let usual = (TOP.min(full.contexts.len()) + BANDS * PER_BAND) as f64;
    Ok(seconds / count as f64 * (usual * count as f64 / examples.max(1) as f64).max(1.0))
}

/// Numbers as good as any.
fn drawn(shape: &[i64]) -> Result<Tensor> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Ok(Tensor::f_from_slice(&values)?.f_view(shape)?)
}

/// Seconds for the nearest of `count` rows of `width` numbers, by fewer rows.
fn near(count: f64, width: usize, k: usize) -> Result<f64> {
    let rows = (count as usize).min(ROWS);
    let nearest = Nearest::new(&drawn(&[rows as i64, width as i64])?)?;
    let mut seconds = f64::INFINITY;
    // The first round is slower.
    for _ in 0..2 {
        let start = Instant::now();
        nearest.all(k, "", Duration::ZERO, &RunContext::new(0))?;
        seconds = start.elapsed().as_secs_f64().min(seconds);
    }
    Ok(seconds * (count / rows.max(1) as f64).powi(2))
}
