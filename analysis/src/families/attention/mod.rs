//! Attention-(de)activation neurons (Gurnee et al., arXiv 2401.12181): they make a head of a later layer rest on the first token, or
//! keep it from resting there.
//!
//! Score of a neuron and a head, from weights: `h = ŵ_outᵀ W_Qᵀ k_BOS / √d_head`, `ŵ` of length 1, the gain of the norm before
//! attention folded in, `k_BOS` the mean key of the head at position 0 over contexts. With rotary positions the query is turned by
//! its own position, so `k_BOS` is turned back by each position of a context and averaged ("adapted"). Positive: firing raises the
//! attention to the first token and so switches the head off. Each neuron counts with the head at which `|h|` is largest.
//!
//! Calibration and null: the same maximum over the same heads for vectors with shuffled entries; half of them set the threshold, their
//! 99.9 % quantile, the other half is counted. Test, from activations ([`ablate`]): `act · w_out` is taken out of that head's
//! query input only, for the highest scores, and the changes of attention to the first token and of the length of the head's output
//! are compared with 20 random pairs of a neuron and a later head.

mod ablate;
mod keys;

pub(crate) use ablate::{Ablated, Bench};
pub(crate) use keys::Keys;

use golgi_data::unit::Unit;

use super::outcome::{Experiment, Finding, Null, Outcome};
use super::statistics::{halves, quantile};
use crate::report::{Fact, Table, number};

const FAMILY: &str = "attention";
/// Random pairs to compare with.
pub(crate) const CONTROLS: usize = 20;

/// A neuron and the head that it turns most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    /// The neuron's id.
    pub unit: u32,
    /// Its layer.
    pub layer: usize,
    /// Its index there.
    pub index: u32,
    /// The head's layer.
    pub head_layer: usize,
    /// The head.
    pub head: usize,
    /// The score.
    pub score: f64,
}

impl Pair {
    fn names(&self) -> (String, String) {
        let neuron = Unit::neuron(self.layer as u32, self.index).short();
        (neuron, Unit::head(self.head_layer as u32, self.head as u32).short())
    }
}

/// The threshold that the first half of the null sets, and the second half.
pub(crate) fn threshold(null: &[f64]) -> (f64, Vec<f64>) {
    let (first, second) = halves(null);
    (quantile(&first, 0.999).unwrap_or(0.0), second)
}

/// The pairs above the threshold, highest score first.
pub(crate) fn members(pairs: &[Pair], threshold: f64) -> Vec<Pair> {
    let mut found: Vec<Pair> = pairs.iter().filter(|pair| pair.score.abs() > threshold).copied().collect();
    found.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    found
}

/// Who passed, and what ablation did: `tested` are the first of `members`.
pub(crate) fn judge(
    (neurons, threshold, null): (usize, f64, &[f64]),
    members: &[Pair],
    tested: &[Ablated],
    controls: &[(Pair, Ablated)],
) -> Outcome {
    let mut outcome = Outcome::new(FAMILY, neurons);
    let largest = |of: fn(&Ablated) -> f64| controls.iter().map(|(_, a)| of(a).abs()).fold(0.0, f64::max);
    let (bar, output_bar) = (largest(|a| a.attention), largest(|a| a.output));
    let mut confirmed = 0;
    for (at, pair) in members.iter().enumerate() {
        let (_, head) = pair.names();
        let does = if pair.score > 0.0 { "switches off" } else { "switches on" };
        let (kind, said) = match tested.get(at) {
            None => (format!("{does} {head}"), "path not ablated".to_owned()),
            Some(ablated) => {
                let said = format!(
                    "without its path P(first) {:+.4} (controls at most {bar:.4}), head output {:+.4} (controls {output_bar:.4})",
                    ablated.attention, ablated.output
                );
                // What raises attention to the first token must lower it when it is taken away.
                let real = ablated.attention.abs() > bar && (ablated.attention < 0.0) == (pair.score > 0.0);
                confirmed += usize::from(real && !controls.is_empty());
                let real = if real { "confirmed" } else { "not significant when ablated" };
                (format!("{does} {head}, {real}"), said)
            }
        };
        outcome.findings.push(Finding {
            unit: pair.unit,
            family: FAMILY,
            kind,
            score: pair.score as f32,
            threshold: threshold as f32,
            evidence: format!("h = {:+.3} at {head}; {said}", pair.score),
        });
    }
    let about = "the largest score of a written vector with its entries in random order".to_owned();
    let passed = null.iter().filter(|score| **score > threshold).count();
    outcome.null = Some(Null { about, tested: null.len(), passed });
    let by = "99.9 % quantile of the largest |h| of shuffled vectors";
    outcome.facts.push(Fact::new("attention: |h| above", number(threshold as f32)).by(by));
    let by = format!(
        "of {} ablated: beyond all of {} random pairs, and in the right direction",
        tested.len(),
        controls.len()
    );
    outcome.facts.push(Fact::new("attention: confirmed by path ablation", confirmed).by(by));
    let by = "mean change of attention to the first token";
    outcome.controls.push(Fact::new("attention: largest change of a control", number(bar as f32)).by(by));
    outcome.tables.push(table(members, tested, controls));
    outcome.experiment = Some(Experiment { chosen: tested.len(), confirmed, controls: controls.len() });
    outcome
}

fn table(members: &[Pair], tested: &[Ablated], controls: &[(Pair, Ablated)]) -> Table {
    let columns = ["neuron", "head", "role", "h", "ΔP(first)", "Δ head output", "ΔP(first) where active"];
    let row = |pair: &Pair, ablated: &Ablated, role: &str| {
        let (neuron, head) = pair.names();
        let numbers = [pair.score, ablated.attention, ablated.output, ablated.attention_active];
        let names = [neuron.into(), head.into(), role.into()];
        names.into_iter().chain(numbers.map(|x| number(x as f32))).collect::<Vec<_>>()
    };
    let rows = members.iter().zip(tested).map(|(pair, ablated)| row(pair, ablated, "chosen"));
    let rows = rows.chain(controls.iter().map(|(pair, ablated)| row(pair, ablated, "control")));
    Table { name: "path ablation".into(), columns: columns.map(String::from).to_vec(), rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use golgi_data::context::RunContext;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::planted::{random_contexts, resting};
    use super::super::weights::shuffled;
    use super::*;

    #[test]
    fn planted_switches_are_found_and_confirmed() {
        for rotary in [false, true] {
            // Neuron 0.4 pushes head 1.1 onto the first token, neuron 0.9 off it.
            let model = resting(5, rotary);
            let contexts = random_contexts(&model, 16, 12);
            let (ctx, mut rng) = (RunContext::new(0), ChaCha8Rng::seed_from_u64(2));
            let keys = Keys::new(&model, &contexts, &ctx).unwrap();
            let pairs = keys.pairs(&model, |layer, index| (layer * 20 + index as usize) as u32).unwrap();
            // Neurons of the last layer have no head behind them.
            assert_eq!(pairs.len(), 20);
            let picks: Vec<(usize, usize)> = (0..800).map(|at| (0, at % 20)).collect();
            let fakes = shuffled(&model, &picks, &mut rng).unwrap();
            let null = keys.best(&fakes, 0).unwrap();
            let (threshold, rest) = threshold(&null);
            let found = members(&pairs, threshold);
            let mut who: Vec<(u32, usize, usize, bool)> =
                found.iter().map(|p| (p.unit, p.head_layer, p.head, p.score > 0.0)).collect();
            who.sort_unstable();
            assert_eq!(who, [(4, 1, 1, true), (9, 1, 1, false)], "rotary {rotary}");

            let controls: Vec<Pair> = (0..CONTROLS)
                .map(|_| {
                    let index = loop {
                        let index = rng.random_range(0..20_u32);
                        if index != 4 && index != 9 {
                            break index;
                        }
                    };
                    Pair { unit: index, layer: 0, index, head_layer: 1, head: rng.random_range(0..2), score: 0.0 }
                })
                .collect();
            let all: Vec<Pair> = found.iter().chain(&controls).copied().collect();
            let bench = Bench::new(&model, &contexts, &all, 1, &ctx).unwrap();
            let tested: Vec<Ablated> = found.iter().map(|p| bench.ablate(&model, p, 0.0, false).unwrap()).collect();
            let controls: Vec<(Pair, Ablated)> =
                controls.iter().map(|p| (*p, bench.ablate(&model, p, 0.0, false).unwrap())).collect();
            let outcome = judge((40, threshold, &rest), &found, &tested, &controls);
            assert!(outcome.findings.iter().all(|f| f.kind.ends_with("confirmed")), "{:?}", outcome.findings);
            assert!(outcome.null.is_some_and(|null| null.tested == 400 && null.passed <= 2));
        }
    }
}
