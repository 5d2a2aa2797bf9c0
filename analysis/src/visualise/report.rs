//! The result in its common form.

use golgi_data::images::Picture;
use golgi_probes::vision::OpenVision;
use serde_json::{Value, json};

use super::compare::{Real, percentile};
use super::optimise::{Optimised, Settings, Verdict};
use crate::error::VisionError;
use crate::provenance::of_vision;
use crate::report::{Fact, Figure, Report, Series, Shown, Table, number};

/// What belongs to one unit.
#[derive(Debug)]
pub struct Visualised {
    /// The image that raises it.
    pub image: Optimised,
    /// The image that lowers it, where that was asked for.
    pub negative: Option<Optimised>,
    /// What the same procedure finds for the same unit of a network with shuffled weights.
    pub twin: Option<Optimised>,
    /// Its values on real pictures, and the one that excites it most.
    pub real: Option<(Vec<f32>, String, Picture)>,
}

impl Visualised {
    /// The largest value on a real picture.
    pub fn best(&self) -> Option<f32> {
        self.real.as_ref()?.0.iter().copied().reduce(f32::max)
    }
}

/// Joins what was found; rows of all parts are those of the target. Beside the values on real pictures stand name and picture of each row's best.
pub fn joined(
    images: Vec<Optimised>,
    negatives: Option<Vec<Optimised>>,
    twins: Option<Vec<Optimised>>,
    real: Option<(Real, Vec<(String, Picture)>)>,
) -> Vec<Visualised> {
    let (mut negatives, mut twins) = (negatives.map(Vec::into_iter), twins.map(Vec::into_iter));
    let (values, mut best) = real.map_or((None, None), |(real, best)| (Some(real), Some(best.into_iter())));
    images
        .into_iter()
        .enumerate()
        .map(|(row, image)| Visualised {
            image,
            negative: negatives.as_mut().and_then(Iterator::next),
            twin: twins.as_mut().and_then(Iterator::next),
            real: values
                .as_ref()
                .zip(best.as_mut().and_then(Iterator::next))
                .map(|(real, (name, picture))| (real.values[row].clone(), name, picture)),
        })
        .collect()
}

/// A report of what was found. Images that did not converge are said and not shown.
///
/// # Errors
/// If a picture cannot be encoded or the model's digest not be computed.
pub fn report(found: &[Visualised], open: &OpenVision, settings: &Settings, seed: u64) -> Result<Report, VisionError> {
    let title = format!("Feature visualisation of {}", open.name);
    let mut report = Report::new("visualise", title, of_vision(open, seed)?);
    let good = found.iter().filter(|one| one.image.verdict == Verdict::Converged).count();
    report.summary.push(Fact::new("images that converged", format!("{good} of {}", found.len())));
    let compared: Vec<(f32, f32)> = found.iter().filter_map(|one| Some((one.image.value, one.best()?))).collect();
    if !compared.is_empty() {
        let above = compared.iter().filter(|(value, best)| value > best).count();
        let text = format!("{above} of {}", compared.len());
        report.summary.push(Fact::new("images that excite their unit more than every real picture", text));
        let pictures = found.iter().find_map(|one| one.real.as_ref()).map_or(0, |real| real.0.len());
        report.controls.push(Fact::new("real pictures compared with", pictures));
    }
    for (label, value) in [
        ("parametrisation", json!(settings.parametrisation)),
        ("size", json!(settings.size)),
        ("steps", json!(settings.steps)),
        ("rate", json!(settings.rate)),
        ("steps with redirected gradients", json!(settings.redirected)),
        ("diversity", json!(settings.diversity)),
        (
            "border, crop, second crop",
            json!(
                [settings.jitter.border, settings.jitter.crop, settings.jitter.last_crop]
                    .map(|n| n.to_string())
                    .join(", ")
            ),
        ),
    ] {
        report.summary.push(Fact::new(label, value));
    }
    let twins = found.iter().filter(|one| one.twin.is_some()).count();
    if twins > 0 {
        let what = "the same unit, seed and settings where the entries of each weight are shuffled: what the method draws without anything learned";
        let higher =
            found.iter().filter(|one| one.twin.as_ref().is_some_and(|twin| twin.value >= one.image.value)).count();
        let text = format!("{higher} of {twins}");
        report.controls.push(Fact::new("units of a shuffled network that rise as high", text).by(what));
    }
    report.tables.push(table(found));
    for one in found {
        report.figures.push(Figure::Pictures { title: one.image.name.clone(), pictures: pictures(one)? });
    }
    report.figures.push(curves(found));
    Ok(report)
}

fn table(found: &[Visualised]) -> Table {
    let columns =
        ["unit", "value", "at the start", "best real picture", "its value", "percentile of real", "twin", "verdict"];
    let value = |value: Option<f32>| value.map_or(Value::Null, number);
    let row = |one: &Visualised| {
        let real = one.real.as_ref();
        vec![
            json!(one.image.name),
            number(one.image.value),
            number(one.image.start),
            real.map_or(Value::Null, |(_, name, _)| json!(name)),
            value(one.best()),
            real.map_or(Value::Null, |(values, _, _)| json!(percentile(values, one.image.value))),
            value(one.twin.as_ref().map(|twin| twin.value)),
            json!(one.image.verdict.to_string()),
        ]
    };
    Table {
        name: "units".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: found.iter().map(row).collect(),
    }
}

fn pictures(one: &Visualised) -> Result<Vec<Shown>, VisionError> {
    let mut shown = Vec::new();
    let mut add = |what: &str, image: &Optimised| -> Result<(), VisionError> {
        if image.verdict == Verdict::Converged {
            shown.push(Shown::new(what, format!("{:.3}", image.value), &image.picture)?);
        }
        Ok(())
    };
    add("raises it", &one.image)?;
    if let Some(negative) = &one.negative {
        add("lowers it", negative)?;
    }
    if let Some(twin) = &one.twin {
        add("shuffled twin", twin)?;
    }
    if let Some((_, name, picture)) = &one.real {
        let value = one.best().unwrap_or_default();
        shown.push(Shown::new("best real picture", format!("{name}, {value:.3}"), &picture.thumbnail(160)?)?);
    }
    Ok(shown)
}

fn curves(found: &[Visualised]) -> Figure {
    let series = found.iter().map(|one| Series {
        name: one.image.name.clone(),
        points: one.image.curve.iter().map(|(step, value)| [*step as f32, *value]).collect(),
        labels: Vec::new(),
        joined: true,
    });
    Figure::Scatter {
        title: "What is raised, on the image without transformations".to_owned(),
        x: "step".to_owned(),
        y: "value".to_owned(),
        log_x: false,
        square: false,
        series: series.collect(),
        levels: Vec::new(),
    }
}
