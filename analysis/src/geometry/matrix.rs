//! Matrices of rows: moments, eigenvectors, random directions.

use golgi_sae::kernels::vector;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tch::{Kind, Tensor};

use crate::Result;
use crate::gaussian::gaussian;

/// Rows that are brought to f64 at once.
const TILE: usize = 4096;

/// Eigenvalues, largest first, and the eigenvector of each, `[n, n]`.
pub(super) struct Eigen {
    pub values: Vec<f64>,
    pub vectors: Vec<f64>,
}

/// A generator for stream `stream` of `seed`.
pub(super) fn random(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

/// `n` rows from N(0, 1)^d; the same for the same seed and stream.
pub(super) fn gaussian_rows(n: usize, d: usize, seed: u64, stream: u64) -> Vec<f32> {
    let mut rows = vec![0f32; n * d];
    rows.par_chunks_mut(d).enumerate().for_each(|(at, row)| {
        let mut random = random(seed, (stream << 32) + at as u64 + 1);
        row.iter_mut().for_each(|value| *value = gaussian(&mut random));
    });
    rows
}

/// Rows scaled to length 1; those of length 0 stay.
pub(super) fn unit_rows(rows: &[f32], d: usize) -> Vec<f32> {
    let mut unit = rows.to_vec();
    for row in unit.chunks_mut(d) {
        let length = vector::norm(row);
        if length > 0.0 {
            row.iter_mut().for_each(|value| *value /= length);
        }
    }
    unit
}

/// The mean row.
pub(super) fn mean(rows: &[f32], d: usize) -> Vec<f64> {
    let mut mean = vec![0f64; d];
    for row in rows.chunks(d) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value));
    }
    let n = (rows.len() / d).max(1) as f64;
    mean.iter_mut().for_each(|mean| *mean /= n);
    mean
}

/// The covariance `Σ (x − μ)(x − μ)ᵀ / n`, `[d, d]`.
pub(super) fn covariance(rows: &[f32], d: usize) -> Result<Vec<f64>> {
    let n = rows.len() / d;
    let centre = Tensor::f_from_slice(&mean(rows, d))?;
    let mut sum = Tensor::f_zeros([d as i64, d as i64], (Kind::Double, tch::Device::Cpu))?;
    for tile in rows.chunks(TILE * d) {
        let x = Tensor::f_from_slice(tile)?.f_view([-1, d as i64])?.f_to_kind(Kind::Double)?.f_sub(&centre)?;
        sum = sum.f_add(&x.f_transpose(0, 1)?.f_matmul(&x)?)?;
    }
    let scaled = sum.f_div_scalar(n.max(1) as f64)?;
    Ok(Vec::<f64>::try_from(scaled.f_flatten(0, -1)?)?)
}

/// Eigenvalues and eigenvectors of a symmetric matrix.
pub(super) fn eigen(matrix: &[f64], n: usize) -> Result<Eigen> {
    let (values, vectors) = Tensor::f_from_slice(matrix)?.f_view([n as i64, n as i64])?.f_linalg_eigh("L")?;
    let order = values.f_flip([0])?;
    let rows = vectors.f_transpose(0, 1)?.f_flip([0])?.f_contiguous()?;
    Ok(Eigen { values: Vec::<f64>::try_from(order)?, vectors: Vec::<f64>::try_from(rows.f_flatten(0, -1)?)? })
}

/// `rows · directionsᵀ`: `[n, d]` by `[k, d]` to `[n, k]`.
pub(super) fn project(rows: &[f32], directions: &[f64], d: usize) -> Result<Vec<f32>> {
    let directions: Vec<f32> = directions.iter().map(|value| *value as f32).collect();
    let mut out = vec![0f32; rows.len() / d * (directions.len() / d)];
    if !out.is_empty() {
        golgi_sae::kernels::matmul::times_transposed(&mut out, rows, &directions, d)?;
    }
    Ok(out)
}

/// `‖a − b‖²`.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

/// Mean and standard deviation (n − 1).
pub(super) fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

/// How many standard deviations `value` lies above its null; `None` without a spread.
pub(super) fn z_score(value: f64, null: &[f64]) -> Option<f64> {
    let (mean, deviation) = moments(null);
    (deviation > 0.0).then(|| (value - mean) / deviation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_come_with_their_values() {
        let rows: Vec<f32> =
            gaussian_rows(3000, 3, 1, 0).chunks(3).flat_map(|r| [3.0 * r[0], r[1] + r[0], 0.5 * r[2]]).collect();
        let matrix = covariance(&rows, 3).unwrap();
        let found = eigen(&matrix, 3).unwrap();
        assert!(found.values.is_sorted_by(|a, b| a >= b));
        for (value, vector) in found.values.iter().zip(found.vectors.chunks(3)) {
            for i in 0..3 {
                let image: f64 = (0..3).map(|j| matrix[i * 3 + j] * vector[j]).sum();
                assert!((image - value * vector[i]).abs() < 1e-9);
            }
        }
        assert!((found.values[0] - 10.1).abs() < 0.6, "{:?}", found.values);
        assert_eq!(project(&[1.0, 2.0, 3.0], &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 3).unwrap(), [2.0, 4.0]);
        assert_eq!(unit_rows(&[3.0, 4.0, 0.0, 0.0], 2), [0.6, 0.8, 0.0, 0.0]);
        assert_eq!(z_score(5.0, &[1.0, 3.0]), Some(3.0 / 2f64.sqrt()));
    }
}
