//! From the state to the tables.

mod places;
mod rows;
mod units;
mod vocabulary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use golgi_data::atlas::{
    ATLAS_SCHEMA, Band, Bins, LabelCount, Manifest, Provisional, Tracked, UnitKind, provisional_folder,
};
use golgi_data::context::RunContext;
use golgi_data::tables::{Columns, TableError, TableWriter};
use golgi_probes::{Device, OpenModel};

use super::aftermath::{Aftermath, span};
use super::batch::Counts;
use super::examples::BAND_EDGES;
use super::lanes::SKIP_FIRST;
use super::plan::Plan;
use super::recipe::write_whole;
use super::subject::Subject;
use super::units::{Units, active_rule, is_gated};
use super::weights::{Vectors, has_vectors};
use super::{BuildError, BuildOptions, neighbours};
use crate::error::Result;

/// A table under way, written piece by piece.
struct Table {
    path: PathBuf,
    group: usize,
    writer: Option<TableWriter>,
}

impl Table {
    fn new(folder: &Path, name: &str, group: usize) -> Table {
        Table { path: folder.join(format!("{name}.parquet")), group, writer: None }
    }

    fn push(&mut self, columns: Columns) -> Result<(), BuildError> {
        let rows = columns.build()?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(TableWriter::create(&self.path, rows.schema(), self.group)?),
        };
        Ok(writer.write(&rows)?)
    }

    fn finish(self) -> Result<(), TableError> {
        self.writer.map_or(Ok(()), TableWriter::finish)
    }
}

/// What all tables are made from.
pub(super) struct Source<'a> {
    subject: &'a Subject<'a>,
    model: &'a OpenModel,
    plan: &'a Plan<'a>,
    options: &'a BuildOptions,
    counts: &'a Counts,
    bins: Bins,
}

impl<'a> Source<'a> {
    pub fn new(
        subject: &'a Subject<'a>,
        plan: &'a Plan<'a>,
        options: &'a BuildOptions,
        counts: &'a Counts,
    ) -> Source<'a> {
        Source { subject, model: subject.model, plan, options, counts, bins: options.bins }
    }

    /// Tracked tokens seen less often than this are not listed: a mean over few occurrences says little. Short runs are
    /// content with less.
    fn min_count(&self) -> u64 {
        (self.counts.tokens / 2000).clamp(1, 10)
    }

    fn pieces(&self, ids: impl IntoIterator<Item = u32>) -> String {
        ids.into_iter().map(|id| self.model.piece(id)).collect::<Vec<_>>().join(" · ")
    }
}

/// Pieces in the joined texts of `units.parquet`.
const JOINED: usize = 4;

/// Writes the tables that need nothing but the state and are most of the bytes, two at a time.
fn early(source: &Source, units: &Units, out: &Path, ctx: &RunContext) -> Result<vocabulary::Joined> {
    let plan = source.plan;
    let examples = || places::examples(plan, units, out, ctx);
    let others = || -> Result<vocabulary::Joined> {
        let joined = vocabulary::tokens(source, units, out)?;
        rows::profiles(source, units, out)?;
        Ok(joined)
    };
    std::thread::scope(|scope| {
        let Ok(thread) = std::thread::Builder::new().name("examples".to_owned()).spawn_scoped(scope, examples) else {
            examples()?;
            return others();
        };
        let joined = others();
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        joined
    })
}

/// Writes the tables that are quick to write: those of [`early`], and the units' own without what comes from the weights.
pub(super) fn so_far(source: &Source, units: &Units, out: &Path, ctx: &RunContext) -> Result<()> {
    let joined = early(source, units, out, ctx)?;
    units::write(source, units, &[], &joined, out)
}

/// Writes what is known so far as an atlas of its own, which is flagged as provisional. A table takes the place of the one before
/// when it is whole, so that whoever reads meanwhile finds each of them.
pub(super) fn provisional(source: &Source, units: &Units, out: &Path, ctx: &RunContext) -> Result<()> {
    let folder = provisional_folder(out);
    let failed = |cause: std::io::Error| BuildError::Write { path: folder.clone(), cause: cause.to_string() };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    // The contexts are the same from the beginning of a build to its end.
    if !folder.join("contexts.parquet").is_file() {
        places::contexts(source, &folder)?;
    }
    so_far(source, units, &folder, ctx)?;
    write_manifest(&manifest(source, None, false, &folder)?, &folder)?;
    Ok(())
}

/// Writes every table and the manifest.
pub(super) fn finish(
    source: &Source,
    units: Units,
    out: &Path,
    (after, ctx): (&Aftermath, &RunContext),
) -> Result<Manifest> {
    let Source { subject, model, plan, .. } = *source;
    let rows: u64 = units.groups.iter().map(|group| u64::from(group.about.count)).sum();
    ctx.stage_from("writing tables", 0, rows, span(after.after_tables()));
    places::contexts(source, out)?;
    let mut joined = early(source, &units, out, ctx)?;
    vocabulary::triggers(source, &units, out)?;

    let with_vectors = units.groups.iter().filter(|group| has_vectors(group.about.kind));
    ctx.stage_from("reading weights", 0, with_vectors.clone().count() as u64, span(after.after_weights()));
    let mut weights = Vec::new();
    let mut logits = vocabulary::LogitTable::new(out);
    for group in with_vectors {
        ctx.check()?;
        let mut vectors = match subject.latents_at(&group.read_at) {
            Some(latents) if group.about.kind == UnitKind::Latent => Vectors::of_latents(model, latents)?,
            _ => Vectors::of_neurons(model, group.about.layer as usize)?,
        };
        logits.push(source, &group.about, std::mem::take(&mut vectors.ends), &mut joined)?;
        weights.push((group.about.count as usize, vectors));
        ctx.advance(1);
    }
    logits.finish()?;
    units::write(source, &units, &weights, &joined, out)?;

    let slots = plan.sample_len();
    let sample = if slots > 1 { Some(neighbours::sampled(&units, slots)?) } else { None };
    // The neighbours need room.
    drop((units, weights, joined));
    let null = rows::neighbours(source, sample, rows, out, (after, ctx))?;
    ctx.stage("checking tables", 0);
    let manifest = manifest(source, null, true, out)?;
    write_manifest(&manifest, out)?;
    Ok(manifest)
}

fn write_manifest(manifest: &Manifest, out: &Path) -> Result<(), BuildError> {
    let text = serde_json::to_string_pretty(manifest).unwrap_or_default();
    write_whole(out, "atlas.json", format!("{text}\n").as_bytes())
}

fn manifest(source: &Source, null: Option<f32>, complete: bool, out: &Path) -> Result<Manifest> {
    let Source { subject, model, plan, options, counts, bins } = *source;
    let tokens = counts.tokens + counts.contexts * SKIP_FIRST as u64;
    let label = |names: &[String], labels: &[u16], counts: &[u64]| {
        let labels = labels.iter().zip(counts);
        labels
            .map(|(label, tokens)| LabelCount { label: names[usize::from(*label)].clone(), tokens: *tokens })
            .collect()
    };
    let highs = std::iter::once(1.0).chain(BAND_EDGES);
    let lows = BAND_EDGES.into_iter().chain([0.0]);
    let device = match model.model.device {
        Device::Cpu => "cpu".to_owned(),
        Device::Cuda(index) => format!("cuda:{index}"),
        Device::Mps => "mps".to_owned(),
        Device::Vulkan => "vulkan".to_owned(),
    };
    let activation = model.model.blocks.first().map_or("", |block| block.mlp.activation.name());
    Ok(Manifest {
        schema: ATLAS_SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: model.spec.clone(),
        model_digest: model.digest()?,
        family: model.model.family.to_owned(),
        tokenizer_digest: plan.corpus.tokenizer_digest().to_owned(),
        device,
        dtype: model.dtype.to_string(),
        attention: "explicit".to_owned(),
        seed: options.seed,
        corpus: plan.corpus.name().to_owned(),
        corpus_digest: plan.corpus.digest().to_owned(),
        split: options.split.map_or("all", |split| split.name()).to_owned(),
        context_len: options.context_len as u32,
        skip_first: SKIP_FIRST as u32,
        tokens,
        contexts: counts.contexts,
        complete,
        provisional: (!complete).then(|| Provisional { tokens, of: plan.run_tokens() }),
        groups: subject.groups(options),
        dictionaries: subject.dictionaries.iter().map(|own| own.about.clone()).collect(),
        gated: is_gated(model),
        activation: activation.to_owned(),
        active_rule: active_rule(subject),
        bins,
        positions_per_bin: plan.positions_per_bin as u32,
        languages: label(plan.corpus.languages(), &plan.labels.languages, &counts.languages),
        genres: label(plan.corpus.genres(), &plan.labels.genres, &counts.genres),
        tracked: Tracked {
            tokens: plan.tracked.len() as u32,
            coverage: plan.coverage,
            min_count: source.min_count() as u32,
        },
        bands: lows.zip(highs).map(|(low, high)| Band { low, high }).collect(),
        // Neighbours come last of all.
        correlation_slots: if complete { plan.sample_len() as u32 } else { 0 },
        correlation_null: null,
        warnings: Vec::new(),
        files: hashes(out)?,
    })
}

/// BLAKE3 of every table that is there, by file name. Families come later and are not among them.
fn hashes(out: &Path) -> Result<BTreeMap<String, String>, BuildError> {
    let mut found = BTreeMap::new();
    for name in golgi_data::atlas::TABLES.iter().filter(|name| **name != "families") {
        let (file, mut hasher) = (format!("{name}.parquet"), blake3::Hasher::new());
        let path = out.join(&file);
        if !path.is_file() {
            continue;
        }
        let hash = std::fs::File::open(&path).and_then(|mut from| std::io::copy(&mut from, &mut hasher));
        hash.map_err(|error| BuildError::Damaged { path: path.clone(), cause: error.to_string() })?;
        found.insert(file, hasher.finalize().to_hex().to_string());
    }
    Ok(found)
}
