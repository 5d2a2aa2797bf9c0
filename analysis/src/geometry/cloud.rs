//! The cloud of decoder directions as a whole ("galaxy"): how its variance falls off, and how clustered it is beyond a Gaussian.

use golgi_data::context::RunContext;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::matrix::{covariance, eigen, gaussian_rows, mean, project, random, z_score};
use crate::Result;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudParams {
    /// The ranks over which the slope is fitted, counted from 1.
    pub ranks: (usize, usize),
    /// Principal components in which the entropy is estimated, at most.
    pub components: usize,
    /// Which nearest neighbour the entropy is estimated from.
    pub neighbour: usize,
    /// Points of the entropy, at most.
    pub points: usize,
    /// Gaussian clouds to compare with.
    pub nulls: usize,
}

impl Default for CloudParams {
    fn default() -> CloudParams {
        CloudParams { ranks: (10, 150), components: 100, neighbour: 3, points: 3000, nulls: 5 }
    }
}

/// The cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cloud {
    /// Eigenvalues of the covariance, largest first.
    pub eigenvalues: Vec<f64>,
    /// The slope of log₁₀ λ over log₁₀ rank; `None` with fewer than 3 ranks.
    pub slope: Option<f64>,
    /// Those of a Gaussian cloud with as many points and dimensions; empty without nulls.
    pub gaussian_eigenvalues: Vec<f64>,
    /// The slopes of such clouds.
    pub gaussian_slopes: Vec<f64>,
    /// The ranks of the fit.
    pub ranks: (usize, usize),
    /// Points whose entropy was estimated; exact duplicates are left out.
    pub points: usize,
    /// Dimensions in which it was.
    pub components: usize,
    /// H_gauss − H_kNN, in nats: what the cloud is more ordered than a Gaussian with its covariance.
    pub negentropy: Option<f64>,
    /// The same of points drawn from that Gaussian: what the estimator says of nothing, which in many dimensions is far from 0.
    pub gaussian_negentropies: Vec<f64>,
}

impl Cloud {
    /// The negentropy in standard deviations above that of Gaussians.
    pub fn z(&self) -> Option<f64> {
        z_score(self.negentropy?, &self.gaussian_negentropies)
    }
}

/// The least-squares slope of `log₁₀ λ_r` over `log₁₀ r` for ranks r from `ranks.0` to `ranks.1` (from 1, both included); `None` if fewer
/// than 3 of them have a positive λ.
pub fn spectrum_slope(eigenvalues: &[f64], ranks: (usize, usize)) -> Option<f64> {
    let chosen = eigenvalues.iter().enumerate().map(|(at, value)| ((at + 1) as f64, *value));
    let chosen = chosen.filter(|(rank, value)| (ranks.0 as f64..=ranks.1 as f64).contains(rank) && *value > 0.0);
    let points: Vec<(f64, f64)> = chosen.map(|(rank, value)| (rank.log10(), value.log10())).collect();
    if points.len() < 3 {
        return None;
    }
    let n = points.len() as f64;
    let (x, y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let (above, below) =
        points.iter().fold((0.0, 0.0), |(above, below), p| (above + (p.0 - x) * (p.1 - y), below + (p.0 - x).powi(2)));
    Some(above / below)
}

/// ψ(n) = −γ + Σ_{i<n} 1/i.
fn digamma(n: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    (1..n).map(|i| 1.0 / i as f64).sum::<f64>() - EULER
}

/// ln Γ(p/2 + 1), exactly from the recursion.
fn ln_gamma_half(p: usize) -> f64 {
    let (mut sum, mut at) = if p.is_multiple_of(2) { (0.0, 0.0) } else { (std::f64::consts::PI.sqrt().ln(), -0.5) };
    while at + 1.0 <= p as f64 / 2.0 {
        at += 1.0;
        sum += f64::ln(at);
    }
    sum
}

/// The entropy of a sample by its nearest neighbours (Kozachenko and Leonenko 1987), in nats: with ε_i the distance of point i to its
/// k-th neighbour and p dimensions
///
/// ```text
/// H = ψ(N) − ψ(k) + ln(π^{p/2} / Γ(p/2 + 1)) + p/N Σ_i ln ε_i
/// ```
///
/// Points are used once and without replacement; equal ones would have a neighbour at distance 0, so `rows` must have none.
pub fn neighbour_entropy(rows: &[f32], p: usize, k: usize) -> Option<f64> {
    let n = rows.len() / p;
    if n <= k || k == 0 {
        return None;
    }
    let points: Vec<&[f32]> = rows.chunks(p).collect();
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let logs: f64 = points
        .par_iter()
        .enumerate()
        .map(|(at, point)| {
            let mut nearest = vec![f32::INFINITY; k];
            for (other, row) in points.iter().enumerate() {
                let far = distance(point, row);
                if other != at && far < nearest[k - 1] {
                    let place = nearest.partition_point(|near| *near <= far);
                    nearest[place..].rotate_right(1);
                    nearest[place] = far;
                }
            }
            0.5 * f64::from(nearest[k - 1]).ln()
        })
        .collect::<Vec<f64>>()
        .iter()
        .sum();
    let ball = p as f64 / 2.0 * std::f64::consts::PI.ln() - ln_gamma_half(p);
    Some(digamma(n) - digamma(k) + ball + p as f64 * logs / n as f64)
}

/// `½ Σ ln(2πe λ_i)`: the entropy of a Gaussian with these variances.
pub fn gaussian_entropy(variances: &[f64]) -> f64 {
    0.5 * variances.iter().map(|value| (2.0 * std::f64::consts::PI * std::f64::consts::E * value).ln()).sum::<f64>()
}

/// The negentropy of rows of `p` uncorrelated coordinates.
fn negentropy(rows: &[f32], p: usize, k: usize) -> Option<f64> {
    let centre = mean(rows, p);
    let n = (rows.len() / p) as f64;
    let mut variances = vec![0f64; p];
    for row in rows.chunks(p) {
        for ((variance, value), centre) in variances.iter_mut().zip(row).zip(&centre) {
            *variance += (f64::from(*value) - centre).powi(2) / n;
        }
    }
    Some(gaussian_entropy(&variances) - neighbour_entropy(rows, p, k)?)
}

/// Rows without those that equal an earlier one, in their order.
fn distinct(rows: &[f32], d: usize) -> Vec<f32> {
    let mut seen = std::collections::HashSet::new();
    let bits = |row: &[f32]| row.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
    rows.chunks(d).filter(|row| seen.insert(bits(row))).flatten().copied().collect()
}

/// Measures the cloud of `rows`, `[n, d]`.
///
/// # Errors
/// If the tensor library fails, or the work is cancelled.
pub fn cloud(rows: &[f32], d: usize, params: &CloudParams, ctx: &RunContext) -> Result<Cloud> {
    let n = rows.len() / d;
    ctx.stage("measuring the cloud of decoder directions", 1 + 2 * params.nulls as u64);
    let spectrum = |rows: &[f32]| -> Result<Vec<f64>> { Ok(eigen(&covariance(rows, d)?, d)?.values) };
    let eigenvalues = spectrum(rows)?;
    // Ranks behind the rank of the cloud say nothing.
    let last = params.ranks.1.min(d).min(n.saturating_sub(1));
    let ranks = (params.ranks.0.min(last.div_ceil(10)).max(1), last);
    let (mut gaussian_eigenvalues, mut gaussian_slopes) = (Vec::new(), Vec::new());
    for null in 0..params.nulls {
        ctx.check()?;
        // Of the cloud's own variance, so that the spectra can be drawn into one figure.
        let scale = eigenvalues.iter().sum::<f64>() / d as f64;
        let null = spectrum(&gaussian_rows(n, d, ctx.seed(), null as u64))?;
        gaussian_slopes.extend(spectrum_slope(&null, ranks));
        if gaussian_eigenvalues.is_empty() {
            gaussian_eigenvalues = null.into_iter().map(|value| value * scale).collect();
        }
        ctx.advance(1);
    }
    let sample = sampled(&distinct(rows, d), d, params.points, ctx.seed());
    let points = sample.len() / d;
    // As many neighbours as dimensions at least, or every distance is the same.
    let components = params.components.min(d).min(points / 4).max(1);
    let (scores, components) = scores(&sample, d, components)?;
    let own = if components > 0 { negentropy(&scores, components, params.neighbour) } else { None };
    ctx.advance(1);
    let mut gaussian_negentropies = Vec::new();
    for null in 0..params.nulls {
        ctx.check()?;
        if own.is_some() {
            // Of unit variances: the difference of the two entropies does not change with scale.
            let rows = gaussian_rows(points, components, ctx.seed() ^ 0x5eed, null as u64);
            gaussian_negentropies.extend(negentropy(
                &scaled_like(&rows, &scores, components),
                components,
                params.neighbour,
            ));
        }
        ctx.advance(1);
    }
    Ok(Cloud {
        slope: spectrum_slope(&eigenvalues, ranks),
        eigenvalues,
        gaussian_eigenvalues,
        gaussian_slopes,
        ranks,
        points,
        components,
        negentropy: own,
        gaussian_negentropies,
    })
}

/// At most `most` of the rows, drawn without replacement.
fn sampled(rows: &[f32], d: usize, most: usize, seed: u64) -> Vec<f32> {
    let n = rows.len() / d;
    if n <= most {
        return rows.to_vec();
    }
    let mut chosen = rand::seq::index::sample(&mut random(seed, 7), n, most).into_vec();
    chosen.sort_unstable();
    chosen.iter().flat_map(|at| &rows[at * d..(at + 1) * d]).copied().collect()
}

/// Standardised rows in their first principal components, and how many of these have variance.
fn scores(rows: &[f32], d: usize, components: usize) -> Result<(Vec<f32>, usize)> {
    let matrix = covariance(rows, d)?;
    let centre = mean(rows, d);
    let scale: Vec<f64> = (0..d).map(|at| matrix[at * d + at].sqrt()).collect();
    let mut standard = rows.to_vec();
    for row in standard.chunks_mut(d) {
        for ((value, centre), scale) in row.iter_mut().zip(&centre).zip(&scale) {
            *value = if *scale > 0.0 { ((f64::from(*value) - centre) / scale) as f32 } else { 0.0 };
        }
    }
    let found = eigen(&covariance(&standard, d)?, d)?;
    let floor = 1e-9 * found.values.first().copied().unwrap_or(0.0);
    let components = found.values.iter().take(components).filter(|value| **value > floor).count();
    Ok((project(&standard, &found.vectors[..components * d], d)?, components))
}

/// Unit-variance rows with the variances of the columns of `like`.
fn scaled_like(rows: &[f32], like: &[f32], p: usize) -> Vec<f32> {
    let (centre, n) = (mean(like, p), (like.len() / p) as f64);
    let mut scale = vec![0f64; p];
    for row in like.chunks(p) {
        scale.iter_mut().zip(row).zip(&centre).for_each(|((s, v), c)| *s += (f64::from(*v) - c).powi(2) / n);
    }
    rows.chunks(p).flat_map(|row| row.iter().zip(&scale).map(|(value, scale)| value * scale.sqrt() as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gaussian_is_flat_and_a_power_law_has_its_slope() {
        let (n, d) = (60_000, 300);
        let flat = gaussian_rows(n, d, 1, 0);
        let slope =
            |rows: &[f32]| spectrum_slope(&eigen(&covariance(rows, d).unwrap(), d).unwrap().values, (10, 150)).unwrap();
        assert!(slope(&flat).abs() < 0.06, "{}", slope(&flat));
        // λ_i ∝ i^−0.5.
        let mut steep = flat;
        for row in steep.chunks_mut(d) {
            row.iter_mut().enumerate().for_each(|(i, value)| *value *= ((i + 1) as f32).powf(-0.25));
        }
        assert!((slope(&steep) + 0.5).abs() < 0.05, "{}", slope(&steep));
        let exact: Vec<f64> = (1..=300).map(|rank| f64::from(rank).powf(-1.5)).collect();
        assert!((spectrum_slope(&exact, (10, 150)).unwrap() + 1.5).abs() < 1e-9);
        assert_eq!(spectrum_slope(&exact, (10, 11)), None);
    }

    #[test]
    fn entropies_of_known_distributions() {
        // N(0, 1)²: ln 2πe; U(0, 1)³: 0; U(0, 2)¹: ln 2.
        let gaussian = gaussian_rows(4000, 2, 2, 0);
        assert!((neighbour_entropy(&gaussian, 2, 3).unwrap() - gaussian_entropy(&[1.0, 1.0])).abs() < 0.05);
        assert!((gaussian_entropy(&[1.0, 1.0]) - (2.0 * std::f64::consts::PI).ln() - 1.0).abs() < 1e-12);
        use rand::Rng;
        let mut generator = random(4, 0);
        let cube: Vec<f32> = (0..9000).map(|_| generator.random()).collect();
        assert!(neighbour_entropy(&cube, 3, 3).unwrap().abs() < 0.1);
        let line: Vec<f32> = (0..3000).map(|_| 2.0 * generator.random::<f32>()).collect();
        assert!((neighbour_entropy(&line, 1, 1).unwrap() - 2f64.ln()).abs() < 0.06);
        assert_eq!(neighbour_entropy(&line[..3], 1, 3), None);
        // Γ(5/2) = 3√π/4, Γ(3) = 2.
        assert!((ln_gamma_half(3).exp() - 0.75 * std::f64::consts::PI.sqrt()).abs() < 1e-12);
        assert!((ln_gamma_half(4) - 2f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn clusters_have_negentropy_and_gaussians_have_none() {
        let d = 12;
        let plain = gaussian_rows(1500, d, 5, 0);
        let params = CloudParams { nulls: 12, ..CloudParams::default() };
        let found = cloud(&plain, d, &params, &RunContext::new(1)).unwrap();
        assert!(found.z().unwrap().abs() < 3.0, "{:?}", found.z());
        assert!((found.slope.unwrap() - found.gaussian_slopes[0]).abs() < 0.03, "{found:?}");
        let centres = gaussian_rows(20, d, 6, 0);
        let clustered: Vec<f32> = plain
            .chunks(d)
            .enumerate()
            .flat_map(|(at, row)| {
                let centre = &centres[at % 20 * d..][..d];
                row.iter().zip(centre).map(|(value, centre)| 0.2 * value + centre).collect::<Vec<_>>()
            })
            .collect();
        let found = cloud(&clustered, d, &params, &RunContext::new(1)).unwrap();
        assert!(found.z().unwrap() > 20.0 && found.negentropy.unwrap() > 3.0, "{:?}", found.negentropy);
        // Duplicates are left out and do not make the entropy infinite.
        let doubled = [plain.clone(), plain].concat();
        let found = cloud(&doubled, d, &params, &RunContext::new(1)).unwrap();
        assert_eq!((found.points, found.components), (1500, d));
        assert!(found.negentropy.unwrap().is_finite());
    }
}
