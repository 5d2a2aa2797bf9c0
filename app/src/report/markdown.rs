//! Documents as Markdown: figures become tables and bars of text, so that one file holds everything.

use golgi_analysis::report::{Fact, Figure, Provenance, Report, Table};
use golgi_analysis::units::page::{TokenEnds, UnitPage};

use super::number::{number, signed_number};
use super::scale::Scale;
use super::scatter::Scatter;
use super::text::{bar, cell, is_numeric, sparkline};
use super::visible::{markdown as md, one_line};
use super::{Document, Section};

/// Heatmaps of at most this many columns are shown with their numbers.
const MAX_NUMBER_COLUMNS: usize = 16;

pub(super) fn render(document: &Document) -> String {
    let mut out = format!("# {}\n\n", md(&document.title));
    if !document.text.is_empty() {
        out += &format!("> {}\n\n", md(&super::token(&document.text)));
    }
    for section in &document.sections {
        match section {
            Section::Report(report) => {
                if document.sections.len() > 1 {
                    out += &format!("## {}\n\n", md(&report.title));
                }
                report_section(&mut out, report);
            }
            Section::Unit(page) => unit_section(&mut out, page),
        }
    }
    warnings(&mut out, &document.warnings);
    provenance(&mut out, &document.provenance);
    out
}

fn report_section(out: &mut String, report: &Report) {
    facts(out, "", &report.summary);
    facts(out, "### Controls\n\n", &report.controls);
    for figure in &report.figures {
        figure_block(out, figure);
    }
    for one in &report.tables {
        table(out, one);
    }
    warnings(out, &report.warnings);
}

fn facts(out: &mut String, heading: &str, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    *out += heading;
    for fact in facts {
        let formula = if fact.formula.is_empty() { String::new() } else { format!(" ({})", md(&fact.formula)) };
        *out += &format!("- {}: **{}**{formula}\n", md(&fact.label), md(&cell(&fact.value)));
    }
    out.push('\n');
}

fn table(out: &mut String, table: &Table) {
    *out += &format!("### {}\n\n", md(&table.name));
    let numeric: Vec<bool> = (0..table.columns.len()).map(|column| is_numeric(&table.rows, column)).collect();
    let heads: Vec<String> = table.columns.iter().map(|column| md(column)).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(|value| md(&one_line(&cell(value)))).collect());
    grid(out, &heads, &numeric, rows);
}

fn grid(out: &mut String, heads: &[String], right: &[bool], rows: impl Iterator<Item = Vec<String>>) {
    *out += &format!("| {} |\n|", heads.join(" | "));
    right.iter().for_each(|right| *out += if *right { " ---: |" } else { " --- |" });
    out.push('\n');
    rows.for_each(|row| *out += &format!("| {} |\n", row.join(" | ")));
    out.push('\n');
}

fn figure_block(out: &mut String, figure: &Figure) {
    match figure {
        Figure::Tokens { title, tokens, values, .. } => {
            *out += &format!("### {}\n\n", md(title));
            let scale = figure_scale(figure);
            let rows = tokens.iter().zip(values).map(|(token, value)| bar_row(token, *value, &scale));
            grid(out, &["token".into(), "value".into(), String::new()], &[false, true, false], rows);
        }
        Figure::Bars { title, labels, values, .. } => {
            *out += &format!("### {}\n\n", md(title));
            let scale = figure_scale(figure);
            let rows = labels.iter().zip(values).map(|(label, value)| bar_row(label, Some(*value), &scale));
            grid(out, &[String::new(), "value".into(), String::new()], &[false, true, false], rows);
        }
        Figure::Heatmap { title, rows, columns, values, labels, signed } => {
            *out += &format!("### {}\n\n", md(title));
            let width = columns.len();
            let text = |at: usize| match (labels.get(at), values.get(at)) {
                (Some(label), _) => md(&one_line(label)),
                (None, Some(Some(value))) => shown(*value, *signed),
                _ => String::new(),
            };
            if !labels.is_empty() || width <= MAX_NUMBER_COLUMNS {
                let heads: Vec<String> =
                    std::iter::once(String::new()).chain(columns.iter().map(|name| md(&one_line(name)))).collect();
                let body = rows.iter().enumerate().map(|(row, name)| {
                    let cells = (0..width).map(|column| text(row * width + column));
                    std::iter::once(md(name)).chain(cells).collect()
                });
                grid(out, &heads, &vec![false; width + 1], body);
                return;
            }
            let scale = figure_scale(figure);
            *out += &format!(
                "Each row from left to right over {width} columns; the full bar is {}.\n\n```text\n",
                number(scale.high)
            );
            let longest = rows.iter().map(|name| name.chars().count()).max().unwrap_or(0);
            for (name, row) in rows.iter().zip(values.chunks(width.max(1))) {
                let name: String = super::token(name).replace('`', "'");
                *out += &format!("{name:>longest$} {}\n", sparkline(row.iter().copied(), &scale));
            }
            *out += "```\n\n";
        }
        Figure::Scatter { title, x, y, log_x, square, series, levels } => {
            *out += &format!("### {}\n\n```text\n", md(title));
            for line in Scatter::new((x, y), (*log_x, *square), series, levels).text(64, 18) {
                *out += &format!("{}\n", line.replace('`', "'").replace('<', "‹"));
            }
            *out += "```\n\n";
        }
        Figure::Pictures { title, pictures } => {
            // Markdown holds no pictures; the HTML report and the files beside it do.
            *out += &format!("### {}\n\n", md(title));
            let rows = pictures.iter().map(|one| {
                let size = format!("{} × {}", one.size[0], one.size[1]);
                vec![md(&one_line(&one.caption)), md(&one_line(&one.detail)), size]
            });
            grid(out, &["picture".into(), String::new(), "pixels".into()], &[false, false, true], rows);
        }
    }
}

pub(super) fn figure_scale(figure: &Figure) -> Scale {
    match figure {
        Figure::Heatmap { values, signed, .. } | Figure::Tokens { values, signed, .. } => {
            Scale::new(values.iter().flatten().copied(), *signed)
        }
        Figure::Bars { values, signed, .. } => Scale::new(values.iter().copied().chain([0.0]), *signed),
        Figure::Scatter { .. } | Figure::Pictures { .. } => Scale::new([], false),
    }
}

fn shown(value: f32, signed: bool) -> String {
    if signed { signed_number(value.into()) } else { number(value.into()) }
}

fn bar_row(label: &str, value: Option<f32>, scale: &Scale) -> Vec<String> {
    let sign = if value.is_some_and(|value| value < 0.0) { "−" } else { "" };
    let bar = value.map_or_else(String::new, |value| format!("{sign}{}", bar(scale.strength(value), 20)));
    vec![md(&one_line(label)), value.map_or_else(String::new, |value| shown(value, scale.signed)), bar]
}

fn unit_section(out: &mut String, page: &UnitPage) {
    *out += &format!("## {}\n\n`{}`\n\n", page.unit.short(), page.unit);
    if !page.measures.is_empty() {
        let rows = page.measures.iter().map(|m| vec![md(&m.name), number(m.value.into()), md(&m.formula)]);
        grid(out, &["measure".into(), "value".into(), "formula".into()], &[false, true, false], rows);
    }
    for ends in &page.ends {
        token_ends(out, ends);
    }
    if page.tokens.is_empty() {
        return;
    }
    *out += "### Over the text\n\n";
    if !page.activation_formula.is_empty() {
        *out += &format!("Activation: {}\n\n", md(&page.activation_formula));
    }
    let activations = Scale::new(page.activations.iter().copied(), true);
    let heads = ["token", "activation", "", "attribution", "predicts"].map(str::to_owned);
    let rows = page.tokens.iter().enumerate().map(|(pos, token)| {
        let activation = page.activations.get(pos).copied();
        vec![
            md(&one_line(token)),
            activation.map_or_else(String::new, |value| number(value.into())),
            activation.map_or_else(String::new, |value| bar(activations.strength(value), 16)),
            page.attributions.get(pos).map_or_else(String::new, |value| signed_number((*value).into())),
            page.predictions.get(pos).map_or_else(String::new, |text| md(&one_line(text))),
        ]
    });
    grid(out, &heads, &[false, true, false, true, false], rows);
}

fn token_ends(out: &mut String, ends: &TokenEnds) {
    *out += &format!("### {}\n\n", md(&ends.name));
    if !ends.formula.is_empty() {
        *out += &format!("Score: {}\n\n", md(&ends.formula));
    }
    let heads = ["top", "score", "bottom", "score"].map(str::to_owned);
    let side = |list: &[golgi_analysis::units::page::ScoredToken], at: usize| match list.get(at) {
        Some(token) => [md(&one_line(&token.text)), signed_number(token.score.into())],
        None => [String::new(), String::new()],
    };
    let rows =
        (0..ends.top.len().max(ends.bottom.len())).map(|at| [side(&ends.top, at), side(&ends.bottom, at)].concat());
    grid(out, &heads, &[false, true, false, true], rows);
}

fn warnings(out: &mut String, warnings: &[String]) {
    warnings.iter().for_each(|warning| *out += &format!("> **Note** {}\n", md(warning)));
    if !warnings.is_empty() {
        out.push('\n');
    }
}

fn provenance(out: &mut String, provenance: &Provenance) {
    *out += "## Provenance\n\n";
    for (label, value) in provenance_rows(provenance) {
        *out += &format!("- {label}: {}\n", md(&value));
    }
}

/// What a result rests on, label by label.
pub(crate) fn provenance_rows(provenance: &Provenance) -> Vec<(&'static str, String)> {
    let p = provenance;
    let mut rows = vec![
        ("model", p.model.clone()),
        ("weights (SHA-256)", p.model_digest.clone()),
        ("tokens", p.tokens.to_string()),
        ("device", p.device.clone()),
        ("element type", p.dtype.clone()),
        ("attention", p.attention.clone()),
        ("seed", p.seed.to_string()),
        ("golgi", p.version.clone()),
    ];
    let changes = if p.interventions.is_empty() { "none".to_owned() } else { p.interventions.join("; ") };
    rows.push(("interventions", changes));
    rows.retain(|(_, value)| !value.is_empty());
    rows
}
