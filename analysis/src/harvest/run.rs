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

/// What a harvest will take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HarvestEstimate {
    /// Tokens of the corpus.
    pub tokens: u64,
    /// Token positions in the store, BOS included.
    pub rows: u64,
    /// Those still to be computed.
    pub todo: u64,
    /// Contexts.
    pub contexts: u64,
    /// Shards.
    pub shards: usize,
    /// The size of the store, in bytes.
    pub bytes: u64,
    /// How long computing the rest will take, from the time of one batch.
    pub seconds: f64,
}

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

/// Runs the model over the corpus and stores what it computes in the folder `out`; see [`Harvest`].
///
/// # Errors
/// As [`Harvest::begin`] and [`Harvest::run`].
pub fn harvest(
    model: &OpenModel,
    corpus: &PackedCorpus,
    params: &HarvestParams,
    out: &Path,
    resume: bool,
    ctx: &RunContext,
) -> Result<HarvestReport, HarvestError> {
    Harvest::begin(model, corpus, params, out, resume, ctx)?.run()
}

/// A harvest that is planned and whose store is open.
pub struct Harvest<'a> {
    model: &'a OpenModel,
    corpus: &'a PackedCorpus,
    plan: StorePlan,
    sites: Vec<Site>,
    fused_attention: bool,
    writer: StoreWriter,
    ctx: &'a RunContext,
}

impl<'a> Harvest<'a> {
    /// Plans and opens the store. With `resume` an interrupted run is taken up again (or begun, where there is none), and
    /// damaged shards are to be made anew.
    ///
    /// # Errors
    /// If the plan is impossible, the store was made of something else, or the folder cannot be used.
    pub fn begin(
        model: &'a OpenModel,
        corpus: &'a PackedCorpus,
        params: &HarvestParams,
        out: &Path,
        resume: bool,
        ctx: &'a RunContext,
    ) -> Result<Harvest<'a>, HarvestError> {
        let (plan, sites) = plan(model, corpus, params, ctx.seed())?;
        let writer = match resume && out.join(MANIFEST).exists() {
            true => StoreWriter::resume(out, &plan)?,
            false => StoreWriter::create(out, &plan)?,
        };
        let fused_attention = params.fused_attention;
        Ok(Harvest { model, corpus, plan, sites, fused_attention, writer, ctx })
    }

    /// Which contexts go where.
    pub fn plan(&self) -> &StorePlan {
        &self.plan
    }

    fn passes(&self) -> Passes<'_> {
        Passes {
            model: self.model,
            corpus: self.corpus,
            plan: &self.plan,
            sites: &self.sites,
            fused_attention: self.fused_attention,
            ctx: self.ctx,
        }
    }

    fn rows_to_do(&self) -> u64 {
        self.writer.todo().iter().map(|shard| self.plan.manifest().shards[*shard].rows).sum()
    }

    /// Estimates size and time. The first batch that is still to do is run for it.
    ///
    /// # Errors
    /// If the model fails.
    pub fn estimate(&self) -> Result<HarvestEstimate, HarvestError> {
        let (todo, passes) = (self.rows_to_do(), self.passes());
        let first = self.writer.todo().first().map_or(&[][..], |shard| self.plan.groups(*shard)).first();
        let seconds = first.map_or(Ok(0.0), |group| passes.time(group))? * todo as f64;
        let manifest = self.plan.manifest();
        Ok(HarvestEstimate {
            tokens: manifest.contexts.tokens,
            rows: manifest.rows,
            todo,
            contexts: manifest.contexts.count,
            shards: self.plan.shards(),
            bytes: self.plan.bytes(),
            seconds,
        })
    }

    /// Computes and writes what is still to do.
    ///
    /// # Errors
    /// If the model fails, the disk is full, or the work is cancelled. Every shard that is written stays.
    pub fn run(self) -> Result<HarvestReport, HarvestError> {
        let start = Instant::now();
        let (todo, damaged, computed) = (self.writer.todo(), self.writer.damaged().to_vec(), self.rows_to_do());
        let Harvest { model, corpus, plan, sites, fused_attention, writer, ctx } = self;
        let passes = Passes { model, corpus, plan: &plan, sites: &sites, fused_attention, ctx };
        ctx.stage("harvesting", computed);
        // One shard is being filled, one waits, one is written: memory stays bounded.
        let (sender, receiver) = sync_channel(1);
        let (written, wrote) = std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().name("store writer".to_owned());
            let thread = builder.spawn_scoped(scope, move || write(writer, &receiver));
            let thread = thread.map_err(|error| HarvestError::Writer(error.to_string()))?;
            let written = passes.compute(&todo, sender);
            let wrote = thread.join().map_err(|_| HarvestError::Writer("it panicked".to_owned()))?;
            Ok::<_, HarvestError>((written, wrote))
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
struct Passes<'a> {
    model: &'a OpenModel,
    corpus: &'a PackedCorpus,
    plan: &'a StorePlan,
    sites: &'a [Site],
    fused_attention: bool,
    ctx: &'a RunContext,
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
    fn forward(&self, group: &[u32], gather: &mut Gather<'_>) -> Result<usize, ProbeError> {
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

    /// Seconds per row, by one pass over `group`.
    fn time(&self, group: &[u32]) -> Result<f64, ProbeError> {
        let rows = group.iter().map(|context| self.plan.sequence(*context, self.corpus).len()).sum();
        let gather = || Gather::new(self.plan, self.sites, rows, self.ctx);
        // The library sets itself up in the first pass, a short one.
        self.forward(&group[..group.len().min(1)], &mut gather())?;
        let start = Instant::now();
        self.forward(group, &mut gather())?;
        Ok(start.elapsed().as_secs_f64() / rows as f64)
    }
}
