//! What was measured.

use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

use crate::prompt::attention::{HeadScore, score_table};
use crate::report::{Fact, Figure, Provenance, Report, Table, number};

/// Losses with a random set of heads silenced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RandomDraw {
    /// The heads.
    pub heads: Vec<Unit>,
    /// Mean loss over the first half, nats per token.
    pub loss_first: f32,
    /// Mean loss over the repeat.
    pub loss_repeat: f32,
}

/// Losses with chosen heads silenced, on sequences that had no part in choosing them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// The heads.
    pub heads: Vec<Unit>,
    /// Mean loss over the first half with nothing silenced, nats per token.
    pub intact_first: f32,
    /// Mean loss over the repeat with nothing silenced.
    pub intact_repeat: f32,
    /// Mean loss over the first half without the heads.
    pub loss_first: f32,
    /// Mean loss over the repeat without the heads.
    pub loss_repeat: f32,
    /// As many random heads of the same layers, several times.
    pub random: Vec<RandomDraw>,
}

/// The repeat experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeats {
    /// How many tokens each sequence has before they repeat.
    pub periods: Vec<usize>,
    /// Whether the sequences begin with BOS.
    pub bos: bool,
    /// Mean loss over the first half, nats per token: what an unpredictable token costs.
    pub loss_first: f32,
    /// Mean loss over the repeat.
    pub loss_repeat: f32,
    /// Scores of every head, by layer, then head; means over sequences.
    pub scores: Vec<HeadScore>,
    /// The mass that each head gives to an average other position, in the same order.
    pub baseline: Vec<f32>,
    /// What silencing heads does; `None` if not asked for.
    pub ablation: Option<Ablation>,
}

impl Repeats {
    /// How many tokens the scores rest on.
    pub fn tokens(&self) -> usize {
        self.periods.iter().map(|period| 2 * period + usize::from(self.bos)).sum()
    }

    /// The head with the highest induction score.
    pub fn best_induction(&self) -> Option<&HeadScore> {
        self.scores.iter().max_by(|a, b| a.induction.total_cmp(&b.induction))
    }

    /// The head with the highest previous-token score.
    pub fn best_previous(&self) -> Option<&HeadScore> {
        self.scores.iter().max_by(|a, b| a.previous.total_cmp(&b.previous))
    }
}

fn names(heads: &[Unit]) -> String {
    heads.iter().map(Unit::short).collect::<Vec<_>>().join(" ")
}

/// The common form.
pub fn report(found: &Repeats, provenance: Provenance) -> Report {
    let mut report = Report::new("repeats", "Repeated random tokens", provenance);
    let loss = "mean −ln p over tokens and sequences, nats; the first token of each half left out";
    report.summary.push(Fact::new("loss, first half", number(found.loss_first)).by(loss));
    report.summary.push(Fact::new("loss, repeat", number(found.loss_repeat)).by(loss));
    for (label, best, value) in [
        ("induction", found.best_induction(), (|s| s.induction) as fn(&HeadScore) -> f32),
        ("previous-token", found.best_previous(), |s| s.previous),
    ] {
        if let Some(score) = best {
            report
                .summary
                .push(Fact::new(format!("highest {label} head"), Unit::head(score.layer, score.head).short()));
            report.summary.push(Fact::new(format!("highest {label} score"), number(value(score))));
        }
    }
    report.summary.push(Fact::new("sequences", found.periods.len()));
    report.summary.push(Fact::new("begins with BOS", found.bos));
    let by = "the highest mass that any head gives to an average position other than match, first and own";
    let highest = found.baseline.iter().copied().fold(0.0, f32::max);
    report.controls.push(Fact::new("highest baseline", number(highest)).by(by));
    if let Some(ablation) = &found.ablation {
        ablated(&mut report, ablation);
    }
    let mut heads = score_table("heads", &found.scores);
    heads.columns.push("baseline".into());
    heads.rows.iter_mut().zip(&found.baseline).for_each(|(row, baseline)| row.push(number(*baseline)));
    report.tables.push(heads);
    let n_heads = found.scores.iter().filter(|score| score.layer == 0).count().max(1);
    report.figures.push(Figure::Heatmap {
        title: "Induction score of each head".into(),
        rows: (0..found.scores.len() / n_heads).map(|layer| layer.to_string()).collect(),
        columns: (0..n_heads).map(|head| head.to_string()).collect(),
        values: found.scores.iter().map(|score| Some(score.induction)).collect(),
        labels: Vec::new(),
        signed: false,
    });
    report
}

fn ablated(report: &mut Report, ablation: &Ablation) {
    let say =
        |list: &mut Vec<Fact>, label: &str, value: f32, by: &str| list.push(Fact::new(label, number(value)).by(by));
    report.summary.push(Fact::new("silenced heads", names(&ablation.heads)));
    let by = "z of the silenced heads set to 0, on fresh sequences";
    say(&mut report.summary, "loss, repeat, heads silenced", ablation.loss_repeat, by);
    say(&mut report.controls, "loss, repeat, intact", ablation.intact_repeat, "the same fresh sequences");
    let losses = ablation.random.iter().map(|draw| draw.loss_repeat);
    if !ablation.random.is_empty() {
        let mean = losses.clone().sum::<f32>() / ablation.random.len() as f32;
        let by = format!("as many random heads of the same layers, {} draws", ablation.random.len());
        say(&mut report.controls, "loss, repeat, random heads", mean, &by);
        let worst = losses.fold(f32::NEG_INFINITY, f32::max);
        say(&mut report.controls, "loss, repeat, worst random heads", worst, &by);
        if worst >= ablation.loss_repeat {
            report
                .warnings
                .push("silencing the heads harms the repeat no more than silencing random heads does".into());
        }
    }
    let row = |name: &str, heads: &[Unit], first: f32, repeat: f32| {
        vec![name.into(), names(heads).into(), number(first), number(repeat)]
    };
    let mut rows = vec![
        row("intact", &[], ablation.intact_first, ablation.intact_repeat),
        row("silenced", &ablation.heads, ablation.loss_first, ablation.loss_repeat),
    ];
    rows.extend(ablation.random.iter().map(|draw| row("random", &draw.heads, draw.loss_first, draw.loss_repeat)));
    report.tables.push(Table {
        name: "ablation".into(),
        columns: ["condition", "heads", "loss, first half (nats)", "loss, repeat (nats)"].map(String::from).to_vec(),
        rows,
    });
}
