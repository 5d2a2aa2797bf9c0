//! The ends of a long list of numbers.

/// The largest of the numbers that were offered so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Best {
    /// The largest first; of equal ones the one that was offered first.
    pub kept: Vec<(u32, f32)>,
}

impl Best {
    /// Takes `value` in if it is among the `k` largest. What is no number never is.
    pub fn offer(&mut self, index: u32, value: f32, k: usize) {
        let wanted =
            if self.kept.len() < k { !value.is_nan() } else { self.kept.last().is_some_and(|last| value > last.1) };
        if wanted {
            let at = self.kept.partition_point(|(_, other)| *other >= value);
            self.kept.insert(at, (index, value));
            self.kept.truncate(k);
        }
    }

    /// What a further number must exceed: the smallest of `k`, or `floor` before there are so many.
    pub fn bar(&self, k: usize, floor: f32) -> f32 {
        if self.kept.len() < k { floor } else { self.kept.last().map_or(f32::INFINITY, |last| last.1) }
    }
}

/// The indices of the `k` largest of `values`, the largest first, of equal ones the smaller index first. What is no number
/// is left out.
pub(super) fn largest(values: impl Iterator<Item = f32>, k: usize) -> Vec<(u32, f32)> {
    let mut best = Best::default();
    // The bar is kept at hand: most numbers are compared with it and nothing else.
    let (mut bar, mut full) = (f32::NEG_INFINITY, k == 0);
    for (index, value) in values.enumerate() {
        if !full || value > bar {
            best.offer(index as u32, value, k);
            full = best.kept.len() >= k;
            bar = best.bar(k, f32::NEG_INFINITY);
        }
    }
    best.kept
}

/// The indices of the `k` smallest, the smallest first.
pub(super) fn smallest(values: impl Iterator<Item = f32>, k: usize) -> Vec<(u32, f32)> {
    let mut found = largest(values.map(|value| -value), k);
    found.iter_mut().for_each(|(_, value)| *value = -*value);
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_ends_of_a_sorted_list(values in prop::collection::vec(-5i8..5, 0..60), k in 0usize..9) {
            let values: Vec<f32> = values.into_iter().map(f32::from).collect();
            let mut sorted: Vec<(u32, f32)> = (0..).zip(values.iter().copied()).collect();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            sorted.truncate(k);
            prop_assert_eq!(largest(values.iter().copied(), k), sorted);
            let lowest = smallest(values.iter().copied(), k);
            prop_assert!(lowest.windows(2).all(|pair| pair[0].1 <= pair[1].1));
            prop_assert_eq!(lowest.first().map(|low| low.1), values.iter().copied().reduce(f32::min).filter(|_| k > 0));
        }
    }

    #[test]
    fn nan_is_left_out() {
        assert_eq!(largest([f32::NAN, 1.0, f32::NAN].into_iter(), 2), [(1, 1.0)]);
    }
}
