//! Reconstruction and sparsity on rows of activations.

use golgi_data::dictionary::Codes;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kernels::vector::{dot, sum_of_squares};

/// How well rows `y` are reconstructed as `ŷ`. μ is the mean of `y` over all rows, coordinate by coordinate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// How many rows.
    pub rows: usize,
    /// `E‖y − ŷ‖²`.
    pub squared_error: f64,
    /// `1 − Σ‖y − ŷ‖² / Σ‖y − μ‖²`, sums over all rows.
    pub explained_variance: f64,
    /// `E[1 − ‖y − ŷ‖² / ‖y − μ‖²]`, a mean over rows, as older SAELens; a few large rows weigh less in it.
    pub explained_variance_by_row: f64,
    /// `E[y·ŷ / (‖y‖‖ŷ‖)]`.
    pub cosine: f64,
    /// `E[‖ŷ‖ / ‖y‖]`: below 1 where activations shrink.
    pub norm_ratio: f64,
    /// `γ = E‖ŷ‖² / E[y·ŷ]`: 1 where no rescaling of ŷ would help.
    pub shrinkage: f64,
    /// L0: the mean number of active latents.
    pub l0: f64,
    /// L1: the mean sum of activations.
    pub l1: f64,
    /// How many latents were never active in these rows.
    pub dead: usize,
    /// How many were active in more than a tenth of them.
    pub dense: usize,
    /// For each latent the share of rows in which it is active.
    pub density: Vec<f32>,
}

/// A latent that is active in more rows than this is dense.
const DENSE: f32 = 0.1;

/// Measures `fit`, `[n, d]`, against `y`, `[n, d]`. `codes` of `latents` latents where there are any.
pub fn quality(y: &[f32], fit: &[f32], d: usize, codes: Option<(&Codes, usize)>) -> Quality {
    let n = y.len() / d;
    if n == 0 {
        return Quality::default();
    }
    let mut mean = vec![0f64; d];
    for row in y.chunks(d) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / n as f64);
    }
    struct Row {
        error: f64,
        spread: f64,
        product: f64,
        norm: f64,
        fit_norm: f64,
    }
    let rows: Vec<Row> = y
        .par_chunks(d)
        .zip(fit.par_chunks(d))
        .map(|(y, fit)| Row {
            error: y.iter().zip(fit).map(|(y, fit)| f64::from(y - fit).powi(2)).sum(),
            spread: y.iter().zip(&mean).map(|(y, mean)| (f64::from(*y) - mean).powi(2)).sum(),
            product: f64::from(dot(y, fit)),
            norm: sum_of_squares(y).sqrt(),
            fit_norm: sum_of_squares(fit).sqrt(),
        })
        .collect();
    let sum = |of: &dyn Fn(&Row) -> f64| rows.iter().map(of).sum::<f64>();
    let average = |of: &dyn Fn(&Row) -> f64| sum(of) / n as f64;
    let least = f64::MIN_POSITIVE;
    let mut quality = Quality {
        rows: n,
        squared_error: average(&|row| row.error),
        explained_variance: 1.0 - sum(&|row| row.error) / sum(&|row| row.spread).max(least),
        explained_variance_by_row: average(&|row| 1.0 - row.error / row.spread.max(least)),
        cosine: average(&|row| row.product / (row.norm * row.fit_norm).max(least)),
        norm_ratio: average(&|row| row.fit_norm / row.norm.max(least)),
        shrinkage: sum(&|row| row.fit_norm.powi(2)) / sum(&|row| row.product),
        ..Quality::default()
    };
    if let Some((codes, latents)) = codes {
        let mut active = vec![0u32; latents];
        codes.latents.iter().for_each(|latent| active[*latent as usize] += 1);
        quality.l0 = codes.mean_active();
        quality.l1 = codes.values.iter().map(|value| f64::from(*value)).sum::<f64>() / n as f64;
        quality.density = active.iter().map(|active| *active as f32 / n as f32).collect();
        quality.dead = active.iter().filter(|active| **active == 0).count();
        quality.dense = quality.density.iter().filter(|density| **density > DENSE).count();
    }
    quality
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_mean_and_half_are_known() {
        let y: Vec<f32> = (0..600).map(|i| (i as f32 * 0.77).sin() + (i % 3) as f32).collect();
        let perfect = quality(&y, &y, 3, None);
        assert!((perfect.explained_variance - 1.0).abs() < 1e-12 && (perfect.cosine - 1.0).abs() < 1e-6);
        let mean: Vec<f32> =
            (0..3).map(|d| y.iter().skip(d).step_by(3).sum::<f32>() / 200.0).collect::<Vec<f32>>().repeat(200);
        let flat = quality(&y, &mean, 3, None);
        assert!(flat.explained_variance.abs() < 1e-6 && flat.explained_variance_by_row.abs() < 1e-5);
        let half: Vec<f32> = y.iter().map(|value| value * 0.5).collect();
        let half = quality(&y, &half, 3, None);
        assert!((half.norm_ratio - 0.5).abs() < 1e-6 && (half.shrinkage - 0.5).abs() < 1e-6);
    }

    #[test]
    fn latents_are_counted() {
        let mut codes = Codes::default();
        codes.push([(0, 1.0), (2, 3.0)]);
        codes.push([(2, 1.0)]);
        let counted = quality(&[1.0, 2.0], &[1.0, 2.0], 1, Some((&codes, 4)));
        assert_eq!((counted.l0, counted.l1, counted.dead, counted.dense), (1.5, 2.5, 2, 2));
        assert_eq!(counted.density, [0.5, 0.0, 1.0, 0.0]);
    }
}
