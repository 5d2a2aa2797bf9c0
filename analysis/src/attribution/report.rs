//! The result in its common form.

use golgi_data::images::Picture;
use golgi_probes::vision::OpenVision;
use serde_json::{Value, json};

use super::maps::{Map, Question};
use super::sanity::{Cascade, Sensitivity};
use crate::error::VisionError;
use crate::provenance::of_vision;
use crate::report::{Fact, Figure, Report, Series, Shown, Table, number};

/// What was found on one picture.
#[derive(Debug, Clone)]
pub struct Attributed {
    /// What the picture is called.
    pub name: String,
    /// It, as the network sees it.
    pub picture: Picture,
    /// What was asked.
    pub question: Question,
    /// y.
    pub value: f32,
    /// The maps.
    pub maps: Vec<Map>,
    /// For each map, what shuffling does; empty where that was not asked for.
    pub cascades: Vec<Cascade>,
    /// For each map, what another question does; empty where that was not asked for.
    pub sensitivities: Vec<Sensitivity>,
}

/// A report of what was found. Every map stands beside that of the shuffled network.
///
/// # Errors
/// If a picture cannot be encoded or the model's digest not be computed.
pub fn report(found: &[Attributed], open: &OpenVision, seed: u64) -> Result<Report, VisionError> {
    let mut report = Report::new("attribution", format!("Attribution by {}", open.name), of_vision(open, seed)?);
    for one in found {
        let what = format!("{}, {}", one.name, one.question.name);
        report.summary.push(Fact::new(format!("{what}: value"), number(one.value)));
        report.summary.push(Fact::new(format!("{what}: layer of Grad-CAM"), one.question.layer.to_string()));
    }
    let flagged: Vec<&str> = found
        .iter()
        .flat_map(|one| &one.sensitivities)
        .filter(|one| one.insensitive)
        .map(|one| one.method.name())
        .fold(Vec::new(), |mut names, name| {
            if !names.contains(&name) {
                names.push(name);
            }
            names
        });
    if found.iter().any(|one| !one.sensitivities.is_empty()) {
        let text = if flagged.is_empty() { "none".to_owned() } else { flagged.join(", ") };
        let how = "the signed map for another unit, drawn at random, correlates by more than 0.5 with the map: it draws the picture rather than the question";
        report.controls.push(Fact::new("methods that hardly tell questions apart", text).by(how));
    }
    for one in found {
        report.tables.push(table(one));
        report.figures.push(Figure::Pictures {
            title: format!("{}: {} = {:.3}", one.name, one.question.name, one.value),
            pictures: pictures(one)?,
        });
        if !one.cascades.is_empty() {
            report.figures.push(curves(one));
        }
    }
    Ok(report)
}

fn table(one: &Attributed) -> Table {
    let columns = [
        "method",
        "largest",
        "sum misses by",
        "another unit",
        "correlation with its map",
        "when all is shuffled: ranks",
        "magnitudes",
        "structure",
        "gradients",
        "pixels in random order",
        "verdict",
    ];
    let rows = one.maps.iter().enumerate().map(|(at, map)| {
        let largest = map.values.iter().copied().fold(0f32, |most, value| most.max(value.abs()));
        let other = one.sensitivities.get(at);
        let cascade = one.cascades.get(at);
        let last = cascade.and_then(|cascade| cascade.steps.last()).map(|step| step.similarity);
        let of = |value: Option<f64>| value.map_or(Value::Null, |value| json!(value));
        vec![
            json!(map.method.name()),
            number(largest),
            of(map.completeness.map(|complete| complete.residual())),
            other.map_or(Value::Null, |other| json!(other.other)),
            of(other.map(|other| other.correlation)),
            of(last.map(|last| last.spearman)),
            of(last.map(|last| last.spearman_abs)),
            of(last.map(|last| last.ssim)),
            of(last.map(|last| last.hog)),
            of(cascade.map(|cascade| cascade.null.spearman_abs)),
            json!(verdict(map, other)),
        ]
    });
    Table {
        name: format!("{}: {}", one.name, one.question.name),
        columns: columns.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

/// What a reader should be warned of.
fn verdict(map: &Map, other: Option<&Sensitivity>) -> String {
    if other.is_some_and(|other| other.insensitive) {
        return "hardly tells questions apart".to_owned();
    }
    if map.values.iter().all(|value| *value == 0.0) {
        return "nothing comes back".to_owned();
    }
    match map.completeness {
        Some(complete) if complete.residual() >= 0.01 => format!("not whole with {} nodes", complete.nodes),
        _ => String::new(),
    }
}

fn pictures(one: &Attributed) -> Result<Vec<Shown>, VisionError> {
    let mut shown = vec![Shown::new("the picture", "as the network sees it", &one.picture)?];
    for (at, map) in one.maps.iter().enumerate() {
        let warning = verdict(map, one.sensitivities.get(at));
        shown.push(Shown::new(map.method.name(), warning, &map.picture(&one.picture)?)?);
        if let Some(twin) = one.cascades.get(at).and_then(|cascade| cascade.twin.as_ref()) {
            let alike = one.cascades[at].last();
            let detail = format!("all shuffled; ranks of magnitudes {alike:.2}");
            shown.push(Shown::new(format!("{}, twin", map.method), detail, &twin.picture(&one.picture)?)?);
        }
    }
    Ok(shown)
}

fn curves(one: &Attributed) -> Figure {
    let series = one.cascades.iter().map(|cascade| Series {
        name: cascade.method.name().to_owned(),
        points: std::iter::once([0.0, 1.0])
            .chain(cascade.steps.iter().map(|step| [step.share as f32, step.similarity.spearman_abs as f32]))
            .collect(),
        labels: std::iter::once("as it is".to_owned())
            .chain(cascade.steps.iter().map(|step| format!("from {}", step.site)))
            .collect(),
        joined: true,
    });
    Figure::Scatter {
        title: format!("{}: how alike maps stay while the network is shuffled from its end", one.name),
        x: "share of layers that are shuffled".to_owned(),
        y: "rank correlation of magnitudes".to_owned(),
        log_x: false,
        square: false,
        series: series.collect(),
        levels: Vec::new(),
    }
}
