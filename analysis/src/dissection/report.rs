//! The result in its common form.

use std::collections::BTreeMap;

use golgi_data::images::ImageSet;
use golgi_probes::vision::OpenVision;
use serde_json::json;

use super::run::{Dissection, DissectionSettings, Named};
use crate::error::VisionError;
use crate::provenance::of_vision;
use crate::report::{Fact, Figure, Report, Shown, Table, number};

/// Units whose exemplars are shown.
const SHOWN: usize = 8;
/// Exemplars of each.
const EXEMPLARS: usize = 5;
/// Their longer side, in pixels.
const THUMBNAIL: u32 = 96;

/// A report: all units in a table, the concepts that name units, and exemplars of the units that cover theirs best.
///
/// # Errors
/// If a picture cannot be read or the model's digest not be computed.
pub fn report(
    found: &Dissection,
    open: &OpenVision,
    set: &ImageSet,
    settings: &DissectionSettings,
    seed: u64,
) -> Result<Report, VisionError> {
    let title = format!("What units of {} in {} cover", found.site, open.name);
    let mut report = Report::new("dissection", title, of_vision(open, seed)?);
    let named = format!("{} of {}", found.interpretable(), found.units.len());
    let rule = format!("the largest overlap with a concept is above {} and above the null", settings.least);
    report.summary.push(Fact::new("units with a name", named).by(rule));
    report.summary.push(Fact::new("pictures", found.pictures));
    report.summary.push(Fact::new("a unit fires above its quantile", json!(settings.quantile)));
    let agreeing = found.units.iter().filter(|unit| unit.interpretable && unit.milan == unit.concept).count();
    report.summary.push(Fact::new("of these, named alike by MILAN's score", agreeing));
    let by_chance = found.units.iter().filter(|unit| unit.null_iou > settings.least).count();
    let what = "the same with every label map shifted by half a picture in both directions";
    report.controls.push(Fact::new("units with a name by chance", by_chance).by(what));
    let mut order: Vec<&Named> = found.units.iter().collect();
    order.sort_by(|a, b| b.iou.total_cmp(&a.iou));
    report.tables.push(units(&order));
    report.tables.push(concepts(found));
    let overlaps = |value: &dyn Fn(&Named) -> f64| {
        let mut values: Vec<f32> = found.units.iter().map(|unit| value(unit) as f32).collect();
        values.sort_unstable_by(f32::total_cmp);
        let n = values.len().max(1) as f32;
        values.iter().enumerate().map(|(at, value)| [at as f32 / n, *value]).collect::<Vec<[f32; 2]>>()
    };
    let line =
        |name: &str, points| crate::report::Series { name: name.to_owned(), points, labels: Vec::new(), joined: true };
    report.figures.push(Figure::Scatter {
        title: "Overlaps, sorted".to_owned(),
        x: "share of units".to_owned(),
        y: "largest overlap".to_owned(),
        log_x: false,
        square: false,
        series: vec![
            line("labels", overlaps(&|unit| unit.iou)),
            line("shifted labels", overlaps(&|unit| unit.null_iou)),
        ],
        levels: vec![crate::report::Level { name: "least".to_owned(), y: settings.least as f32 }],
    });
    for unit in order.iter().filter(|unit| unit.interpretable).take(SHOWN) {
        let title = format!("{}:{}, {} ({:.3})", found.site, unit.unit, unit.concept.name, unit.iou);
        let pictures = unit.exemplars.iter().take(EXEMPLARS).map(|index| {
            let picture = set.load(*index)?.picture.thumbnail(THUMBNAIL)?;
            Ok(Shown::new("", set.entries()[*index].id.clone(), &picture)?)
        });
        let pictures = pictures.collect::<Result<Vec<_>, VisionError>>()?;
        report.figures.push(Figure::Pictures { title, pictures });
    }
    Ok(report)
}

fn units(order: &[&Named]) -> Table {
    let columns = ["unit", "concept", "category", "overlap", "shifted", "name", "MILAN", "score", "threshold"];
    let row = |unit: &&Named| {
        vec![
            json!(unit.unit),
            json!(unit.concept.name),
            json!(unit.concept.category),
            json!(unit.iou),
            json!(unit.null_iou),
            json!(if unit.interpretable { unit.concept.name.as_str() } else { "" }),
            json!(unit.milan.name),
            json!(unit.milan_score),
            number(unit.threshold),
        ]
    };
    Table {
        name: "units".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: order.iter().map(row).collect(),
    }
}

fn concepts(found: &Dissection) -> Table {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for unit in found.units.iter().filter(|unit| unit.interpretable) {
        *counts.entry((&unit.concept.category, &unit.concept.name)).or_default() += 1;
    }
    let rows = found.concepts.iter().map(|(concept, share)| {
        let named = counts.get(&(concept.category.as_str(), concept.name.as_str())).copied().unwrap_or(0);
        vec![json!(concept.name), json!(concept.category), json!(share), json!(named)]
    });
    Table {
        name: "concepts".to_owned(),
        columns: ["concept", "category", "share of pixels", "units"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}
