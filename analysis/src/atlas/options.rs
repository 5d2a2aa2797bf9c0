//! How an atlas is built.

use golgi_data::atlas::Bins;
use golgi_data::corpus::Split;
use serde::{Deserialize, Serialize};

use super::BuildError;

/// What goes into an atlas, and how it is computed. Everything but the times of checkpoints
/// and snapshots is part of the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildOptions {
    /// Tokens per context, a start token included.
    pub context_len: usize,
    /// Tokens of the corpus to run (a start token does not count).
    pub tokens: u64,
    /// Only documents of this split; `None`: all.
    pub split: Option<Split>,
    /// Tokens run through the model at once.
    pub batch_tokens: usize,
    /// Seed of every random choice.
    pub seed: u64,
    /// Memory for means per vocabulary token; as many of the most frequent tokens are tracked as fit.
    pub vocab_budget_bytes: u64,
    /// Tokens from which thresholds and the bounds of the example bands are found; they are run twice.
    pub calibration_tokens: usize,
    /// Tokens kept for correlations between units; 0 for none.
    pub correlation_slots: usize,
    /// Nearest units listed for each unit, by each measure.
    pub neighbours: usize,
    /// Whether MLP neurons are units.
    pub neurons: bool,
    /// Whether attention heads are units.
    pub heads: bool,
    /// Whether dimensions of the residual stream are units.
    pub residual: bool,
    /// Bins of the histograms.
    pub bins: Bins,
    /// A checkpoint is written after this many seconds,
    pub checkpoint_secs: f64,
    /// and after this many batches, if given.
    pub checkpoint_batches: Option<u64>,
    /// What is known so far is shown as a provisional atlas after this many seconds,
    pub snapshot_secs: f64,
    /// and after this many batches, if given.
    pub snapshot_batches: Option<u64>,
}

impl Default for BuildOptions {
    fn default() -> BuildOptions {
        BuildOptions {
            context_len: 128,
            tokens: 100_000,
            split: Some(Split::Explore),
            batch_tokens: 2048,
            seed: 0,
            vocab_budget_bytes: 256 << 20,
            calibration_tokens: 4096,
            correlation_slots: 1024,
            neighbours: 8,
            neurons: true,
            heads: true,
            residual: true,
            bins: Bins::default(),
            checkpoint_secs: 120.0,
            checkpoint_batches: None,
            snapshot_secs: 120.0,
            snapshot_batches: None,
        }
    }
}

impl BuildOptions {
    /// Refuses impossible values.
    pub(super) fn check(&self, n_ctx: usize) -> Result<(), BuildError> {
        let wrong = |name, found: String, expected| Err(BuildError::Option { name, found, expected });
        if self.context_len < 2 || self.context_len > n_ctx.min(usize::from(u16::MAX)) {
            return wrong(
                "context_len",
                self.context_len.to_string(),
                "it must lie between 2 and the model's context length",
            );
        }
        if self.batch_tokens == 0 || self.batch_tokens > 1 << 20 {
            return wrong("batch_tokens", self.batch_tokens.to_string(), "it must lie between 1 and 1,048,576");
        }
        if self.correlation_slots > 1 << 16 {
            return wrong("correlation_slots", self.correlation_slots.to_string(), "it must be 65,536 at most");
        }
        if self.neighbours > 100 {
            return wrong("neighbours", self.neighbours.to_string(), "it must be 100 at most");
        }
        if !self.bins.is_valid() {
            return wrong("bins", format!("{:?}", self.bins), "it must be a sensible set of bins");
        }
        Ok(())
    }
}
