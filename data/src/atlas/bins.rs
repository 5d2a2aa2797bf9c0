//! The quantile sketch: counts in bins whose width grows with the value, so that any quantile is known with a relative
//! error that is fixed beforehand, in memory that does not grow.
//!
//! A bin is the sign, the exponent and the first mantissa bits of a number: each octave `[2^e, 2^(e+1))` is cut into
//! `2^sub_bits` equal parts. With `hi − lo ≤ lo·2^−sub_bits`, the harmonic mean `2·lo·hi/(lo+hi)` of a bin's bounds is off by at
//! most `(hi − lo)/(hi + lo) ≤ 1/(2^(sub_bits+1) + 1)` of the true value.

use serde::{Deserialize, Serialize};

/// The bins, from the most negative to the most positive; one in the middle holds everything near 0.
///
/// ```
/// use golgi_data::atlas::Bins;
///
/// let bins = Bins::default();
/// let (low, high) = bins.bounds(bins.index(1.1));
/// assert!(low <= 1.1 && 1.1 < high);
/// assert_eq!(bins.index(0.0), bins.zero());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bins {
    /// Each octave has 2 to this power bins.
    pub sub_bits: u32,
    /// Smaller magnitudes than 2 to this power count as 0.
    pub min_exp: i32,
    /// Magnitudes from 2 to this power up share the outermost bin.
    pub max_exp: i32,
}

impl Default for Bins {
    /// 16 bins per octave from 2⁻¹⁰ to 2⁸: 577 bins, relative error at most 1/33.
    fn default() -> Bins {
        Bins { sub_bits: 4, min_exp: -10, max_exp: 8 }
    }
}

impl Bins {
    /// Whether the parameters, perhaps read from a file, make sense.
    pub fn is_valid(&self) -> bool {
        self.sub_bits <= 6 && self.min_exp >= -100 && self.max_exp <= 100 && self.min_exp < self.max_exp
    }

    /// Bins of one sign.
    pub fn per_side(&self) -> usize {
        ((self.max_exp - self.min_exp) as usize) << self.sub_bits
    }

    /// All bins.
    pub fn count(&self) -> usize {
        2 * self.per_side() + 1
    }

    /// The bin of 0.
    pub fn zero(&self) -> usize {
        self.per_side()
    }

    /// The bin of `x`; what is no number counts as 0.
    #[inline(always)]
    pub fn index(&self, x: f32) -> usize {
        let bits = x.to_bits();
        let first = (self.min_exp + 127) << self.sub_bits;
        let step = ((bits & 0x7fff_ffff) >> (23 - self.sub_bits)) as i32 - first;
        let side = self.per_side() as i32;
        // Below the smallest magnitude the step is negative; NaN lies above every exponent and is sent to 0 too.
        let outward = if x.is_nan() { 0 } else { step.clamp(-1, side - 1) + 1 };
        (if bits >> 31 == 1 { side - outward } else { side + outward }) as usize
    }

    /// Lower and upper bound of bin `index`, as magnitudes with their sign; `low ≤ x < high` for positive bins,
    /// `low < x ≤ high` for negative ones.
    pub fn bounds(&self, index: usize) -> (f32, f32) {
        let side = self.per_side();
        let edge = |step: usize| {
            let octave = (step >> self.sub_bits) as i32 + self.min_exp;
            let part = (step & ((1 << self.sub_bits) - 1)) as f32 / (1u32 << self.sub_bits) as f32;
            (1.0 + part) * 2f32.powi(octave)
        };
        match index.cmp(&side) {
            std::cmp::Ordering::Equal => (-edge(0), edge(0)),
            std::cmp::Ordering::Greater => (edge(index - side - 1), edge(index - side)),
            std::cmp::Ordering::Less => (-edge(side - index), -edge(side - index - 1)),
        }
    }

    /// The largest relative error of a quantile whose magnitude lies between 2^min_exp and 2^max_exp.
    pub fn relative_error(&self) -> f64 {
        1.0 / f64::from((1u32 << (self.sub_bits + 1)) + 1)
    }

    /// The `q`-quantile (`0 ≤ q ≤ 1`) of what was counted, kept within the exact `min` and `max`; `None` if nothing was.
    pub fn quantile(&self, counts: &[u32], q: f64, min: f32, max: f32) -> Option<f32> {
        let total: u64 = counts.iter().map(|count| u64::from(*count)).sum();
        if total == 0 {
            return None;
        }
        let rank = ((q * total as f64).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        let index = counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        })?;
        let (low, high) = self.bounds(index);
        let middle = if index == self.zero() { 0.0 } else { 2.0 * low * high / (low + high) };
        Some(if min <= max { middle.clamp(min, max) } else { middle })
    }

    /// The counts gathered into at most `bars` bars of equal width between `min` and `max`: `(low, high, count)`. A bin
    /// that reaches over several bars is shared out among them by width.
    pub fn histogram(&self, counts: &[u32], min: f32, max: f32, bars: usize) -> Vec<(f32, f32, f32)> {
        let bars = bars.max(1);
        let (min, max) = (f64::from(min), f64::from(max));
        if !(min.is_finite() && max.is_finite()) || min > max {
            return Vec::new();
        }
        let width = (max - min) / bars as f64;
        if width <= 0.0 {
            let total: f32 = counts.iter().map(|count| *count as f32).sum();
            return vec![(min as f32, max as f32, total)];
        }
        let mut heights = vec![0f64; bars];
        for (index, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (low, high) = self.bounds(index);
            let (low, high) = (f64::from(low).clamp(min, max), f64::from(high).clamp(min, max));
            let bar = |x: f64| (((x - min) / width) as usize).min(bars - 1);
            let span = high - low;
            if span <= 0.0 {
                heights[bar(low)] += f64::from(*count);
                continue;
            }
            for (index, height) in heights.iter_mut().enumerate().take(bar(high) + 1).skip(bar(low)) {
                let left = (min + index as f64 * width).max(low);
                let right = (min + (index + 1) as f64 * width).min(high);
                *height += f64::from(*count) * (right - left).max(0.0) / span;
            }
        }
        let edge = |index: usize| (min + index as f64 * width) as f32;
        heights.iter().enumerate().map(|(index, height)| (edge(index), edge(index + 1), *height as f32)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_lies_in_its_bin(x in -200f32..200.0, scale in -9i32..1) {
            let bins = Bins::default();
            let x = x * 2f32.powi(scale);
            let (low, high) = bins.bounds(bins.index(x));
            prop_assert!(low <= x && x <= high, "{low} {x} {high}");
        }

        #[test]
        fn quantiles_are_within_the_stated_error(mut values in prop::collection::vec(-100f32..100.0, 1..300), q in 0.0f64..1.0) {
            let bins = Bins::default();
            let mut counts = vec![0u32; bins.count()];
            values.iter().for_each(|value| counts[bins.index(*value)] += 1);
            values.sort_by(f32::total_cmp);
            let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let truth = f64::from(values[rank - 1]);
            let found = f64::from(bins.quantile(&counts, q, values[0], values[values.len() - 1]).unwrap());
            let allowed = (truth.abs() * bins.relative_error()).max(2f64.powi(bins.min_exp)) * 1.000_01;
            prop_assert!((found - truth).abs() <= allowed, "{found} for {truth}");
        }

        #[test]
        fn histograms_keep_the_count(values in prop::collection::vec(-100f32..100.0, 1..300), bars in 1usize..60) {
            let bins = Bins::default();
            let mut counts = vec![0u32; bins.count()];
            values.iter().for_each(|value| counts[bins.index(*value)] += 1);
            let min = values.iter().copied().fold(f32::INFINITY, f32::min);
            let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total: f32 = bins.histogram(&counts, min, max, bars).iter().map(|bar| bar.2).sum();
            prop_assert!((total - values.len() as f32).abs() < 0.01, "{total}");
        }
    }

    #[test]
    fn extremes_stay_inside() {
        let bins = Bins::default();
        for x in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN, 1e-30, -1e-30, 0.0, -0.0] {
            assert!(bins.index(x) < bins.count(), "{x}");
        }
        assert_eq!(bins.index(f32::MAX), bins.count() - 1);
        assert_eq!(bins.index(f32::MIN), 0);
        assert_eq!(bins.index(f32::NAN), bins.zero());
    }
}
