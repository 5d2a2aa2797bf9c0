//! Kinds of pictures: codes → principal components → t-SNE → k-means.

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict, Transformer};
use linfa_clustering::KMeans;
use linfa_tsne::TSneParams;
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use tch::{Kind, Tensor};

use crate::error::VisionError;

/// Principal components that are kept.
const COMPONENTS: i64 = 50;
/// Of t-SNE; a third of the pictures, if they are fewer.
const PERPLEXITY: f64 = 30.0;
/// Its iterations.
const ITERATIONS: usize = 1000;
/// Starts of k-means, of which the best counts.
const STARTS: usize = 10;

fn failed(what: &str, error: impl std::fmt::Display) -> VisionError {
    VisionError::Settings(format!("{what} failed: {error}"))
}

/// The first principal components of codes `[n, d]`, `[n, min(50, d, n)]`; columns in order of their variance.
pub(super) fn components(codes: &[f32], d: usize) -> Result<Array2<f64>, VisionError> {
    let n = codes.len() / d.max(1);
    let all = Tensor::f_from_slice(codes)?.f_view([n as i64, d as i64])?.f_to_kind(Kind::Double)?;
    let centred = all.f_sub(&all.f_mean_dim(0i64, true, None::<Kind>)?)?;
    let (u, s, _) = centred.f_svd(true, true)?;
    let kept = COMPONENTS.min(s.size()[0]);
    let scores = u.f_narrow(1, 0, kept)?.f_mul(&s.f_narrow(0, 0, kept)?)?.f_contiguous()?;
    let values = Vec::<f64>::try_from(scores.f_view([-1])?)?;
    Array2::from_shape_vec((n, kept as usize), values).map_err(|error| failed("the principal components", error))
}

/// Places in the plane, `[n]`, such that pictures with like codes are neighbours (van der Maaten and Hinton 2008; exact, perplexity 30).
pub(super) fn plane(components: &Array2<f64>, seed: u64) -> Result<Vec<[f64; 2]>, VisionError> {
    let n = components.nrows();
    let perplexity = PERPLEXITY.min((n as f64 - 1.0) / 3.0);
    let params = TSneParams::embedding_size_with_rng(2, Xoshiro256Plus::seed_from_u64(seed))
        .perplexity(perplexity)
        .approx_threshold(0.0)
        .max_iter(ITERATIONS);
    let placed: Array2<f64> = params.transform(components.clone()).map_err(|error| failed("t-SNE", error))?;
    Ok(placed.rows().into_iter().map(|row| [row[0], row[1]]).collect())
}

/// The cluster of each place and the centre of each cluster, the largest cluster first.
pub(super) fn kinds(places: &[[f64; 2]], k: usize, seed: u64) -> Result<(Vec<usize>, Vec<[f64; 2]>), VisionError> {
    let flat: Vec<f64> = places.iter().flatten().copied().collect();
    let points = Array2::from_shape_vec((places.len(), 2), flat).map_err(|error| failed("k-means", error))?;
    let data = DatasetBase::from(points);
    let model = KMeans::params_with_rng(k, Xoshiro256Plus::seed_from_u64(seed))
        .n_runs(STARTS)
        .fit(&data)
        .map_err(|error| failed("k-means", error))?;
    let found = model.predict(&data);
    let mut sizes = vec![0usize; k];
    found.iter().for_each(|cluster| sizes[*cluster] += 1);
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|a, b| sizes[*b].cmp(&sizes[*a]).then(a.cmp(b)));
    let mut rank = vec![0; k];
    order.iter().enumerate().for_each(|(at, cluster)| rank[*cluster] = at);
    let centres = order.iter().map(|cluster| {
        let row = model.centroids().row(*cluster);
        [row[0], row[1]]
    });
    Ok((found.iter().map(|cluster| rank[*cluster]).collect(), centres.collect()))
}

/// The adjusted Rand index of two groupings (Hubert and Arabie 1985): 1 for equal ones, 0 on average for random ones.
pub fn adjusted_rand(one: &[usize], other: &[usize]) -> f64 {
    let classes = |groups: &[usize]| groups.iter().max().map_or(0, |most| most + 1);
    let (rows, columns) = (classes(one), classes(other));
    let mut table = vec![0u64; rows * columns];
    one.iter().zip(other).for_each(|(a, b)| table[a * columns + b] += 1);
    let pairs = |n: u64| (n * n.saturating_sub(1)) as f64 / 2.0;
    let together: f64 = table.iter().map(|n| pairs(*n)).sum();
    let in_rows: f64 = (0..rows).map(|row| pairs(table[row * columns..(row + 1) * columns].iter().sum())).sum();
    let in_columns: f64 =
        (0..columns).map(|column| pairs((0..rows).map(|row| table[row * columns + column]).sum())).sum();
    let expected = in_rows * in_columns / pairs(one.len() as u64).max(1.0);
    let most = (in_rows + in_columns) / 2.0;
    if most - expected == 0.0 { 1.0 } else { (together - expected) / (most - expected) }
}

/// The share of pictures that have the commonest label of their cluster.
pub fn purity(clusters: &[usize], labels: &[u32]) -> f64 {
    let mut counts: std::collections::BTreeMap<usize, std::collections::BTreeMap<u32, usize>> = Default::default();
    clusters.iter().zip(labels).for_each(|(cluster, label)| {
        *counts.entry(*cluster).or_default().entry(*label).or_default() += 1;
    });
    let commonest: usize = counts.values().filter_map(|labels| labels.values().max()).sum();
    commonest as f64 / clusters.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groupings_are_compared_by_hand() {
        assert_eq!(adjusted_rand(&[0, 0, 1, 1], &[1, 1, 0, 0]), 1.0);
        // Pairs together: in both 2, in rows 6, in columns 7, of 15: (2 − 42/15) / (6.5 − 42/15).
        let found = adjusted_rand(&[0, 0, 0, 1, 1, 1], &[0, 0, 1, 1, 1, 1]);
        assert!((found - (4.0 - 2.8) / (6.5 - 2.8)).abs() < 1e-12, "{found}");
        assert!((purity(&[0, 0, 0, 1], &[5, 5, 7, 7]) - 0.75).abs() < 1e-12);
    }

    #[test]
    fn three_clouds_are_three_kinds() {
        let mut codes = Vec::new();
        let mut truth = Vec::new();
        for i in 0..90usize {
            let kind = i % 3;
            truth.push(kind);
            codes.extend((0..20).map(|d| {
                let noise = ((i * 20 + d) as f32 * 12.9898).sin() * 0.3;
                noise + if d % 3 == kind { 3.0 } else { 0.0 }
            }));
        }
        let components = components(&codes, 20).unwrap();
        assert_eq!(components.shape(), [90, 20]);
        let variance = |c: usize| components.column(c).iter().map(|v| v * v).sum::<f64>();
        assert!(variance(0) >= variance(1) && variance(1) > 10.0 * variance(2));
        let places = plane(&components, 3).unwrap();
        assert_eq!(places, plane(&components, 3).unwrap());
        let (clusters, centres) = kinds(&places, 3, 3).unwrap();
        assert_eq!((adjusted_rand(&clusters, &truth), centres.len()), (1.0, 3));
    }
}
