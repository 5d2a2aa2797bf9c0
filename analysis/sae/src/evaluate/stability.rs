//! What two dictionaries of one site, trained with different seeds, have in common.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kernels::vector::{dot, norm};

/// The cosine from which two latents count as the same (Paulo and Belrose 2025).
pub const SAME: f32 = 0.7;

/// How much of a dictionary is in another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// For each latent the largest cosine of its decoder row with one of the other dictionary.
    pub cosines: Vec<f32>,
    /// Their mean.
    pub mean_max_cosine: f64,
    /// The share of latents that have a partner: each is the other's nearest, with a cosine of at least [`SAME`].
    pub matched: f64,
}

/// Compares decoder rows `ours` and `theirs`, `[…, d]`.
pub fn stability(ours: &[f32], theirs: &[f32], d: usize) -> Stability {
    let nearest = |of: &[f32], among: &[f32]| -> Vec<(usize, f32)> {
        let norms: Vec<f32> = among.par_chunks(d).map(|row| norm(row).max(f32::MIN_POSITIVE)).collect();
        let best = |row: &[f32]| {
            let length = norm(row).max(f32::MIN_POSITIVE);
            let cosines = among.chunks(d).zip(&norms).map(|(other, norm)| dot(row, other) / (length * norm));
            // Of equal ones the first.
            cosines
                .enumerate()
                .fold((0, -1.0), |best, (index, cosine)| if cosine > best.1 { (index, cosine) } else { best })
        };
        of.par_chunks(d).map(best).collect()
    };
    let (there, back) = (nearest(ours, theirs), nearest(theirs, ours));
    let is_matched = |(latent, (partner, cosine)): (usize, &(usize, f32))| {
        *cosine >= SAME && back.get(*partner).is_some_and(|one| one.0 == latent)
    };
    let matched = there.iter().enumerate().filter(|one| is_matched(*one)).count();
    let cosines: Vec<f32> = there.iter().map(|one| one.1).collect();
    let n = cosines.len().max(1) as f64;
    Stability {
        mean_max_cosine: cosines.iter().map(|cosine| f64::from(*cosine)).sum::<f64>() / n,
        matched: matched as f64 / n,
        cosines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::Planted;

    #[test]
    fn what_two_dictionaries_share_is_counted() {
        let d = 32;
        let (common, own, other) = ([0, 1, 2].map(|seed| Planted::new(d, 20, 1.0, seed).directions)).into();
        let ours = [common.clone(), own].concat();
        // The same directions in another order and length.
        let turned: Vec<f32> = common.chunks(d).rev().flat_map(|row| row.iter().map(|value| value * 3.0)).collect();
        let found = stability(&ours, &[turned, other].concat(), d);
        assert!((found.matched - 0.5).abs() < 1e-9, "{found:?}");
        assert!(found.cosines[..20].iter().all(|cosine| *cosine > 0.9999));
        assert!(found.mean_max_cosine > 0.6 && found.mean_max_cosine < 0.9, "{}", found.mean_max_cosine);
        // Two latents that are the same have one partner between them.
        let twice = [common.clone(), common.clone()].concat();
        assert!((stability(&twice, &common, d).matched - 0.5).abs() < 1e-9);
    }
}
