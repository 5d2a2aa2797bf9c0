//! `units.parquet`.

use std::path::Path;

use golgi_data::tables::Columns;
use golgi_data::unit::Unit;

use super::vocabulary::Joined;
use super::{BuildError, Source, Table};
use crate::atlas::moments::Shape;
use crate::atlas::profiles::{Parts, position_information};
use crate::atlas::units::Units;
use crate::atlas::weights::Vectors;
use crate::error::Result;

/// Rows that can be read alone.
const ROWS: usize = 2048;

/// The quantiles of the table.
const QUANTILES: [(&str, f64); 8] = [
    ("q01", 0.01),
    ("q05", 0.05),
    ("q25", 0.25),
    ("q50", 0.5),
    ("q75", 0.75),
    ("q95", 0.95),
    ("q99", 0.99),
    ("q999", 0.999),
];

#[derive(Default)]
struct Statistics {
    unit: Vec<String>,
    short: Vec<String>,
    kind: Vec<&'static str>,
    layer: Vec<i32>,
    index: Vec<i32>,
    shapes: Vec<Shape>,
    min: Vec<f32>,
    max: Vec<f32>,
    frac_active: Vec<f32>,
    active_threshold: Vec<f32>,
    mean_active: Vec<Option<f32>>,
    quantiles: [Vec<Option<f32>>; QUANTILES.len()],
    position_mi: Vec<f32>,
    top_language: Vec<Option<String>>,
    top_genre: Vec<Option<String>>,
}

/// The label whose tokens have the largest mean.
fn strongest(parts: &Parts, lane: usize, counts: &[u64], labels: &[u16], names: &[String]) -> Option<String> {
    let means = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let best = means.map(|(part, count)| (part, parts.of(part, lane, *count).0)).max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(names[usize::from(labels[best.0])].clone())
}

impl Statistics {
    fn of(source: &Source, units: &Units) -> Statistics {
        let Source { plan, counts, bins, .. } = *source;
        let n = counts.tokens;
        let mut all = Statistics::default();
        for group in &units.groups {
            for block in &group.blocks {
                for lane in 0..block.used {
                    let profiles = &block.profiles;
                    let index = (block.first + lane) as u32;
                    let unit = Unit::new(group.site.clone(), index);
                    all.unit.push(unit.to_string());
                    all.short.push(unit.short());
                    all.kind.push(group.about.kind.name());
                    all.layer.push(group.about.layer as i32);
                    all.index.push(index as i32);
                    all.shapes.push(block.moments.shape(lane, n));
                    let (min, max) = (profiles.min[lane], profiles.max[lane]);
                    all.min.push(min);
                    all.max.push(max);
                    let active = f64::from(profiles.active[lane]);
                    all.frac_active.push((active / n as f64) as f32);
                    all.active_threshold.push(block.threshold[lane]);
                    all.mean_active.push((active > 0.0).then(|| (profiles.active_sum[lane] / active) as f32));
                    for (column, (_, q)) in all.quantiles.iter_mut().zip(QUANTILES) {
                        column.push(bins.quantile(block.sketch.counts(lane), q, min, max));
                    }
                    // The first entry holds the skipped positions, alone or with a few others.
                    let rates: Vec<f32> = (1..counts.positions.len())
                        .map(|part| profiles.positions.of(part, lane, counts.positions[part]).1)
                        .collect();
                    all.position_mi.push(position_information(&rates, counts.positions.get(1..).unwrap_or_default()));
                    let (labels, corpus) = (&plan.labels, plan.corpus);
                    all.top_language.push(strongest(
                        &profiles.languages,
                        lane,
                        &counts.languages,
                        &labels.languages,
                        corpus.languages(),
                    ));
                    all.top_genre.push(strongest(
                        &profiles.genres,
                        lane,
                        &counts.genres,
                        &labels.genres,
                        corpus.genres(),
                    ));
                }
            }
        }
        all
    }
}

/// What the weights say of the units that come first, group by group.
pub(super) type Weights = [(usize, Vectors)];

/// A column with a value for each unit that reads and writes along directions, and none for the others.
fn of_vectors(rows: usize, weights: &Weights, of: impl Fn(&Vectors) -> Vec<f32>) -> Vec<Option<f32>> {
    let mut column = Vec::with_capacity(rows);
    for (count, vectors) in weights {
        let values = of(vectors);
        column.extend((0..*count).map(|index| values.get(index).copied()));
    }
    column.resize(rows, None);
    column
}

/// Writes the table.
pub(super) fn write(source: &Source, units: &Units, weights: &Weights, joined: &Joined, out: &Path) -> Result<()> {
    let all = Statistics::of(source, units);
    let rows = all.unit.len();
    let shape = |of: fn(&Shape) -> f64| all.shapes.iter().map(|shape| of(shape) as f32).collect::<Vec<f32>>();
    let mut table = Columns::new()
        .text("unit", all.unit)
        .text("short", all.short)
        .text("kind", all.kind)
        .i32("layer", all.layer)
        .i32("index", all.index)
        .i64("count", vec![source.counts.tokens as i64; rows])
        .f32("mean", shape(|shape| shape.mean))
        .f32("std", shape(|shape| shape.std))
        .f32("skewness", shape(|shape| shape.skewness))
        .f32("kurtosis", shape(|shape| shape.kurtosis))
        .f32("min", all.min)
        .f32("max", all.max)
        .f32("frac_active", all.frac_active)
        .f32("active_threshold", all.active_threshold)
        .f32("mean_active", all.mean_active);
    for ((name, _), column) in QUANTILES.iter().zip(all.quantiles) {
        table = table.f32(name, column);
    }
    table = table.f32("position_mi", all.position_mi);
    let moments = |of: fn(&Shape) -> f64| {
        move |vectors: &Vectors| vectors.vocabulary.iter().map(|shape| of(shape) as f32).collect::<Vec<f32>>()
    };
    let column = |of: &dyn Fn(&Vectors) -> Vec<f32>| of_vectors(rows, weights, of);
    table = table
        .f32("norm_in", column(&|vectors| vectors.norm_in.clone()))
        .f32("norm_gate", column(&|vectors| vectors.norm_gate.clone()))
        .f32("norm_out", column(&|vectors| vectors.norm_out.clone()))
        .f32("cos_in_out", column(&|vectors| vectors.cos_in_out.clone()))
        .f32("cos_gate_out", column(&|vectors| vectors.cos_gate_out.clone()))
        .f32("bias_in", column(&|vectors| vectors.bias_in.clone()))
        .f32("vocab_mean", column(&moments(|shape| shape.mean)))
        .f32("vocab_var", column(&moments(|shape| shape.std * shape.std)))
        .f32("vocab_skew", column(&moments(|shape| shape.skewness)))
        .f32("vocab_kurt", column(&moments(|shape| shape.kurtosis)))
        .text("top_language", all.top_language)
        .text("top_genre", all.top_genre)
        .text("top_promoted", joined.column(&joined.promoted, rows))
        .text("top_suppressed", joined.column(&joined.suppressed, rows))
        .text("top_activating", joined.column(&joined.activating, rows));
    let mut file = Table::new(out, "units", ROWS);
    file.push(table)?;
    Ok(file.finish().map_err(BuildError::from)?)
}
