//! What a dictionary must beat: codes with as many numbers that know nothing of features.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tch::{Kind, Tensor};

use crate::kernels::vector::{add_scaled, dot, norm};
use crate::kernels::{self, largest, matmul};
use crate::planted::gaussian;
use crate::{Coder, SaeError};
use golgi_data::dictionary::Codes;

/// Something that reconstructs rows.
pub trait Coding {
    /// Its name in tables.
    fn name(&self) -> &str;

    /// Reconstructions of rows `[n, d]`.
    ///
    /// # Errors
    /// If the tensor library fails.
    fn reconstruct(&self, rows: &[f32]) -> Result<Vec<f32>, SaeError>;
}

impl Coding for Coder {
    fn name(&self) -> &'static str {
        "dictionary"
    }

    fn reconstruct(&self, rows: &[f32]) -> Result<Vec<f32>, SaeError> {
        self.decode(&self.encode(rows)?, rows)
    }
}

/// The mean plus the projection on the first k principal components: the best k numbers that are the same for all rows.
#[derive(Debug)]
pub struct Pca {
    mean: Vec<f32>,
    /// `[k, d]`, orthonormal.
    components: Vec<f32>,
}

impl Pca {
    /// Fits to rows `[n, d]`.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn fit(rows: &[f32], d: usize, k: usize) -> Result<Pca, SaeError> {
        let mean = mean(rows, d);
        let x = Tensor::f_from_slice(rows)?.f_view([-1, d as i64])? - Tensor::f_from_slice(&mean)?;
        let x = x.f_to_kind(Kind::Double)?;
        let covariance = x.f_transpose(0, 1)?.f_matmul(&x)?;
        let (_, vectors) = covariance.f_linalg_eigh("L")?;
        // Eigenvalues ascend; the last columns are the first components.
        let k = k.min(d) as i64;
        let first = vectors.f_narrow(1, d as i64 - k, k)?.f_transpose(0, 1)?.f_contiguous()?;
        let components = Vec::<f32>::try_from(first.f_to_kind(Kind::Float)?.f_flatten(0, -1)?)?;
        Ok(Pca { mean, components })
    }

    /// The mean row, `[d]`.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The components, `[k, d]`, orthonormal, the last one the first.
    pub fn components(&self) -> &[f32] {
        &self.components
    }
}

impl Coding for Pca {
    fn name(&self) -> &'static str {
        "PCA"
    }

    fn reconstruct(&self, rows: &[f32]) -> Result<Vec<f32>, SaeError> {
        let d = self.mean.len();
        if self.components.is_empty() {
            return Ok(self.mean.repeat(rows.len() / d));
        }
        let k = self.components.len() / d;
        let mut centred = rows.to_vec();
        centred.par_chunks_mut(d).for_each(|row| add_scaled(row, -1.0, &self.mean));
        let mut scores = vec![0f32; rows.len() / d * k];
        matmul::times_transposed(&mut scores, &centred, &self.components, d)?;
        matmul::times(&mut centred, &scores, &self.components, k)?;
        centred.par_chunks_mut(d).for_each(|row| add_scaled(row, 1.0, &self.mean));
        Ok(centred)
    }
}

/// The mean plus the k coordinates that are farthest from it in each row: the model's own basis.
#[derive(Debug)]
pub struct TopCoordinates {
    mean: Vec<f32>,
    k: usize,
}

impl TopCoordinates {
    /// Takes the mean of rows `[n, d]`.
    pub fn fit(rows: &[f32], d: usize, k: usize) -> TopCoordinates {
        TopCoordinates { mean: mean(rows, d), k }
    }
}

impl Coding for TopCoordinates {
    fn name(&self) -> &'static str {
        "coordinates"
    }

    fn reconstruct(&self, rows: &[f32]) -> Result<Vec<f32>, SaeError> {
        let d = self.mean.len();
        let mut out = self.mean.repeat(rows.len() / d);
        out.par_chunks_mut(d).zip(rows.par_chunks(d)).for_each(|(out, row)| {
            let distances: Vec<f32> = row.iter().zip(&self.mean).map(|(value, mean)| (value - mean).abs()).collect();
            for (at, _) in largest(&distances, self.k) {
                out[at as usize] = row[at as usize];
            }
        });
        Ok(out)
    }
}

/// The mean plus a TopK code over random unit directions, as many as the dictionary has, with the one factor that suits best.
#[derive(Debug)]
pub struct RandomDirections {
    mean: Vec<f32>,
    directions: Vec<f32>,
    k: usize,
    factor: f32,
}

impl RandomDirections {
    /// Draws `m` directions and fits the factor to rows `[n, d]`.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn fit(rows: &[f32], d: usize, m: usize, k: usize, seed: u64) -> Result<RandomDirections, SaeError> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut directions: Vec<f32> = (0..m * d).map(|_| gaussian(&mut random)).collect();
        directions.par_chunks_mut(d).for_each(|row| {
            let length = norm(row).max(f32::MIN_POSITIVE);
            row.iter_mut().for_each(|value| *value /= length);
        });
        let mut fitted = RandomDirections { mean: mean(rows, d), directions, k, factor: 1.0 };
        let fit = fitted.reconstruct(rows)?;
        let (mut product, mut square) = (0f64, 0f64);
        for (row, fit) in rows.chunks(d).zip(fit.chunks(d)) {
            let centred: Vec<f32> = row.iter().zip(&fitted.mean).map(|(value, mean)| value - mean).collect();
            let coded: Vec<f32> = fit.iter().zip(&fitted.mean).map(|(value, mean)| value - mean).collect();
            product += f64::from(dot(&centred, &coded));
            square += f64::from(dot(&coded, &coded));
        }
        fitted.factor = if square > 0.0 { (product / square) as f32 } else { 1.0 };
        Ok(fitted)
    }
}

impl RandomDirections {
    /// The mean row, `[d]`.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The directions, `[m, d]`, of norm 1.
    pub fn directions(&self) -> &[f32] {
        &self.directions
    }

    /// The k largest projections of each row, with the factor: what is written along each direction.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn encode(&self, rows: &[f32]) -> Result<Codes, SaeError> {
        let d = self.mean.len();
        let m = self.directions.len() / d;
        let mut codes = Codes::default();
        let mut z = Vec::new();
        for rows in rows.chunks(512 * d) {
            let mut centred = rows.to_vec();
            centred.par_chunks_mut(d).for_each(|row| add_scaled(row, -1.0, &self.mean));
            z.resize(rows.len() / d * m, 0.0);
            matmul::times_transposed(&mut z, &centred, &self.directions, d)?;
            let chosen: Vec<Vec<(u32, f32)>> = z.par_chunks(m).map(|row| largest(row, self.k)).collect();
            for row in chosen {
                codes.push(row.into_iter().map(|(latent, value)| (latent, value * self.factor)));
            }
        }
        Ok(codes)
    }
}

impl Coding for RandomDirections {
    fn name(&self) -> &'static str {
        "random directions"
    }

    fn reconstruct(&self, rows: &[f32]) -> Result<Vec<f32>, SaeError> {
        let codes = self.encode(rows)?;
        let mut out = vec![0f32; rows.len()];
        kernels::decode(&mut out, &codes, &self.directions, Some(&self.mean), self.mean.len())?;
        Ok(out)
    }
}

/// The mean of rows `[n, d]`.
pub(super) fn mean(rows: &[f32], d: usize) -> Vec<f32> {
    let n = (rows.len() / d).max(1) as f64;
    let mut mean = vec![0f64; d];
    for row in rows.chunks(d) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / n);
    }
    mean.into_iter().map(|value| value as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::super::quality;
    use super::*;
    use crate::planted::Planted;

    #[test]
    fn baselines_are_what_they_say() {
        let d = 8;
        let rows = Planted::new(d, 20, 3.0, 0).rows(2000, 0);
        // All components are everything; none are the mean.
        let all = Pca::fit(&rows, d, d).unwrap().reconstruct(&rows).unwrap();
        assert!(quality(&rows, &all, d, None).explained_variance > 0.999_999);
        let none = Pca::fit(&rows, d, 0).unwrap().reconstruct(&rows).unwrap();
        assert!(quality(&rows, &none, d, None).explained_variance.abs() < 1e-6);
        // More is better, and the best projection beats single coordinates chosen once and for all.
        let explained = |k| {
            let fit = Pca::fit(&rows, d, k).unwrap().reconstruct(&rows).unwrap();
            quality(&rows, &fit, d, None).explained_variance
        };
        assert!(explained(2) < explained(4) && explained(4) < explained(6));
        let all = TopCoordinates::fit(&rows, d, d).reconstruct(&rows).unwrap();
        assert_eq!(all, rows);
        // Random directions explain something, and their factor is no worse than 1.
        let random = RandomDirections::fit(&rows, d, 40, 3, 1).unwrap();
        let fitted = quality(&rows, &random.reconstruct(&rows).unwrap(), d, None).explained_variance;
        let plain = RandomDirections { factor: 1.0, ..random };
        let plain = quality(&rows, &plain.reconstruct(&rows).unwrap(), d, None).explained_variance;
        assert!(fitted > 0.1 && fitted >= plain, "{fitted} {plain}");
    }
}
