//! Units as points of a plane: two columns as axes, a third as colour.

use std::sync::Arc;

use golgi_data::atlas::UnitKind;
use rayon::prelude::*;

use super::columns::{UnitTable, Values};

/// Code of a unit that has no colour value.
pub const NO_COLOUR: u8 = 255;
/// How many categories have a colour of their own; the others share one.
pub const CATEGORIES: usize = 8;

/// A column along an axis.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Axis {
    /// The column's name.
    pub column: String,
    /// Whether it runs in powers of ten. Numbers that are not positive then have no place.
    pub log: bool,
}

impl Axis {
    /// Where a number stands along the axis; NaN where it has no place.
    #[inline]
    pub fn place(&self, value: f32) -> f32 {
        match self.log {
            true if value > 0.0 => value.log10(),
            true => f32::NAN,
            false if value.is_finite() => value,
            false => f32::NAN,
        }
    }
}

/// What the colours mean.
#[derive(Debug, Clone, PartialEq)]
pub enum Colours {
    /// Every unit has the same.
    None,
    /// From a number to a number, where numbers beyond either end have the end's colour; 1 % of the units lie beyond each.
    Range(f32, f32),
    /// One for each of these; what is not among them shares [`NO_COLOUR`].
    Categories(Vec<String>),
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// The column that colours; none where this is empty.
    pub colour: String,
    /// The kind of units.
    pub kind: Option<UnitKind>,
}

/// The points of a choice.
#[derive(Debug)]
pub struct Points {
    table: Arc<UnitTable>,
    choice: Choice,
    /// The units that have a place.
    pub ids: Vec<u32>,
    /// Where they stand along the first axis.
    pub x: Vec<f32>,
    /// And the second.
    pub y: Vec<f32>,
    /// Their colours' codes.
    pub codes: Vec<u8>,
    /// What the codes mean.
    pub colours: Colours,
    /// Units of the kind that have no place, for want of a number or a positive one.
    pub left_out: usize,
    /// The least and greatest places.
    pub bounds: Option<[f32; 4]>,
}

impl Points {
    /// Places the units. It takes a moment where they are many.
    pub fn new(table: &Arc<UnitTable>, choice: &Choice) -> Points {
        let mut points = Points {
            table: Arc::clone(table),
            choice: choice.clone(),
            ids: Vec::new(),
            x: Vec::new(),
            y: Vec::new(),
            codes: Vec::new(),
            colours: Colours::None,
            left_out: 0,
            bounds: None,
        };
        let numbers = |axis: &Axis| table.column(&axis.column).and_then(|column| column.numbers());
        let (Some(xs), Some(ys)) = (numbers(&choice.x), numbers(&choice.y)) else { return points };
        for group in table.groups().iter().filter(|group| choice.kind.is_none_or(|kind| kind == group.kind)) {
            for id in group.start..group.start + group.count {
                let (Some(x), Some(y)) = (xs.get(id as usize), ys.get(id as usize)) else { break };
                let (x, y) = (choice.x.place(*x), choice.y.place(*y));
                if x.is_nan() || y.is_nan() {
                    points.left_out += 1;
                    continue;
                }
                points.ids.push(id);
                points.x.push(x);
                points.y.push(y);
            }
        }
        let least = |values: &[f32]| values.iter().copied().fold(f32::INFINITY, f32::min);
        let greatest = |values: &[f32]| values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if !points.ids.is_empty() {
            points.bounds = Some([least(&points.x), greatest(&points.x), least(&points.y), greatest(&points.y)]);
        }
        (points.colours, points.codes) = codes(table, choice, &points.ids);
        points
    }

    /// Whether these are the points of that choice.
    pub fn is_of(&self, table: &Arc<UnitTable>, choice: &Choice) -> bool {
        Arc::ptr_eq(&self.table, table) && self.choice == *choice
    }

    /// The table.
    pub fn table(&self) -> &Arc<UnitTable> {
        &self.table
    }

    /// Where a unit stands.
    pub fn place_of(&self, id: u32) -> Option<(f32, f32)> {
        let at = self.ids.binary_search(&id).ok()?;
        Some((self.x[at], self.y[at]))
    }

    /// The units inside a polygon, given by places along both axes.
    pub fn inside(&self, polygon: &[(f32, f32)]) -> Vec<u32> {
        let over =
            |pick: fn(&(f32, f32)) -> f32, from: f32, by: fn(f32, f32) -> f32| polygon.iter().map(pick).fold(from, by);
        let (left, right) = (over(|p| p.0, f32::INFINITY, f32::min), over(|p| p.0, f32::NEG_INFINITY, f32::max));
        let (low, high) = (over(|p| p.1, f32::INFINITY, f32::min), over(|p| p.1, f32::NEG_INFINITY, f32::max));
        let inside = |at: &usize| {
            let (x, y) = (self.x[*at], self.y[*at]);
            (left..=right).contains(&x) && (low..=high).contains(&y) && contains(polygon, x, y)
        };
        (0..self.ids.len()).into_par_iter().with_min_len(8192).filter(inside).map(|at| self.ids[at]).collect()
    }
}

/// Whether a polygon holds a point, by the number of its edges to the right of it.
fn contains(polygon: &[(f32, f32)], x: f32, y: f32) -> bool {
    let mut inside = false;
    let mut before = polygon.len().wrapping_sub(1);
    for (index, &(x1, y1)) in polygon.iter().enumerate() {
        let (x0, y0) = polygon[before];
        if (y0 > y) != (y1 > y) && x < (x1 - x0) * (y - y0) / (y1 - y0) + x0 {
            inside = !inside;
        }
        before = index;
    }
    inside
}

fn codes(table: &UnitTable, choice: &Choice, ids: &[u32]) -> (Colours, Vec<u8>) {
    let Some(column) = table.column(&choice.colour) else { return (Colours::None, vec![0; ids.len()]) };
    match &column.values {
        Values::Numbers(values) => {
            let mut sample: Vec<f32> = ids
                .iter()
                .step_by(ids.len().div_ceil(20_000).max(1))
                .filter_map(|id| values.get(*id as usize).copied())
                .filter(|value| value.is_finite())
                .collect();
            sample.sort_unstable_by(f32::total_cmp);
            let at =
                |share: f32| sample.get(((sample.len().saturating_sub(1)) as f32 * share).round() as usize).copied();
            let (mut low, mut high) = (at(0.01).unwrap_or(0.0), at(0.99).unwrap_or(1.0));
            if low == high {
                (low, high) = (at(0.0).unwrap_or(low), at(1.0).unwrap_or(high));
            }
            // A range over 0 is symmetric, so that 0 keeps the middle colour.
            if low < 0.0 && high > 0.0 {
                high = high.max(-low);
                low = -high;
            }
            let span = high - low;
            let code = |id: &u32| match values.get(*id as usize) {
                Some(value) if value.is_nan() => NO_COLOUR,
                Some(value) if span > 0.0 => (((value - low) / span).clamp(0.0, 1.0) * 254.0).round() as u8,
                Some(_) => 127,
                None => NO_COLOUR,
            };
            (Colours::Range(low, high), ids.par_iter().with_min_len(16_384).map(code).collect())
        }
        Values::Choices(names, codes) => {
            // The most frequent ones have the colours.
            let mut counts = vec![0usize; names.len()];
            ids.iter().filter_map(|id| codes.get(*id as usize)).for_each(|code| {
                if let Some(count) = counts.get_mut(usize::from(*code)) {
                    *count += 1;
                }
            });
            let mut by_count: Vec<usize> = (0..names.len()).filter(|index| counts[*index] > 0).collect();
            by_count.sort_by(|a, b| counts[*b].cmp(&counts[*a]).then_with(|| names[*a].cmp(&names[*b])));
            by_count.truncate(CATEGORIES);
            let mut place = vec![NO_COLOUR; names.len()];
            by_count.iter().enumerate().for_each(|(at, index)| place[*index] = at as u8);
            let code = |id: &u32| {
                let code = codes.get(*id as usize).map_or(usize::MAX, |code| usize::from(*code));
                place.get(code).copied().unwrap_or(NO_COLOUR)
            };
            let shown = by_count.iter().map(|index| names[*index].clone()).collect();
            (Colours::Categories(shown), ids.iter().map(code).collect())
        }
        Values::Families(families) => {
            let code = |id: &u32| {
                families.first(*id).filter(|at| usize::from(*at) < CATEGORIES).map_or(NO_COLOUR, |at| at as u8)
            };
            let shown = families.names.iter().take(CATEGORIES).cloned().collect();
            (Colours::Categories(shown), ids.iter().map(code).collect())
        }
        Values::Texts(_) => (Colours::None, vec![0; ids.len()]),
    }
}

#[cfg(test)]
mod tests {
    use golgi_data::atlas::UnitGroup;
    use golgi_data::tables::Columns;

    use super::*;

    fn table() -> Arc<UnitTable> {
        let site = "blocks.0.mlp.hook_post".to_owned();
        let groups = vec![UnitGroup { kind: UnitKind::Neuron, layer: 0, site, start: 0, count: 5 }];
        let units = Columns::new()
            .f32("a", vec![1.0, 10.0, 100.0, 0.0, 1000.0])
            .f32("b", vec![Some(0.0), Some(1.0), Some(2.0), Some(3.0), None])
            .f32("c", vec![-4.0, 0.0, 2.0, 1.0, 1.0])
            .text("language", vec![Some("de"), Some("en"), Some("en"), None, Some("fr")])
            .build()
            .unwrap();
        Arc::new(UnitTable::new(groups, &units, None).unwrap())
    }

    fn choice(log: bool, colour: &str) -> Choice {
        let axis = |name: &str, log| Axis { column: name.into(), log };
        Choice { x: axis("a", log), y: axis("b", false), colour: colour.into(), kind: None }
    }

    #[test]
    fn axes_place_units_and_leave_out_what_has_no_place() {
        let points = Points::new(&table(), &choice(true, ""));
        assert_eq!((points.ids.as_slice(), points.left_out), (&[0, 1, 2][..], 2));
        assert_eq!(points.x, [0.0, 1.0, 2.0]);
        assert_eq!(points.bounds, Some([0.0, 2.0, 0.0, 2.0]));
        assert_eq!(points.place_of(2), Some((2.0, 2.0)));
        assert_eq!(points.place_of(3), None);
        assert!(Points::new(&table(), &Choice::default()).ids.is_empty());
    }

    #[test]
    fn colours_follow_numbers_and_names() {
        let points = Points::new(&table(), &choice(false, "c"));
        assert_eq!(points.colours, Colours::Range(-4.0, 4.0));
        assert_eq!(points.codes, [0, 127, 191, 159]);
        let points = Points::new(&table(), &choice(false, "language"));
        assert_eq!(points.colours, Colours::Categories(vec!["en".into(), "de".into()]));
        assert_eq!(points.codes, [1, 0, 0, NO_COLOUR]);
    }

    #[test]
    fn polygons_hold_what_lies_inside() {
        let points = Points::new(&table(), &choice(true, ""));
        assert_eq!(points.inside(&[(-0.5, -0.5), (1.5, -0.5), (1.5, 1.5), (-0.5, 1.5)]), [0, 1]);
        // A notch: the middle point is outside.
        let notched = [(-1.0, -1.0), (3.0, -1.0), (2.2, 3.0), (1.2, 0.5), (-1.0, 3.0)];
        assert_eq!(points.inside(&notched), [0, 2]);
        assert!(points.inside(&[]).is_empty() && points.inside(&[(0.0, 0.0)]).is_empty());
    }
}
