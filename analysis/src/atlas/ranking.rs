//! The ends of a long list of numbers.

/// The indices of the `k` largest of `values`, the largest first, of equal ones the smaller index first. What is no number
/// is left out.
pub(super) fn largest(values: impl Iterator<Item = f32>, k: usize) -> Vec<(u32, f32)> {
    let mut kept: Vec<(u32, f32)> = Vec::with_capacity(k + 1);
    if k == 0 {
        return kept;
    }
    let mut bar = f32::NEG_INFINITY;
    for (index, value) in values.enumerate() {
        if !(value > bar || kept.len() < k && value >= bar) {
            continue;
        }
        let at = kept.partition_point(|(_, other)| *other >= value);
        kept.insert(at, (index as u32, value));
        if kept.len() > k {
            kept.pop();
        }
        if kept.len() == k {
            bar = kept[k - 1].1;
        }
    }
    kept
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
