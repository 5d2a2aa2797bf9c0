//! Spectral clustering: things that resemble each other, by an affinity matrix (Ng, Jordan and Weiss 2001, with the scaling of
//! scikit-learn).

use rand::Rng;
use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::matrix::{eigen, gaussian_rows, random, squared_distance};
use crate::Result;

/// Up to this size all eigenvectors are computed; beyond it, the first ones by subspace iteration.
const WHOLE: usize = 512;
/// Rounds of subspace iteration.
const ROUNDS: usize = 60;
/// Vectors carried along so that the wanted ones converge.
const SPARE: usize = 12;
/// Starts of k-means, the best of which is kept.
const STARTS: u64 = 6;
/// The most rounds of one start.
const LLOYD: usize = 100;

/// The first eigenvectors of `D^{−1/2} A D^{−1/2}`, each coordinate divided by the square root of its degree.
pub struct Embedding {
    /// `[n, k]`, the eigenvector of the largest eigenvalue first.
    rows: Vec<f32>,
    k: usize,
}

/// The embedding of `n` things in `k` coordinates by their affinities `[n, n]`, which are symmetric and not negative, so that A is
/// positive semidefinite or nearly so.
///
/// # Errors
/// If the tensor library fails.
pub fn embed(affinity: &[f32], n: usize, k: usize, seed: u64) -> Result<Embedding> {
    let k = k.min(n);
    let degrees: Vec<f32> =
        affinity.par_chunks(n).map(|row| row.iter().sum::<f32>().max(f32::MIN_POSITIVE).sqrt()).collect();
    let mut scaled = affinity.to_vec();
    scaled.par_chunks_mut(n).zip(&degrees).for_each(|(row, own)| {
        row.iter_mut().zip(&degrees).for_each(|(value, other)| *value /= own * other);
    });
    let mut rows: Vec<f32> = if n <= WHOLE {
        let double: Vec<f64> = scaled.iter().map(|value| f64::from(*value)).collect();
        let found = eigen(&double, n)?;
        (0..n).flat_map(|at| (0..k).map(move |j| (at, j))).map(|(at, j)| found.vectors[j * n + at] as f32).collect()
    } else {
        subspace(&scaled, n, k, seed)?
    };
    rows.chunks_mut(k).zip(&degrees).for_each(|(row, degree)| row.iter_mut().for_each(|value| *value /= degree));
    Ok(Embedding { rows, k })
}

/// The first `k` eigenvectors as columns, `[n, k]`.
fn subspace(matrix: &[f32], n: usize, k: usize, seed: u64) -> Result<Vec<f32>> {
    let width = (k + SPARE).min(n);
    let a = Tensor::f_from_slice(matrix)?.f_view([n as i64, n as i64])?;
    let start = gaussian_rows(n, width, seed, 11);
    let mut q = Tensor::f_from_slice(&start)?.f_view([n as i64, width as i64])?;
    for _ in 0..ROUNDS {
        (q, _) = Tensor::f_linalg_qr(&a.f_matmul(&q)?, "reduced")?;
    }
    // Rayleigh and Ritz: the eigenvectors within the subspace.
    let inner = q.f_transpose(0, 1)?.f_matmul(&a.f_matmul(&q)?)?.f_to_kind(Kind::Double)?;
    let inner = inner.f_add(&inner.f_transpose(0, 1)?)?.f_div_scalar(2.0)?;
    let (_, vectors) = inner.f_linalg_eigh("L")?;
    let first = vectors.f_flip([1])?.f_narrow(1, 0, k as i64)?.f_to_kind(Kind::Float)?;
    Ok(Vec::<f32>::try_from(q.f_matmul(&first)?.f_contiguous()?.f_flatten(0, -1)?)?)
}

impl Embedding {
    /// Labels 0..k of the things, by k-means on the first `k` coordinates.
    pub fn clusters(&self, k: usize, seed: u64) -> Vec<u32> {
        let k = k.min(self.k);
        let points: Vec<Vec<f32>> = self.rows.chunks(self.k).map(|row| row[..k].to_vec()).collect();
        let fits: Vec<(f64, Vec<u32>)> =
            (0..STARTS).into_par_iter().map(|start| k_means(&points, k, seed, start)).collect();
        let best = fits.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(_, labels)| labels).unwrap_or_default()
    }
}

/// One start of k-means with far-apart centres (k-means++): the sum of squared distances, and labels.
fn k_means(points: &[Vec<f32>], k: usize, seed: u64, start: u64) -> (f64, Vec<u32>) {
    let n = points.len();
    if n == 0 || k == 0 {
        return (0.0, vec![0; n]);
    }
    let mut generator = random(seed, 100 + start);
    let mut centres: Vec<Vec<f32>> = vec![points[generator.random_range(0..n)].clone()];
    let mut far: Vec<f64> = points.iter().map(|point| squared_distance(point, &centres[0])).collect();
    while centres.len() < k {
        let total: f64 = far.iter().sum();
        let mut left = generator.random::<f64>() * total;
        let chosen = far.iter().position(|far| {
            left -= far;
            left < 0.0
        });
        let centre = points[chosen.unwrap_or_else(|| generator.random_range(0..n))].clone();
        far.iter_mut().zip(points).for_each(|(far, point)| *far = far.min(squared_distance(point, &centre)));
        centres.push(centre);
    }
    let mut labels = vec![0u32; n];
    let mut sum = f64::INFINITY;
    for _ in 0..LLOYD {
        let mut total = 0.0;
        for (label, point) in labels.iter_mut().zip(points) {
            let nearest = centres.iter().map(|centre| squared_distance(point, centre)).enumerate();
            let (best, distance) = nearest.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0));
            (*label, total) = (best as u32, total + distance);
        }
        if total >= sum {
            break;
        }
        sum = total;
        let mut counts = vec![0f32; k];
        let mut sums = vec![vec![0f32; points[0].len()]; k];
        for (label, point) in labels.iter().zip(points) {
            counts[*label as usize] += 1.0;
            sums[*label as usize].iter_mut().zip(point).for_each(|(sum, value)| *sum += value);
        }
        for ((centre, sum), count) in centres.iter_mut().zip(sums).zip(counts) {
            // A centre that lost all its points stays where it was.
            if count > 0.0 {
                *centre = sum.into_iter().map(|value| value / count).collect();
            }
        }
    }
    (sum, labels)
}

#[cfg(test)]
mod tests {
    use super::super::agreement::adjusted_mutual_information;
    use super::*;

    /// Blocks of `size` things, with affinity `within` inside and `between` across, plus a little noise.
    fn blocks(count: usize, size: usize, within: f32, between: f32) -> (Vec<f32>, Vec<u32>) {
        let n = count * size;
        let noise = gaussian_rows(n, n, 9, 0);
        let at = |i: usize, j: usize| {
            let base = if i / size == j / size { within } else { between };
            (base + 0.05 * (noise[i * n + j] + noise[j * n + i])).clamp(0.0, 2.0)
        };
        let affinity =
            (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| if i == j { 2.0 } else { at(i, j) });
        (affinity.collect(), (0..n).map(|i| (i / size) as u32).collect())
    }

    #[test]
    fn planted_blocks_are_found_by_either_route() {
        for (count, size) in [(4, 20), (5, 120)] {
            let (affinity, truth) = blocks(count, size, 1.3, 1.0);
            let found = embed(&affinity, truth.len(), count, 1).unwrap().clusters(count, 1);
            assert!(adjusted_mutual_information(&found, &truth) > 0.99, "{count} {size}");
        }
    }

    #[test]
    fn both_routes_span_the_same_space() {
        let (affinity, _) = blocks(3, 60, 1.3, 1.0);
        let n = 180;
        let double: Vec<f64> = affinity.iter().map(|value| f64::from(*value)).collect();
        let exact = eigen(&double, n).unwrap();
        let found = subspace(&affinity, n, 3, 2).unwrap();
        for j in 0..3 {
            let cosine: f64 = (0..n).map(|at| exact.vectors[j * n + at] * f64::from(found[at * 3 + j])).sum();
            assert!(cosine.abs() > 0.999, "{j}: {cosine}");
        }
    }
}
