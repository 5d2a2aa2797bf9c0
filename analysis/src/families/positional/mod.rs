//! Positional neurons: whether a neuron fires depends on where it is (Voita et al., arXiv 2309.04827).
//!
//! With `fr(p)` the frequency of firing at position `p` and `fr` its mean over the `T` positions,
//! `I = 1/T Σ_p [fr(p) ln(fr(p)/fr) + (1 − fr(p)) ln((1 − fr(p))/(1 − fr))]` nats, with `0 ln 0 = 0`. Positional: `I` above 0.05
//! and above what chance brings. The first position, where attention rests, is left out, and so are positions that too few
//! contexts reach.
//!
//! Calibration: from finite counts even constant frequencies give some `I`. The threshold is the larger of 0.05 and the 99.9 %
//! quantile of one half of the null; the other half is counted. Null with a model: the same neurons with each context's activations shifted around by a random
//! number of positions, which keeps runs of activity; the `I` of such noise falls with the number of contexts, so it is scaled
//! by (contexts of the pass) / (contexts of the atlas). Without a model: as many independent firings at a constant frequency.
//!
//! Kinds: see [`kinds`]. Models with rotary positions should have few.

mod kinds;

use kinds::kind;

use rand::Rng;

use super::outcome::{Finding, Null, Outcome};
use super::statistics::{binomial, halves, quantile};
use crate::report::{Fact, number};

const FAMILY: &str = "positional";
/// The published cut, nats.
pub(crate) const PUBLISHED: f64 = 0.05;
/// Positions that fewer contexts reach say nothing.
pub(crate) const FEWEST_CONTEXTS: u32 = 20;
/// Impostors of independent firings.
const IMPOSTORS: usize = 2000;

/// `x ln(x / y)`, 0 at 0.
fn term(x: f64, y: f64) -> f64 {
    if x <= 0.0 || y <= 0.0 { 0.0 } else { x * (x / y).ln() }
}

/// Mutual information of firing and position, nats, all positions alike.
pub(crate) fn information(frequency: &[f64]) -> f64 {
    if frequency.is_empty() {
        return 0.0;
    }
    let n = frequency.len() as f64;
    let mean = frequency.iter().sum::<f64>() / n;
    if frequency.iter().all(|fr| *fr == frequency[0]) {
        return 0.0;
    }
    frequency.iter().map(|fr| term(*fr, mean) + term(1.0 - fr, 1.0 - mean)).sum::<f64>() / n
}

/// A neuron as this finder sees it.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Its id.
    pub unit: u32,
    /// Frequency of firing at each position that counts, in order.
    pub frequency: Vec<f64>,
}

/// What shifting brought: `I` of each shifted neuron, and of how many contexts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shifted {
    /// Nats, any order.
    pub information: Vec<f64>,
    /// Contexts that the pass saw.
    pub contexts: u64,
}

/// The positional neurons. `contexts` says how many contexts reach each position of the candidates' frequencies.
pub(crate) fn find(neurons: &[Candidate], contexts: &[u32], shifted: Option<&Shifted>, rng: &mut impl Rng) -> Outcome {
    let mut outcome = Outcome::new(FAMILY, neurons.len());
    if contexts.len() < 2 {
        let text = format!("positions were not tested: fewer than two are reached by {FEWEST_CONTEXTS} contexts");
        outcome.warnings.push(text);
        return outcome;
    }
    let reached = contexts.iter().map(|n| f64::from(*n)).sum::<f64>() / contexts.len() as f64;
    let (about, null) = match shifted.filter(|shifted| !shifted.information.is_empty()) {
        Some(shifted) => {
            let scale = (shifted.contexts as f64 / reached).min(1.0);
            let about = "activations of each context shifted around by a random number of positions";
            (about, shifted.information.iter().map(|i| i * scale).collect::<Vec<_>>())
        }
        None => {
            let impostor = |rng: &mut _| {
                let frequency = &neurons[Rng::random_range(rng, 0..neurons.len())].frequency;
                let mean = frequency.iter().sum::<f64>() / frequency.len().max(1) as f64;
                let made: Vec<f64> =
                    contexts.iter().map(|n| f64::from(binomial(*n, mean, rng)) / f64::from((*n).max(1))).collect();
                information(&made)
            };
            let null = (0..if neurons.is_empty() { 0 } else { IMPOSTORS }).map(|_| impostor(rng)).collect();
            ("as many independent firings at a constant frequency; runs of activity are not in it", null)
        }
    };
    let (first, second) = halves(&null);
    let chance = quantile(&first, 0.999).unwrap_or(0.0);
    let threshold = chance.max(PUBLISHED);
    for neuron in neurons {
        let score = information(&neuron.frequency);
        if score > threshold {
            outcome.findings.push(describe(neuron, score, threshold));
        }
    }
    let passed = second.iter().filter(|i| **i > threshold).count();
    outcome.null = Some(Null { about: about.to_owned(), tested: second.len(), passed });
    let by = "the larger of 0.05 and the 99.9 % quantile of the null, nats";
    outcome.facts.push(Fact::new("positional: threshold", number(threshold as f32)).by(by));
    outcome.controls.push(Fact::new("positional: 99.9 % of the null", number(chance as f32)).by("nats"));
    outcome.facts.push(Fact::new("positional: positions", contexts.len()));
    outcome
}

fn describe(neuron: &Candidate, score: f64, threshold: f64) -> Finding {
    let kind = kind(&neuron.frequency);
    let (low, high) = neuron.frequency.iter().fold((1.0_f64, 0.0_f64), |(low, high), fr| (low.min(*fr), high.max(*fr)));
    Finding {
        unit: neuron.unit,
        family: FAMILY,
        kind: kind.to_string(),
        score: score as f32,
        threshold: threshold as f32,
        evidence: format!("I = {score:.3} nats; fires on {:.0} to {:.0} % by position", 100.0 * low, 100.0 * high),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn information_of_known_profiles() {
        for constant in [0.0, 0.1, 0.3, 1.0] {
            assert_eq!(information(&[constant; 17]), 0.0);
        }
        let step: Vec<f64> = (0..64).map(|p| f64::from(p < 32)).collect();
        assert!((information(&step) - std::f64::consts::LN_2).abs() < 1e-15);
        // On at one position of T: H(1/T).
        let mut spike = vec![0.0; 10];
        spike[3] = 1.0;
        let entropy = -(0.1_f64 * 0.1_f64.ln() + 0.9 * 0.9_f64.ln());
        assert!((information(&spike) - entropy).abs() < 1e-12);
        assert_eq!(information(&[]), 0.0);
    }

    #[test]
    fn planted_profiles_are_found_and_noise_is_not() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let contexts = vec![200_u32; 60];
        let planted: [fn(usize) -> f64; 4] = [
            |p| f64::from(p < 30),
            |p| f64::from((p / 10) % 2 == 0),
            |p| p as f64 / 59.0,
            |p| if p < 20 { 0.9 } else { 0.2 },
        ];
        let mut noisy = |rate: f64| {
            contexts.iter().map(|n| f64::from(binomial(*n, rate, &mut rng)) / f64::from(*n)).collect::<Vec<_>>()
        };
        let mut neurons: Vec<Candidate> = Vec::new();
        for at in 0..100_u32 {
            neurons.push(Candidate { unit: at, frequency: noisy(f64::from(at) / 99.0) });
        }
        for (at, profile) in planted.iter().enumerate() {
            neurons.push(Candidate { unit: 100 + at as u32, frequency: (0..60).map(profile).collect() });
        }
        let found = find(&neurons, &contexts, None, &mut ChaCha8Rng::seed_from_u64(3));
        assert_eq!(found.findings.iter().map(|f| f.unit).collect::<Vec<_>>(), [100, 101, 102, 103]);
        assert_eq!(found.null.as_ref().map(|null| null.passed), Some(0));
        assert_eq!(found.significant(), Some(true));
        let kinds: Vec<&str> = found.findings.iter().map(|f| f.kind.as_str()).collect();
        assert_eq!(kinds, ["both extremes, strong", "oscillatory, strong", "both extremes, strong", "other"]);
    }

    #[test]
    fn a_noisy_pass_raises_the_bar() {
        let step = Candidate { unit: 0, frequency: (0..40).map(|p| if p < 20 { 0.7 } else { 0.3 }).collect() };
        let contexts = vec![100; 40];
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        assert_eq!(find(std::slice::from_ref(&step), &contexts, None, &mut rng).findings.len(), 1);
        // Shifted neurons carry as much information: the finding could be chance.
        let shifted = Shifted { information: vec![0.2; 1000], contexts: 100 };
        let found = find(std::slice::from_ref(&step), &contexts, Some(&shifted), &mut rng);
        assert!(found.findings.is_empty());
        // The same noise from a fifth of the contexts would be a fifth as much in the atlas.
        let shifted = Shifted { contexts: 20, ..shifted };
        assert_eq!(find(&[step], &contexts, Some(&shifted), &mut rng).findings.len(), 1);
    }
}
