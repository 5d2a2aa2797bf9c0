//! How far a latent of several sites writes to each of them, and how well each is reconstructed.

use golgi_data::dictionary::Dictionary;
use rayon::prelude::*;

use crate::kernels::vector::norm;

/// For each latent the share of its decoder row's norm at each output site, `s_l‖d_i^l‖ / Σ_k s_k‖d_i^k‖`, with s the scales that
/// training gave the sites (`[m][sites]`). Of two sites about ½ is a shared feature, about 0 or 1 one of a single site (Lindsey et
/// al. 2024); of a cross-layer transcoder it says how far a feature reaches. A row of zeros has shares of 0.
pub fn part_shares(dictionary: &Dictionary) -> Vec<Vec<f32>> {
    let outputs = &dictionary.config.outputs;
    let scales = &dictionary.config.output_scales;
    let shares = |row: &[f32]| -> Vec<f32> {
        let mut start = 0;
        let norms: Vec<f32> = outputs
            .iter()
            .enumerate()
            .map(|(site, part)| {
                let columns = start..start + part.width as usize;
                start = columns.end;
                norm(&row[columns]) * scales.get(site).copied().unwrap_or(1.0)
            })
            .collect();
        let sum: f32 = norms.iter().sum();
        norms.into_iter().map(|one| if sum > 0.0 { one / sum } else { 0.0 }).collect()
    };
    dictionary.decoder.par_chunks(dictionary.config.d_out()).map(shares).collect()
}

/// `1 − Σ‖y^l − ŷ^l‖² / Σ‖y^l − μ^l‖²` of each part of the rows, `[n, Σ widths]`: of several sites together the largest alone counts.
pub fn explained_by_site(y: &[f32], fit: &[f32], widths: &[usize]) -> Vec<f64> {
    let d: usize = widths.iter().sum();
    let n = y.len() / d.max(1);
    let mut start = 0;
    let parts = widths.iter().map(|width| {
        let columns = start..start + width;
        start = columns.end;
        let mut mean = vec![0f64; *width];
        for row in y.chunks(d) {
            let part = mean.iter_mut().zip(&row[columns.clone()]);
            part.for_each(|(mean, value)| *mean += f64::from(*value) / n as f64);
        }
        let (mut error, mut spread) = (0f64, 0f64);
        for (row, fit) in y.chunks(d).zip(fit.chunks(d)) {
            let all = row[columns.clone()].iter().zip(&fit[columns.clone()]).zip(&mean);
            for ((value, fit), mean) in all {
                error += f64::from(value - fit).powi(2);
                spread += (f64::from(*value) - mean).powi(2);
            }
        }
        1.0 - error / spread.max(f64::MIN_POSITIVE)
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use golgi_data::dictionary::{Architecture, Config, Part};

    use super::*;

    #[test]
    fn shares_are_compared_in_the_units_of_training() {
        let part = |site: &str, width| Part { site: site.into(), width };
        let mut config = Config::autoencoder(Architecture::Standard, part("a", 2), 3);
        config.outputs.push(part("b", 1));
        config.output_scales = vec![1.0, 0.1];
        let decoder = vec![3.0, 4.0, 50.0, 0.6, 0.8, 0.0, 0.0, 0.0, 2.0];
        let dictionary = Dictionary { decoder, ..Dictionary::empty(config) };
        assert_eq!(part_shares(&dictionary), [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]);
    }

    #[test]
    fn a_small_site_has_its_own_explained_variance() {
        let y = [100.0, 1.0, -100.0, -1.0];
        let found = explained_by_site(&y, &[100.0, -1.0, -100.0, 1.0], &[1, 1]);
        assert_eq!(found, [1.0, -3.0]);
    }
}
