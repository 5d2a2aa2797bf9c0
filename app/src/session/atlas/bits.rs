//! Sets of units as one bit each: 125 kB for a million.

use rayon::prelude::*;

/// How many words one task takes: 16,384 rows.
const WORDS: usize = 256;

/// A set of rows out of `len`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// The empty set.
    pub fn none(len: usize) -> Bits {
        Bits { words: vec![0; len.div_ceil(64)], len }
    }

    /// The set of `rows`; those past the end are left out.
    pub fn of(len: usize, rows: impl IntoIterator<Item = u32>) -> Bits {
        let mut bits = Bits::none(len);
        for row in rows {
            bits.insert(row as usize);
        }
        bits
    }

    /// Adds a row.
    pub fn insert(&mut self, row: usize) {
        if row < self.len {
            self.words[row / 64] |= 1 << (row % 64);
        }
    }

    /// Adds the rows from `start` up to `end`.
    pub fn insert_range(&mut self, start: usize, end: usize) {
        let end = end.min(self.len);
        let mut row = start;
        while row < end {
            let (word, from) = (row / 64, row % 64);
            let to = (end - word * 64).min(64);
            let upper = if to == 64 { u64::MAX } else { (1 << to) - 1 };
            self.words[word] |= upper & (u64::MAX << from);
            row = word * 64 + to;
        }
    }

    /// Whether a row belongs to it.
    #[inline]
    pub fn contains(&self, row: usize) -> bool {
        row < self.len && self.words[row / 64] >> (row % 64) & 1 == 1
    }

    /// How many rows belong to it.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Keeps the rows that are in `other` too.
    pub fn intersect(&mut self, other: &Bits) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    /// Keeps the rows for which `keep` holds; it is asked only about those still there, on all processors.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool + Sync) {
        self.words.par_chunks_mut(WORDS).enumerate().for_each(|(chunk, words)| {
            for (index, word) in words.iter_mut().enumerate().filter(|(_, word)| **word != 0) {
                let first = (chunk * WORDS + index) * 64;
                let mut left = *word;
                while left != 0 {
                    let bit = left.trailing_zeros();
                    if !keep(first + bit as usize) {
                        *word &= !(1 << bit);
                    }
                    left &= left - 1;
                }
            }
        });
    }

    /// Keeps the rows whose number lies in `low..=high`; what is no number goes.
    pub fn retain_between(&mut self, values: &[f32], low: f32, high: f32) {
        self.words.par_iter_mut().zip(values.par_chunks(64)).with_min_len(WORDS).for_each(|(word, values)| {
            let mut inside = 0u64;
            for (bit, value) in values.iter().enumerate() {
                inside |= u64::from((*value >= low) & (*value <= high)) << bit;
            }
            *word &= inside;
        });
    }

    /// The rows of `order` that belong to it, in that order.
    pub fn pick(&self, order: &[u32]) -> Vec<u32> {
        let parts: Vec<Vec<u32>> = order
            .par_chunks(65_536)
            .map(|part| part.iter().copied().filter(|row| self.contains(*row as usize)).collect())
            .collect();
        parts.concat()
    }

    /// The rows, ascending.
    pub fn rows(&self) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.count());
        for (index, word) in self.words.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                rows.push((index * 64) as u32 + left.trailing_zeros());
                left &= left - 1;
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_and_rows_agree(len in 1usize..400, start in 0usize..400, more in 0usize..400) {
            let mut bits = Bits::none(len);
            bits.insert_range(start, start + more);
            let expected: Vec<u32> = (start.min(len)..(start + more).min(len)).map(|row| row as u32).collect();
            prop_assert_eq!(bits.rows(), expected.clone());
            prop_assert_eq!(bits.count(), expected.len());
            prop_assert_eq!(Bits::of(len, expected), bits);
        }

        #[test]
        fn keeping_by_number_is_keeping_by_question(values in prop::collection::vec(-2f32..2.0, 1..300)) {
            let mut all = Bits::none(values.len());
            all.insert_range(0, values.len());
            let (mut a, mut b) = (all.clone(), all);
            a.retain_between(&values, -0.5, 1.0);
            b.retain(|row| (-0.5..=1.0).contains(&values[row]));
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn what_is_no_number_goes_and_order_stays() {
        let mut bits = Bits::none(4);
        bits.insert_range(0, 4);
        bits.retain_between(&[1.0, f32::NAN, 2.0, 3.0], 0.0, f32::INFINITY);
        assert_eq!(bits.pick(&[3, 1, 2, 0]), [3, 2, 0]);
        assert!(!bits.contains(9));
    }
}
