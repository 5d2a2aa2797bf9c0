//! How weights begin.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use golgi_data::dictionary::Architecture;

use crate::kernels::vector::norm;
use crate::layout::{Layout, Wiring, columns};
use crate::parameters::Parameters;
use crate::planted::gaussian;
use crate::settings::{DecoderNorm, Settings};

/// The decoder's row norm at the start, where norms are free (SAELens).
const FREE_NORM: f32 = 0.1;
/// The norm of each site's part of a crosscoder's decoder row at the start (the replication on Gemma 2).
const CROSSCODER_NORM: f32 = 0.08;

/// Random decoder rows of one norm; the encoder is the decoder's transpose, where both have one width; biases 0.
///
/// A transcoder begins with random encoder rows and a decoder of zeros (sparsify), or of small rows where their norm is kept. A
/// cross-layer transcoder with encoders from `U(±1/√f)` and decoders from `U(±1/√(L·d))`, f latents in each of L layers (the open
/// implementations).
pub(super) fn weights(settings: &Settings, layout: &Layout, wiring: &Wiring) -> Parameters {
    let m = settings.latents as usize;
    let (d_in, d_out): (usize, usize) = (layout.inputs().iter().sum(), layout.outputs().iter().sum());
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    random.set_stream(u64::MAX);
    let is_free = settings.decoder_norm == DecoderNorm::Free;
    let (encoder, decoder) = if layout.is_cross_layer() {
        let layers = layout.inputs().len();
        let mut uniform = |count: usize, bound: f64| -> Vec<f32> {
            (0..count).map(|_| random.random_range(-bound..bound) as f32).collect()
        };
        let encoder = uniform(m * d_in, 1.0 / ((m / layers) as f64).sqrt());
        (encoder, uniform(m * d_out, 1.0 / (d_out as f64).sqrt()))
    } else {
        let decoder = unit_rows(&mut random, m, d_out, if is_free { FREE_NORM } else { 1.0 });
        match wiring.outputs {
            None => (decoder.clone(), decoder),
            Some(_) => {
                let encoder = unit_rows(&mut random, m, d_in, 1.0);
                (encoder, if is_free { vec![0.0; m * d_out] } else { decoder })
            }
        }
    };
    let is = |architecture: &Architecture| settings.architecture == *architecture;
    let mut parameters = Parameters {
        encoder,
        encoder_bias: vec![0.0; m],
        decoder,
        decoder_bias: vec![0.0; d_out],
        log_threshold: if is(&Architecture::JumpRelu) { vec![settings.threshold.ln(); m] } else { vec![] },
        log_scale: if is(&Architecture::Gated) { vec![0.0; m] } else { vec![] },
        magnitude_bias: if is(&Architecture::Gated) { vec![0.0; m] } else { vec![] },
        skip: if wiring.skips { vec![0.0; d_out * d_in] } else { vec![] },
    };
    layout.mask(&mut parameters);
    if is_free && layout.is_crosscoder() {
        parameters.decoder.par_chunks_mut(d_out).for_each(|row| {
            columns(layout.outputs()).for_each(|part| resize(&mut row[part], CROSSCODER_NORM));
        });
        parameters.encoder.clone_from(&parameters.decoder);
    } else if !is_free && layout.is_cross_layer() {
        parameters.decoder.par_chunks_mut(d_out).for_each(|row| resize(row, 1.0));
    }
    parameters
}

fn resize(row: &mut [f32], length: f32) {
    let factor = length / norm(row).max(f32::MIN_POSITIVE);
    row.iter_mut().for_each(|value| *value *= factor);
}

fn unit_rows(random: &mut ChaCha8Rng, m: usize, d: usize, length: f32) -> Vec<f32> {
    let mut rows: Vec<f32> = (0..m * d).map(|_| gaussian(random)).collect();
    rows.par_chunks_mut(d).for_each(|row| resize(row, length));
    rows
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
