//! The numbers that scores are made of.

/// Pearson's correlation `Σ(x−x̄)(y−ȳ) / √(Σ(x−x̄)²·Σ(y−ȳ)²)`; `None` where one of them does not vary.
pub(super) fn correlation(x: &[f32], y: &[f32]) -> Option<f64> {
    let n = x.len().min(y.len()) as f64;
    let mean = |values: &[f32]| values.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (f64::from(*x) - mean_x, f64::from(*y) - mean_y);
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}

/// The share of the variance of `truth` that `guess` explains as it stands, `1 − Σ(truth−guess)² / Σ(truth−mean)²`: below 0 where
/// the mean alone would do better. `None` where the truth does not vary.
pub(super) fn explained(truth: &[f32], guess: &[f32]) -> Option<f64> {
    let n = truth.len() as f64;
    let mean = truth.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
    let total: f64 = truth.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
    let rest: f64 = truth.iter().zip(guess).map(|(t, g)| (f64::from(*t) - f64::from(*g)).powi(2)).sum();
    (total > 0.0).then(|| 1.0 - rest / total)
}

/// The share of pairs of a positive and a negative in which the positive has the larger value; equal ones count half.
/// 0.5 by chance. `None` where one side is empty.
pub(super) fn auc(positives: &[f32], negatives: &[f32]) -> Option<f64> {
    if positives.is_empty() || negatives.is_empty() {
        return None;
    }
    let mut sum = 0.0;
    for positive in positives {
        for negative in negatives {
            sum += match positive.total_cmp(negative) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    Some(sum / (positives.len() * negatives.len()) as f64)
}

/// The mean; `None` of nothing.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (n, sum) = values.into_iter().fold((0u32, 0.0), |(n, sum), value| (n + 1, sum + value));
    (n > 0).then(|| sum / f64::from(n))
}

/// A confusion table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Confusion {
    /// Predicted and there.
    pub tp: u32,
    /// Predicted, not there.
    pub fp: u32,
    /// There, not predicted.
    pub r#fn: u32,
    /// Neither.
    pub tn: u32,
}

impl Confusion {
    /// Counts `(predicted, true)`.
    pub fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Confusion {
        let mut table = Confusion::default();
        for pair in pairs {
            match pair {
                (true, true) => table.tp += 1,
                (true, false) => table.fp += 1,
                (false, true) => table.r#fn += 1,
                (false, false) => table.tn += 1,
            }
        }
        table
    }

    /// `TP / (TP + FP)`; `None` where nothing was predicted.
    pub fn precision(&self) -> Option<f64> {
        share(self.tp, self.fp)
    }

    /// `TP / (TP + FN)`; `None` where nothing is there.
    pub fn recall(&self) -> Option<f64> {
        share(self.tp, self.r#fn)
    }

    /// `2·TP / (2·TP + FP + FN)`; `None` where nothing is there and nothing was predicted.
    pub fn f1(&self) -> Option<f64> {
        let all = 2 * self.tp + self.fp + self.r#fn;
        (all > 0).then(|| f64::from(2 * self.tp) / f64::from(all))
    }

    /// `TN / (TN + FP)`.
    pub fn specificity(&self) -> Option<f64> {
        share(self.tn, self.fp)
    }

    /// Balanced accuracy, `(TP/(TP+FN) + TN/(TN+FP)) / 2`; 0.5 by chance. `None` where one side is empty.
    pub fn balanced(&self) -> Option<f64> {
        Some((self.recall()? + self.specificity()?) / 2.0)
    }
}

fn share(part: u32, rest: u32) -> Option<f64> {
    (part + rest > 0).then(|| f64::from(part) / f64::from(part + rest))
}

/// Fisher's exact test, one-sided: the probability that at least `hits` of `cases` have a property that `hits + misses` of all
/// `cases + controls` have, if it were dealt out at random: `Σ_{k≥hits} C(K,k)·C(N−K,n−k)/C(N,n)` with `N = cases + controls`,
/// `K = hits + misses`, `n = cases`. `misses` are the controls that have it.
pub(super) fn fisher(hits: u32, cases: u32, misses: u32, controls: u32) -> f64 {
    let (all, with, drawn) = (cases + controls, hits + misses, cases);
    let most = with.min(drawn);
    let logs = LogFactorials::new(all);
    let total = logs.choose(all, drawn);
    let term = |k: u32| {
        if drawn - k > all - with {
            return 0.0;
        }
        (logs.choose(with, k) + logs.choose(all - with, drawn - k) - total).exp()
    };
    (hits..=most).map(term).sum::<f64>().min(1.0)
}

struct LogFactorials(Vec<f64>);

impl LogFactorials {
    fn new(n: u32) -> LogFactorials {
        let mut logs = vec![0.0; n as usize + 1];
        for i in 1..logs.len() {
            logs[i] = logs[i - 1] + (i as f64).ln();
        }
        LogFactorials(logs)
    }

    fn choose(&self, n: u32, k: u32) -> f64 {
        self.0[n as usize] - self.0[k as usize] - self.0[(n - k) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_and_variance_by_hand() {
        assert_eq!(correlation(&[0.0, 1.0, 2.0], &[1.0, 3.0, 5.0]), Some(1.0));
        assert_eq!(correlation(&[0.0, 1.0, 2.0], &[0.0, -1.0, -2.0]), Some(-1.0));
        assert_eq!(correlation(&[1.0, 1.0], &[0.0, 5.0]), None);
        // Σ(t−g)² = 1, Σ(t−mean)² = 2.
        assert_eq!(explained(&[0.0, 1.0, 2.0], &[0.0, 1.0, 1.0]), Some(0.5));
        assert_eq!(explained(&[1.0, 1.0], &[0.0, 0.0]), None);
        assert!(explained(&[0.0, 1.0], &[9.0, 9.0]).unwrap() < 0.0);
    }

    #[test]
    fn areas_count_ties_half() {
        assert_eq!(auc(&[2.0, 3.0], &[1.0, 1.0]), Some(1.0));
        assert_eq!(auc(&[1.0, 3.0], &[1.0, 5.0]), Some(1.5 / 4.0));
        assert_eq!(auc(&[], &[1.0]), None);
    }

    #[test]
    fn confusion_by_hand() {
        let pairs = [(true, true), (true, false), (false, true), (true, true), (false, false)];
        let table = Confusion::of(pairs);
        assert_eq!((table.tp, table.fp, table.r#fn, table.tn), (2, 1, 1, 1));
        assert_eq!(table.precision(), Some(2.0 / 3.0));
        assert_eq!(table.recall(), Some(2.0 / 3.0));
        assert_eq!(table.f1(), Some(4.0 / 6.0));
        assert_eq!(table.balanced(), Some((2.0 / 3.0 + 0.5) / 2.0));
        assert_eq!(Confusion::of([(true, true)]).balanced(), None);
    }

    #[test]
    fn fisher_by_hand() {
        // All of 3 cases and none of 3 controls: one of C(6,3) = 20 ways.
        assert!((fisher(3, 3, 0, 3) - 1.0 / 20.0).abs() < 1e-12);
        // Two or more of 3 with 3 of 6 in all: (9 + 1) / 20.
        assert!((fisher(2, 3, 1, 3) - 0.5).abs() < 1e-12);
        assert!((fisher(0, 3, 1, 3) - 1.0).abs() < 1e-12);
        assert!((fisher(5, 5, 2, 2) - 1.0).abs() < 1e-12);
    }
}
