//! `profiles.parquet` and `neighbours.parquet`.

use std::path::Path;
use std::time::Duration;

use golgi_data::context::RunContext;
use golgi_data::tables::Columns;
use golgi_probes::Tensor;

use super::{BuildError, Source, Table};
use crate::atlas::aftermath::{Aftermath, span};
use crate::atlas::neighbours::{Nearest, writing};
use crate::atlas::profiles::Parts;
use crate::atlas::units::Units;
use crate::error::Result;

/// Rows of the profiles that can be read alone: a page needs one.
const PROFILES: usize = 128;
/// Rows of the neighbours that can be read alone.
const NEIGHBOURS: usize = 8192;

/// Writes the profiles, layer by layer.
pub(super) fn profiles(source: &Source, units: &Units, out: &Path) -> Result<()> {
    let (counts, bins) = (source.counts, source.bins);
    let mut file = Table::new(out, "profiles", PROFILES);
    for group in &units.groups {
        let mut lists: [Vec<f32>; 6] = Default::default();
        let mut histogram = Vec::with_capacity(group.about.count as usize * bins.count());
        for block in &group.blocks {
            let parts: [(&Parts, &[u64]); 3] = [
                (&block.profiles.positions, &counts.positions),
                (&block.profiles.languages, &counts.languages),
                (&block.profiles.genres, &counts.genres),
            ];
            for lane in 0..block.used {
                for (which, (parts, counts)) in parts.iter().enumerate() {
                    for (part, count) in counts.iter().enumerate() {
                        let (mean, rate) = parts.of(part, lane, *count);
                        lists[2 * which].push(mean);
                        lists[2 * which + 1].push(rate);
                    }
                }
                histogram.extend_from_slice(block.sketch.counts(lane));
            }
        }
        let names = ["position_mean", "position_rate", "language_mean", "language_rate", "genre_mean", "genre_rate"];
        let mut columns = Columns::new();
        for (name, values) in names.into_iter().zip(lists) {
            let width = values.len() / (group.about.count.max(1) as usize);
            // Lists of no entries have to be given one by one.
            columns = match width {
                0 => columns.f32_lists(name, &vec![Vec::new(); group.about.count as usize]),
                _ => columns.f32_rows(name, values, width),
            };
        }
        file.push(columns.u32_rows("histogram", histogram, bins.count()))?;
    }
    Ok(file.finish().map_err(BuildError::from)?)
}

/// Writes the nearest units of each of the `units` units, and returns the null of the correlations.
pub(super) fn neighbours(
    source: &Source,
    sample: Option<Tensor>,
    units: u64,
    out: &Path,
    (after, ctx): (&Aftermath, &RunContext),
) -> Result<Option<f32>> {
    let k = source.options.neighbours;
    let directions = Nearest::new(&writing(source.subject, source.options)?)?;
    let by_weights = directions.all(k, "finding nearest units by weights", span(after.by_correlation), ctx)?;
    drop(directions);
    let (mut null, mut by_correlation) = (None, Vec::new());
    if let Some(sample) = sample {
        let correlations = Nearest::new(&sample)?;
        drop(sample);
        null = correlations.null(source.options.seed)?;
        by_correlation = correlations.all(k, "finding nearest units by correlation", Duration::ZERO, ctx)?;
    }
    let mut file = Table::new(out, "neighbours", NEIGHBOURS);
    let (mut unit, mut by, mut rank, mut other, mut value) = (vec![], vec![], vec![], vec![], vec![]);
    for id in 0..units as usize {
        for (name, lists) in [("weights", &by_weights), ("correlation", &by_correlation)] {
            for (place, (id_of_other, product)) in lists.get(id).into_iter().flatten().enumerate() {
                unit.push(id as u32);
                by.push(name);
                rank.push(place as u8);
                other.push(*id_of_other);
                // Rounding may leave a product of unit vectors a hair above 1.
                value.push(product.min(1.0));
            }
        }
    }
    let columns = Columns::new().u32("unit", unit).text("by", by).u8("rank", rank).u32("other", other);
    file.push(columns.f32("value", value))?;
    file.finish().map_err(BuildError::from)?;
    Ok(null)
}
