//! `profiles.parquet` and `neighbours.parquet`.

use std::path::Path;

use golgi_data::context::RunContext;
use golgi_data::tables::Columns;
use golgi_probes::Tensor;

use super::{BuildError, Source, Table};
use crate::atlas::neighbours::{Nearest, each, writing};
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
    ctx: &RunContext,
) -> Result<Option<f32>> {
    let k = source.options.neighbours;
    let directions = Nearest::new(&writing(source.model)?)?;
    let neurons = source.model.model.blocks.len() * source.model.model.dims.d_mlp;
    ctx.stage("finding nearest units by weights", neurons as u64);
    let mut by_weights: Vec<Vec<(u32, f32)>> = Vec::with_capacity(neurons);
    each(&directions, k, ctx, |_, found| {
        by_weights.extend(found);
        Ok(())
    })?;
    drop(directions);

    ctx.stage("finding nearest units by correlation", units);
    let mut file = Table::new(out, "neighbours", NEIGHBOURS);
    // Correlations are there for all units or for none; the table is sorted by unit.
    let mut push = |first: usize, correlations: &[Vec<(u32, f32)>]| -> Result<()> {
        let (mut unit, mut by, mut rank, mut other, mut value) = (vec![], vec![], vec![], vec![], vec![]);
        for (id, correlated) in (first..).zip(correlations) {
            let weights: &[(u32, f32)] = by_weights.get(id).map_or(&[], Vec::as_slice);
            for (name, list) in [("weights", weights), ("correlation", correlated.as_slice())] {
                for (place, (id_of_other, product)) in list.iter().enumerate() {
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
        Ok(file.push(columns.f32("value", value))?)
    };
    let mut null = None;
    match sample {
        Some(sample) => {
            let correlations = Nearest::new(&sample)?;
            drop(sample);
            null = correlations.null(source.options.seed)?;
            each(&correlations, k, ctx, |first, found| push(first, &found))?;
        }
        None => push(0, &vec![Vec::new(); units as usize])?,
    }
    file.finish().map_err(BuildError::from)?;
    Ok(null)
}
