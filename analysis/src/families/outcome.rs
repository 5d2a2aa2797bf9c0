//! What a finder brings back.

use super::statistics::upper_rate;
use crate::report::{Fact, Table};

/// A unit of a family.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The unit's id: its row in `units.parquet`.
    pub unit: u32,
    /// The family, such as `positional`.
    pub family: &'static str,
    /// What kind of it, such as `oscillatory, strong`; may be empty.
    pub kind: String,
    /// The number that decided.
    pub score: f32,
    /// What it was compared with.
    pub threshold: f32,
    /// What was seen, in a few words.
    pub evidence: String,
}

/// How many of things that cannot belong to a family were taken for members.
#[derive(Debug, Clone, PartialEq)]
pub struct Null {
    /// How the impostors were made.
    pub about: String,
    /// How many there were.
    pub tested: usize,
    /// How many passed.
    pub passed: usize,
}

impl Null {
    /// The number of members that chance brings among `n` units.
    pub fn expected(&self, n: usize) -> f64 {
        if self.tested == 0 { 0.0 } else { self.passed as f64 / self.tested as f64 * n as f64 }
    }

    /// The same at the upper end of the rate's 95 % interval.
    pub fn at_most(&self, n: usize) -> f64 {
        upper_rate(self.passed, self.tested) * n as f64
    }
}

/// An experiment on chosen members and on random controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Experiment {
    /// Members that went through it.
    pub chosen: usize,
    /// Of these, those with a larger effect than every control.
    pub confirmed: usize,
    /// Random controls.
    pub controls: usize,
}

impl Experiment {
    /// The probability that so many of the chosen exceed every control if they are no different: that the largest effects of all
    /// belong to the chosen, `Π (n − i)/(n + c − i)`.
    pub fn chance(&self) -> f64 {
        let (n, c) = (self.chosen as f64, self.controls as f64);
        (0..self.confirmed).map(|i| (n - i as f64) / (n + c - i as f64)).product()
    }
}

/// The result of one finder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// The family.
    pub family: &'static str,
    /// How many units were looked at.
    pub tested: usize,
    /// Its members.
    pub findings: Vec<Finding>,
    /// Its null; `None` where it could not be made.
    pub null: Option<Null>,
    /// What an experiment on some of the members showed.
    pub experiment: Option<Experiment>,
    /// Thresholds and other results.
    pub facts: Vec<Fact>,
    /// Controls other than the null.
    pub controls: Vec<Fact>,
    /// Tables.
    pub tables: Vec<Table>,
    /// Why parts of it were left out.
    pub warnings: Vec<String>,
}

impl Outcome {
    /// Nothing found yet among `tested` units.
    pub fn new(family: &'static str, tested: usize) -> Outcome {
        Outcome { family, tested, ..Outcome::default() }
    }

    /// Whether there are more members than the null brings: above the upper end of its 95 % interval. `None` without a null.
    pub fn significant(&self) -> Option<bool> {
        let null = self.null.as_ref().filter(|null| null.tested > 0)?;
        Some(self.findings.len() as f64 > null.at_most(self.tested))
    }

    /// The same in words. Where there was an experiment, it decides, at 5 %.
    pub fn verdict(&self) -> String {
        if self.findings.is_empty() {
            return "none found".to_owned();
        }
        match (&self.experiment, self.significant()) {
            (Some(experiment), _) if experiment.chosen > 0 => {
                let Experiment { chosen, confirmed, .. } = experiment;
                let sure = *confirmed > 0 && experiment.chance() < 0.05;
                let says = if sure { "more than by chance" } else { "not significant" };
                format!("{confirmed} of {chosen} confirmed by experiment, {says}")
            }
            (_, Some(true)) => "more than by chance".to_owned(),
            (_, Some(false)) => "not significant".to_owned(),
            (_, None) => "no null".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_must_beat_the_upper_end_of_its_null() {
        let member = |unit| Finding {
            unit,
            family: "x",
            kind: String::new(),
            score: 1.0,
            threshold: 0.0,
            evidence: String::new(),
        };
        let mut outcome = Outcome { findings: (0..4).map(member).collect(), ..Outcome::new("x", 1000) };
        assert_eq!((outcome.significant(), outcome.verdict().as_str()), (None, "no null"));
        // 0 of 1000 impostors: up to 3.8 members of 1000 may be chance.
        outcome.null = Some(Null { about: String::new(), tested: 1000, passed: 0 });
        assert_eq!(outcome.verdict(), "more than by chance");
        outcome.findings.pop();
        assert_eq!(outcome.verdict(), "not significant");
        outcome.findings.clear();
        assert_eq!(outcome.verdict(), "none found");
        assert_eq!(outcome.null.map(|null| null.expected(500)), Some(0.0));
    }

    #[test]
    fn experiments_decide_where_there_are_any() {
        let experiment = |chosen, confirmed| Experiment { chosen, confirmed, controls: 20 };
        assert_eq!(experiment(5, 0).chance(), 1.0);
        assert!((experiment(1, 1).chance() - 1.0 / 21.0).abs() < 1e-12);
        // Two of five beyond all of twenty: (5/25)(4/24).
        assert!((experiment(5, 2).chance() - 1.0 / 30.0).abs() < 1e-12);
        let finding =
            Finding { unit: 0, family: "x", kind: String::new(), score: 1.0, threshold: 0.0, evidence: String::new() };
        let outcome = |chosen, confirmed| Outcome {
            findings: vec![finding.clone()],
            experiment: Some(experiment(chosen, confirmed)),
            ..Outcome::new("x", 9)
        };
        assert_eq!(outcome(5, 1).verdict(), "1 of 5 confirmed by experiment, not significant");
        assert_eq!(outcome(1, 1).verdict(), "1 of 1 confirmed by experiment, more than by chance");
    }
}
