//! All units of an atlas as columns that are quick to filter, sort and rank.
//!
//! Numbers are held as `f32`, with NaN where there is none. Texts with few different values are held as codes, the others stay
//! as the table has them. What is derived (orders, percentiles, ranks) is computed when it is first asked for, then kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use golgi_data::atlas::{UnitGroup, UnitKind};
use golgi_data::tables::arrow::{Array, RecordBatch, StringArray, cast::AsArray, types};
use golgi_data::tables::{TableError, TextColumn, u32s};
use golgi_data::unit::Unit;
use rayon::prelude::*;

use super::bits::Bits;
use super::known;
use super::sort::{order_by, order_rows_by, ranks};

/// A text column with at most so many different values can be chosen from.
const MAX_CHOICES: usize = 64;
/// How many orders are kept.
const ORDERS: usize = 8;

/// What a column holds.
#[derive(Debug)]
pub enum Values {
    /// Numbers; NaN where there is none.
    Numbers(Vec<f32>),
    /// Texts of which many differ.
    Texts(StringArray),
    /// Texts of which few differ: the different ones, and for each row an index into them, or `u16::MAX`.
    Choices(Vec<String>, Vec<u16>),
    /// Families: each row may belong to several.
    Families(Families),
}

/// Which units belong to which families.
#[derive(Debug, Default)]
pub struct Families {
    /// Their names, the largest first.
    pub names: Vec<String>,
    /// The members of each, ascending.
    pub members: Vec<Vec<u32>>,
    /// For each unit that has any, the indices of its families.
    of: HashMap<u32, Vec<u16>>,
}

impl Families {
    fn new(table: &RecordBatch) -> Result<Families, TableError> {
        let (unit, family) = (u32s(table, "unit")?, TextColumn::of(table, "family")?);
        let mut by_name: HashMap<&str, Vec<u32>> = HashMap::new();
        for row in 0..table.num_rows() {
            by_name.entry(family.get(row).unwrap_or_default()).or_default().push(unit.value(row));
        }
        let mut lists: Vec<(String, Vec<u32>)> = by_name
            .into_iter()
            .map(|(name, mut members)| {
                members.sort_unstable();
                members.dedup();
                (name.to_owned(), members)
            })
            .collect();
        lists.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(&b.0)));
        lists.truncate(usize::from(u16::MAX));
        let mut of: HashMap<u32, Vec<u16>> = HashMap::new();
        for (index, (_, members)) in lists.iter().enumerate() {
            members.iter().for_each(|unit| of.entry(*unit).or_default().push(index as u16));
        }
        let (names, members) = lists.into_iter().unzip();
        Ok(Families { names, members, of })
    }

    /// The names of a unit's families, joined.
    pub fn text(&self, unit: u32) -> String {
        let names = self.of.get(&unit).into_iter().flatten().filter_map(|index| self.names.get(usize::from(*index)));
        names.map(String::as_str).collect::<Vec<_>>().join(" · ")
    }

    /// The first of a unit's families.
    pub fn first(&self, unit: u32) -> Option<u16> {
        self.of.get(&unit)?.first().copied()
    }
}

/// A column.
#[derive(Debug)]
pub struct UnitColumn {
    /// Its name in the file.
    pub name: String,
    /// What it holds.
    pub values: Values,
    /// The numbers of each group, sorted, those that are none last.
    sorted: OnceLock<Vec<f32>>,
    /// Numbers in the order of the texts.
    ranks: OnceLock<Vec<f32>>,
}

impl UnitColumn {
    fn new(name: &str, values: Values) -> UnitColumn {
        UnitColumn { name: name.to_owned(), values, sorted: OnceLock::new(), ranks: OnceLock::new() }
    }

    /// The numbers, where it holds numbers.
    pub fn numbers(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Numbers(values) => Some(values),
            _ => None,
        }
    }

    /// What can be chosen from, where few texts differ.
    pub fn choices(&self) -> Option<&[String]> {
        match &self.values {
            Values::Choices(names, _) => Some(names),
            Values::Families(families) => Some(&families.names),
            _ => None,
        }
    }

    /// The text of a row; `None` for numbers and where there is none.
    pub fn text(&self, row: usize) -> Option<std::borrow::Cow<'_, str>> {
        match &self.values {
            Values::Numbers(_) => None,
            Values::Texts(texts) => (row < texts.len() && texts.is_valid(row)).then(|| texts.value(row).into()),
            Values::Choices(names, codes) => names.get(usize::from(*codes.get(row)?)).map(|name| name.as_str().into()),
            Values::Families(families) => {
                Some(families.text(row as u32)).filter(|text| !text.is_empty()).map(Into::into)
            }
        }
    }

    /// Numbers that order the rows as the column does.
    fn sortable(&self, rows: usize) -> &[f32] {
        match &self.values {
            Values::Numbers(values) => values,
            _ => self.ranks.get_or_init(|| match &self.values {
                Values::Choices(names, codes) => {
                    let ranks = ranks(names.len(), |index| Some(names[index].as_str()));
                    codes.iter().map(|code| ranks.get(usize::from(*code)).copied().unwrap_or(f32::NAN)).collect()
                }
                Values::Texts(texts) => ranks(rows, |row| texts.is_valid(row).then(|| texts.value(row))),
                _ => {
                    let texts: Vec<_> = (0..rows).map(|row| self.text(row)).collect();
                    ranks(rows, |row| texts[row].as_deref())
                }
            }),
        }
    }
}

type Order = ((Option<usize>, bool), Arc<Vec<u32>>);

/// The units of an atlas.
#[derive(Debug)]
pub struct UnitTable {
    groups: Vec<UnitGroup>,
    sites: Vec<Option<golgi_data::site::Site>>,
    columns: Vec<UnitColumn>,
    rows: usize,
    orders: Mutex<Vec<Order>>,
}

impl UnitTable {
    /// Puts the texts in order beforehand: of a million rows that takes a good part of a second for each column.
    pub fn rank_texts(&self) {
        for column in self.columns.iter().filter(|column| matches!(column.values, Values::Texts(_))) {
            column.sortable(self.rows);
        }
    }

    /// Takes in the table of units and, if they have been looked for, that of families.
    ///
    /// # Errors
    /// If the table of families lacks a column.
    pub fn new(
        groups: Vec<UnitGroup>,
        units: &RecordBatch,
        families: Option<&RecordBatch>,
    ) -> Result<UnitTable, TableError> {
        let rows = units.num_rows();
        let schema = units.schema();
        let fields: Vec<_> = schema.fields().iter().zip(units.columns()).collect();
        let mut columns: Vec<UnitColumn> = fields
            .into_par_iter()
            .filter(|(field, _)| !matches!(field.name().as_str(), "unit" | "short" | "family"))
            .filter_map(|(field, array)| Some(UnitColumn::new(field.name(), values(array)?)))
            .collect();
        if let Some(families) = families {
            columns.push(UnitColumn::new("family", Values::Families(Families::new(families)?)));
        }
        columns.sort_by_key(|column| known::place(&column.name));
        let sites = groups.iter().map(|group| group.site.parse().ok()).collect();
        Ok(UnitTable { groups, sites, columns, rows, orders: Mutex::default() })
    }

    /// How many units there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns, in the order in which they are offered.
    pub fn columns(&self) -> &[UnitColumn] {
        &self.columns
    }

    /// The place of a column.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&UnitColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The families, if they have been looked for.
    pub fn families(&self) -> Option<&Families> {
        match &self.column("family")?.values {
            Values::Families(families) => Some(families),
            _ => None,
        }
    }

    /// Units of one kind and layer each.
    pub fn groups(&self) -> &[UnitGroup] {
        &self.groups
    }

    /// The number of layers.
    pub fn layers(&self) -> u32 {
        self.groups.iter().map(|group| group.layer + 1).max().unwrap_or(0)
    }

    /// The kinds that occur.
    pub fn kinds(&self) -> Vec<UnitKind> {
        UnitKind::ALL.into_iter().filter(|kind| self.groups.iter().any(|group| group.kind == *kind)).collect()
    }

    fn group_index(&self, id: u32) -> Option<usize> {
        let after = self.groups.partition_point(|group| group.start <= id);
        let index = after.checked_sub(1)?;
        (id - self.groups[index].start < self.groups[index].count).then_some(index)
    }

    /// The group of a unit.
    pub fn group_of(&self, id: u32) -> Option<&UnitGroup> {
        self.groups.get(self.group_index(id)?)
    }

    /// The unit with this id.
    pub fn unit(&self, id: u32) -> Option<Unit> {
        let index = self.group_index(id)?;
        Some(Unit::new(self.sites[index].clone()?, id - self.groups[index].start))
    }

    /// The short address of the unit with this id: `L5N123`, `L15F99`, `L18H6`, `L5R7`.
    pub fn short(&self, id: u32) -> String {
        let Some(group) = self.group_of(id) else { return String::new() };
        let letter = match group.kind {
            UnitKind::Neuron => 'N',
            UnitKind::Latent => 'F',
            UnitKind::Head => 'H',
            UnitKind::Residual => 'R',
        };
        format!("L{}{letter}{}", group.layer, id - group.start)
    }

    /// The id of a unit.
    pub fn id_of(&self, unit: &Unit) -> Option<u32> {
        let group = self.sites.iter().zip(&self.groups).find(|(site, _)| site.as_ref() == Some(&unit.site))?.1;
        (unit.index < group.count).then(|| group.start + unit.index)
    }

    /// The rows in the order of a column (`None`: of the model), if it is known already.
    fn known_order(&self, key: (Option<usize>, bool)) -> Option<Arc<Vec<u32>>> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.iter().find(|(of, _)| *of == key).map(|(_, order)| Arc::clone(order))
    }

    /// The rows in the order of a column (`None`: of the model); kept for the next time.
    pub fn order(&self, column: Option<usize>, descending: bool) -> Arc<Vec<u32>> {
        let key = (column, descending);
        if let Some(order) = self.known_order(key) {
            return order;
        }
        let order = match column.and_then(|column| self.columns.get(column)) {
            Some(column) => order_by(column.sortable(self.rows), descending),
            None if descending => (0..self.rows as u32).rev().collect(),
            None => (0..self.rows as u32).collect(),
        };
        let order = Arc::new(order);
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.len() >= ORDERS {
            orders.remove(0);
        }
        orders.push((key, Arc::clone(&order)));
        order
    }

    /// The rows of `passing` in the order of a column (`None`: of the model). Few rows of an order that is not known are sorted alone.
    pub fn order_of(&self, passing: &Bits, column: Option<usize>, descending: bool) -> Vec<u32> {
        let known = self.known_order((column, descending));
        match (known, column.and_then(|column| self.columns.get(column))) {
            (Some(order), _) => passing.pick(&order),
            (None, Some(column)) if passing.count() < self.rows / 2 => {
                order_rows_by(column.sortable(self.rows), &passing.rows(), descending)
            }
            (None, Some(_)) => passing.pick(&self.order(column, descending)),
            (None, None) => {
                let mut rows = passing.rows();
                if descending {
                    rows.reverse();
                }
                rows
            }
        }
    }

    /// Gets percentiles of a column ready. To be called where it may take a moment.
    pub fn prepare_percentiles(&self, column: usize) {
        let Some(column) = self.columns.get(column) else { return };
        let Some(values) = column.numbers() else { return };
        column.sorted.get_or_init(|| {
            let mut sorted = values.to_vec();
            let mut rest = sorted.as_mut_slice();
            let mut parts = Vec::new();
            for group in &self.groups {
                let (part, after) = rest.split_at_mut((group.count as usize).min(rest.len()));
                parts.push(part);
                rest = after;
            }
            parts.into_par_iter().for_each(|part| part.sort_unstable_by(|a, b| order_nan_last(*a, *b)));
            sorted
        });
    }

    /// The share of its layer's units, in 0..=1, whose value is smaller, those with an equal one counting half; `None` before
    /// [`prepare_percentiles`](Self::prepare_percentiles) and where there is no number.
    pub fn percentile(&self, column: usize, id: u32) -> Option<f32> {
        let column = self.columns.get(column)?;
        let value = *column.numbers()?.get(id as usize)?;
        let sorted = column.sorted.get()?;
        let group = self.group_of(id)?;
        let part = sorted.get(group.start as usize..(group.start + group.count) as usize)?;
        let numbers = part.partition_point(|other| !other.is_nan());
        if value.is_nan() || numbers < 2 {
            return None;
        }
        let below = part[..numbers].partition_point(|other| *other < value);
        let up_to = part[..numbers].partition_point(|other| *other <= value);
        let equal = (up_to - below) as f32 - 1.0;
        Some((below as f32 + 0.5 * equal) / (numbers as f32 - 1.0))
    }
}

fn order_nan_last(a: f32, b: f32) -> std::cmp::Ordering {
    a.is_nan().cmp(&b.is_nan()).then_with(|| a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal))
}

/// A column's values in the form that is quick to work with; `None` for lists and whatever else there may be.
fn values(array: &Arc<dyn Array>) -> Option<Values> {
    macro_rules! numbers {
        ($($kind:ty),*) => {
            $(if let Some(array) = array.as_primitive_opt::<$kind>() {
                let number = |value: Option<_>| value.map_or(f32::NAN, |value| value as f32);
                return Some(Values::Numbers(array.iter().map(number).collect()));
            })*
        };
    }
    if let Some(array) = array.as_primitive_opt::<types::Float32Type>()
        && array.null_count() == 0
    {
        return Some(Values::Numbers(array.values().to_vec()));
    }
    numbers!(types::Float32Type, types::Float64Type, types::Int32Type, types::Int64Type, types::UInt32Type);
    numbers!(types::UInt64Type, types::Int16Type, types::Int8Type, types::UInt16Type, types::UInt8Type);
    let texts = array.as_string_opt::<i32>()?;
    Some(choices(texts).unwrap_or_else(|| Values::Texts(texts.clone())))
}

/// The column as codes, if few of its texts differ.
fn choices(texts: &StringArray) -> Option<Values> {
    let mut codes_of: HashMap<&str, u16> = HashMap::new();
    let mut names: Vec<String> = Vec::new();
    let mut codes = Vec::with_capacity(texts.len());
    for text in texts.iter() {
        let Some(text) = text else {
            codes.push(u16::MAX);
            continue;
        };
        let code = match codes_of.get(text) {
            Some(code) => *code,
            None if names.len() >= MAX_CHOICES => return None,
            None => {
                codes_of.insert(text, names.len() as u16);
                names.push(text.to_owned());
                names.len() as u16 - 1
            }
        };
        codes.push(code);
    }
    // A few units with a text each are no choice.
    (names.len() <= 8 || names.len() * 4 <= texts.len()).then_some(Values::Choices(names, codes))
}

#[cfg(test)]
mod tests {
    use golgi_data::tables::Columns;

    use super::*;

    #[test]
    fn texts_are_put_in_order_beforehand() {
        let texts: Vec<String> = (0..100).map(|row| format!("{:02}", row * 37 % 100)).collect();
        let group =
            UnitGroup { kind: UnitKind::Neuron, layer: 0, site: "blocks.0.mlp.hook_post".into(), start: 0, count: 100 };
        let units = Columns::new().f32("max", vec![1.0; 100]).text("top_promoted", texts.clone()).build().unwrap();
        let table = UnitTable::new(vec![group], &units, None).unwrap();
        let column = &table.columns[table.index_of("top_promoted").unwrap()];
        assert!(column.ranks.get().is_none());
        table.rank_texts();
        let expected: Vec<f32> = texts.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(column.ranks.get(), Some(&expected));
    }
}
