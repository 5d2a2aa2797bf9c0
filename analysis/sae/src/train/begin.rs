//! How weights begin.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use golgi_data::dictionary::Architecture;

use crate::kernels::vector::norm;
use crate::parameters::Parameters;
use crate::planted::gaussian;
use crate::settings::{DecoderNorm, Settings};

/// The decoder's row norm at the start, where norms are free (SAELens).
const FREE_NORM: f32 = 0.1;

/// Random decoder rows of one norm; the encoder is the decoder's transpose, where both have one width; biases 0.
///
/// A transcoder begins with random encoder rows and a decoder of zeros (sparsify), or of small rows where their norm is kept.
pub(super) fn weights(settings: &Settings, d_in: usize, d_out: usize, transcodes: bool, skips: bool) -> Parameters {
    let m = settings.latents as usize;
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    random.set_stream(u64::MAX);
    let unit_rows = |random: &mut ChaCha8Rng, d: usize, length: f32| {
        let mut rows: Vec<f32> = (0..m * d).map(|_| gaussian(random)).collect();
        rows.par_chunks_mut(d).for_each(|row| {
            let factor = length / norm(row).max(f32::MIN_POSITIVE);
            row.iter_mut().for_each(|value| *value *= factor);
        });
        rows
    };
    let length = if settings.decoder_norm == DecoderNorm::Unit { 1.0 } else { FREE_NORM };
    let decoder = unit_rows(&mut random, d_out, length);
    let encoder = match transcodes {
        false => decoder.clone(),
        true => unit_rows(&mut random, d_in, 1.0),
    };
    let is = |architecture: &Architecture| settings.architecture == *architecture;
    Parameters {
        encoder,
        encoder_bias: vec![0.0; m],
        decoder: if transcodes && settings.decoder_norm == DecoderNorm::Free { vec![0.0; m * d_out] } else { decoder },
        decoder_bias: vec![0.0; d_out],
        log_threshold: if is(&Architecture::JumpRelu) { vec![settings.threshold.ln(); m] } else { vec![] },
        log_scale: if is(&Architecture::Gated) { vec![0.0; m] } else { vec![] },
        magnitude_bias: if is(&Architecture::Gated) { vec![0.0; m] } else { vec![] },
        skip: if skips { vec![0.0; d_out * d_in] } else { vec![] },
    }
}

/// The geometric median of rows `[n, d]`: the point with the least sum of distances (Weiszfeld's iteration).
pub(super) fn geometric_median(rows: &[f32], d: usize) -> Vec<f32> {
    let n = rows.len() / d;
    let mut median = vec![0f64; d];
    for row in rows.chunks(d) {
        median.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value) / n as f64);
    }
    for _ in 0..100 {
        let distance = |row: &[f32]| {
            row.iter().zip(&median).map(|(value, median)| (f64::from(*value) - median).powi(2)).sum::<f64>().sqrt()
        };
        let weights: Vec<f64> = rows.par_chunks(d).map(|row| 1.0 / distance(row).max(1e-9)).collect();
        let total: f64 = weights.iter().sum();
        let mut next = vec![0f64; d];
        for (row, weight) in rows.chunks(d).zip(&weights) {
            next.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value) * weight / total);
        }
        let moved: f64 = next.iter().zip(&median).map(|(a, b)| (a - b).powi(2)).sum();
        let size: f64 = next.iter().map(|value| value * value).sum();
        median = next;
        if moved <= 1e-12 * size {
            break;
        }
    }
    median.into_iter().map(|value| value as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_far_point_does_not_move_the_median() {
        let mut rows: Vec<f32> = Vec::new();
        for i in 0..99 {
            let angle = i as f32 / 99.0 * std::f32::consts::TAU;
            rows.extend([2.0 + angle.cos(), -1.0 + angle.sin()]);
        }
        rows.extend([1e6, 1e6]);
        let median = geometric_median(&rows, 2);
        assert!((median[0] - 2.0).abs() < 0.1 && (median[1] + 1.0).abs() < 0.1, "{median:?}");
    }
}
