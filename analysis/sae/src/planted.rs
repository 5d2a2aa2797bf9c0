//! Rows whose dictionary is known: sums of few directions out of many, the truth that training has to find.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::kernels::vector::{add_scaled, dot, norm};

/// A known dictionary: unit directions, each present in a row with one probability and a strength from U(0.5, 1.5).
#[derive(Debug, Clone)]
pub struct Planted {
    /// `[features, d]`, rows of norm 1.
    pub directions: Vec<f32>,
    d: usize,
    probability: f64,
    seed: u64,
}

impl Planted {
    /// `features` random directions of `d` dimensions, of which `active` are present in a row on average.
    pub fn new(d: usize, features: usize, active: f64, seed: u64) -> Planted {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut directions: Vec<f32> = (0..features * d).map(|_| gaussian(&mut random)).collect();
        for row in directions.chunks_mut(d) {
            let length = norm(row);
            row.iter_mut().for_each(|value| *value /= length);
        }
        Planted { directions, d, probability: active / features as f64, seed }
    }

    /// Batch number `number` of `n` rows, `[n, d]`; the same number gives the same rows.
    pub fn rows(&self, n: usize, number: u64) -> Vec<f32> {
        let mut rows = vec![0f32; n * self.d];
        rows.par_chunks_mut(self.d).enumerate().for_each(|(index, row)| {
            let mut random = ChaCha8Rng::seed_from_u64(self.seed);
            random.set_stream((number << 24) + index as u64 + 1);
            for direction in self.directions.chunks(self.d) {
                if random.random_bool(self.probability) {
                    add_scaled(row, random.random_range(0.5..1.5), direction);
                }
            }
        });
        rows
    }
}

/// A number from N(0, 1), by Box and Muller.
pub(crate) fn gaussian(random: &mut impl Rng) -> f32 {
    let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}

/// For each row of `of` the largest cosine with a row of `among`, both `[…, d]`.
pub fn max_cosines(of: &[f32], among: &[f32], d: usize) -> Vec<f32> {
    let cosine = |a: &[f32], b: &[f32]| dot(a, b) / (norm(a) * norm(b)).max(f32::MIN_POSITIVE);
    of.par_chunks(d).map(|a| among.chunks(d).map(|b| cosine(a, b)).fold(-1.0, f32::max)).collect()
}
