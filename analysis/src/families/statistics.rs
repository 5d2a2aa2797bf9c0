//! Small statistics in f64 that the finders share.

use rand::Rng;
use rand::seq::SliceRandom;

/// The first four moments of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Moments {
    /// Central second moment (population).
    pub variance: f64,
    /// Standardised third moment; 0 where the variance is 0.
    pub skewness: f64,
    /// Standardised fourth moment, 3 for a Gaussian; 0 where the variance is 0.
    pub kurtosis: f64,
}

impl Moments {
    /// From the sums of `x`, `x²`, `x³` and `x⁴` over `n` values that lie around 0.
    pub fn from_sums(n: f64, sums: [f64; 4]) -> Moments {
        let [m1, m2, m3, m4] = sums.map(|sum| sum / n);
        let variance = (m2 - m1 * m1).max(0.0);
        // Nothing but rounding is left of a constant sample.
        if variance <= 1e-14 * m2 || variance == 0.0 {
            return Moments::default();
        }
        let third = m3 - 3.0 * m1 * m2 + 2.0 * m1.powi(3);
        let fourth = m4 - 4.0 * m1 * m3 + 6.0 * m1 * m1 * m2 - 3.0 * m1.powi(4);
        Moments { variance, skewness: third / variance.powf(1.5), kurtosis: fourth / (variance * variance) }
    }
}

/// The `q` quantile of `values` (0..=1), linear between neighbours; `None` of nothing. NaNs are left out.
pub(crate) fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    // Between infinities there is nothing to interpolate.
    Some(if low == high { low } else { low + (high - low) * at.fract() })
}

/// Upper end of the Wilson interval, two-sided 95 %, for `passed` of `tested`.
pub(crate) fn upper_rate(passed: usize, tested: usize) -> f64 {
    if tested == 0 {
        return 1.0;
    }
    let (z, n) = (1.96_f64, tested as f64);
    let p = passed as f64 / n;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((middle + half) / (1.0 + z * z / n)).min(1.0)
}

/// Every second one from the first, and the others.
pub(crate) fn halves<T: Copy>(all: &[T]) -> (Vec<T>, Vec<T>) {
    (all.iter().step_by(2).copied().collect(), all.iter().skip(1).step_by(2).copied().collect())
}

/// The upper Tukey fence `Q3 + k·(Q3 − Q1)`.
pub(crate) fn upper_fence(values: &[f64], k: f64) -> Option<f64> {
    let (low, high) = (quantile(values, 0.25)?, quantile(values, 0.75)?);
    Some(high + k * (high - low))
}

/// A sample of a binomial distribution.
pub(crate) fn binomial(n: u32, p: f64, rng: &mut impl Rng) -> u32 {
    (0..n).filter(|_| rng.random::<f64>() < p).count() as u32
}

/// `n` distinct numbers below `of`, in random order; all of them if there are fewer.
pub(crate) fn draw(of: usize, n: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut found = rand::seq::index::sample(rng, of, n.min(of)).into_vec();
    found.shuffle(rng);
    found
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn moments(values: &[f64]) -> Moments {
        let sum = |power: i32| values.iter().map(|value| value.powi(power)).sum::<f64>();
        Moments::from_sums(values.len() as f64, [sum(1), sum(2), sum(3), sum(4)])
    }

    #[test]
    fn moments_of_known_samples() {
        // A fair coin of ±1: kurtosis 1. One 1 among ninety-nine 0: skewness (1 − 2p)/√(pq), kurtosis 3 + (1 − 6pq)/pq.
        assert_eq!(moments(&[1.0, -1.0]), Moments { variance: 1.0, skewness: 0.0, kurtosis: 1.0 });
        let mut one = vec![0.0; 99];
        one.push(1.0);
        let (p, found) = (0.01_f64, moments(&one));
        assert!((found.variance - p * (1.0 - p)).abs() < 1e-12);
        assert!((found.skewness - (1.0 - 2.0 * p) / (p * (1.0 - p)).sqrt()).abs() < 1e-9);
        assert!((found.kurtosis - (3.0 + (1.0 - 6.0 * p * (1.0 - p)) / (p * (1.0 - p)))).abs() < 1e-7);
        assert_eq!(moments(&[0.1; 7]), Moments::default());
    }

    #[test]
    fn quantiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0, f64::NAN];
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 0.5), Some(2.5));
        assert_eq!(quantile(&values, 1.0), Some(4.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(upper_fence(&[1.0, 2.0, 3.0, 4.0, 5.0], 1.5), Some(7.0));
    }

    #[test]
    fn upper_rates_follow_the_rule_of_three() {
        // 0 of n: z²/(n + z²), a little above 3/n.
        assert!((upper_rate(0, 1000) - 3.8416 / 1003.8416).abs() < 1e-9);
        assert_eq!(upper_rate(0, 0), 1.0);
        assert!(upper_rate(5, 100) > 0.05 && upper_rate(100, 100) > 0.9999);
    }

    #[test]
    fn draws_are_distinct_and_binomials_have_their_mean() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut drawn = draw(10, 99, &mut rng);
        drawn.sort_unstable();
        assert_eq!(drawn, (0..10).collect::<Vec<_>>());
        assert_eq!((binomial(50, 0.0, &mut rng), binomial(50, 1.0, &mut rng)), (0, 50));
        let mean = (0..400).map(|_| f64::from(binomial(20, 0.3, &mut rng))).sum::<f64>() / 400.0;
        assert!((mean - 6.0).abs() < 0.4, "{mean}");
    }
}
