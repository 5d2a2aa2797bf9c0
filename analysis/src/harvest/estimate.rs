//! How large a store will be and how long it will take, before it is made.

use std::time::Instant;

use golgi_data::context::RunContext;
use golgi_data::corpus::PackedCorpus;
use golgi_data::site::Site;
use golgi_data::store::StorePlan;
use golgi_probes::OpenModel;
use serde::Serialize;

use super::gather::Gather;
use super::run::Passes;
use super::{HarvestError, HarvestParams};

/// An estimate of a harvest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HarvestEstimate {
    /// Tokens of the corpus.
    pub tokens: u64,
    /// Token positions in the store, BOS included.
    pub rows: u64,
    /// Contexts.
    pub contexts: u64,
    /// Shards.
    pub shards: usize,
    /// The size of the store, in bytes.
    pub bytes: u64,
    /// How long it will take, from the time of the first batch.
    pub seconds: f64,
}

/// Estimates a harvest. The first batch is run for it.
///
/// # Errors
/// If the model fails.
pub fn estimate(
    model: &OpenModel,
    corpus: &PackedCorpus,
    params: &HarvestParams,
    plan: &StorePlan,
    sites: &[Site],
    ctx: &RunContext,
) -> Result<HarvestEstimate, HarvestError> {
    let manifest = plan.manifest();
    let mut seconds = 0.0;
    if let Some(group) = plan.groups(0).first() {
        let passes = Passes { model, corpus, plan, sites, fused_attention: params.fused_attention, ctx };
        let rows = group.iter().map(|context| plan.sequence(*context, corpus).len()).sum();
        // The library sets itself up in the first pass, a short one.
        passes.forward(&group[..1], &mut Gather::new(plan, sites, rows, ctx))?;
        let start = Instant::now();
        passes.forward(group, &mut Gather::new(plan, sites, rows, ctx))?;
        seconds = start.elapsed().as_secs_f64() * manifest.rows as f64 / rows as f64;
    }
    Ok(HarvestEstimate {
        tokens: manifest.contexts.tokens,
        rows: manifest.rows,
        contexts: manifest.contexts.count,
        shards: plan.shards(),
        bytes: plan.bytes(),
        seconds,
    })
}
