//! The families as a table and as a report, in the atlas.

use std::path::Path;

use golgi_data::atlas::{Atlas, AtlasError};
use golgi_data::context::RunContext;
use golgi_data::tables::{Columns, TableError, write_parquet};
use golgi_probes::OpenModel;
use serde_json::Value;

use super::input::Input;
use super::outcome::{Finding, Outcome};
use crate::error::Result;
use crate::prompt::PromptInput;
use crate::provenance::provenance;
use crate::report::{Fact, Figure, Provenance, Report, Table, number};

/// Rows per group of `families.parquet`.
const GROUP: usize = 4096;
/// Families whose definition speaks of a plain MLP's activations.
const ADAPTED: [&str; 9] = [
    "dead",
    "token detector",
    "bigram detector",
    "trigram detector",
    "suppressing detector",
    "positional",
    "prediction",
    "suppression",
    "entropy",
];

/// The result in its common form.
pub(super) fn report(
    atlas: &Atlas,
    model: Option<&OpenModel>,
    input: &Input,
    outcomes: &[Outcome],
    warnings: Vec<String>,
    ctx: &RunContext,
) -> Result<Report> {
    let manifest = atlas.manifest();
    let from = match model {
        Some(model) => provenance(model, &PromptInput::default(), ctx.seed())?,
        None => Provenance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: manifest.model.clone(),
            model_digest: manifest.model_digest.clone(),
            device: manifest.device.clone(),
            dtype: manifest.dtype.clone(),
            attention: manifest.attention.clone(),
            seed: ctx.seed(),
            ..Provenance::default()
        },
    };
    let tokens = usize::try_from(manifest.tokens).unwrap_or(usize::MAX);
    let mut report = Report::new("families", "Families of neurons", Provenance { tokens, ..from });
    report.summary.push(Fact::new("neurons", input.neurons.len()));
    report.summary.push(Fact::new("tokens", manifest.tokens));
    let mut rows = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        let (found, tested) = (outcome.findings.len(), outcome.tested);
        let share = if tested == 0 { Value::Null } else { number(100.0 * found as f32 / tested as f32) };
        report.summary.push(Fact::new(outcome.family, found).by(format!("of {tested}; {}", outcome.verdict())));
        let (expected, most, about) = match &outcome.null {
            Some(null) => {
                let (expected, most) = (null.expected(tested) as f32, null.at_most(tested) as f32);
                let by = format!("{} of {}: {}", null.passed, null.tested, null.about);
                report.controls.push(Fact::new(format!("{}: by chance", outcome.family), number(expected)).by(by));
                (number(expected), number(most), null.about.as_str())
            }
            None => (Value::Null, Value::Null, ""),
        };
        let family = outcome.family.into();
        rows.push(vec![
            family,
            tested.into(),
            found.into(),
            share,
            expected,
            most,
            outcome.verdict().into(),
            about.into(),
        ]);
        report.controls.extend(outcome.controls.iter().cloned());
    }
    report.summary.extend(outcomes.iter().flat_map(|outcome| outcome.facts.iter().cloned()));
    if input.gated {
        let by = format!("gated MLP: {}", manifest.active_rule);
        let families = ADAPTED.join(", ");
        report.summary.push(Fact::new("adapted families", ADAPTED.len()).by(format!("{families}: {by}")));
    }
    let columns =
        ["family", "tested", "members", "share (%)", "by chance", "by chance at most (95 %)", "verdict", "null"];
    report.tables.push(Table { name: "families".into(), columns: columns.map(String::from).to_vec(), rows });
    by_layer(&mut report, input, outcomes);
    report.tables.extend(outcomes.iter().flat_map(|outcome| outcome.tables.iter().cloned()));
    report.warnings.extend(warnings.into_iter().chain(outcomes.iter().flat_map(|o| o.warnings.iter().cloned())));
    Ok(report)
}

fn by_layer(report: &mut Report, input: &Input, outcomes: &[Outcome]) {
    let layers = input.neurons.iter().map(|neuron| neuron.layer + 1).max().unwrap_or(0);
    let layer_of: std::collections::HashMap<u32, usize> =
        input.neurons.iter().map(|neuron| (neuron.unit, neuron.layer)).collect();
    let mut counts = vec![vec![0_usize; outcomes.len()]; layers];
    for (family, outcome) in outcomes.iter().enumerate() {
        for layer in outcome.findings.iter().filter_map(|finding| layer_of.get(&finding.unit)) {
            counts[*layer][family] += 1;
        }
    }
    let names = outcomes.iter().map(|outcome| outcome.family.to_owned());
    let columns = std::iter::once("layer".to_owned()).chain(names.clone()).collect();
    let row = |(layer, counts): (usize, &Vec<usize>)| {
        std::iter::once(Value::from(layer)).chain(counts.iter().map(|n| Value::from(*n))).collect()
    };
    let rows = counts.iter().enumerate().map(row).collect();
    report.tables.push(Table { name: "families by layer".into(), columns, rows });
    report.figures.push(Figure::Heatmap {
        title: "Members of each family by layer".into(),
        rows: (0..layers).map(|layer| layer.to_string()).collect(),
        columns: names.collect(),
        values: counts.iter().flatten().map(|n| Some(*n as f32)).collect(),
        labels: counts.iter().flatten().map(ToString::to_string).collect(),
        signed: false,
    });
}

/// Refuses an atlas into which nothing can be written, before anything is computed.
pub(super) fn check_writable(atlas: &Atlas) -> Result<()> {
    let file = tempfile::Builder::new().prefix(".golgi-").suffix(".part").tempfile_in(atlas.folder());
    let failed = |error: std::io::Error| TableError::Write { path: atlas.path("families"), cause: error.to_string() };
    file.map(|_| ()).map_err(|error| AtlasError::from(failed(error)).into())
}

/// Writes `families.parquet`, by unit, and `families.json`. Each file appears when it is whole.
pub(super) fn write(atlas: &Atlas, outcomes: &[Outcome], report: &Report) -> Result<()> {
    let gated = atlas.manifest().gated;
    let mut all: Vec<&Finding> = outcomes.iter().flat_map(|outcome| &outcome.findings).collect();
    all.sort_by_key(|finding| finding.unit);
    let text = |of: fn(&Finding) -> &str| all.iter().map(|finding| of(finding)).collect::<Vec<_>>();
    let evidence = |finding: &&Finding| {
        let adapted = if gated && ADAPTED.contains(&finding.family) { " (adapted to a gated MLP)" } else { "" };
        format!("{}{adapted}", finding.evidence)
    };
    let table = Columns::new()
        .u32("unit", all.iter().map(|finding| finding.unit).collect::<Vec<_>>())
        .text("family", text(|finding| finding.family))
        .text("kind", text(|finding| &finding.kind))
        .f32("score", all.iter().map(|finding| finding.score).collect::<Vec<_>>())
        .f32("threshold", all.iter().map(|finding| finding.threshold).collect::<Vec<_>>())
        .text("evidence", all.iter().map(evidence).collect::<Vec<_>>())
        .build()
        .map_err(AtlasError::from)?;
    let json = serde_json::to_string_pretty(report).unwrap_or_default();
    write_whole(&atlas.folder().join("families.json"), &json).map_err(AtlasError::from)?;
    write_parquet(&atlas.path("families"), &table, GROUP).map_err(AtlasError::from)?;
    Ok(())
}

fn write_whole(path: &Path, text: &str) -> Result<(), TableError> {
    let failed = |error: std::io::Error| TableError::Write { path: path.to_owned(), cause: error.to_string() };
    let part = path.with_extension("json.part");
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, path));
    written.map_err(|error| {
        // Nothing half-written stays; that it cannot be removed is no news.
        let _ = std::fs::remove_file(&part);
        failed(error)
    })
}
