//! Choosing the next token.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{ProbeError, Result};

/// How the next token is chosen from the model's distribution.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sampling {
    /// The most probable token, the smaller id on a tie.
    #[default]
    Greedy,
    /// At random: log-probabilities divided by `temperature`, cut to the `top_k` largest, then to the smallest set whose
    /// probability reaches `top_p`.
    Random {
        /// Above 0; 1 leaves the distribution as it is.
        temperature: f32,
        /// How many tokens may be chosen; 0 for all.
        #[serde(default)]
        top_k: usize,
        /// In (0, 1]; 1 for all.
        #[serde(default = "whole")]
        top_p: f32,
    },
}

fn whole() -> f32 {
    1.0
}

impl Sampling {
    pub(super) fn sampler(self, seed: u64) -> Result<Sampler> {
        if let Sampling::Random { temperature, top_p, .. } = self {
            if !(temperature.is_finite() && temperature > 0.0) {
                let cause = format!("a temperature of {temperature} cannot be sampled with; it must be above 0");
                return Err(ProbeError::Sampling(cause));
            }
            if !(top_p > 0.0 && top_p <= 1.0) {
                return Err(ProbeError::Sampling(format!(
                    "a top-p of {top_p} is impossible; it lies above 0 and up to 1"
                )));
            }
        }
        Ok(Sampler { sampling: self, rng: ChaCha8Rng::seed_from_u64(seed) })
    }
}

pub(super) struct Sampler {
    sampling: Sampling,
    rng: ChaCha8Rng,
}

/// The indices of the `n` largest values, largest first, smaller index first on a tie.
pub(super) fn largest(values: &[f32], n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let by_value = |a: &usize, b: &usize| values[*b].total_cmp(&values[*a]).then(a.cmp(b));
    let n = n.min(order.len());
    if n == 0 {
        return Vec::new();
    }
    if n < order.len() {
        order.select_nth_unstable_by(n - 1, by_value);
        order.truncate(n);
    }
    order.sort_unstable_by(by_value);
    order
}

impl Sampler {
    pub(super) fn choose(&mut self, log_probs: &[f32]) -> usize {
        let Sampling::Random { temperature, top_k, top_p } = self.sampling else {
            return largest(log_probs, 1).first().copied().unwrap_or(0);
        };
        let kept = if top_k == 0 { log_probs.len() } else { top_k };
        let mut candidates = largest(log_probs, kept);
        let highest = f64::from(log_probs[candidates[0]]);
        let weight = |index: usize| ((f64::from(log_probs[index]) - highest) / f64::from(temperature)).exp();
        let mut weights: Vec<f64> = candidates.iter().map(|index| weight(*index)).collect();
        let total: f64 = weights.iter().sum();
        let mut reached = 0.0;
        let within = weights.iter().take_while(|weight| {
            let needed = reached < f64::from(top_p) * total;
            reached += **weight;
            needed
        });
        let n = within.count().max(1);
        candidates.truncate(n);
        weights.truncate(n);
        let mut point = self.rng.random::<f64>() * weights.iter().sum::<f64>();
        for (index, weight) in candidates.iter().zip(&weights) {
            point -= weight;
            if point < 0.0 {
                return *index;
            }
        }
        candidates[n - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(sampling: Sampling, probabilities: &[f32]) -> Vec<usize> {
        let log_probs: Vec<f32> = probabilities.iter().map(|p| p.ln()).collect();
        let mut sampler = sampling.sampler(7).unwrap();
        let mut counts = vec![0; probabilities.len()];
        (0..4000).for_each(|_| counts[sampler.choose(&log_probs)] += 1);
        counts
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest() {
        assert_eq!(counts(Sampling::Greedy, &[0.2, 0.4, 0.4]), [0, 4000, 0]);
    }

    #[test]
    fn sampling_follows_the_distribution_and_its_cuts() {
        let p = [0.5, 0.3, 0.15, 0.05];
        let all = counts(Sampling::Random { temperature: 1.0, top_k: 0, top_p: 1.0 }, &p);
        for (count, p) in all.iter().zip(p) {
            // Four standard deviations of a binomial.
            assert!((*count as f32 / 4000.0 - p).abs() < 4.0 * (p * (1.0 - p) / 4000.0).sqrt(), "{all:?}");
        }
        let two = counts(Sampling::Random { temperature: 1.0, top_k: 2, top_p: 1.0 }, &p);
        assert!(two[0] > 0 && two[1] > 0 && two[2] == 0 && two[3] == 0);
        let nucleus = counts(Sampling::Random { temperature: 1.0, top_k: 0, top_p: 0.6 }, &p);
        assert!(nucleus[1] > 0 && nucleus[2] == 0);
        let cold = counts(Sampling::Random { temperature: 0.05, top_k: 0, top_p: 1.0 }, &p);
        assert!(cold[0] > 3990);
    }

    #[test]
    fn impossible_settings_are_refused() {
        for (temperature, top_p) in [(0.0, 1.0), (f32::NAN, 1.0), (1.0, 0.0), (1.0, 1.5)] {
            assert!(Sampling::Random { temperature, top_k: 0, top_p }.sampler(0).is_err());
        }
    }
}
