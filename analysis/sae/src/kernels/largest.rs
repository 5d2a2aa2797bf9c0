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

/// Lanes of a block of numbers, and how many numbers each lane holds: those whose places differ by a multiple of [`LANES`].
const LANES: usize = 16;
const DEEP: usize = 16;
const BLOCK: usize = LANES * DEEP;

/// The largest number of each lane of each whole block, at least 0.
#[inline(always)]
fn maxima_body<const FUSED: bool>(values: &[f32], maxima: &mut Vec<f32>) {
    for block in values.chunks_exact(BLOCK) {
        let mut most = [0f32; LANES];
        for row in block.chunks_exact(LANES) {
            for (most, value) in most.iter_mut().zip(row) {
                *most = if *value > *most { *value } else { *most };
            }
        }
        maxima.extend_from_slice(&most);
    }
}

for_each_processor! {
    fn maxima(values: &[f32], maxima: &mut Vec<f32>) = maxima_body
}

/// The at most `k` largest positive numbers of `values` with their indices, which ascend; of equal ones the lower index.
///
/// At least k numbers are as large as the k-th largest of the lanes' maxima; so only lanes whose maximum reaches it are looked through.
pub fn largest(values: &[f32], k: usize) -> Vec<(u32, f32)> {
    if k == 0 {
        return Vec::new();
    }
    let mut race = Race { k, bar: 0.0, candidates: Vec::with_capacity(2 * k + 2 * CHUNK) };
    let lanes = values.len() / BLOCK * LANES;
    if lanes < 2 * k {
        scan(values, &mut race);
    } else {
        let mut tops = Vec::with_capacity(lanes);
        maxima(values, &mut tops);
        let mut sorted = tops.clone();
        let (_, bar, _) = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
        // Numbers equal to the bar count; only positive ones do.
        race.bar = bar.next_down().max(0.0);
        for (lane, _) in tops.iter().enumerate().filter(|(_, top)| **top > race.bar) {
            let first = lane / LANES * BLOCK + lane % LANES;
            for place in (first..first + BLOCK).step_by(LANES) {
                if values[place] > race.bar {
                    race.candidates.push((place as u32, values[place]));
                }
            }
        }
        let rest = lanes / LANES * BLOCK;
        let after = (rest as u32..).zip(&values[rest..]).filter(|(_, value)| **value > race.bar);
        race.candidates.extend(after.map(|(place, value)| (place, *value)));
    }
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
