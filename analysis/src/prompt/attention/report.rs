//! Attention patterns and what each head does on this prompt.

use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

use crate::report::{Fact, Figure, Provenance, Report, Table, number};

/// How a head behaves on one prompt. Each score is a mean over queries of attention mass, in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeadScore {
    /// Layer.
    pub layer: u32,
    /// Head.
    pub head: u32,
    /// Mass on the position just before the query (queries from 1 on).
    pub previous: f32,
    /// Mass on earlier occurrences of the query's token (over queries that have one; 0 if none has).
    pub duplicate: f32,
    /// Mass on positions just behind earlier occurrences of the query's token, and before the query (likewise).
    pub induction: f32,
    /// Mass on the first position (queries from 1 on).
    pub first: f32,
    /// Mass on the query's own position.
    pub current: f32,
    /// Mean entropy of a query's attention, nats.
    pub entropy: f32,
}

/// Every pattern of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttentionMaps {
    /// Tokens, for display.
    pub tokens: Vec<String>,
    /// Layers.
    pub n_layers: usize,
    /// Heads per layer.
    pub n_heads: usize,
    /// `[layer, head, query, key]`, row-major.
    pub patterns: Vec<f32>,
    /// One entry per head, by layer, then head.
    pub scores: Vec<HeadScore>,
}

impl AttentionMaps {
    /// The pattern of a head: `pos × pos`, queries as rows. Empty if there is no such head.
    pub fn pattern(&self, layer: usize, head: usize) -> &[f32] {
        let n = self.tokens.len() * self.tokens.len();
        let start = (layer * self.n_heads + head) * n;
        if layer < self.n_layers && head < self.n_heads {
            self.patterns.get(start..start + n).unwrap_or(&[])
        } else {
            &[]
        }
    }
}

/// The common form, with the patterns of `heads` as figures.
pub fn report(maps: &AttentionMaps, heads: &[Unit], provenance: Provenance) -> Report {
    let mut report = Report::new("attention", "Attention", provenance);
    type Score = fn(&HeadScore) -> f32;
    let kinds: [(&str, Score); 3] =
        [("previous token", |s| s.previous), ("duplicate token", |s| s.duplicate), ("induction", |s| s.induction)];
    for (kind, score) in kinds {
        if let Some(best) = maps.scores.iter().max_by(|a, b| score(a).total_cmp(&score(b))) {
            let text = format!("L{}H{} ({:.3})", best.layer, best.head, score(best));
            report.summary.push(Fact::new(format!("highest {kind} score"), text));
        }
    }
    let mean = |score: Score| number(maps.scores.iter().map(score).sum::<f32>() / maps.scores.len().max(1) as f32);
    for (kind, score) in kinds {
        report.controls.push(Fact::new(format!("mean {kind} score"), mean(score)).by("mean over all heads"));
    }
    report.tables.push(score_table("heads", &maps.scores));
    for unit in heads {
        let Some(layer) = unit.site.layer() else { continue };
        let pattern = maps.pattern(layer as usize, unit.index as usize);
        if pattern.is_empty() {
            report.warnings.push(format!("there is no head {}", unit.short()));
            continue;
        }
        report.figures.push(Figure::Heatmap {
            title: format!("Pattern of {} (query × key)", unit.short()),
            rows: maps.tokens.clone(),
            columns: maps.tokens.clone(),
            values: pattern.iter().map(|weight| Some(*weight)).collect(),
            labels: Vec::new(),
            signed: false,
        });
    }
    report
}

/// Head scores as a table.
pub(crate) fn score_table(name: &str, scores: &[HeadScore]) -> Table {
    let row = |s: &HeadScore| {
        let mut row = vec![Unit::head(s.layer, s.head).short().into()];
        row.extend([s.previous, s.duplicate, s.induction, s.first, s.current, s.entropy].map(number));
        row
    };
    let columns = ["head", "previous", "duplicate", "induction", "first", "current", "entropy (nats)"];
    Table { name: name.to_owned(), columns: columns.map(String::from).to_vec(), rows: scores.iter().map(row).collect() }
}
