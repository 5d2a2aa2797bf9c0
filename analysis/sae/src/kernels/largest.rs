//! The largest of many numbers, without sorting them.

use super::vector::for_each_processor;

/// Numbers that are looked at together.
const CHUNK: usize = 64;

/// Keeps candidates above a bar that rises as better ones come.
struct Race {
    k: usize,
    /// Nothing at or below it can be among the k largest any more. At least 0: what is not positive is never active.
    bar: f32,
    candidates: Vec<(u32, f32)>,
}

impl Race {
    fn prune(&mut self) {
        // Larger first; of equal ones the lower index.
        self.candidates.select_nth_unstable_by(self.k - 1, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        self.candidates.truncate(self.k);
        self.bar = self.candidates.iter().fold(f32::INFINITY, |bar, one| bar.min(one.1));
    }
}

#[inline(always)]
fn scan_body<const FUSED: bool>(values: &[f32], race: &mut Race) {
    for (start, chunk) in (0..).step_by(CHUNK).zip(values.chunks(CHUNK)) {
        let mut above = 0u32;
        for value in chunk {
            above += u32::from(*value > race.bar);
        }
        if above == 0 {
            continue;
        }
        for (latent, value) in (start..).zip(chunk) {
            if *value > race.bar {
                race.candidates.push((latent, *value));
            }
        }
        if race.candidates.len() >= 2 * race.k + CHUNK {
            race.prune();
        }
    }
}

for_each_processor! {
    fn scan(values: &[f32], race: &mut Race) = scan_body
}

/// The at most `k` largest positive numbers of `values` with their indices, which ascend; of equal ones the lower index.
pub fn largest(values: &[f32], k: usize) -> Vec<(u32, f32)> {
    if k == 0 {
        return Vec::new();
    }
    let mut race = Race { k, bar: 0.0, candidates: Vec::with_capacity(2 * k + 2 * CHUNK) };
    scan(values, &mut race);
    if race.candidates.len() > k {
        race.prune();
    }
    race.candidates.sort_unstable_by_key(|one| one.0);
    race.candidates
}

/// The numbers of `values` above `bar` with their indices.
pub fn above(values: &[f32], bar: f32) -> impl Iterator<Item = (u32, f32)> {
    (0u32..).zip(values.iter().copied()).filter(move |(_, value)| *value > bar)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_sorting_finds_them(values in proptest::collection::vec(-3i8..30, 0..700), k in 0usize..50) {
            // Few distinct numbers: many ties.
            let values: Vec<f32> = values.into_iter().map(f32::from).collect();
            let mut expected: Vec<(u32, f32)> = above(&values, 0.0).collect();
            expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            expected.truncate(k);
            expected.sort_by_key(|one| one.0);
            prop_assert_eq!(largest(&values, k), expected);
        }
    }

    #[test]
    fn numbers_that_are_none_are_never_chosen() {
        assert_eq!(largest(&[f32::NAN, 1.0, f32::NAN, 2.0], 3), [(1, 1.0), (3, 2.0)]);
    }
}
