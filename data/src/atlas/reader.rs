//! Reading an atlas: whole tables for lists and queries, a few rows for a page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arrow_array::{Array, RecordBatch, cast::AsArray, types};
use arrow_schema::DataType;

use super::explanations::explanations_of;
use super::page::{Bar, Example, Family, LabelValue, Neighbour, Page, PositionValue, Statistic, TokenValue, Trigger};
use super::{AtlasError, LabelCount, Manifest, TABLES};
use crate::tables::{
    self, FloatLists, TextColumn, f32s, i8s, read_parquet, read_row_list, read_rows, read_where, u8s, u16s, u32s,
};
use crate::unit::Unit;

/// Bars of a page's histogram.
const HISTOGRAM_BARS: usize = 50;

/// Where the build of the atlas in `folder` writes what it knows so far.
pub fn provisional_folder(folder: &Path) -> PathBuf {
    folder.join("provisional")
}

/// The folder of the tables of the atlas in `folder`, and its manifest: its own, or else that of what is known so far.
fn locate(folder: &Path) -> Result<(PathBuf, Manifest), AtlasError> {
    match Manifest::read(folder) {
        Ok(manifest) => Ok((folder.to_owned(), manifest)),
        Err(error) if folder.join("atlas.json").exists() => Err(error),
        Err(error) => {
            let provisional = provisional_folder(folder);
            if provisional.join("atlas.json").exists() {
                let manifest = Manifest::read(&provisional)?;
                return Ok((provisional, manifest));
            }
            // The build's own description is the first file that it writes.
            let begun = folder.join("build.json").is_file();
            Err(if begun { AtlasError::Begun { folder: folder.to_owned() } } else { error })
        }
    }
}

/// Whether `folder` is meant to hold an atlas: a finished one, or one that is being built.
pub fn is_atlas(folder: &Path) -> bool {
    ["atlas.json", "build.json"].iter().any(|name| folder.join(name).is_file())
}

/// An atlas folder that was opened.
#[derive(Debug)]
pub struct Atlas {
    folder: PathBuf,
    tables: PathBuf,
    manifest: Manifest,
    units: OnceLock<RecordBatch>,
}

impl Atlas {
    /// Opens the atlas in `folder`; of one that is still being built, what is known so far
    /// ([`provisional`](Manifest::provisional)). Tables are read when they are asked for.
    ///
    /// # Errors
    /// If there is none, or its manifest makes no sense.
    pub fn open(folder: &Path) -> Result<Atlas, AtlasError> {
        let (tables, manifest) = locate(folder)?;
        Ok(Atlas { folder: folder.to_owned(), tables, manifest, units: OnceLock::new() })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The path of the table `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.tables.join(format!("{name}.parquet"))
    }

    /// Whether the families have been looked for.
    pub fn has_families(&self) -> bool {
        self.path("families").is_file()
    }

    /// All units with all their columns; read once, then kept.
    ///
    /// # Errors
    /// If the table cannot be read, or has not one row per unit.
    pub fn units(&self) -> Result<&RecordBatch, AtlasError> {
        if let Some(units) = self.units.get() {
            return Ok(units);
        }
        let units = self.table("units")?;
        if units.num_rows() != self.manifest.units() as usize {
            return Err(AtlasError::NoAtlas {
                folder: self.folder.clone(),
                cause: format!("its manifest counts {} units, its table {}", self.manifest.units(), units.num_rows()),
            });
        }
        Ok(self.units.get_or_init(|| units))
    }

    /// The whole table `name`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn table(&self, name: &str) -> Result<RecordBatch, AtlasError> {
        Ok(read_parquet(&self.path(name), None)?)
    }

    /// Answers a query over the tables it names; see [`TABLES`].
    ///
    /// # Errors
    /// If a table cannot be read or the query cannot be answered.
    pub fn sql(&self, query: &str) -> Result<RecordBatch, AtlasError> {
        let lower = query.to_lowercase();
        let named = TABLES.iter().filter(|name| lower.contains(*name) && self.path(name).is_file());
        let mut tables: Vec<(&str, RecordBatch)> = Vec::new();
        for name in named {
            // Clones share their columns.
            tables.push((name, if *name == "units" { self.units()?.clone() } else { self.table(name)? }));
        }
        let tables: Vec<(&str, &RecordBatch)> = tables.iter().map(|(name, table)| (*name, table)).collect();
        Ok(tables::sql(&tables, query)?)
    }

    /// The id of `unit`.
    ///
    /// # Errors
    /// If the atlas knows no such unit.
    pub fn id_of(&self, unit: &Unit) -> Result<u32, AtlasError> {
        let unknown = || AtlasError::NoUnit { unit: unit.short(), model: self.manifest.model.clone() };
        self.manifest.id_of(unit).ok_or_else(unknown)
    }

    /// The page of unit `id`; reads only the rows it needs.
    ///
    /// # Errors
    /// If there is no such unit or a table cannot be read.
    pub fn page(&self, id: u32) -> Result<Page, AtlasError> {
        let unknown = || AtlasError::NoUnit { unit: format!("number {id}"), model: self.manifest.model.clone() };
        let group = self.manifest.group_of(id).ok_or_else(unknown)?;
        let unit = self.manifest.unit(id).ok_or_else(unknown)?;
        let rows = u64::from(group.start)..u64::from(group.start) + u64::from(group.count);
        let layer = match self.units.get() {
            Some(units) => units.slice(group.start as usize, (group.count as usize).min(units.num_rows())),
            None => read_rows(&self.path("units"), None, rows)?,
        };
        let row = (id - group.start) as usize;
        let statistics = statistics(&layer, row);
        let (low, high) = (number(&statistics, "min"), number(&statistics, "max"));
        let profile = read_rows(&self.path("profiles"), None, u64::from(id)..u64::from(id) + 1)?;
        let counts = FloatLists::of(&profile, "histogram")?.integers(0);
        let histogram = match (low, high) {
            (Some(low), Some(high)) if counts.len() == self.manifest.bins.count() => {
                let bars = self.manifest.bins.histogram(&counts, low, high, HISTOGRAM_BARS);
                bars.into_iter().map(|(low, high, count)| Bar { low, high, count }).collect()
            }
            _ => Vec::new(),
        };
        let (top_tokens, bottom_tokens) = self.token_lists(id, "tokens", ["top", "bottom"], "mean", true)?;
        let (promoted, suppressed) = self.token_lists(id, "logits", ["promoted", "suppressed"], "logit", false)?;
        let (nearest_by_weights, nearest_by_correlation) = self.neighbours(id)?;
        Ok(Page {
            id,
            short: unit.short(),
            unit,
            kind: group.kind.name(),
            layer: group.layer,
            statistics,
            histogram,
            positions: self.positions(&profile)?,
            languages: labels(&profile, "language", &self.manifest.languages)?,
            genres: labels(&profile, "genre", &self.manifest.genres)?,
            top_tokens,
            bottom_tokens,
            promoted,
            suppressed,
            nearest_by_weights,
            nearest_by_correlation,
            examples: self.examples(id)?,
            triggers: self.triggers(id)?,
            families: self.families(id)?,
            explanations: explanations_of(&self.folder, id)?,
        })
    }

    fn positions(&self, profile: &RecordBatch) -> Result<Vec<PositionValue>, AtlasError> {
        let means = FloatLists::of(profile, "position_mean")?.floats(0);
        let rates = FloatLists::of(profile, "position_rate")?.floats(0);
        let bin = self.manifest.positions_per_bin;
        let values = means.iter().zip(&rates).enumerate();
        Ok(values
            .map(|(i, (mean, rate))| PositionValue { position: i as u32 * bin, mean: *mean, rate: *rate })
            .collect())
    }

    /// The rows of `table` that are about unit `id`; `None` where the atlas has no such table.
    fn rows_of(&self, table: &str, id: u32) -> Result<Option<RecordBatch>, AtlasError> {
        let path = self.path(table);
        Ok(if path.is_file() { Some(read_where(&path, None, "unit", id)?) } else { None })
    }

    fn token_lists(
        &self,
        id: u32,
        table: &str,
        sides: [&str; 2],
        value: &str,
        counted: bool,
    ) -> Result<(Vec<TokenValue>, Vec<TokenValue>), AtlasError> {
        let Some(rows) = self.rows_of(table, id)? else { return Ok(Default::default()) };
        let (side, text) = (TextColumn::of(&rows, "side")?, TextColumn::of(&rows, "text")?);
        let (token, value) = (u32s(&rows, "token")?, f32s(&rows, value)?);
        let count = if counted { Some(u32s(&rows, "count")?) } else { None };
        let list = |wanted: &str| {
            (0..rows.num_rows())
                .filter(|row| side.get(*row) == Some(wanted))
                .map(|row| TokenValue {
                    token: token.value(row),
                    text: text.get(row).unwrap_or_default().to_owned(),
                    value: value.value(row),
                    count: count.map(|count| count.value(row)),
                })
                .collect()
        };
        Ok((list(sides[0]), list(sides[1])))
    }

    fn neighbours(&self, id: u32) -> Result<(Vec<Neighbour>, Vec<Neighbour>), AtlasError> {
        let Some(rows) = self.rows_of("neighbours", id)? else { return Ok(Default::default()) };
        let (by, other, value) = (TextColumn::of(&rows, "by")?, u32s(&rows, "other")?, f32s(&rows, "value")?);
        let list = |wanted: &str| {
            (0..rows.num_rows())
                .filter(|row| by.get(*row) == Some(wanted))
                .filter_map(|row| {
                    let id = other.value(row);
                    Some(Neighbour { id, unit: self.manifest.unit(id)?, value: value.value(row) })
                })
                .collect()
        };
        Ok((list("weights"), list("correlation")))
    }

    fn examples(&self, id: u32) -> Result<Vec<Example>, AtlasError> {
        let Some(rows) = self.rows_of("examples", id)? else { return Ok(Vec::new()) };
        let (band, rank, context) = (i8s(&rows, "band")?, u8s(&rows, "rank")?, u32s(&rows, "context")?);
        let (position, value) = (u16s(&rows, "position")?, f32s(&rows, "value")?);
        let (start, window) = (u16s(&rows, "window_start")?, FloatLists::of(&rows, "window")?);
        let mut wanted: Vec<u64> = context.values().iter().map(|context| u64::from(*context)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let columns = ["document_id", "language", "genre", "pieces"];
        let contexts = read_row_list(&self.path("contexts"), Some(&columns), &wanted)?;
        let document = TextColumn::of(&contexts, "document_id")?;
        let (language, genre) = (TextColumn::of(&contexts, "language")?, TextColumn::of(&contexts, "genre")?);
        let pieces = pieces(&contexts);
        let mut examples: Vec<Example> = (0..rows.num_rows())
            .map(|row| {
                let at = wanted.partition_point(|context_row| *context_row < u64::from(context.value(row)));
                let (all, values) = (&pieces[at], window.floats(row));
                let first = (start.value(row) as usize).min(all.len());
                let last = (first + values.len()).min(all.len());
                Example {
                    band: band.value(row),
                    rank: rank.value(row),
                    value: value.value(row),
                    context: context.value(row),
                    position: position.value(row),
                    document: document.get(at).unwrap_or_default().to_owned(),
                    language: language.get(at).map(str::to_owned),
                    genre: genre.get(at).map(str::to_owned),
                    tokens: all[first..last].to_vec(),
                    peak: (position.value(row) as usize).saturating_sub(first),
                    values,
                    before: all[..first].concat(),
                    after: all[last..].concat(),
                }
            })
            .collect();
        examples.sort_by_key(|example| (example.band, example.rank));
        Ok(examples)
    }

    fn triggers(&self, id: u32) -> Result<Vec<Trigger>, AtlasError> {
        let Some(rows) = self.rows_of("triggers", id)? else { return Ok(Vec::new()) };
        let (n, text) = (u8s(&rows, "n")?, TextColumn::of(&rows, "tokens")?);
        let (fired, occurs, error) = (u32s(&rows, "fired")?, u32s(&rows, "occurs")?, u32s(&rows, "error")?);
        let trigger = |row: usize| Trigger {
            n: n.value(row),
            text: text.get(row).unwrap_or_default().to_owned(),
            fired: fired.value(row),
            occurs: occurs.value(row),
            error: error.value(row),
        };
        Ok((0..rows.num_rows()).map(trigger).collect())
    }

    fn families(&self, id: u32) -> Result<Vec<Family>, AtlasError> {
        let Some(rows) = self.rows_of("families", id)? else { return Ok(Vec::new()) };
        let (family, kind) = (TextColumn::of(&rows, "family")?, TextColumn::of(&rows, "kind")?);
        let (score, threshold) = (f32s(&rows, "score")?, f32s(&rows, "threshold")?);
        let evidence = TextColumn::of(&rows, "evidence")?;
        let entry = |row: usize| Family {
            family: family.get(row).unwrap_or_default().to_owned(),
            kind: kind.get(row).unwrap_or_default().to_owned(),
            score: score.value(row),
            threshold: threshold.value(row),
            evidence: evidence.get(row).unwrap_or_default().to_owned(),
        };
        Ok((0..rows.num_rows()).map(entry).collect())
    }
}

fn number(statistics: &[Statistic], name: &str) -> Option<f32> {
    statistics.iter().find(|statistic| statistic.name == name)?.value.map(|value| value as f32)
}

/// Every numeric column of `layer` at `row`, with its percentile among the rows.
fn statistics(layer: &RecordBatch, row: usize) -> Vec<Statistic> {
    let schema = layer.schema();
    let columns = schema.fields().iter().zip(layer.columns());
    let columns = columns.filter(|(field, _)| !matches!(field.name().as_str(), "layer" | "index"));
    columns
        .filter_map(|(field, array)| {
            let values: Vec<Option<f64>> = match array.data_type() {
                DataType::Float32 => {
                    array.as_primitive::<types::Float32Type>().iter().map(|v| v.map(f64::from)).collect()
                }
                DataType::Int64 => {
                    array.as_primitive::<types::Int64Type>().iter().map(|v| v.map(|v| v as f64)).collect()
                }
                _ => return None,
            };
            let value = (*values.get(row)?).filter(|value| value.is_finite());
            let others: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
            let percentile = value.filter(|_| others.len() > 1).map(|value| {
                let smaller = others.iter().filter(|other| **other < value).count() as f64;
                let equal = others.iter().filter(|other| **other == value).count() as f64 - 1.0;
                (100.0 * (smaller + 0.5 * equal) / (others.len() as f64 - 1.0)) as f32
            });
            Some(Statistic { name: field.name().clone(), value, percentile })
        })
        .collect()
}

fn labels(profile: &RecordBatch, what: &str, labels: &[LabelCount]) -> Result<Vec<LabelValue>, AtlasError> {
    let means = FloatLists::of(profile, &format!("{what}_mean"))?.floats(0);
    let rates = FloatLists::of(profile, &format!("{what}_rate"))?.floats(0);
    let values = labels.iter().zip(means.iter().zip(&rates));
    Ok(values
        .map(|(LabelCount { label, tokens }, (mean, rate))| LabelValue {
            label: label.clone(),
            tokens: *tokens,
            mean: *mean,
            rate: *rate,
        })
        .collect())
}

fn pieces(contexts: &RecordBatch) -> Vec<Vec<String>> {
    let lists = contexts.column_by_name("pieces").and_then(|column| column.as_list_opt::<i32>());
    let row = |row: usize| -> Option<Vec<String>> {
        let list = lists.filter(|lists| lists.is_valid(row))?.value(row);
        Some(list.as_string_opt::<i32>()?.iter().map(|piece| piece.unwrap_or_default().to_owned()).collect())
    };
    (0..contexts.num_rows()).map(|index| row(index).unwrap_or_default()).collect()
}

/// What the atlas folders under `folder` say of themselves, finished or not, by folder name; folders that are no atlas are left
/// out.
pub fn atlases(folder: &Path) -> BTreeMap<String, Manifest> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.file_name().to_string_lossy().into_owned(), locate(&entry.path()).ok()?.1)))
        .collect()
}
