//! Explanations by variance reduction (Gurnee et al., arXiv 2401.12181).
//!
//! For a yes-no property `y` of a token with share `β`: `VR = 1 − [(1 − β) Var(v | y = 0) + β Var(v | y = 1)] / Var(v)`, with `v`
//! the activation; the same as `β (1 − β) (μ₁ − μ₀)² / Var(v)`. Properties: the token itself (unigram), the token before it, whether it
//! starts with a given letter (alphabet), its position (1, 2–3, 4–7, …), language and genre of its document. The best property on
//! one half of the documents is reported with its VR on the other half. Below 0.05 a neuron counts as unexplained.
//!
//! Streaming: only sums per class, sums and sums of squares are kept; see [`Sums`].
//!
//! Null: the whole choice with labels in random order. Tokens exchange their labels of token, letter and position; documents
//! exchange language and genre, since the activations within one are not independent. Half of the neurons set the threshold (0.05 or
//! the null's 99.9 % quantile, whichever is larger), the other half is counted.

mod labels;
mod sums;

pub(crate) use labels::{Class, Labels, Side};
pub(crate) use sums::Sums;

use super::outcome::{Finding, Null, Outcome};
use super::statistics::{halves, quantile};
use crate::report::{Fact, Table, number};

const FAMILY: &str = "explained";
/// The published cut.
const PUBLISHED: f64 = 0.05;

/// The best property of a neuron.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Best {
    /// Index of the class.
    pub class: usize,
    /// VR on the half that chose it.
    pub chosen: f64,
    /// VR on the other half.
    pub held: f64,
}

/// The best class of every neuron: chosen by `select`, measured by `report`.
pub(crate) fn best(select: &Sums, report: &Sums) -> Vec<Option<Best>> {
    (0..select.neurons())
        .map(|neuron| {
            let rated = (0..select.classes()).map(|class| (class, select.reduction(class, neuron)));
            let (class, chosen) = rated.max_by(|a, b| a.1.total_cmp(&b.1))?;
            (chosen > 0.0).then(|| Best { class, chosen, held: report.reduction(class, neuron) })
        })
        .collect()
}

/// The explained among `units`. `found` and `null` are in the same order.
pub(crate) fn judge(units: &[u32], classes: &[Class], found: &[Option<Best>], null: &[Option<Best>]) -> Outcome {
    let mut outcome = Outcome::new(FAMILY, units.len());
    let held: Vec<f64> = null.iter().map(|best| best.map_or(0.0, |best| best.held)).collect();
    let (first, second) = halves(&held);
    let chance = quantile(&first, 0.999).unwrap_or(0.0);
    let threshold = chance.max(PUBLISHED);
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for (unit, best) in units.iter().zip(found) {
        let Some(best) = best.filter(|best| best.held > threshold) else { continue };
        let Some(class) = classes.get(best.class) else { continue };
        match counts.iter_mut().find(|(kind, _)| *kind == class.kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((class.kind, 1)),
        }
        outcome.findings.push(Finding {
            unit: *unit,
            family: FAMILY,
            kind: class.kind.to_owned(),
            score: best.held as f32,
            threshold: threshold as f32,
            evidence: format!(
                "{}: VR {:.3} on held-out documents, {:.3} where chosen",
                class.name, best.held, best.chosen
            ),
        });
    }
    let passed = second.iter().filter(|vr| **vr > threshold).count();
    let about = "the best explanation when labels are exchanged between tokens and between documents".to_owned();
    outcome.null = Some(Null { about, tested: second.len(), passed });
    let by = "the larger of 0.05 and the null's 99.9 % quantile, on held-out documents";
    outcome.facts.push(Fact::new("explained: variance reduction above", number(threshold as f32)).by(by));
    outcome.facts.push(Fact::new("explained: unexplained neurons", units.len() - outcome.findings.len()));
    outcome.facts.push(Fact::new("explained: properties tried", classes.len()));
    outcome.controls.push(Fact::new("explained: 99.9 % of the null", number(chance as f32)));
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rows = counts.into_iter().map(|(kind, count)| vec![kind.into(), count.into()]).collect();
    let columns = ["explained by", "neurons"].map(String::from).to_vec();
    outcome.tables.push(Table { name: "explanations".into(), columns, rows });
    outcome
}

#[cfg(test)]
mod tests {
    use golgi_probes::Tensor;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::input::Context;
    use super::*;

    /// 60 documents of 41 tokens in two languages with tokens of their own (0–9 and 10–19), one genre in three.
    fn corpus() -> Vec<Context> {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        (0..60_u32)
            .map(|document| Context {
                tokens: (0..41).map(|_| rng.random_range(0..10) + 10 * (document % 2)).collect(),
                document,
                language: Some(["en", "de"][document as usize % 2].to_owned()),
                genre: (document % 3 == 0).then(|| "letter".to_owned()),
                split: String::new(),
            })
            .collect()
    }

    fn piece(token: u32) -> String {
        format!(" {}{token}", if token.is_multiple_of(5) { "b" } else { "xq" })
    }

    #[test]
    fn planted_properties_are_named_and_noise_is_unexplained() {
        let corpus = corpus();
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let labels = Labels::new(&corpus, 1, 200, piece, &mut rng);
        // What neuron n does at (context, position).
        let noise: Vec<f32> = (0..60 * 41).map(|_| rng.random()).collect();
        let value = |neuron: usize, at: usize, p: usize| -> f32 {
            let (context, token) = (&corpus[at], corpus[at].tokens[p]);
            let yes = match neuron {
                0 => token == 3,
                1 => corpus[at].tokens[p - 1] == 14,
                2 => token % 5 == 0,
                3 => (4..8).contains(&p),
                4 => context.language.as_deref() == Some("de"),
                5 => context.genre.is_some(),
                _ => false,
            };
            f32::from(u8::from(yes)) * 2.0 + 0.2 * noise[at * 41 + p] * if neuron == 6 { 5.0 } else { 1.0 }
        };
        let mut sums =
            [Side::Select, Side::Report].map(|_| [false, true].map(|_| Sums::new(labels.classes().len(), 8).unwrap()));
        for at in 0..corpus.len() {
            let values: Vec<f32> =
                (1..41).flat_map(|p| (0..8).map(move |n| (n, p))).map(|(n, p)| value(n, at, p)).collect();
            let block = Tensor::from_slice(&values).view([40, 8]);
            let Some(side) = labels.side(at) else { continue };
            for (shuffled, sums) in [false, true].into_iter().zip(&mut sums[side as usize]) {
                sums.add(&block, &labels.rows(&[at], shuffled)).unwrap();
            }
        }
        sums.iter_mut().flatten().for_each(|sums| sums.finish().unwrap());
        let [[select, null_select], [report, null_report]] = &sums;
        let units: Vec<u32> = (0..8).collect();
        let found = best(select, report);
        let outcome = judge(&units, labels.classes(), &found, &best(null_select, null_report));
        let named: Vec<(u32, &str)> = outcome.findings.iter().map(|f| (f.unit, f.kind.as_str())).collect();
        let expected =
            [(0, "unigram"), (1, "previous token"), (2, "alphabet"), (3, "position"), (4, "language"), (5, "genre")];
        assert_eq!(named, expected, "{:?}", outcome.findings);
        assert!(outcome.findings.iter().all(|f| f.score > 0.9), "{:?}", outcome.findings);
        assert!(outcome.findings[2].evidence.contains("`b`"));
        assert_eq!(outcome.null.map(|null| (null.tested, null.passed)), Some((4, 0)));
        assert_eq!(outcome.facts[1].value, 2);
    }
}
