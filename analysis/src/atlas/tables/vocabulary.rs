//! `tokens.parquet`, `logits.parquet` and `triggers.parquet`.

use std::collections::HashMap;
use std::path::Path;

use golgi_data::atlas::UnitGroup;
use golgi_data::tables::Columns;
use rayon::prelude::*;

use super::{BuildError, JOINED, Source, Table};
use crate::atlas::batch::ngram_key;
use crate::atlas::lanes::SKIP_FIRST;
use crate::atlas::ranking::{largest, smallest};
use crate::atlas::triggers::{LONGEST, Trigger};
use crate::atlas::units::Units;
use crate::atlas::weights::{ENDS, Logit};
use crate::error::Result;

/// Rows that can be read alone.
const ROWS: usize = 8192;
/// N-grams listed per unit and length.
const LISTED: usize = 10;

/// The first few tokens of each list, joined, by unit.
#[derive(Default)]
pub(super) struct Joined {
    pub activating: HashMap<u32, String>,
    pub promoted: HashMap<u32, String>,
    pub suppressed: HashMap<u32, String>,
}

impl Joined {
    pub fn column<'a>(&self, of: &'a HashMap<u32, String>, rows: usize) -> Vec<Option<&'a str>> {
        (0..rows as u32).map(|unit| of.get(&unit).map(String::as_str)).collect()
    }
}

/// Rows of a table of tokens.
#[derive(Default)]
struct TokenRows {
    unit: Vec<u32>,
    side: Vec<&'static str>,
    rank: Vec<u8>,
    token: Vec<u32>,
    text: Vec<String>,
    value: Vec<f32>,
}

impl TokenRows {
    fn push(&mut self, source: &Source, unit: u32, side: &'static str, list: &[Logit]) {
        for (rank, (token, value)) in list.iter().enumerate() {
            self.unit.push(unit);
            self.side.push(side);
            self.rank.push(rank as u8);
            self.token.push(*token);
            self.text.push(source.model.piece(*token));
            self.value.push(*value);
        }
    }

    fn columns(self, value: &str) -> Columns {
        let columns = Columns::new().u32("unit", self.unit).text("side", self.side).u8("rank", self.rank);
        columns.u32("token", self.token).text("text", self.text).f32(value, self.value)
    }
}

/// Writes the tokens at which each unit is strongest and weakest on average, and returns the first few joined.
pub(super) fn tokens(source: &Source, units: &Units, out: &Path) -> Result<Joined> {
    let mut joined = Joined::default();
    let mut file = Table::new(out, "tokens", ROWS);
    let tracked = &source.plan.tracked;
    let seen: Vec<usize> = (0..tracked.len()).filter(|i| source.counts.tracked[*i] >= source.min_count()).collect();
    for group in &units.groups {
        let ends = |lane: usize, block: &crate::atlas::block::Block| {
            let means = || seen.iter().map(|token| block.tokens.mean(*token, lane));
            let id = |list: Vec<(u32, f32)>| -> Vec<(usize, f32)> {
                list.into_iter().map(|(index, mean)| (seen[index as usize], mean)).collect()
            };
            [id(largest(means(), ENDS)), id(smallest(means(), ENDS))]
        };
        let found: Vec<[Vec<(usize, f32)>; 2]> = group
            .blocks
            .par_iter()
            .flat_map_iter(|block| (0..block.used).map(move |lane| (lane, block)))
            .map(|(lane, block)| ends(lane, block))
            .collect();
        let (mut rows, mut counts) = (TokenRows::default(), Vec::new());
        for (unit, sides) in (group.about.start..).zip(found) {
            for (side, list) in ["top", "bottom"].into_iter().zip(&sides) {
                let list: Vec<Logit> = list
                    .iter()
                    .map(|(index, mean)| {
                        counts.push(source.counts.tracked[*index] as u32);
                        (tracked[*index], *mean)
                    })
                    .collect();
                rows.push(source, unit, side, &list);
                if side == "top" && !list.is_empty() {
                    joined.activating.insert(unit, source.pieces(list.iter().take(JOINED).map(|(id, _)| *id)));
                }
            }
        }
        file.push(rows.columns("mean").u32("count", counts))?;
    }
    file.finish().map_err(BuildError::from)?;
    Ok(joined)
}

/// The table of promoted and suppressed tokens, layer by layer.
pub(super) struct LogitTable(Table);

impl LogitTable {
    pub fn new(out: &Path) -> LogitTable {
        LogitTable(Table::new(out, "logits", ROWS))
    }

    pub fn push(
        &mut self,
        source: &Source,
        about: &UnitGroup,
        ends: Vec<[Vec<Logit>; 2]>,
        joined: &mut Joined,
    ) -> Result<()> {
        let mut rows = TokenRows::default();
        for (unit, [promoted, suppressed]) in (about.start..).zip(ends) {
            rows.push(source, unit, "promoted", &promoted);
            rows.push(source, unit, "suppressed", &suppressed);
            joined.promoted.insert(unit, source.pieces(promoted.iter().take(JOINED).map(|(id, _)| *id)));
            joined.suppressed.insert(unit, source.pieces(suppressed.iter().take(JOINED).map(|(id, _)| *id)));
        }
        Ok(self.0.push(rows.columns("logit"))?)
    }

    pub fn finish(self) -> Result<()> {
        Ok(self.0.finish().map_err(BuildError::from)?)
    }
}

/// Writes the n-grams of those neurons that can be detectors, with how often each n-gram occurs in the run.
pub(super) fn triggers(source: &Source, units: &Units, out: &Path) -> Result<()> {
    let mut found: Vec<(u32, u8, Vec<Trigger>, u32)> = Vec::new();
    for group in &units.groups {
        for block in &group.blocks {
            let Some(triggers) = &block.triggers else { continue };
            for lane in 0..block.used {
                let unit = group.about.start + (block.first + lane) as u32;
                for n in 1..=LONGEST {
                    if let Some((mut list, error)) = triggers.of(lane, n) {
                        list.truncate(LISTED);
                        found.push((unit, n as u8, list, error));
                    }
                }
            }
        }
    }
    let occurs = occurrences(source, found.iter().flat_map(|(_, _, list, _)| list).map(|trigger| trigger.key));
    let mut file = Table::new(out, "triggers", ROWS);
    let (mut unit, mut length, mut rank, mut text, mut ids) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut fired, mut occurrences, mut errors) = (vec![], vec![], vec![]);
    for (id, n, list, error) in &found {
        for (place, trigger) in list.iter().enumerate() {
            let mut tokens = Vec::new();
            source.plan.push_tokens(trigger.context, &mut tokens);
            let end = usize::from(trigger.position) + 1;
            let tokens = tokens[end.saturating_sub(usize::from(*n))..end].to_vec();
            unit.push(*id);
            length.push(*n);
            rank.push(place as u8);
            text.push(tokens.iter().map(|token| source.model.piece(*token)).collect::<String>());
            ids.push(tokens);
            fired.push(trigger.fired);
            occurrences.push(occurs[&trigger.key]);
            errors.push(*error);
        }
    }
    let columns = Columns::new().u32("unit", unit).u8("n", length).u8("rank", rank).text("tokens", text);
    let columns = columns.u32_lists("ids", &ids).u32("fired", fired).u32("occurs", occurrences);
    file.push(columns.u32("error", errors))?;
    Ok(file.finish().map_err(BuildError::from)?)
}

/// How often each n-gram of `keys` ends at a counted token of the run.
fn occurrences(source: &Source, keys: impl Iterator<Item = u64>) -> HashMap<u64, u32> {
    let mut counts: HashMap<u64, u32> = keys.map(|key| (key, 0)).collect();
    if counts.is_empty() {
        return counts;
    }
    let mut tokens = Vec::new();
    for number in 0..source.plan.contexts.len() as u32 {
        tokens.clear();
        source.plan.push_tokens(number, &mut tokens);
        for position in SKIP_FIRST..tokens.len() {
            for n in 0..LONGEST.min(position + 1) {
                if let Some(count) = counts.get_mut(&ngram_key(&tokens[position - n..=position])) {
                    *count += 1;
                }
            }
        }
    }
    counts
}
