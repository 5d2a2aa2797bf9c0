//! Dead neurons: never active on the corpus (Voita et al., arXiv 2309.04827).
//!
//! Small corpora overstate the dead, so the share comes as a curve over the tokens seen: after `n` tokens a neuron counts as
//! dead if it has not fired within them. What is dead after half of the tokens and fires later bounds the error: it is the
//! null. A neuron that never fired in `n` tokens fires on fewer than `3/n` of them (95 %).

use super::outcome::{Finding, Null, Outcome};
use crate::report::{Fact, Table, number};

/// A neuron as this finder sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Its id.
    pub unit: u32,
    /// Its layer.
    pub layer: usize,
    /// Tokens it was observed on.
    pub tokens: u64,
    /// On how many of them it was active.
    pub firings: u64,
}

/// When each neuron fired first, by a number of tokens seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct FirstFirings {
    /// Tokens seen in all.
    pub tokens: u64,
    /// For each neuron the tokens seen until its first firing, that one included; `None` if it never fired.
    pub first: Vec<Option<u64>>,
}

impl FirstFirings {
    /// How many are dead after `tokens` tokens.
    pub fn dead_after(&self, tokens: u64) -> usize {
        self.first.iter().filter(|first| first.is_none_or(|first| first > tokens)).count()
    }
}

const FAMILY: &str = "dead";

/// The dead among `neurons`; `first` tells when they fired.
pub(crate) fn find(neurons: &[Candidate], first: Option<&FirstFirings>) -> Outcome {
    let mut outcome = Outcome::new(FAMILY, neurons.len());
    let dead = neurons.iter().filter(|neuron| neuron.tokens > 0 && neuron.firings == 0);
    outcome.findings = dead
        .map(|neuron| Finding {
            unit: neuron.unit,
            family: FAMILY,
            kind: String::new(),
            score: 0.0,
            threshold: 0.0,
            evidence: format!("never active on {} tokens", neuron.tokens),
        })
        .collect();
    let tokens = neurons.iter().map(|neuron| neuron.tokens).max().unwrap_or(0);
    if tokens > 0 {
        let by = "95 %: 3 / tokens";
        outcome.facts.push(Fact::new("dead: highest rate missed", number(3.0 / tokens as f32)).by(by));
    }
    layers(&mut outcome, neurons);
    if let Some(first) = first.filter(|first| first.tokens > 1) {
        curve(&mut outcome, first);
    }
    outcome
}

fn layers(outcome: &mut Outcome, neurons: &[Candidate]) {
    let n_layers = neurons.iter().map(|neuron| neuron.layer + 1).max().unwrap_or(0);
    let mut rows = Vec::with_capacity(n_layers);
    for layer in 0..n_layers {
        let here: Vec<&Candidate> = neurons.iter().filter(|neuron| neuron.layer == layer).collect();
        let dead = here.iter().filter(|neuron| neuron.tokens > 0 && neuron.firings == 0).count();
        rows.push(vec![layer.into(), here.len().into(), dead.into(), number(dead as f32 / here.len().max(1) as f32)]);
    }
    let columns = ["layer", "neurons", "dead", "share"].map(String::from).to_vec();
    outcome.tables.push(Table { name: "dead by layer".into(), columns, rows });
}

fn curve(outcome: &mut Outcome, first: &FirstFirings) {
    let n = first.first.len().max(1);
    let mut steps: Vec<u64> =
        std::iter::successors(Some(64_u64), |step| step.checked_mul(2)).take_while(|s| *s < first.tokens).collect();
    steps.push(first.tokens);
    let rows = steps.iter().map(|tokens| {
        let dead = first.dead_after(*tokens);
        vec![(*tokens).into(), dead.into(), number(dead as f32 / n as f32)]
    });
    let columns = ["tokens seen", "dead", "share"].map(String::from).to_vec();
    outcome.tables.push(Table { name: "dead by tokens seen".into(), columns, rows: rows.collect() });
    let (half, all) = (first.dead_after(first.tokens / 2), first.dead_after(first.tokens));
    let about = format!("neurons dead after {} tokens that fire in as many more", first.tokens / 2);
    let by = "of those dead after half of the tokens, the share that fires in the other half";
    let share = (half - all) as f32 / half.max(1) as f32;
    outcome.controls.push(Fact::new("dead after half of the tokens, then alive", number(share)).by(by));
    outcome.null = Some(Null { about, tested: n, passed: half - all });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neuron(unit: u32, tokens: u64, firings: u64) -> Candidate {
        Candidate { unit, layer: unit as usize / 2, tokens, firings }
    }

    #[test]
    fn dead_are_those_that_never_fired_on_something() {
        let neurons = [neuron(0, 100, 0), neuron(1, 100, 1), neuron(2, 0, 0), neuron(3, 100, 100), neuron(4, 100, 0)];
        let found = find(&neurons, None);
        assert_eq!(found.findings.iter().map(|f| f.unit).collect::<Vec<_>>(), [0, 4]);
        assert_eq!((found.null, found.tested), (None, 5));
        let shares: Vec<f64> = found.tables[0].rows.iter().map(|row| row[3].as_f64().unwrap()).collect();
        assert_eq!(shares, [0.5, 0.0, 1.0]);
    }

    #[test]
    fn the_curve_falls_as_neurons_wake_up() {
        let first = FirstFirings { tokens: 200, first: vec![None, Some(1), Some(100), Some(101), Some(64), Some(65)] };
        let found = find(&[neuron(0, 200, 0)], Some(&first));
        let curve = found.tables.iter().find(|table| table.name == "dead by tokens seen").unwrap();
        let dead: Vec<(u64, u64)> =
            curve.rows.iter().map(|row| (row[0].as_u64().unwrap(), row[1].as_u64().unwrap())).collect();
        assert_eq!(dead, [(64, 4), (128, 1), (200, 1)]);
        // One of the two that are dead after 100 tokens fires at the 101st.
        assert_eq!(found.null.map(|null| (null.passed, null.tested)), Some((1, 6)));
        assert_eq!(found.controls[0].value.as_f64(), Some(0.5));
    }
}
