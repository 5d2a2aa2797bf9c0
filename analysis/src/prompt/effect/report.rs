//! What interventions change.

use serde::{Deserialize, Serialize};

use crate::report::{Fact, Figure, Provenance, Report, Table, number, optional};

/// A token's probability before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectRow {
    /// The token.
    pub id: u32,
    /// Its text, for display.
    pub text: String,
    /// Probability in the model as it is.
    pub before: f32,
    /// Probability in the changed model.
    pub after: f32,
    /// Logits likewise.
    pub logit_before: f32,
    /// See `logit_before`.
    pub logit_after: f32,
}

/// The next-token distribution with and without interventions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The position whose prediction is compared.
    pub position: usize,
    /// The union of both top lists, by probability before.
    pub rows: Vec<EffectRow>,
    /// `KL(before ‖ after)` at this position, nats.
    pub kl: f32,
    /// `KL(before ‖ after)` at every position, nats.
    pub kl_by_position: Vec<f32>,
    /// Mean loss over the prompt, nats per token; `None` for a single token.
    pub loss_before: Option<f32>,
    /// See `loss_before`.
    pub loss_after: Option<f32>,
}

/// The common form. `tokens` are the prompt's tokens, for display.
pub fn report(effect: &Effect, tokens: &[String], provenance: Provenance) -> Report {
    let mut report = Report::new("effect", "Effect of the interventions", provenance);
    let top = |value: fn(&EffectRow) -> f32| effect.rows.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
    report.summary.push(Fact::new("position", effect.position));
    report.summary.push(Fact::new("KL", number(effect.kl)).by("KL(before ‖ after) at the position, nats"));
    for (label, best) in [("prediction before", top(|row| row.before)), ("prediction after", top(|row| row.after))] {
        report.summary.extend(best.map(|row| Fact::new(label, row.text.clone())));
    }
    report
        .summary
        .push(Fact::new("loss before", optional(effect.loss_before)).by("mean over the prompt, nats per token"));
    report
        .summary
        .push(Fact::new("loss after", optional(effect.loss_after)).by("mean over the prompt, nats per token"));
    let mean = effect.kl_by_position.iter().sum::<f32>() / effect.kl_by_position.len().max(1) as f32;
    report.controls.push(Fact::new("mean KL", number(mean)).by("mean of KL(before ‖ after) over all positions, nats"));
    let interventions = report.provenance.interventions.len();
    let by = "without any, every difference is exactly 0";
    report.controls.push(Fact::new("interventions in force", interventions).by(by));
    if interventions == 0 {
        report.warnings.push("no intervention is in force, so nothing changes".to_owned());
    }
    let row = |row: &EffectRow| {
        let mut cells = vec![row.id.into(), row.text.clone().into()];
        cells.extend([row.before, row.after, row.logit_before, row.logit_after].map(number));
        cells
    };
    let columns = ["id", "token", "probability before", "probability after", "logit before", "logit after"];
    report.tables.push(Table {
        name: "next".into(),
        columns: columns.map(String::from).to_vec(),
        rows: effect.rows.iter().map(row).collect(),
    });
    report.figures.push(Figure::Tokens {
        title: "KL(before ‖ after), nats".into(),
        tokens: tokens.to_vec(),
        values: effect.kl_by_position.iter().map(|kl| Some(*kl)).collect(),
        signed: false,
    });
    report
}
