//! The histogram of every unit, from which quantiles come. The bins are those of [`Bins`], which states the error.

use golgi_data::atlas::Bins;

use super::channel::Channel;
use super::lanes::{LANES, Row, SKIP_FIRST};

/// Counts per bin of the units of a block.
#[derive(Debug, Clone)]
pub(super) struct Sketch {
    bins: Bins,
    /// `[LANES][bins]`.
    counts: Vec<u32>,
}

/// [`Bins::index`] with everything that does not depend on the value worked out beforehand, so that the loop vectorises.
#[derive(Clone, Copy)]
struct Indexer {
    shift: u32,
    first: i32,
    side: i32,
}

impl Indexer {
    fn new(bins: &Bins) -> Indexer {
        Indexer {
            shift: 23 - bins.sub_bits,
            first: (bins.min_exp + 127) << bins.sub_bits,
            side: bins.per_side() as i32,
        }
    }

    #[inline(always)]
    fn index(self, x: f32) -> u32 {
        let bits = x.to_bits();
        let step = ((bits & (u32::MAX >> 1)) >> self.shift) as i32 - self.first;
        let outward = if x.is_nan() { 0 } else { step.max(-1).min(self.side - 1) + 1 };
        (if bits >> 31 == 1 { self.side - outward } else { self.side + outward }) as u32
    }
}

impl Sketch {
    pub fn new(bins: Bins) -> Sketch {
        Sketch { bins, counts: vec![0; LANES * bins.count()] }
    }

    #[inline(always)]
    pub fn add(&mut self, rows: &[Row], len: usize) {
        let (width, index_of) = (self.bins.count(), Indexer::new(&self.bins));
        for context in rows.chunks_exact(len) {
            for row in &context[SKIP_FIRST..] {
                let mut index = [0u32; LANES];
                for lane in 0..LANES {
                    index[lane] = index_of.index(row[lane]);
                }
                for (counts, index) in self.counts.chunks_exact_mut(width).zip(index) {
                    counts[index as usize] += 1;
                }
            }
        }
    }

    /// The counts of one unit.
    pub fn counts(&self, lane: usize) -> &[u32] {
        let width = self.bins.count();
        &self.counts[lane * width..][..width]
    }

    pub fn clear(&mut self) {
        self.counts.fill(0);
    }

    pub fn bytes(bins: &Bins) -> u64 {
        (LANES * bins.count() * 4) as u64
    }

    pub fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        channel.numbers(&mut self.counts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bins_are_those_of_the_manifest(bits: u32, sub_bits in 0u32..7, min_exp in -100i32..0, octaves in 1i32..100) {
            let bins = Bins { sub_bits, min_exp, max_exp: min_exp + octaves };
            let x = f32::from_bits(bits);
            prop_assert_eq!(Indexer::new(&bins).index(x) as usize, bins.index(x));
        }

        #[test]
        fn quantiles_keep_their_error(values in prop::collection::vec((-1f32..1.0, -12i32..8), 2..400), q in 0f32..=1.0) {
            let values: Vec<f32> = values.into_iter().map(|(x, e)| x * 2f32.powi(e)).collect();
            let bins = Bins::default();
            let mut sketch = Sketch::new(bins);
            let rows: Vec<Row> = values.iter().map(|x| std::array::from_fn(|lane| if lane == 5 { *x } else { 1.0 })).collect();
            sketch.add(&rows, rows.len());
            // The first position does not count.
            let mut sorted = values[1..].to_vec();
            sorted.sort_by(f32::total_cmp);
            let rank = ((f64::from(q) * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
            let truth = f64::from(sorted[rank - 1]);
            let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
            let found = f64::from(bins.quantile(sketch.counts(5), f64::from(q), min, max).unwrap());
            let allowed = (truth.abs() * bins.relative_error()).max(2f64.powi(bins.min_exp)) * 1.000_01;
            prop_assert!((found - truth).abs() <= allowed, "{found} for {truth}");
        }
    }
}
