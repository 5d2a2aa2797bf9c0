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

impl Sketch {
    pub fn new(bins: Bins) -> Sketch {
        Sketch { bins, counts: vec![0; LANES * bins.count()] }
    }

    #[inline(always)]
    pub fn add(&mut self, rows: &[Row], len: usize) {
        let (bins, width) = (self.bins, self.bins.count());
        for context in rows.chunks_exact(len) {
            for row in &context[SKIP_FIRST..] {
                let mut index = [0u32; LANES];
                for lane in 0..LANES {
                    index[lane] = bins.index(row[lane]) as u32;
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
