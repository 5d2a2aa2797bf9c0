//! A unit's page.

use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

use crate::report::{Fact, Figure, Provenance, Report, Table, number, optional};

/// A token with a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoredToken {
    /// The token.
    pub id: u32,
    /// Its text, for display.
    pub text: String,
    /// The score.
    pub score: f32,
}

/// The two ends of the vocabulary along a direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenEnds {
    /// What the direction is, such as "reads (gate)" or "writes".
    pub name: String,
    /// How the score is computed, as a formula.
    pub formula: String,
    /// Largest scores first.
    pub top: Vec<ScoredToken>,
    /// Smallest scores first.
    pub bottom: Vec<ScoredToken>,
}

/// What kind of unit a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// An MLP neuron.
    Neuron,
    /// An attention head.
    Head,
    /// A dimension of the residual stream.
    Residual,
    /// A coordinate of any other site.
    Other,
}

/// A labelled number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What it is.
    pub name: String,
    /// The number.
    pub value: f32,
    /// How it is computed.
    pub formula: String,
}

/// Everything about one unit, from its weights and over one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitPage {
    /// The unit.
    pub unit: Unit,
    /// Its kind.
    pub kind: UnitKind,
    /// From the weights: norms, cosine of read and write vector, bias, for heads copying score and so on.
    pub measures: Vec<Measure>,
    /// Read and write vectors through embedding and unembedding.
    pub ends: Vec<TokenEnds>,
    /// The text's tokens, for display.
    pub tokens: Vec<String>,
    /// The unit's activation at each position; for a head, the length of what it writes there.
    pub activations: Vec<f32>,
    /// What `activations` is, in words.
    #[serde(default)]
    pub activation_formula: String,
    /// Its direct attribution, at each position, to the logit of the model's first choice there; empty where no linear
    /// path leads from the unit to logits.
    pub attributions: Vec<f32>,
    /// The model's first choice at each position, for display; empty if it predicts nothing.
    pub predictions: Vec<String>,
}

/// The common form.
pub fn report(page: &UnitPage, provenance: Provenance) -> Report {
    let mut report = Report::new("unit_page", page.unit.short(), provenance);
    report.summary.push(Fact::new("unit", page.unit.to_string()));
    for measure in &page.measures {
        // What a measure is to be held against stands beside it under a name of its own.
        let control = ["exchanged", "if all were alike"].iter().any(|word| measure.name.ends_with(word));
        let list = if control { &mut report.controls } else { &mut report.summary };
        list.push(Fact::new(measure.name.clone(), number(measure.value)).by(measure.formula.clone()));
    }
    let strongest = page.activations.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    if let Some((pos, value)) = strongest {
        let text = format!("{value:.4} at position {pos}, `{}`", page.tokens.get(pos).map_or("", String::as_str));
        report.summary.push(Fact::new("strongest activation", text).by(page.activation_formula.clone()));
    }
    for ends in &page.ends {
        let best: Vec<&str> = ends.top.iter().take(5).map(|token| token.text.as_str()).collect();
        report.summary.push(Fact::new(ends.name.clone(), best.join(" · ")).by(ends.formula.clone()));
        let mut rows = Vec::new();
        for rank in 0..ends.top.len().max(ends.bottom.len()) {
            let side = |list: &[ScoredToken]| match list.get(rank) {
                Some(token) => [token.text.clone().into(), number(token.score)],
                None => [serde_json::Value::Null, serde_json::Value::Null],
            };
            rows.push([side(&ends.top), side(&ends.bottom)].concat());
        }
        let columns = ["top token", "top score", "bottom token", "bottom score"];
        report.tables.push(Table { name: ends.name.clone(), columns: columns.map(String::from).to_vec(), rows });
    }
    let row = |(pos, token): (usize, &String)| {
        vec![
            pos.into(),
            token.clone().into(),
            optional(page.activations.get(pos).copied()),
            optional(page.attributions.get(pos).copied()),
            page.predictions.get(pos).cloned().into(),
        ]
    };
    report.tables.push(Table {
        name: "text".into(),
        columns: ["position", "token", "activation", "attribution", "model's first choice"].map(String::from).to_vec(),
        rows: page.tokens.iter().enumerate().map(row).collect(),
    });
    let figures =
        [("Activation", &page.activations), ("Direct attribution to the model's first choice", &page.attributions)];
    for (title, values) in figures.into_iter().filter(|(_, values)| !values.is_empty()) {
        report.figures.push(Figure::Tokens {
            title: title.into(),
            tokens: page.tokens.clone(),
            values: values.iter().map(|value| Some(*value)).collect(),
            signed: values.iter().any(|value| *value < 0.0),
        });
    }
    report
}
