//! A unit's page: weights on the left, what it does over the text on the right.

use golgi_analysis::report::Table;
use golgi_analysis::units::page::{ScoredToken, TokenEnds, UnitKind, UnitPage};
use serde_json::{Value, json};

use super::figures::{bars, shown, strip};
use super::parts::{minus, table};
use crate::report::number::number;
use crate::report::scale::Scale;
use crate::report::svg;
use crate::report::visible::{escape, token};

pub(super) fn kind_name(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Neuron => "MLP neuron",
        UnitKind::Head => "attention head",
        UnitKind::Residual => "residual dimension",
        UnitKind::Other => "unit",
    }
}

pub(super) fn section(out: &mut String, page: &UnitPage, index: usize) {
    *out += &format!(
        "<section class=\"unit\" id=\"s{index}\"><div class=\"title\"><h2>{}</h2><span class=\"kind\">{}</span><button type=\"button\" class=\"copy mono\" data-copy=\"{unit}\" title=\"Copy the address\">{unit}</button></div>\n<div class=\"columns\"><div class=\"weights\">\n",
        escape(&page.unit.short()),
        kind_name(page.kind),
        unit = escape(&page.unit.to_string()),
    );
    measures(out, page);
    page.ends.iter().for_each(|ends| token_ends(out, ends));
    *out += "</div><div class=\"acts\">\n";
    over_text(out, page);
    *out += "</div></div></section>\n";
}

fn measures(out: &mut String, page: &UnitPage) {
    if page.measures.is_empty() {
        return;
    }
    let rows = page.measures.iter().map(|measure| {
        let formula = match measure.formula.as_str() {
            "" => String::new(),
            formula => format!("<small>{}</small>", escape(formula)),
        };
        let value = minus(&number(measure.value.into()));
        format!("<div><dt>{}{formula}</dt><dd data-t=\"{}\">{value}</dd></div>", escape(&measure.name), measure.value)
    });
    *out += &format!(
        "<section class=\"card\"><h3>From the weights</h3><dl class=\"measures\">{}</dl></section>\n",
        rows.collect::<String>()
    );
}

fn token_ends(out: &mut String, ends: &TokenEnds) {
    let formula = if ends.formula.is_empty() {
        String::new()
    } else {
        format!("<p class=\"formula\">{}</p>", escape(&ends.formula))
    };
    let scale = Scale::new(ends.top.iter().chain(&ends.bottom).map(|token| token.score), true);
    let side = |title: &str, list: &[ScoredToken]| {
        let labels: Vec<String> = list.iter().map(|token| crate::report::one_line(&token.text)).collect();
        let values: Vec<f32> = list.iter().map(|token| token.score).collect();
        // One-sided bars: each list has one sign, or close to it.
        format!("<div><h4>{title}</h4>{}</div>", bars(&labels, &values, &scale).replace("bars signed", "bars ends"))
    };
    *out += &format!(
        "<section class=\"card\"><h3>{}</h3>{formula}<div class=\"two\">{}{}</div></section>\n",
        escape(&ends.name),
        side("top", &ends.top),
        side("bottom", &ends.bottom)
    );
}

fn over_text(out: &mut String, page: &UnitPage) {
    if page.tokens.is_empty() {
        *out += "<p class=\"note\">No text was given, so there are no activations to show.</p>";
        return;
    }
    let what = if page.kind == UnitKind::Head { "Length of what the head writes" } else { "Activation" };
    let activations = Scale::new(page.activations.iter().copied(), page.kind != UnitKind::Head);
    let attributions = Scale::new(page.attributions.iter().copied(), true);
    let more = |at: usize| match page.predictions.get(at) {
        Some(text) => format!(" · predicts {}", token(text)),
        None => String::new(),
    };
    *out += "<section class=\"card\">";
    if !page.activation_formula.is_empty() {
        *out += &format!("<p class=\"formula above\">{}</p>", escape(&page.activation_formula));
    }
    strip(out, what, &page.tokens, |at| page.activations.get(at).copied(), more, &activations);
    *out += &svg::profile(&page.tokens, &page.activations, &activations);
    *out += "</section>\n";
    if !page.attributions.is_empty() {
        *out += "<section class=\"card\">";
        let title = "Direct attribution to the model's first choice";
        strip(out, title, &page.tokens, |at| page.attributions.get(at).copied(), more, &attributions);
        *out += "</section>\n";
    }
    peak(out, page, &activations);
    *out += "<section class=\"card\">";
    table(out, &positions(page));
    *out += "</section>\n";
}

/// A sentence about the strongest position, the first one left out where there are others: many units fire there always.
fn peak(out: &mut String, page: &UnitPage, scale: &Scale) {
    let from = usize::from(page.activations.len() > 1);
    let strongest = page.activations.iter().enumerate().skip(from).max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    if let Some((at, value)) = strongest
        && let Some(text) = page.tokens.get(at)
    {
        let aside = if from == 1 { ", the first position left out" } else { "" };
        *out += &format!(
            "<p class=\"peak-line\">Strongest at position {at}, <bdi class=\"tok\">{}</bdi>: <b>{}</b>{aside}.</p>\n",
            escape(&crate::report::one_line(text)),
            shown(*value, scale)
        );
    }
}

fn positions(page: &UnitPage) -> Table {
    let with_attribution = !page.attributions.is_empty();
    let mut columns = vec!["position".to_owned(), "token".to_owned(), "activation".to_owned()];
    if with_attribution {
        columns.extend(["attribution".to_owned(), "predicts".to_owned()]);
    }
    let rows = page.tokens.iter().enumerate().map(|(at, text)| {
        let mut row = vec![json!(at), json!(crate::report::one_line(text)), json!(page.activations.get(at))];
        if with_attribution {
            let predicts = page.predictions.get(at).map(|text| crate::report::one_line(text));
            row.extend([json!(page.attributions.get(at)), predicts.map_or(Value::Null, Value::from)]);
        }
        row
    });
    Table { name: "Position by position".to_owned(), columns, rows: rows.collect() }
}
