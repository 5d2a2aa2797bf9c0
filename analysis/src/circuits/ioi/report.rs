//! What was measured.

use serde::{Deserialize, Serialize};

use super::Order;
use crate::report::{Fact, Figure, Provenance, Report, Table, number, optional};

/// Logit differences over a set of prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How many prompts.
    pub prompts: usize,
    /// Mean of `logit(IO) − logit(S)`.
    pub mean: f32,
    /// Its standard error, `sd / √n`.
    pub standard_error: f32,
    /// Share of prompts with a positive difference, in 0..=1.
    pub accuracy: f32,
}

impl Outcome {
    /// Of these differences. Of fewer than two, the standard error is 0.
    pub(super) fn of(differences: &[f32]) -> Outcome {
        let n = differences.len();
        let wide = differences.iter().map(|d| f64::from(*d));
        let mean = wide.clone().sum::<f64>() / n.max(1) as f64;
        let squares: f64 = wide.map(|d| (d - mean).powi(2)).sum();
        let standard_error = if n > 1 { (squares / (n - 1) as f64 / n as f64).sqrt() } else { 0.0 };
        let right = differences.iter().filter(|d| **d > 0.0).count();
        Outcome {
            prompts: n,
            mean: mean as f32,
            standard_error: standard_error as f32,
            accuracy: right as f32 / n.max(1) as f32,
        }
    }
}

/// One prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptOutcome {
    /// The prompt.
    pub text: String,
    /// The indirect object.
    pub io: String,
    /// The subject.
    pub s: String,
    /// Order of the names.
    pub order: Order,
    /// `logit(IO) − logit(S)`.
    pub difference: f32,
    /// The same difference when a third name is the subject.
    pub control: f32,
    /// The difference under the interventions, if there are any.
    pub changed: Option<f32>,
}

/// The IOI task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ioi {
    /// Over all prompts.
    pub all: Outcome,
    /// Over those that name the indirect object first.
    pub abba: Outcome,
    /// Over those that name the subject first.
    pub baba: Outcome,
    /// With a third name as subject: near 0.
    pub control: Outcome,
    /// 95 % of the means lie below this in magnitude when the two names of each prompt are exchanged at random.
    pub null_95: f32,
    /// Under the interventions, if there are any.
    pub changed: Option<Outcome>,
    /// Tokens of all prompts together.
    pub tokens: usize,
    /// Every prompt.
    pub prompts: Vec<PromptOutcome>,
}

/// The common form.
pub fn report(found: &Ioi, provenance: Provenance) -> Report {
    let mut report = Report::new("ioi", "Indirect object identification", provenance);
    let mut say = |label: &str, value: f32, by: &str| report.summary.push(Fact::new(label, number(value)).by(by));
    say("mean logit difference", found.all.mean, "mean of logit(IO) − logit(S) at the last token");
    say("standard error", found.all.standard_error, "sd / √n");
    say("accuracy", found.all.accuracy, "share of prompts with a positive difference");
    say("mean, ABBA", found.abba.mean, "indirect object named first");
    say("mean, BABA", found.baba.mean, "subject named first");
    if let Some(changed) = &found.changed {
        say("mean with interventions", changed.mean, "the same prompts");
        say("accuracy with interventions", changed.accuracy, "the same prompts");
    }
    report.summary.push(Fact::new("prompts", found.all.prompts));
    let by = "the same frames with a third name as subject: near 0";
    report.controls.push(Fact::new("mean, ABC", number(found.control.mean)).by(by));
    report.controls.push(Fact::new("standard error, ABC", number(found.control.standard_error)).by("sd / √n"));
    let by = "95 % of |mean| when the names of each prompt are exchanged at random";
    report.controls.push(Fact::new("exchanged names", number(found.null_95)).by(by));
    if found.all.mean.abs() <= found.null_95 {
        report
            .warnings
            .push("the mean difference is not significant: exchanging the names at random gives as much".into());
    }
    let row = |outcome: &PromptOutcome| {
        vec![
            outcome.text.clone().into(),
            outcome.io.clone().into(),
            outcome.s.clone().into(),
            format!("{:?}", outcome.order).to_uppercase().into(),
            number(outcome.difference),
            number(outcome.control),
            optional(outcome.changed),
        ]
    };
    let columns = ["prompt", "IO", "S", "order", "difference", "difference (ABC)", "difference (interventions)"];
    report.tables.push(Table {
        name: "prompts".into(),
        columns: columns.map(String::from).to_vec(),
        rows: found.prompts.iter().map(row).collect(),
    });
    let sets = [("all", Some(&found.all)), ("ABBA", Some(&found.abba)), ("BABA", Some(&found.baba))];
    let sets = sets.into_iter().chain([("ABC", Some(&found.control)), ("interventions", found.changed.as_ref())]);
    let (labels, values) = sets.filter_map(|(name, outcome)| Some((name.to_owned(), outcome?.mean))).unzip();
    report.figures.push(Figure::Bars { title: "Mean logit difference".into(), labels, values, signed: true });
    report
}
