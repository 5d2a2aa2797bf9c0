//! What the logit lens shows.

use serde::{Deserialize, Serialize};

use crate::prompt::Candidate;
use crate::report::{Fact, Figure, Provenance, Report, Table, number, optional};

/// The prediction read off the residual stream at one depth and position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LensCell {
    /// The most probable next tokens, most probable first.
    pub top: Vec<Candidate>,
    /// Entropy of the distribution, nats.
    pub entropy: f32,
    /// `KL(final distribution ‖ this one)`, nats.
    pub kl_to_final: f32,
    /// How many tokens are more probable here than the final prediction; 0: already decided.
    pub rank_of_final: u32,
    /// Probability here of the token that truly follows; `None` at the last position.
    pub prob_of_next: Option<f32>,
}

/// Predictions by depth and position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogitLens {
    /// Names of the depths, from the input on: `embed` (the stream before block 0), then `0`, `1`, … (behind each block).
    pub depths: Vec<String>,
    /// Tokens, for display.
    pub tokens: Vec<String>,
    /// `depths × tokens`, row by row.
    pub cells: Vec<LensCell>,
}

impl LogitLens {
    /// The cell at `depth` (an index into `depths`) and `pos`.
    pub fn cell(&self, depth: usize, pos: usize) -> Option<&LensCell> {
        if pos < self.tokens.len() { self.cells.get(depth * self.tokens.len() + pos) } else { None }
    }
}

/// The common form.
pub fn report(lens: &LogitLens, provenance: Provenance) -> Report {
    let mut report = Report::new("logit_lens", "Logit lens", provenance);
    let (n_depths, n_pos) = (lens.depths.len(), lens.tokens.len());
    let last = n_pos.saturating_sub(1);
    let decided = (0..n_depths).rev().take_while(|d| lens.cell(*d, last).is_some_and(|cell| cell.rank_of_final == 0));
    let best = |depth: usize| lens.cell(depth, last).and_then(|cell| cell.top.first());
    if let Some(token) = best(n_depths.saturating_sub(1)) {
        report.summary.push(Fact::new("final prediction", token.text.clone()));
    }
    if let Some(depth) = decided.last() {
        let by = "the first depth from which on the final prediction of the last position is the most probable token";
        report.summary.push(Fact::new("decided from", lens.depths[depth].clone()).by(by));
    }
    if let Some(cell) = lens.cell(0, last) {
        let by = "KL(final ‖ lens before block 0), nats: how much all layers together change";
        report.controls.push(Fact::new("divergence of the embedding", number(cell.kl_to_final)).by(by));
    }
    if let Some(cell) = lens.cell(n_depths.saturating_sub(1), last) {
        let by = "KL(final ‖ lens behind the last block), nats: 0, unless interventions act behind it";
        report.controls.push(Fact::new("divergence of the last block", number(cell.kl_to_final)).by(by));
    }
    let text = |cell: &LensCell| cell.top.first().map(|best| best.text.clone()).unwrap_or_default();
    let row = |(i, cell): (usize, &LensCell)| {
        vec![
            lens.depths[i / n_pos].clone().into(),
            (i % n_pos).into(),
            text(cell).into(),
            optional(cell.top.first().map(|best| best.prob)),
            number(cell.entropy),
            number(cell.kl_to_final),
            cell.rank_of_final.into(),
            optional(cell.prob_of_next),
        ]
    };
    let columns = ["depth", "position", "top token", "probability", "entropy (nats)", "KL to final (nats)"];
    let columns = columns.into_iter().chain(["rank of final", "probability of next"]);
    report.tables.push(Table {
        name: "lens".into(),
        columns: columns.map(String::from).collect(),
        rows: lens.cells.iter().enumerate().map(row).collect(),
    });
    report.figures.push(Figure::Heatmap {
        title: "KL to the final distribution (nats), with the top token".into(),
        rows: lens.depths.clone(),
        columns: lens.tokens.clone(),
        values: lens.cells.iter().map(|cell| Some(cell.kl_to_final)).collect(),
        labels: lens.cells.iter().map(text).collect(),
        signed: false,
    });
    report
}
