//! Up to 64 units of one kind and layer, with everything that is known of them so far.

use golgi_data::atlas::Bins;

use super::batch::{Batch, Counts};
use super::channel::Channel;
use super::examples::Examples;
use super::lanes::{LANES, Row, SKIP_FIRST, Wide};
use super::moments::Moments;
use super::plan::Plan;
use super::profiles::{Profiles, Totals};
use super::sample::Sample;
use super::sketch::Sketch;
use super::triggers::{LONGEST, Triggers};
use super::vocabulary::TokenMeans;

/// What is accumulated for a block of units.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Index of its first unit within the layer.
    pub first: usize,
    /// How many of its lanes are units; the others stay 0.
    pub used: usize,
    /// Drops the sign before a value is compared with its threshold, or keeps it.
    pub magnitude: u32,
    /// Above this a unit is active.
    pub threshold: Row,
    pub moments: Moments,
    pub profiles: Profiles,
    pub sketch: Sketch,
    pub examples: Examples,
    pub tokens: TokenMeans,
    pub sample: Sample,
    /// Of neurons only.
    pub triggers: Option<Triggers>,
}

impl Block {
    pub fn new(plan: &Plan, bins: Bins, (first, used): (usize, usize), magnitude: u32, triggers: bool) -> Block {
        Block {
            first,
            used,
            magnitude,
            threshold: [0.0; LANES],
            moments: Moments::new(),
            profiles: Profiles::new(plan.position_bins(), &plan.labels),
            sketch: Sketch::new(bins),
            examples: Examples::new(magnitude),
            tokens: TokenMeans::new(plan.tracked.len()),
            sample: Sample::new(plan.sample_len()),
            triggers: triggers.then(|| Triggers::new(used)),
        }
    }

    /// Bytes of a block.
    pub fn bytes(plan: &Plan, bins: &Bins, triggers: bool) -> u64 {
        Profiles::bytes(plan.position_bins(), &plan.labels)
            + Sketch::bytes(bins)
            + Examples::bytes()
            + TokenMeans::bytes(plan.tracked.len())
            + Sample::bytes(plan.sample_len())
            + if triggers { Triggers::bytes() } else { 0 }
            + size_of::<Block>() as u64
    }

    /// Copies this block's columns of `values` `[slots][width]` into `rows`; lanes without a unit stay 0.
    #[inline(always)]
    fn gather(&self, values: &[f32], width: usize, rows: &mut Vec<Row>) {
        if self.used == LANES {
            // Every lane is overwritten.
            rows.resize(values.len() / width, [0.0; LANES]);
            for (row, all) in rows.iter_mut().zip(values.chunks_exact(width)) {
                row.copy_from_slice(&all[self.first..self.first + LANES]);
            }
        } else {
            rows.clear();
            rows.resize(values.len() / width, [0.0; LANES]);
            for (row, all) in rows.iter_mut().zip(values.chunks_exact(width)) {
                row[..self.used].copy_from_slice(&all[self.first..self.first + self.used]);
            }
        }
    }

    /// Adds a batch of activations `[slots][width]`, of which `before` tells what came before. `rows` is room to work in.
    /// Returns whether all activations are numbers.
    pub fn add(
        &mut self,
        values: &[f32],
        width: usize,
        rows: &mut Vec<Row>,
        batch: &Batch,
        before: &Counts,
        common: &[u64; LONGEST],
    ) -> bool {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just said that it has these instructions.
            return unsafe { self.add_avx2(values, width, rows, batch, before, common) };
        }
        self.add_with(values, width, rows, batch, before, common)
    }

    /// The same code with vectors of 256 bits. Every operation is rounded as in the plain version, so the results are equal.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn add_avx2(
        &mut self,
        values: &[f32],
        width: usize,
        rows: &mut Vec<Row>,
        batch: &Batch,
        before: &Counts,
        common: &[u64; LONGEST],
    ) -> bool {
        self.add_with(values, width, rows, batch, before, common)
    }

    #[inline(always)]
    fn add_with(
        &mut self,
        values: &[f32],
        width: usize,
        rows: &mut Vec<Row>,
        batch: &Batch,
        before: &Counts,
        common: &[u64; LONGEST],
    ) -> bool {
        self.gather(values, width, rows);
        let mut sum: Wide = [0.0; LANES];
        for (index, context) in rows.chunks_exact(batch.len).enumerate() {
            let totals = Totals::of(context, &self.threshold, self.magnitude);
            for lane in 0..LANES {
                sum[lane] += totals.sum[lane];
            }
            self.profiles.add_context(&totals, batch.languages[index], batch.genres[index]);
            self.examples.add_strongest(context, batch.contexts[index], &totals);
        }
        self.profiles.add_positions(rows, batch, &self.threshold, self.magnitude);
        self.moments.add(rows, batch.len, before.tokens, &sum);
        self.sketch.add(rows, batch.len);
        self.examples.add_bands(rows, batch);
        self.tokens.add(rows, batch, &before.tracked);
        self.sample.add(rows, batch);
        if let Some(triggers) = &mut self.triggers {
            triggers.add(rows, batch, &self.threshold, self.magnitude, common);
        }
        // A single infinity or NaN shows in its unit's sum.
        sum.iter().all(|sum| sum.is_finite())
    }

    /// Adds a batch to the sketch, and the magnitudes times `scale` to `pooled`, a histogram over the upper halves of floats.
    pub fn calibrate(
        &mut self,
        values: &[f32],
        width: usize,
        rows: &mut Vec<Row>,
        len: usize,
        scale: &[f32],
        pooled: &mut [u32],
    ) {
        self.gather(values, width, rows);
        self.sketch.add(rows, len);
        for context in rows.chunks_exact(len) {
            for row in &context[SKIP_FIRST..] {
                for (x, scale) in row.iter().zip(&scale[self.first..self.first + self.used]) {
                    pooled[((x * scale).to_bits() << 1 >> 17) as usize] += 1;
                }
            }
        }
    }

    pub fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        channel.numbers(&mut self.threshold)?;
        self.moments.transfer(channel)?;
        self.profiles.transfer(channel)?;
        self.sketch.transfer(channel)?;
        self.examples.transfer(channel)?;
        self.tokens.transfer(channel)?;
        self.sample.transfer(channel)?;
        self.triggers.as_mut().map_or(Ok(()), |triggers| triggers.transfer(channel))
    }
}

/// Entries of the histogram of [`Block::calibrate`].
pub(super) const POOLED: usize = 1 << 15;

/// The `share`-quantile of what a pooled histogram counted: the upper bound of its entry, 0.8 % too high at most.
pub(super) fn pooled_quantile(pooled: &[u32], share: f64) -> f32 {
    let total: u64 = pooled.iter().map(|count| u64::from(*count)).sum();
    let rank = (share * total as f64).ceil() as u64;
    let mut seen = 0;
    let index = pooled.iter().position(|count| {
        seen += u64::from(*count);
        seen >= rank && total > 0
    });
    // Exact zeros have an entry of their own together with the smallest denormals.
    index.filter(|index| *index > 0).map_or(0.0, |index| f32::from_bits(((index as u32 + 1) << 16) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooled_quantiles_are_close() {
        let mut pooled = vec![0; POOLED];
        for i in 1..=1000 {
            pooled[((i as f32 * 0.01).to_bits() << 1 >> 17) as usize] += 1;
        }
        let found = pooled_quantile(&pooled, 0.95);
        assert!((9.5..9.576).contains(&found), "{found}");
        assert_eq!(pooled_quantile(&[3, 0], 0.95), 0.0);
        assert_eq!(pooled_quantile(&[0; 4], 0.95), 0.0);
    }
}
