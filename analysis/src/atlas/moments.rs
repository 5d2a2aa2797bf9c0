//! Mean, variance, skewness and kurtosis of a stream, as precise as two passes over all of it.
//!
//! Within a batch the deviations from the batch's own mean are summed in f64 in a second pass; batches are joined with the
//! formulae of Chan et al. and Pébay, which never subtract large sums from each other.

use super::channel::Channel;
use super::lanes::{LANES, Row, SKIP_FIRST, Wide};

/// Central moments of the units of a block. The count is the same for all units and kept elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    pub mean: Wide,
    m2: Wide,
    m3: Wide,
    m4: Wide,
}

/// What a unit's moments say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub mean: f64,
    pub std: f64,
    /// 0 where nothing varies.
    pub skewness: f64,
    /// 3 for a Gaussian; 0 where nothing varies.
    pub kurtosis: f64,
}

impl Shape {
    /// From the mean and the sums of powers of the deviations from it.
    pub fn from_sums(n: f64, mean: f64, [m2, m3, m4]: [f64; 3]) -> Shape {
        let variance = if n > 0.0 { m2 / n } else { 0.0 };
        // Rounding leaves a constant unit with a variance of the order of its squared mean times 1e-32.
        if variance <= 1e-28 * mean * mean || variance <= 0.0 {
            return Shape { mean, std: 0.0, skewness: 0.0, kurtosis: 0.0 };
        }
        let std = variance.sqrt();
        Shape { mean, std, skewness: m3 / n / (variance * std), kurtosis: m4 / n / (variance * variance) }
    }
}

impl Moments {
    pub fn new() -> Moments {
        Moments { mean: [0.0; LANES], m2: [0.0; LANES], m3: [0.0; LANES], m4: [0.0; LANES] }
    }

    /// Joins contexts of `len` rows each, whose sum over the rows that count is `sum`, to the `before` rows so far.
    #[inline(always)]
    pub fn add(&mut self, rows: &[Row], len: usize, before: u64, sum: &Wide) {
        let n = (rows.len() / len * (len - SKIP_FIRST.min(len))) as f64;
        if n == 0.0 {
            return;
        }
        let mut mean = [0.0; LANES];
        for lane in 0..LANES {
            mean[lane] = sum[lane] / n;
        }
        let (mut m2, mut m3, mut m4) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for context in rows.chunks_exact(len) {
            for row in &context[SKIP_FIRST..] {
                for lane in 0..LANES {
                    let d = f64::from(row[lane]) - mean[lane];
                    let square = d * d;
                    m2[lane] += square;
                    m3[lane] += square * d;
                    m4[lane] += square * square;
                }
            }
        }
        let old = before as f64;
        let total = old + n;
        for lane in 0..LANES {
            let d = mean[lane] - self.mean[lane];
            let (a2, a3, a4) = (self.m2[lane], self.m3[lane], self.m4[lane]);
            let (b2, b3, b4) = (m2[lane], m3[lane], m4[lane]);
            let step = d / total;
            self.mean[lane] += n * step;
            self.m2[lane] = a2 + b2 + d * step * old * n;
            self.m3[lane] = a3 + b3 + d * step * step * old * n * (old - n) + 3.0 * step * (old * b2 - n * a2);
            self.m4[lane] = a4
                + b4
                + d * step * step * step * old * n * (old * old - old * n + n * n)
                + 6.0 * step * step * (old * old * b2 + n * n * a2)
                + 4.0 * step * (old * b3 - n * a3);
        }
    }

    /// The moments of one unit over `n` rows.
    pub fn shape(&self, lane: usize, n: u64) -> Shape {
        Shape::from_sums(n as f64, self.mean[lane], [self.m2[lane], self.m3[lane], self.m4[lane]])
    }

    pub fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        [&mut self.mean, &mut self.m2, &mut self.m3, &mut self.m4].into_iter().try_for_each(|x| channel.numbers(x))
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};

    use super::*;

    /// Two passes over everything in f64.
    fn truth(values: &[f64]) -> Shape {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let power = |k: i32| values.iter().map(|x| (x - mean).powi(k)).sum::<f64>();
        Shape::from_sums(n, mean, [power(2), power(3), power(4)])
    }

    #[test]
    fn streamed_moments_equal_two_passes() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let mut moments = Moments::new();
        let mut seen: Vec<Vec<f64>> = vec![Vec::new(); LANES];
        let mut before = 0;
        // Uneven batches of contexts of uneven length; means far from 0, tails heavy, one unit constant.
        for (contexts, len) in [(3, 5), (1, 2), (7, 40), (2, 1), (1, 300), (5, 9)] {
            let rows: Vec<Row> = (0..contexts * len)
                .map(|_| {
                    std::array::from_fn(|lane| match lane {
                        0 => 0.3,
                        _ => {
                            let u: f32 = rng.random_range(-1.0..1.0);
                            1000.0 * (lane % 3) as f32 + u * u * u * lane as f32
                        }
                    })
                })
                .collect();
            let mut sum = [0.0; LANES];
            for context in rows.chunks_exact(len) {
                for row in &context[SKIP_FIRST..] {
                    for lane in 0..LANES {
                        sum[lane] += f64::from(row[lane]);
                        seen[lane].push(f64::from(row[lane]));
                    }
                }
            }
            moments.add(&rows, len, before, &sum);
            before += (contexts * (len - 1)) as u64;
        }
        for (lane, values) in seen.iter().enumerate() {
            let (found, truth) = (moments.shape(lane, before), truth(values));
            for (found, truth) in [
                (found.mean, truth.mean),
                (found.std, truth.std),
                (found.skewness, truth.skewness),
                (found.kurtosis, truth.kurtosis),
            ] {
                assert!((found - truth).abs() <= 1e-6 * truth.abs().max(1e-3), "{lane}: {found} {truth}");
            }
        }
        assert_eq!(moments.shape(0, before).kurtosis, 0.0);
    }
}
