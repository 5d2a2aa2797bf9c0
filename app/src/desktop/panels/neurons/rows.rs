//! Which neurons are listed, and in which order: pure, and quick enough for a frame up to some hundred thousand rows.

use std::cmp::Ordering;
use std::sync::Arc;

use golgi_analysis::units::table::NeuronTable;
use golgi_data::site::{BlockPoint, Site};
use golgi_data::unit::Unit;

use crate::desktop::widgets::virtual_table::Sort;

/// The columns that can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Layer, then index.
    Layer,
    /// Index, then layer.
    Index,
    /// Activation.
    Activation,
    /// Attribution with its sign.
    Attribution,
    /// Attribution without its sign.
    Size,
    /// Length of the read vector.
    ReadNorm,
    /// Length of the write vector.
    WriteNorm,
}

impl Key {
    /// In the order of the table's columns.
    pub const ALL: [Key; 7] =
        [Key::Layer, Key::Index, Key::Activation, Key::Attribution, Key::Size, Key::ReadNorm, Key::WriteNorm];
}

/// Which neurons are listed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// First and last layer.
    pub layers: Option<(u32, u32)>,
    /// The least |activation|.
    pub least: f32,
    /// `L5N123`, `L5`, `N123`, `123` or a whole address.
    pub text: String,
}

/// What a filter's text asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Wanted {
    layer: Option<u32>,
    index: Option<u32>,
}

impl Filter {
    /// Whether the text can be understood.
    pub fn is_understood(&self) -> bool {
        wanted(&self.text).is_some()
    }
}

fn wanted(text: &str) -> Option<Wanted> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Wanted::default());
    }
    if let Ok(unit) = text.parse::<Unit>() {
        return match unit.site {
            Site::Block { layer, point: BlockPoint::MlpPost } => {
                Some(Wanted { layer: Some(layer), index: Some(unit.index) })
            }
            _ => None,
        };
    }
    match (text.strip_prefix(['L', 'l']), text.strip_prefix(['N', 'n'])) {
        // On the way to `L5N123`.
        (Some(layer), _) => Some(Wanted { layer: Some(layer.trim_end_matches(['N', 'n']).parse().ok()?), index: None }),
        (_, index) => Some(Wanted { layer: None, index: Some(index.unwrap_or(text).parse().ok()?) }),
    }
}

/// The neurons that are listed, in order.
pub struct Rows {
    table: Arc<NeuronTable>,
    filter: Filter,
    sort: Sort,
    /// The neuron in each row: an index into the table's columns.
    pub order: Vec<u32>,
    /// The row of each neuron; `u32::MAX` for those not listed.
    place: Vec<u32>,
}

impl Rows {
    /// Filters and sorts.
    pub fn new(table: &Arc<NeuronTable>, filter: &Filter, sort: Sort) -> Rows {
        let n = count(table);
        let wanted = wanted(&filter.text).unwrap_or_default();
        let d_mlp = table.d_mlp.max(1) as u32;
        let keeps = |row: &u32| {
            let (layer, index) = (row / d_mlp, row % d_mlp);
            filter.layers.is_none_or(|(first, last)| (first..=last).contains(&layer))
                && wanted.layer.is_none_or(|w| w == layer)
                && wanted.index.is_none_or(|w| w == index)
                && table.activation[*row as usize].abs() >= filter.least
        };
        let mut order: Vec<u32> = (0..n as u32).filter(keeps).collect();
        let key = Key::ALL.get(sort.column).copied().unwrap_or(Key::Layer);
        let by = |a: &u32, b: &u32| compare(table, key, *a, *b);
        // Rows that are equal stay in the order of the model, whichever way the others are sorted.
        order.sort_by(|a, b| if sort.descending { by(b, a) } else { by(a, b) });
        let mut place = vec![u32::MAX; n];
        for (row, neuron) in order.iter().enumerate() {
            place[*neuron as usize] = row as u32;
        }
        Rows { table: Arc::clone(table), filter: filter.clone(), sort, order, place }
    }

    /// Whether these are the rows of that table, filter and order.
    pub fn is_of(&self, table: &Arc<NeuronTable>, filter: &Filter, sort: Sort) -> bool {
        Arc::ptr_eq(&self.table, table) && self.filter == *filter && self.sort == sort
    }

    /// The table they are of.
    pub fn table(&self) -> &NeuronTable {
        &self.table
    }

    /// The neuron in a row.
    pub fn unit(&self, row: usize) -> Option<Unit> {
        let neuron = *self.order.get(row)? as usize;
        let d_mlp = self.table.d_mlp.max(1);
        Some(Unit::neuron((neuron / d_mlp) as u32, (neuron % d_mlp) as u32))
    }

    /// The row of a unit, if it is a listed neuron.
    pub fn row_of(&self, unit: &Unit) -> Option<usize> {
        let Site::Block { layer, point: BlockPoint::MlpPost } = unit.site else { return None };
        if unit.index as usize >= self.table.d_mlp {
            return None;
        }
        let neuron = (layer as usize).checked_mul(self.table.d_mlp)?.checked_add(unit.index as usize)?;
        self.place.get(neuron).filter(|row| **row != u32::MAX).map(|row| *row as usize)
    }

    /// The listed rows as comma-separated values.
    pub fn csv(&self) -> String {
        let mut out = String::from("unit,layer,index,activation,attribution,read_norm,write_norm\n");
        let table = &*self.table;
        for (row, neuron) in self.order.iter().enumerate() {
            let (Some(unit), i) = (self.unit(row), *neuron as usize) else { continue };
            let layer = unit.site.layer().unwrap_or_default();
            let numbers = [table.activation[i], table.attribution[i], table.read_norm[i], table.write_norm[i]];
            out.push_str(&format!("{unit},{layer},{}", unit.index));
            for number in numbers {
                out.push_str(&format!(",{number}"));
            }
            out.push('\n');
        }
        out
    }
}

/// How many neurons the table really has, in all of its columns.
pub fn count(table: &NeuronTable) -> usize {
    let columns = [&table.activation, &table.attribution, &table.read_norm, &table.write_norm];
    let shortest = columns.into_iter().map(Vec::len).min().unwrap_or(0);
    table.n_layers.saturating_mul(table.d_mlp).min(shortest).min(u32::MAX as usize - 1)
}

fn compare(table: &NeuronTable, key: Key, a: u32, b: u32) -> Ordering {
    let by = |column: &[f32]| column[a as usize].total_cmp(&column[b as usize]);
    match key {
        Key::Layer => a.cmp(&b),
        Key::Index => {
            let d_mlp = table.d_mlp.max(1) as u32;
            (a % d_mlp, a).cmp(&(b % d_mlp, b))
        }
        Key::Activation => by(&table.activation),
        Key::Attribution => by(&table.attribution),
        Key::Size => table.attribution[a as usize].abs().total_cmp(&table.attribution[b as usize].abs()),
        Key::ReadNorm => by(&table.read_norm),
        Key::WriteNorm => by(&table.write_norm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Arc<NeuronTable> {
        Arc::new(NeuronTable {
            position: 3,
            target: 7,
            target_text: " cat".to_owned(),
            n_layers: 2,
            d_mlp: 3,
            activation: vec![0.5, -2.0, 0.0, 1.0, 3.0, -0.1],
            attribution: vec![0.1, -0.9, 0.0, 0.2, 0.3, -0.4],
            read_norm: vec![1.0; 6],
            write_norm: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        })
    }

    fn sort(key: Key, descending: bool) -> Sort {
        Sort { column: Key::ALL.iter().position(|k| *k == key).unwrap(), descending }
    }

    fn order(filter: &Filter, key: Key, descending: bool) -> Vec<u32> {
        Rows::new(&table(), filter, sort(key, descending)).order
    }

    #[test]
    fn sorts_by_every_column() {
        let all = Filter::default();
        assert_eq!(order(&all, Key::Activation, true), [4, 3, 0, 2, 5, 1]);
        assert_eq!(order(&all, Key::Size, true), [1, 5, 4, 3, 0, 2]);
        assert_eq!(order(&all, Key::Index, false), [0, 3, 1, 4, 2, 5]);
        assert_eq!(order(&all, Key::Layer, true), [5, 4, 3, 2, 1, 0]);
        assert_eq!(order(&all, Key::ReadNorm, true), [0, 1, 2, 3, 4, 5], "equal rows stay in order");
    }

    #[test]
    fn filters_add_up() {
        let filter = |layers, least, text: &str| Filter { layers, least, text: text.to_owned() };
        let rows = |filter: Filter| order(&filter, Key::Layer, false);
        assert_eq!(rows(filter(Some((1, 1)), 0.5, "")), [3, 4]);
        assert_eq!(rows(filter(None, 0.0, "L1N2")), [5]);
        assert_eq!(rows(filter(None, 0.0, "blocks.1.mlp.hook_post:2")), [5]);
        assert_eq!(rows(filter(None, 0.0, "n1")), [1, 4]);
        assert_eq!(rows(filter(None, 0.0, " l0n ")), [0, 1, 2]);
        assert_eq!(rows(filter(Some((1, 1)), 0.0, "L0")), [0u32; 0]);
        for (text, understood) in [("", true), ("12", true), ("L", false), ("cat", false), ("L18H6", false)] {
            assert_eq!(filter(None, 0.0, text).is_understood(), understood, "{text}");
        }
    }

    #[test]
    fn rows_and_units_find_each_other() {
        let filter = Filter { least: 0.4, ..Filter::default() };
        let rows = Rows::new(&table(), &filter, sort(Key::Activation, true));
        assert_eq!(rows.unit(0), Some(Unit::neuron(1, 1)));
        assert_eq!(rows.row_of(&Unit::neuron(0, 1)), Some(3));
        assert_eq!(rows.row_of(&Unit::neuron(0, 2)), None, "filtered out");
        assert_eq!(rows.row_of(&Unit::neuron(0, 3)), None, "no such neuron, although layer 1 begins there");
        assert_eq!(rows.row_of(&Unit::neuron(u32::MAX, 0)), None);
        assert_eq!(rows.row_of(&Unit::head(0, 1)), None);
        assert!(rows.csv().starts_with(
            "unit,layer,index,activation,attribution,read_norm,write_norm\nblocks.1.mlp.hook_post:1,1,1,3,0.3,1,5\n"
        ));
    }

    #[test]
    fn short_columns_are_no_panic() {
        let table = Arc::new(NeuronTable { write_norm: vec![1.0; 4], ..(*table()).clone() });
        assert_eq!(Rows::new(&table, &Filter::default(), sort(Key::WriteNorm, true)).order.len(), 4);
    }
}
