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
/// An image excites its unit if so many percent of real pictures excite it less.
const SHARE: f64 = 95.0;

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
    let all = || found.iter().flat_map(|one| &one.facets);
    let above = all().filter(|facet| facet.percentile >= SHARE).count();
    let label = format!("facets whose image is above the {SHARE}th percentile of real pictures");
    report.summary.push(Fact::new(label, format!("{above} of {}", all().count())));
    report.tables.push(structure(found));
    for one in found {
        let unit = &one.unit;
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

/// How much of the codes' variance lies between facets, and how pure they are; beside the same for codes whose columns are shuffled.
fn structure(found: &[Facets]) -> Table {
    let columns = [
        "unit",
        "variance between facets",
        "shuffled codes",
        "pictures with their facet's commonest label",
        "shuffled codes",
    ];
    let row = |one: &Facets| {
        let purity = |at: usize| one.purity.map_or(Value::Null, |pair| json!(pair[at]));
        vec![json!(one.unit.to_string()), json!(one.explained), json!(one.explained_shuffled), purity(0), purity(1)]
    };
    Table {
        name: "structure of the facets".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: found.iter().map(row).collect(),
    }
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
