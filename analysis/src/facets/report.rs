//! Facets in the common form of results.

use golgi_data::images::ImageSet;
use serde_json::{Value, json};

use super::run::{Facet, FacetSettings, Facets};
use crate::error::VisionError;
use crate::report::{Fact, Figure, Report, Series, Shown, Table, number};

/// Exemplars that are shown of each facet.
const SHOWN: usize = 4;
/// Their longer side, in pixels.
const THUMBNAIL: u32 = 96;

/// Adds what was found to a report of the same units.
///
/// # Errors
/// If a picture cannot be read or encoded.
pub fn append(
    report: &mut Report,
    found: &[Facets],
    set: &ImageSet,
    settings: &FacetSettings,
) -> Result<(), VisionError> {
    report.summary.push(Fact::new("schedule of the facets", json!(settings.schedule)));
    report.summary.push(Fact::new("pictures that are grouped", json!(settings.top)));
    report.summary.push(Fact::new("size of a facet's image", json!(settings.size)));
    for one in found {
        let unit = &one.unit;
        let above = one.facets.iter().filter(|facet| facet.percentile >= 95.0).count();
        let text = format!("{above} of {}", one.facets.len());
        report.summary.push(Fact::new(format!("{unit}: facets above the 95th percentile of real pictures"), text));
        let structure =
            "the share of the codes' variance between facets; the control groups by codes whose columns are shuffled";
        report.summary.push(Fact::new(format!("{unit}: structure of the facets"), json!(one.explained)).by(structure));
        report
            .controls
            .push(Fact::new(format!("{unit}: structure with shuffled codes"), json!(one.explained_shuffled)));
        if let Some([own, shuffled]) = one.purity {
            let what = "the share of pictures with the commonest label of their facet";
            report.summary.push(Fact::new(format!("{unit}: purity of labels"), json!(own)).by(what));
            report.controls.push(Fact::new(format!("{unit}: purity with shuffled codes"), json!(shuffled)));
        }
        report.tables.push(table(one));
        report.tables.push(Table {
            name: format!("{unit}: agreement of five seeds"),
            columns: ["kinds", "adjusted Rand index"].map(str::to_owned).to_vec(),
            rows: one.stability.iter().map(|entry| vec![json!(entry.kinds), json!(entry.agreement)]).collect(),
        });
        for (at, facet) in one.facets.iter().enumerate() {
            let title = format!("{unit}, facet {}: {} pictures", at + 1, facet.size);
            report.figures.push(Figure::Pictures { title, pictures: pictures(facet, set)? });
        }
        report.figures.push(map(one));
    }
    Ok(())
}

fn table(one: &Facets) -> Table {
    let columns =
        ["facet", "pictures", "value on its exemplars", "on their mean", "on its image", "percentile of real"];
    let rows = one.facets.iter().enumerate().map(|(at, facet)| {
        let converged = facet.value > facet.start;
        vec![
            json!(at + 1),
            json!(facet.size),
            number(facet.exemplar_value),
            number(facet.start),
            if converged { number(facet.value) } else { json!("did not converge") },
            if converged { json!(facet.percentile) } else { Value::Null },
        ]
    });
    Table { name: format!("{}: facets", one.unit), columns: columns.map(str::to_owned).to_vec(), rows: rows.collect() }
}

fn pictures(facet: &Facet, set: &ImageSet) -> Result<Vec<Shown>, VisionError> {
    let mut shown = Vec::new();
    if facet.value > facet.start {
        shown.push(Shown::new("raises it", format!("{:.3}", facet.value), &facet.image)?);
    }
    shown.push(Shown::new("mean of the exemplars", format!("{:.3}", facet.start), &facet.mean)?);
    for index in facet.exemplars.iter().take(SHOWN) {
        let picture = set.load(*index)?.picture.thumbnail(THUMBNAIL)?;
        shown.push(Shown::new("exemplar", set.entries()[*index].id.clone(), &picture)?);
    }
    Ok(shown)
}

fn map(one: &Facets) -> Figure {
    let series = (0..one.facets.len()).map(|cluster| Series {
        name: format!("facet {}", cluster + 1),
        points: one
            .places
            .iter()
            .zip(&one.clusters)
            .filter(|(_, own)| **own == cluster)
            .map(|(place, _)| [place[0] as f32, place[1] as f32])
            .collect(),
        labels: Vec::new(),
        joined: false,
    });
    Figure::Scatter {
        title: format!("{}: the pictures that excite it most, like ones beside each other", one.unit),
        x: "t-SNE 1".to_owned(),
        y: "t-SNE 2".to_owned(),
        log_x: false,
        square: true,
        series: series.collect(),
        levels: Vec::new(),
    }
}
