//! All neurons at one position, column by column.

use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

use crate::report::{Fact, Provenance, Report, Table, number, optional};

/// A table of every MLP neuron of a model at one position of a prompt. Row `i` is neuron `i % d_mlp` of layer `i / d_mlp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeuronTable {
    /// The position.
    pub position: usize,
    /// The token whose logit the attribution explains: the model's own first choice there, unless another was asked for.
    pub target: u32,
    /// Its text, for display.
    pub target_text: String,
    /// Layers.
    pub n_layers: usize,
    /// Neurons per layer.
    pub d_mlp: usize,
    /// Activation (`mlp.hook_post`).
    pub activation: Vec<f32>,
    /// Direct attribution to the target's logit: activation × write direction · unembedding behind the frozen final norm.
    /// Empty where no linear path leads to the model's logits.
    pub attribution: Vec<f32>,
    /// Length of the read vector (of the gate, in a gated MLP).
    pub read_norm: Vec<f32>,
    /// Length of the write vector.
    pub write_norm: Vec<f32>,
}

/// The common form: the `top` neurons by magnitude of attribution (of activation, where there is none).
pub fn report(table: &NeuronTable, top: usize, provenance: Provenance) -> Report {
    let mut report = Report::new("neuron_table", "Neurons", provenance);
    let by = if table.attribution.is_empty() { &table.activation } else { &table.attribution };
    report.summary.push(Fact::new("position", table.position));
    report.summary.push(Fact::new("target", table.target_text.clone()));
    report.summary.push(Fact::new("neurons", table.activation.len()));
    if table.attribution.is_empty() {
        report
            .warnings
            .push("no linear path leads from neurons to this model's logits, so there is no attribution".into());
    } else {
        let sum: f64 = table.attribution.iter().map(|share| f64::from(*share)).sum();
        report.summary.push(
            Fact::new("sum of attributions", number(sum as f32)).by("all neurons; MLP biases are not among them"),
        );
    }
    let mut order: Vec<usize> = (0..by.len()).collect();
    order.sort_by(|a, b| by[*b].abs().total_cmp(&by[*a].abs()).then(a.cmp(b)));
    let total: f64 = by.iter().map(|value| f64::from(value.abs())).sum();
    let listed: f64 = order.iter().take(top).map(|index| f64::from(by[*index].abs())).sum();
    let share = if total > 0.0 { (listed / total) as f32 } else { 0.0 };
    report.controls.push(Fact::new("share of the listed", number(share)).by("Σ|listed| / Σ|all neurons|"));
    let even = top.min(by.len()) as f32 / by.len().max(1) as f32;
    report.controls.push(Fact::new("share if all were alike", number(even)).by("listed neurons / all neurons"));
    let row = |index: &usize| {
        let unit = Unit::neuron((index / table.d_mlp) as u32, (index % table.d_mlp) as u32);
        vec![
            unit.short().into(),
            number(table.activation[*index]),
            optional(table.attribution.get(*index).copied()),
            number(table.read_norm[*index]),
            number(table.write_norm[*index]),
        ]
    };
    report.tables.push(Table {
        name: "neurons".into(),
        columns: ["unit", "activation", "attribution", "read norm", "write norm"].map(String::from).to_vec(),
        rows: order.iter().take(top).map(row).collect(),
    });
    report
}
