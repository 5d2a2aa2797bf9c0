//! Running a harvest: the model computes on this thread, another one writes.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use golgi_data::context::RunContext;
use golgi_data::corpus::PackedCorpus;
use golgi_data::site::Site;
use golgi_data::store::{Column, MANIFEST, ShardRows, StoreError, StorePlan, StoreWriter};
use golgi_probes::{Batch, ForwardOptions, OpenModel, ProbeError, Tensor};
use serde::Serialize;

use super::gather::Gather;
use super::{HarvestError, HarvestParams, plan};

/// What a harvest did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HarvestReport {
    /// Tokens of the corpus in the store.
    pub tokens: u64,
    /// Token positions in the store, BOS included.
    pub rows: u64,
    /// Contexts in the store.
    pub contexts: u64,
    /// Shards of the store.
    pub shards: usize,
    /// Shards that this run wrote.
    pub written: usize,
    /// Files that were found damaged and made again.
    pub damaged: Vec<String>,
    /// The size of the shards, in bytes.
    pub bytes: u64,
    /// Values too large for f16, stored as infinite.
    pub overflowed: u64,
    /// How long this run took.
    pub seconds: f64,
    /// Rows that this run computed.
    pub computed: u64,
}

/// Runs the model over the corpus and stores what it computes in the folder `out`. With `resume` an interrupted run is
/// taken up again (or begun, where there is none), and damaged shards are made anew.
///
/// # Errors
/// If the plan is impossible, the model fails, the store was made of something else, the disk is full, or the work is
/// cancelled. Every shard that is written stays.
pub fn harvest(
    model: &OpenModel,
    corpus: &PackedCorpus,
    params: &HarvestParams,
    out: &Path,
    resume: bool,
    ctx: &RunContext,
) -> Result<HarvestReport, HarvestError> {
    let start = Instant::now();
    let (plan, sites) = plan(model, corpus, params, ctx.seed())?;
    let writer = match resume && out.join(MANIFEST).exists() {
        true => StoreWriter::resume(out, &plan)?,
        false => StoreWriter::create(out, &plan)?,
    };
    let (todo, damaged) = (writer.todo(), writer.damaged().to_vec());
    let rows_of = |shard: usize| plan.manifest().shards[shard].rows;
    let computed = todo.iter().map(|shard| rows_of(*shard)).sum();
    ctx.stage("harvesting", computed);
    // One shard is being filled, one waits, one is written: memory stays bounded.
    let (sender, receiver) = sync_channel(1);
    let (written, wrote) = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("store writer".to_owned());
        let thread = builder.spawn_scoped(scope, move || write(writer, &receiver));
        let thread = thread.map_err(|error| HarvestError::Writer(error.to_string()))?;
        let passes = Passes { model, corpus, plan: &plan, sites: &sites, fused_attention: params.fused_attention, ctx };
        let computed = passes.compute(&todo, sender);
        let wrote = thread.join().map_err(|_| HarvestError::Writer("it panicked".to_owned()))?;
        Ok::<_, HarvestError>((computed, wrote))
    })?;
    // If writing failed, computing ended because of it.
    let (writer, overflowed) = wrote?;
    written?;
    if overflowed > 0 {
        ctx.warn(format!(
            "{overflowed} values are too large for f16 and are stored as infinite; harvest with --dtype f32"
        ));
    }
    let manifest = writer.manifest();
    Ok(HarvestReport {
        tokens: manifest.contexts.tokens,
        rows: manifest.rows,
        contexts: manifest.contexts.count,
        shards: manifest.shards.len(),
        written: todo.len(),
        damaged,
        bytes: manifest.shards.iter().map(|shard| shard.bytes).sum(),
        overflowed,
        seconds: start.elapsed().as_secs_f64(),
        computed,
    })
}

fn write(mut writer: StoreWriter, shards: &Receiver<(usize, ShardRows)>) -> Result<(StoreWriter, u64), StoreError> {
    let mut overflowed = 0;
    for (shard, rows) in shards {
        for column in &rows.columns {
            if let Column::F16(values) = column {
                overflowed += values.iter().filter(|value| value.is_infinite()).count() as u64;
            }
        }
        writer.write(shard, rows)?;
    }
    Ok((writer, overflowed))
}

/// What every pass needs.
pub(super) struct Passes<'a> {
    pub(super) model: &'a OpenModel,
    pub(super) corpus: &'a PackedCorpus,
    pub(super) plan: &'a StorePlan,
    pub(super) sites: &'a [Site],
    pub(super) fused_attention: bool,
    pub(super) ctx: &'a RunContext,
}

impl Passes<'_> {
    /// Computes shards and hands them over.
    fn compute(&self, todo: &[usize], sender: SyncSender<(usize, ShardRows)>) -> Result<(), HarvestError> {
        for shard in todo {
            let (contexts, positions, tokens) = self.plan.rows(*shard, self.corpus);
            let mut gather = Gather::new(self.plan, self.sites, contexts.len(), self.ctx);
            for group in self.plan.groups(*shard) {
                self.ctx.check()?;
                let rows = self.forward(group, &mut gather)?;
                self.ctx.advance(rows as u64);
            }
            let columns = gather.into_columns();
            if sender.send((*shard, ShardRows { contexts, positions, tokens, columns })).is_err() {
                // The writer has failed and says why.
                return Ok(());
            }
        }
        Ok(())
    }

    /// One pass over contexts of one length; returns how many rows it filled.
    pub(super) fn forward(&self, group: &[u32], gather: &mut Gather<'_>) -> Result<usize, ProbeError> {
        let mut tokens: Vec<i64> = Vec::new();
        for context in group {
            tokens.extend(self.plan.sequence(*context, self.corpus).into_iter().map(i64::from));
        }
        let rows = tokens.len();
        gather.begin_batch(rows);
        let tokens = Tensor::f_from_slice(&tokens)?.f_view([group.len() as i64, -1])?;
        let options = ForwardOptions { fused_attention: self.fused_attention, ..ForwardOptions::default() };
        self.model.model.forward(&Batch::from_tensors(tokens, None), gather, options)?;
        Ok(rows)
    }
}
