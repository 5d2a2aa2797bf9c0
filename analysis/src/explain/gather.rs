//! Where evidence comes from: the examples on a unit's page, and contexts of the atlas run through the model once more.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use golgi_data::atlas::{Atlas, AtlasError, Manifest, Page, UnitKind};
use golgi_data::context::RunContext;
use golgi_data::dictionary::Dictionary;
use golgi_data::site::Site;
use golgi_data::tables::arrow::{Array, cast::AsArray};
use golgi_data::tables::{FloatLists, TextColumn};
use golgi_probes::{Batch, Capture, ForwardOptions, OpenModel, Tensor};
use golgi_sae::Coder;

use super::candidates::mix;
use super::passage::{Evidence, Known};
use crate::atlas::{BuildError, columns};
use crate::error::{AnalysisError, Result};

/// Contexts in one pass.
const AT_ONCE: usize = 4;
/// Units whose firing makes a passage a near miss.
const NEIGHBOURS: usize = 4;
/// The share of its own largest activation from which on a neighbour counts as firing.
const NEIGHBOUR_FIRES: f32 = 0.5;

/// A context of the atlas.
#[derive(Debug, Clone)]
struct Context {
    number: u32,
    tokens: Vec<u32>,
    pieces: Vec<String>,
    language: Option<String>,
    genre: Option<String>,
}

/// Contexts with the activations of some units at all their tokens.
#[derive(Debug)]
pub(super) struct Pool {
    contexts: Vec<Context>,
    skip: usize,
    /// By unit and context.
    values: HashMap<u32, Vec<Vec<f32>>>,
}

/// The token ids of every context of an atlas.
pub(super) fn tokens(atlas: &Atlas) -> Result<HashMap<u32, Vec<u32>>> {
    let table = atlas.table("contexts")?;
    let lists = FloatLists::of(&table, "tokens").map_err(AtlasError::from)?;
    Ok((0..table.num_rows()).map(|row| (row as u32, lists.integers(row))).collect())
}

/// `n` contexts of the atlas, drawn at random.
fn drawn(atlas: &Atlas, n: usize, seed: u64) -> Result<Vec<Context>> {
    let table = atlas.table("contexts")?;
    let text = |name: &str| TextColumn::of(&table, name).map_err(AtlasError::from);
    let (language, genre) = (text("language")?, text("genre")?);
    let tokens = FloatLists::of(&table, "tokens").map_err(AtlasError::from)?;
    let pieces = table.column_by_name("pieces").and_then(|column| column.as_list_opt::<i32>());
    let mut rows: Vec<usize> = (0..table.num_rows()).collect();
    rows.sort_by_key(|row| mix(seed, *row as u64));
    rows.truncate(n);
    rows.sort_unstable();
    let pieces_of = |row: usize| -> Option<Vec<String>> {
        let list = pieces.filter(|lists| lists.is_valid(row))?.value(row);
        Some(list.as_string_opt::<i32>()?.iter().map(|piece| piece.unwrap_or_default().to_owned()).collect())
    };
    let context = |row: usize| Context {
        number: row as u32,
        tokens: tokens.integers(row),
        pieces: pieces_of(row).unwrap_or_default(),
        language: language.get(row).map(str::to_owned),
        genre: genre.get(row).map(str::to_owned),
    };
    Ok(rows
        .into_iter()
        .map(context)
        .filter(|one| !one.tokens.is_empty() && one.tokens.len() == one.pieces.len())
        .collect())
}

/// Units near a unit: those whose activations go most with its own, then those that write alike.
pub(super) fn neighbours(page: &Page) -> Vec<u32> {
    let mut near: Vec<u32> = Vec::new();
    for one in page.nearest_by_correlation.iter().chain(&page.nearest_by_weights) {
        if !near.contains(&one.id) && near.len() < NEIGHBOURS {
            near.push(one.id);
        }
    }
    near
}

impl Pool {
    /// Runs `n` contexts of the atlas through its model and keeps the activations of the units `ids`.
    ///
    /// # Errors
    /// If the model is not the atlas's, a dictionary is not where it was, or the pass fails.
    pub fn new(atlas: &Atlas, model: &OpenModel, ids: &[u32], n: usize, ctx: &RunContext) -> Result<Pool> {
        let manifest = atlas.manifest();
        check(manifest, model)?;
        let contexts = drawn(atlas, n, ctx.seed())?;
        let mut values: HashMap<u32, Vec<Vec<f32>>> = HashMap::new();
        let readings = readings(manifest, ids)?;
        ctx.stage("running contexts through the model", contexts.len() as u64);
        for group in contexts.chunks(AT_ONCE) {
            ctx.check()?;
            let rows: Vec<Vec<u32>> = group.iter().map(|context| context.tokens.clone()).collect();
            let mut capture = Capture::sites(readings.iter().map(|reading| &reading.site));
            model.model.forward(&Batch::padded(&rows, 0)?, &mut capture, ForwardOptions::default())?;
            let trace = capture.into_trace(rows)?;
            for reading in &readings {
                let all = columns(reading.kind, reading.coder.as_ref(), trace.get(&reading.site)?)?;
                let indices: Vec<i64> = reading.units.iter().map(|(_, index)| *index).collect();
                let picked = all.f_index_select(2, &Tensor::f_from_slice(&indices)?)?;
                for (column, (id, _)) in reading.units.iter().enumerate() {
                    let kept = values.entry(*id).or_default();
                    for (row, context) in group.iter().enumerate() {
                        let one = picked.f_select(0, row as i64)?.f_select(1, column as i64)?;
                        let mut one = Vec::<f32>::try_from(&one.f_contiguous()?)?;
                        one.truncate(context.tokens.len());
                        kept.push(one);
                    }
                }
            }
            ctx.advance(group.len() as u64);
        }
        Ok(Pool { contexts, skip: manifest.skip_first as usize, values })
    }

    /// Adds what is known of unit `id`; `near` are the units whose firing makes a near miss.
    fn add(&self, id: u32, near: &[u32], known: &mut BTreeMap<u32, Known>) {
        let Some(values) = self.values.get(&id) else { return };
        let rivals: Vec<(&Vec<Vec<f32>>, f32)> = near
            .iter()
            .filter_map(|other| self.values.get(other))
            .map(|values| {
                (values, values.iter().flat_map(|one| one.iter().skip(self.skip)).copied().fold(0.0, f32::max))
            })
            .filter(|(_, largest)| *largest > 0.0)
            .collect();
        for (at, (context, values)) in self.contexts.iter().zip(values).enumerate() {
            let entry = known.entry(context.number).or_default();
            entry.language.clone_from(&context.language);
            entry.genre.clone_from(&context.genre);
            for (position, (piece, value)) in context.pieces.iter().zip(values).enumerate().skip(self.skip) {
                entry.at.insert(position, (piece.clone(), *value));
            }
            let fires =
                |position: &usize| rivals.iter().any(|(own, most)| own[at][*position] >= NEIGHBOUR_FIRES * most);
            entry.rivals = (self.skip..values.len()).filter(fires).collect();
        }
    }
}

/// Everything known of where the unit of a page fires. Where activity is judged by magnitude, many a unit does all that it does below 0:
/// if its strongest examples weigh more on that side, signs are turned, and the evidence says so.
pub(super) fn evidence(manifest: &Manifest, page: &Page, pool: Option<&Pool>) -> Evidence {
    let mut known: BTreeMap<u32, Known> = BTreeMap::new();
    for example in &page.examples {
        let entry = known.entry(example.context).or_default();
        entry.language.clone_from(&example.language);
        entry.genre.clone_from(&example.genre);
        let start = usize::from(example.position).saturating_sub(example.peak);
        for (offset, (piece, value)) in example.tokens.iter().zip(&example.values).enumerate() {
            entry.at.insert(start + offset, (piece.clone(), *value));
        }
    }
    if let Some(pool) = pool {
        pool.add(page.id, &neighbours(page), &mut known);
    }
    let by_magnitude = match manifest.group_of(page.id).map(|group| group.kind) {
        Some(UnitKind::Neuron) => manifest.gated,
        Some(UnitKind::Residual) => true,
        _ => false,
    };
    let strongest = page.examples.iter().filter(|example| example.band == 0).map(|example| example.value);
    let negative = by_magnitude && strongest.sum::<f32>() < 0.0;
    if negative {
        known.values_mut().flat_map(|known| known.at.values_mut()).for_each(|(_, value)| *value = -*value);
    }
    let active = page.statistic("active_threshold").unwrap_or(0.0) as f32;
    Evidence { negative, ..Evidence::new(known, active) }
}

/// What is run must be what the atlas is about.
pub(super) fn check(manifest: &Manifest, model: &OpenModel) -> Result<()> {
    let digest = model.digest()?;
    if manifest.model_digest.is_empty() || digest == manifest.model_digest {
        return Ok(());
    }
    Err(AnalysisError::Unsuitable {
        analysis: "what the units of this atlas do",
        model: model.name.clone(),
        cause: "its weights are not those that the atlas was built with; name that model with --model".to_owned(),
    })
}

/// Units that are read at one site.
struct Reading {
    site: Site,
    kind: UnitKind,
    /// Of latents.
    coder: Option<Coder>,
    /// Id and index of each.
    units: Vec<(u32, i64)>,
}

fn readings(manifest: &Manifest, ids: &[u32]) -> Result<Vec<Reading>> {
    let mut groups: BTreeMap<u32, Vec<(u32, i64)>> = BTreeMap::new();
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let unknown = || AtlasError::NoUnit { unit: format!("number {id}"), model: manifest.model.clone() };
        let group = manifest.group_of(id).ok_or_else(unknown)?;
        groups.entry(group.start).or_default().push((id, i64::from(id - group.start)));
    }
    let mut out = Vec::with_capacity(groups.len());
    for (start, units) in groups {
        let unknown = || AtlasError::NoUnit { unit: format!("number {start}"), model: manifest.model.clone() };
        let group = manifest.group_of(start).ok_or_else(unknown)?;
        let (site, coder) = match manifest.unit(start).ok_or_else(unknown)?.site {
            Site::Latents(read) => {
                let coder = coder(manifest, &read.to_string())?;
                (*read, Some(coder))
            }
            own => (own, None),
        };
        out.push(Reading { site, kind: group.kind, coder, units });
    }
    Ok(out)
}

/// The dictionary of an atlas that reads `site`, from where it lay when the atlas was built.
fn coder(manifest: &Manifest, site: &str) -> Result<Coder> {
    let about = manifest.dictionaries.iter().find(|one| one.site == site);
    let source = about.map(|one| one.source.clone()).unwrap_or_default();
    let refuse = |why: String| BuildError::Dictionary { source_name: source.clone(), why };
    let about = about.ok_or_else(|| refuse(format!("the atlas names none that reads {site}")))?;
    let dictionary = Dictionary::read(Path::new(&about.source)).map_err(|error| refuse(error.to_string()))?;
    if dictionary.digest() != about.digest {
        let why = "its numbers are not those that the atlas was built with; bring it back, or leave --contexts at 0";
        return Err(refuse(why.to_owned()).into());
    }
    Ok(Coder::new(dictionary).map_err(|error| refuse(error.to_string()))?)
}

/// Whether units of a kind are parts of the model that can be changed by themselves.
pub(super) fn is_of_model(kind: UnitKind) -> bool {
    kind != UnitKind::Latent
}
