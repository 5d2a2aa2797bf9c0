//! Sorting row numbers by a column, as one number per row: key and row in 64 bits.

use rayon::prelude::*;

/// A key whose order is the order of the numbers, reversed where `descending`. What is no number comes last either way.
#[inline]
fn key(value: f32, descending: bool) -> u32 {
    if value.is_nan() {
        return u32::MAX;
    }
    // Adding 0 makes −0 the same as 0.
    let bits = (value + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 };
    if descending { !ascending } else { ascending }
}

/// From this many rows on, the work is shared out among the processors.
const SHARED: usize = 1 << 17;

/// The row numbers in the order of `values`; equal rows, and those without a number, stay in the order of the table.
///
/// ```
/// use golgi::session::atlas::sort::order_by;
/// assert_eq!(order_by(&[2.0, f32::NAN, -1.0, 2.0], true), [0, 3, 2, 1]);
/// ```
pub fn order_by(values: &[f32], descending: bool) -> Vec<u32> {
    let entry = |(row, value): (usize, &f32)| u64::from(key(*value, descending)) << 32 | row as u64;
    sorted(values.par_iter().enumerate().with_min_len(16_384).map(entry).collect())
}

/// Some rows in the order of `values`.
pub fn order_rows_by(values: &[f32], rows: &[u32], descending: bool) -> Vec<u32> {
    let entry = |row: &u32| {
        let value = values.get(*row as usize).copied().unwrap_or(f32::NAN);
        u64::from(key(value, descending)) << 32 | u64::from(*row)
    };
    sorted(rows.par_iter().with_min_len(16_384).map(entry).collect())
}

/// The rows of entries (key above, row below) in ascending order. No two entries are equal, so no sorting can be unstable.
fn sorted(mut entries: Vec<u64>) -> Vec<u32> {
    let mut scratch = vec![0; if entries.len() >= SHARED { entries.len() } else { 0 }];
    sort(&mut entries, &mut scratch);
    entries.into_par_iter().with_min_len(SHARED).map(|entry| entry as u32).collect()
}

fn sort(entries: &mut [u64], scratch: &mut [u64]) {
    if entries.len() < SHARED {
        entries.sort_unstable();
        return;
    }
    let middle = entries.len() / 2;
    let (left, right) = entries.split_at_mut(middle);
    let (left_scratch, right_scratch) = scratch.split_at_mut(middle);
    rayon::join(|| sort(left, left_scratch), || sort(right, right_scratch));
    let (mut i, mut j) = (0, 0);
    for slot in scratch.iter_mut() {
        let from_left = j == right.len() || i < left.len() && left[i] < right[j];
        *slot = if from_left { left[i] } else { right[j] };
        i += usize::from(from_left);
        j += usize::from(!from_left);
    }
    entries.copy_from_slice(scratch);
}

/// The place of each text in alphabetical order, equal texts sharing one; a missing text has none (NaN). Exact for 16 million rows.
pub fn ranks<'a>(len: usize, text: impl Fn(usize) -> Option<&'a str> + Sync) -> Vec<f32> {
    let prefix = |text: &str| {
        let mut bytes = [0; 8];
        let n = text.len().min(8);
        bytes[..n].copy_from_slice(&text.as_bytes()[..n]);
        u64::from_be_bytes(bytes)
    };
    let mut rows: Vec<(u64, u32)> =
        (0..len).into_par_iter().filter_map(|row| Some((prefix(text(row)?), row as u32))).collect();
    let by = |row: &(u64, u32)| text(row.1 as usize);
    rows.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| by(a).cmp(&by(b))));
    let mut ranks = vec![f32::NAN; len];
    let mut rank = 0u32;
    for (index, row) in rows.iter().enumerate() {
        if index > 0 && by(&rows[index - 1]) != by(row) {
            rank += 1;
        }
        ranks[row.1 as usize] = rank as f32;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn orders_as_a_stable_comparison_does(values in prop::collection::vec(any::<f32>(), 0..400), descending: bool) {
            let mut expected: Vec<u32> = (0..values.len() as u32).collect();
            expected.sort_by(|a, b| {
                let (a, b) = (values[*a as usize], values[*b as usize]);
                match (a.is_nan(), b.is_nan()) {
                    (false, false) if descending => b.partial_cmp(&a).unwrap(),
                    (false, false) => a.partial_cmp(&b).unwrap(),
                    (a, b) => a.cmp(&b),
                }
            });
            prop_assert_eq!(order_by(&values, descending), expected);
        }

        #[test]
        fn ranks_follow_the_alphabet(texts in prop::collection::vec(prop::option::of("[a-c]{0,12}"), 0..60)) {
            let ranks = ranks(texts.len(), |row| texts[row].as_deref());
            for (a, x) in texts.iter().zip(&ranks) {
                for (b, y) in texts.iter().zip(&ranks) {
                    if let (Some(a), Some(b)) = (a, b) {
                        prop_assert_eq!(a.cmp(b), x.partial_cmp(y).unwrap());
                    }
                }
            }
            prop_assert!(texts.iter().zip(&ranks).all(|(text, rank)| text.is_none() == rank.is_nan()));
        }
    }

    #[test]
    fn many_rows_are_sorted_in_parts() {
        let values: Vec<f32> =
            (0..400_000u32).map(|row| (row.wrapping_mul(2_654_435_761) >> 12) as f32 % 977.0).collect();
        let order = order_by(&values, false);
        let pairs = order.windows(2);
        let place = |row: u32| (values[row as usize], row);
        assert!(pairs.into_iter().all(|pair| place(pair[0]) < place(pair[1])));
        let even: Vec<u32> = (0..200_000).map(|row| row * 2).collect();
        let some: Vec<u32> = order.into_iter().filter(|row| row % 2 == 0).collect();
        assert_eq!(order_rows_by(&values, &even, false), some);
    }

    #[test]
    fn infinities_and_zeros_have_their_place() {
        let values = [0.0, f32::NEG_INFINITY, -0.0, f32::INFINITY, f32::NAN];
        assert_eq!(order_by(&values, false), [1, 0, 2, 3, 4]);
        assert_eq!(order_by(&values, true), [3, 0, 2, 1, 4]);
    }
}
