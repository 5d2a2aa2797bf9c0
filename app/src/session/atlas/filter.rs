//! Which units are listed.

use std::sync::Arc;

use golgi_data::atlas::UnitKind;
use golgi_data::tables::arrow::Array;
use golgi_data::unit::Unit;
use regex::{Regex, RegexBuilder};

use super::bits::Bits;
use super::columns::{UnitTable, Values};

/// A compiled pattern takes at most this many bytes.
const MAX_PATTERN: usize = 1 << 20;

/// Some units, chosen on the map or by a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitSet {
    /// How they were chosen, in a few words.
    pub name: String,
    /// Their ids, ascending.
    pub ids: Vec<u32>,
}

impl UnitSet {
    /// A set of these units.
    pub fn new(name: impl Into<String>, mut ids: Vec<u32>) -> UnitSet {
        ids.sort_unstable();
        ids.dedup();
        UnitSet { name: name.into(), ids }
    }

    /// Whether a unit belongs to it.
    pub fn contains(&self, id: u32) -> bool {
        self.ids.binary_search(&id).is_ok()
    }
}

/// What a column must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// A number from the one to the other; open where there is none.
    Between(Option<f32>, Option<f32>),
    /// This text, capital or small.
    Contains(String),
    /// Something that this regular expression finds.
    Matches(String),
    /// One of these.
    OneOf(Vec<String>),
}

impl Want {
    /// Whether it wants nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Want::Between(low, high) => low.is_none() && high.is_none(),
            Want::Contains(text) | Want::Matches(text) => text.is_empty(),
            Want::OneOf(names) => names.is_empty(),
        }
    }

    /// Why it cannot be understood.
    pub fn problem(&self) -> Option<String> {
        match self {
            Want::Matches(pattern) => Some(regex(pattern).err()?.to_string()),
            _ => None,
        }
    }
}

fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).size_limit(MAX_PATTERN).build()
}

/// What a column must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The column's name.
    pub column: String,
    /// What it must hold.
    pub want: Want,
}

/// Which units are listed: those that pass everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// The kind.
    pub kind: Option<UnitKind>,
    /// First and last layer.
    pub layers: Option<(u32, u32)>,
    /// An address or a part of one: `L5`, `N123`, `L5N123`, `18H6`, `blocks.5.mlp.hook_post:123`.
    pub address: String,
    /// Columns.
    pub tests: Vec<Test>,
    /// Only these.
    pub set: Option<Arc<UnitSet>>,
}

/// What an address asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Address {
    layer: Option<u32>,
    kind: Option<UnitKind>,
    index: Option<u32>,
    id: Option<u32>,
}

fn address(text: &str, table: &UnitTable) -> Option<Address> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Address::default());
    }
    if text.contains(':') {
        let id = table.id_of(&text.parse::<Unit>().ok()?)?;
        return Some(Address { id: Some(id), ..Address::default() });
    }
    let mut rest = text;
    let mut number = |letters: &[char]| -> Option<Option<u32>> {
        let Some(after) = rest.strip_prefix(letters) else { return Some(None) };
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (digits, left) = after.split_at(end);
        rest = left;
        // A letter without a number is on its way to one.
        if digits.is_empty() { Some(None) } else { digits.parse().ok().map(Some) }
    };
    let layer = number(&['L', 'l'])?;
    let kind = match rest.chars().next() {
        Some('N' | 'n') => Some(UnitKind::Neuron),
        Some('F' | 'f') => Some(UnitKind::Latent),
        Some('H' | 'h') => Some(UnitKind::Head),
        Some('R' | 'r') => Some(UnitKind::Residual),
        _ => None,
    };
    let digits = &rest[usize::from(kind.is_some())..];
    let index = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    Some(Address { layer, kind, index, id: None })
}

impl Filter {
    /// Why the address cannot be understood.
    pub fn address_problem(&self, table: &UnitTable) -> Option<String> {
        let problem = "It takes L5, N123, L5N123, L15F99, L18H6, L5R7 or a whole address.";
        address(&self.address, table).is_none().then(|| problem.to_owned())
    }

    /// Whether every unit passes.
    pub fn is_empty(&self) -> bool {
        self.kind.is_none()
            && self.layers.is_none()
            && self.address.trim().is_empty()
            && self.tests.iter().all(|test| test.want.is_empty())
            && self.set.is_none()
    }

    /// The units that pass. What cannot be understood is left out of account.
    pub fn passing(&self, table: &UnitTable) -> Bits {
        let mut bits = Bits::none(table.len());
        let address = address(&self.address, table).unwrap_or_default();
        if let Some(id) = address.id {
            bits.insert(id as usize);
        }
        for group in table.groups().iter().filter(|_| address.id.is_none()) {
            let kind =
                self.kind.is_none_or(|kind| kind == group.kind) && address.kind.is_none_or(|kind| kind == group.kind);
            let layer = self.layers.is_none_or(|(first, last)| (first..=last).contains(&group.layer))
                && address.layer.is_none_or(|layer| layer == group.layer);
            if !kind || !layer {
                continue;
            }
            match address.index {
                Some(index) if index < group.count => bits.insert((group.start + index) as usize),
                Some(_) => {}
                None => bits.insert_range(group.start as usize, (group.start + group.count) as usize),
            }
        }
        if let Some(set) = &self.set {
            bits.intersect(&Bits::of(table.len(), set.ids.iter().copied()));
        }
        for test in self.tests.iter().filter(|test| !test.want.is_empty()) {
            apply(test, table, &mut bits);
        }
        bits
    }
}

fn apply(test: &Test, table: &UnitTable, bits: &mut Bits) {
    let Some(column) = table.column(&test.column) else { return };
    match (&test.want, &column.values) {
        (Want::Between(low, high), Values::Numbers(values)) => {
            bits.retain_between(values, low.unwrap_or(f32::NEG_INFINITY), high.unwrap_or(f32::INFINITY));
        }
        (Want::OneOf(wanted), Values::Choices(names, codes)) => {
            let chosen: Vec<bool> = names.iter().map(|name| wanted.contains(name)).collect();
            bits.retain(|row| chosen.get(usize::from(codes[row])).copied().unwrap_or(false));
        }
        (Want::OneOf(wanted), Values::Families(families)) => {
            let members = families.names.iter().zip(&families.members).filter(|(name, _)| wanted.contains(name));
            bits.intersect(&Bits::of(table.len(), members.flat_map(|(_, members)| members.iter().copied())));
        }
        (Want::Contains(text) | Want::Matches(text), values) => {
            let pattern = match &test.want {
                Want::Contains(_) => regex(&regex::escape(text)),
                _ => regex(text),
            };
            let Ok(pattern) = pattern else { return };
            match values {
                Values::Texts(texts) => bits.retain(|row| texts.is_valid(row) && pattern.is_match(texts.value(row))),
                Values::Choices(names, codes) => {
                    let chosen: Vec<bool> = names.iter().map(|name| pattern.is_match(name)).collect();
                    bits.retain(|row| chosen.get(usize::from(codes[row])).copied().unwrap_or(false));
                }
                Values::Families(_) => bits.retain(|row| column.text(row).is_some_and(|text| pattern.is_match(&text))),
                Values::Numbers(_) => {}
            }
        }
        _ => {}
    }
}
