//! What the finders read from an atlas, in plain numbers.

use std::collections::{BTreeMap, HashMap};

use golgi_data::atlas::{Atlas, AtlasError, Manifest, UnitKind};
use golgi_data::tables::arrow::cast::AsArray;
use golgi_data::tables::arrow::{Array, RecordBatch};
use golgi_data::tables::{FloatLists, TextColumn, f32s, i64s, u8s, u32s};

use super::detectors::Trigger;
use crate::error::Result;

/// A context as the model got it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Context {
    /// Token ids, a start token included.
    pub tokens: Vec<u32>,
    /// Number of its document.
    pub document: u32,
    /// Language of the document.
    pub language: Option<String>,
    /// Genre of the document.
    pub genre: Option<String>,
    /// `explore`, `tune` or `confirm`.
    pub split: String,
}

/// Contexts of one length each, as batches of at most `tokens` tokens or one context.
pub(crate) fn by_length(contexts: &[Context], tokens: usize) -> Vec<Vec<&Context>> {
    let mut lengths: BTreeMap<usize, Vec<&Context>> = BTreeMap::new();
    contexts.iter().for_each(|context| lengths.entry(context.tokens.len()).or_default().push(context));
    let mut batches = Vec::new();
    for (len, list) in lengths.into_iter().filter(|(len, _)| *len > 0) {
        batches.extend(list.chunks((tokens / len).max(1)).map(<[&Context]>::to_vec));
    }
    batches
}

/// A neuron of the atlas.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Neuron {
    /// Its id.
    pub unit: u32,
    /// Its layer.
    pub layer: usize,
    /// Its index there.
    pub index: u32,
    /// Tokens it was observed on.
    pub tokens: u64,
    /// On how many of them it was active.
    pub firings: u64,
    /// Above this (of the magnitude, in a gated MLP) it counts as active.
    pub threshold: f32,
    /// Mean activation where it was active.
    pub mean_active: f32,
    /// The 99.9 % quantile of its activations, and the smallest one.
    pub extremes: (f32, f32),
}

/// Everything that is read before the search begins.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// Every neuron, by layer and index.
    pub neurons: Vec<Neuron>,
    /// Frequency of firing by entry of the position profile, per neuron.
    pub rates: Vec<Vec<f32>>,
    /// Triggers by neuron and n − 1.
    pub triggers: HashMap<u32, [Vec<Trigger>; 3]>,
    /// The contexts.
    pub contexts: Vec<Context>,
    /// How tokens are shown.
    pub pieces: HashMap<u32, String>,
    /// Positions that count nowhere.
    pub skip_first: usize,
    /// Positions per entry of the profile.
    pub positions_per_bin: usize,
    /// Whether activity is about the magnitude.
    pub gated: bool,
}

impl Input {
    /// Reads an atlas.
    ///
    /// # Errors
    /// If a table is missing or damaged.
    pub fn read(atlas: &Atlas) -> Result<Input> {
        let manifest = atlas.manifest();
        let neurons = neurons(manifest, atlas.units()?)?;
        let profiles = atlas.table("profiles")?;
        let rates = FloatLists::of(&profiles, "position_rate").map_err(AtlasError::from)?;
        let (contexts, pieces) = contexts(&atlas.table("contexts")?)?;
        Ok(Input {
            rates: neurons.iter().map(|neuron| rates.floats(neuron.unit as usize)).collect(),
            triggers: triggers(&atlas.table("triggers")?)?,
            neurons,
            contexts,
            pieces,
            skip_first: manifest.skip_first as usize,
            positions_per_bin: manifest.positions_per_bin.max(1) as usize,
            gated: manifest.gated,
        })
    }

    /// The first position at which an entry of the profile begins that holds no skipped one.
    pub fn first_position(&self) -> usize {
        self.skip_first.next_multiple_of(self.positions_per_bin)
    }

    /// How many contexts reach each position.
    pub fn reach(&self) -> Vec<u32> {
        let longest = self.contexts.iter().map(|context| context.tokens.len()).max().unwrap_or(0);
        let mut ends = vec![0_u32; longest + 1];
        self.contexts.iter().for_each(|context| ends[context.tokens.len()] += 1);
        let mut reached = vec![0; longest];
        let mut count = 0;
        for position in (0..longest).rev() {
            count += ends[position + 1];
            reached[position] = count;
        }
        reached
    }

    /// How a token is shown.
    pub fn piece(&self, token: u32) -> &str {
        self.pieces.get(&token).map_or("", String::as_str)
    }
}

fn neurons(manifest: &Manifest, units: &RecordBatch) -> Result<Vec<Neuron>> {
    let column = |name: &str| f32s(units, name).map_err(AtlasError::from);
    let count = i64s(units, "count").map_err(AtlasError::from)?;
    let (active, threshold, mean) = (column("frac_active")?, column("active_threshold")?, column("mean_active")?);
    let (high, low) = (column("q999")?, column("min")?);
    let mut found = Vec::new();
    for group in manifest.groups.iter().filter(|group| group.kind == UnitKind::Neuron) {
        for index in 0..group.count {
            let (unit, row) = (group.start + index, (group.start + index) as usize);
            let tokens = u64::try_from(count.value(row)).unwrap_or(0);
            let share = f64::from(active.value(row)).clamp(0.0, 1.0);
            found.push(Neuron {
                unit,
                layer: group.layer as usize,
                index,
                tokens,
                firings: (share * tokens as f64).round() as u64,
                threshold: threshold.value(row),
                mean_active: mean.value(row),
                extremes: (high.value(row), low.value(row)),
            });
        }
    }
    Ok(found)
}

fn triggers(table: &RecordBatch) -> Result<HashMap<u32, [Vec<Trigger>; 3]>> {
    let read = || {
        let ids = FloatLists::of(table, "ids")?;
        let (unit, n, text) = (u32s(table, "unit")?, u8s(table, "n")?, TextColumn::of(table, "tokens")?);
        let (fired, occurs) = (u32s(table, "fired")?, u32s(table, "occurs")?);
        let mut found: HashMap<u32, [Vec<Trigger>; 3]> = HashMap::new();
        for row in 0..table.num_rows() {
            let Some(length) = usize::from(n.value(row)).checked_sub(1).filter(|length| *length < 3) else { continue };
            found.entry(unit.value(row)).or_default()[length].push(Trigger {
                ids: ids.integers(row),
                text: text.get(row).unwrap_or_default().to_owned(),
                fired: fired.value(row),
                occurs: occurs.value(row),
            });
        }
        Ok(found)
    };
    read().map_err(|error| AtlasError::Table(error).into())
}

fn contexts(table: &RecordBatch) -> Result<(Vec<Context>, HashMap<u32, String>)> {
    let read = || {
        let (tokens, document) = (FloatLists::of(table, "tokens")?, u32s(table, "document")?);
        let (language, genre) = (TextColumn::of(table, "language")?, TextColumn::of(table, "genre")?);
        let split = TextColumn::of(table, "split")?;
        let texts = table.column_by_name("pieces").and_then(|column| column.as_list_opt::<i32>());
        let mut pieces: HashMap<u32, String> = HashMap::new();
        let mut contexts = Vec::with_capacity(table.num_rows());
        for row in 0..table.num_rows() {
            let ids = tokens.integers(row);
            let texts = texts.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
            if let Some(texts) = texts.as_ref().and_then(|texts| texts.as_string_opt::<i32>()) {
                for (id, text) in ids.iter().zip(texts) {
                    pieces.entry(*id).or_insert_with(|| text.unwrap_or_default().to_owned());
                }
            }
            contexts.push(Context {
                tokens: ids,
                document: document.value(row),
                language: language.get(row).map(str::to_owned),
                genre: genre.get(row).map(str::to_owned),
                split: split.get(row).unwrap_or_default().to_owned(),
            });
        }
        Ok((contexts, pieces))
    };
    read().map_err(|error| AtlasError::Table(error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_one_length() {
        let context = |n: usize| Context { tokens: vec![0; n], ..Context::default() };
        let contexts = [3, 5, 3, 0, 3, 9].map(context);
        let sizes: Vec<Vec<usize>> =
            by_length(&contexts, 6).iter().map(|batch| batch.iter().map(|c| c.tokens.len()).collect()).collect();
        assert_eq!(sizes, [vec![3, 3], vec![3], vec![5], vec![9]]);
    }

    #[test]
    fn reach_counts_contexts_from_the_end() {
        let context = |n: usize| Context { tokens: vec![0; n], ..Context::default() };
        let input = Input {
            contexts: vec![context(3), context(1), context(3)],
            skip_first: 1,
            positions_per_bin: 2,
            ..Input::default()
        };
        assert_eq!(input.reach(), [3, 2, 2]);
        assert_eq!(input.first_position(), 2);
        assert_eq!(Input { skip_first: 1, positions_per_bin: 1, ..Input::default() }.first_position(), 1);
        assert!(Input::default().reach().is_empty());
    }
}
