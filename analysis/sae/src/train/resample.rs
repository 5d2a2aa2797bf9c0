//! Latents that have died begin anew where the dictionary fails (Bricken et al. 2023, "neuron resampling").
//!
//! Every so many steps, each latent that was silent for more than half of them takes an input that is badly reconstructed: its decoder
//! row becomes the unit vector of what is left of that input without b_dec, its encoder row the same direction with a fifth of the
//! mean norm of living encoder rows, its bias 0 (its threshold or second path as at the start), and both moments of Adam 0. Inputs are drawn
//! from the step's batch without repetition, with probabilities proportional to `‖y − ŷ‖` (dictionary_learning). The draw depends on seed and
//! step alone, so a resumed run makes the same.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::kernels::vector::{add_scaled, norm};
use crate::layout::Layout;
use crate::parameters::Parameters;
use crate::settings::{DecoderNorm, Settings};

/// The share of the mean norm of living encoder rows that a new one gets.
const SHARE: f32 = 0.2;
/// Added to the step for the random stream; weights take the last one.
const STREAM: u64 = 1 << 62;

/// The rows of a step, normalised.
pub(super) struct Rows<'a> {
    /// `[n, d_in]`.
    pub(super) input: &'a [f32],
    /// `[n, d_out]`.
    pub(super) target: &'a [f32],
    /// `[n, d_out]`.
    pub(super) reconstruction: &'a [f32],
    /// Whether b_dec is subtracted from the input.
    pub(super) subtracts: bool,
}

/// Whether latents begin anew behind step `step`, from 1: at the end of each interval that another one follows.
pub(super) fn is_due(settings: &Settings, step: u64) -> bool {
    settings.resample_every.is_some_and(|every| step.is_multiple_of(every) && step + every <= settings.steps)
}

/// Begins latents anew that were silent for more than `silent_for` rows, and returns which.
#[expect(clippy::too_many_arguments, reason = "one call site")]
pub(super) fn resample(
    parameters: &mut Parameters,
    moments: [&mut Parameters; 2],
    settings: &Settings,
    layout: &Layout,
    silent: &[u64],
    silent_for: u64,
    rows: &Rows<'_>,
    step: u64,
) -> Vec<u32> {
    let m = parameters.encoder_bias.len();
    let (d_in, d_out) = (parameters.encoder.len() / m, parameters.decoder_bias.len());
    let (dead, alive): (Vec<usize>, Vec<usize>) = (0..m).partition(|latent| silent[*latent] > silent_for);
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    random.set_stream(STREAM + step);
    let drawn = draw(&errors(rows, d_out), dead.len(), &mut random);
    let mean_norm = |values: &[f32], d: usize| {
        let norms = alive.iter().map(|latent| f64::from(norm(&values[latent * d..(latent + 1) * d])));
        if alive.is_empty() { 1.0 } else { (norms.sum::<f64>() / alive.len() as f64) as f32 }
    };
    let encoder_norm = SHARE * mean_norm(&parameters.encoder, d_in);
    let decoder_norm = match settings.decoder_norm {
        DecoderNorm::Unit => 1.0,
        DecoderNorm::Free => mean_norm(&parameters.decoder, d_out),
    };
    let mut begun = Vec::new();
    for (latent, row) in dead.into_iter().zip(drawn) {
        let mut reads = rows.input[row * d_in..(row + 1) * d_in].to_vec();
        let mut writes = rows.target[row * d_out..(row + 1) * d_out].to_vec();
        if rows.subtracts {
            add_scaled(&mut reads, -1.0, &parameters.decoder_bias);
        }
        add_scaled(&mut writes, -1.0, &parameters.decoder_bias);
        parameters.encoder[latent * d_in..(latent + 1) * d_in].copy_from_slice(&reads);
        parameters.decoder[latent * d_out..(latent + 1) * d_out].copy_from_slice(&writes);
        begun.push(latent as u32);
    }
    layout.mask(parameters);
    for latent in begun.iter().map(|latent| *latent as usize) {
        for (values, d, length) in
            [(&mut parameters.encoder, d_in, encoder_norm), (&mut parameters.decoder, d_out, decoder_norm)]
        {
            let row = &mut values[latent * d..(latent + 1) * d];
            let factor = length / norm(row).max(f32::MIN_POSITIVE);
            row.iter_mut().for_each(|value| *value *= factor);
        }
        parameters.encoder_bias[latent] = 0.0;
        let others = [
            (&mut parameters.log_threshold, settings.threshold.ln()),
            (&mut parameters.log_scale, 0.0),
            (&mut parameters.magnitude_bias, 0.0),
        ];
        for (values, start) in others {
            values.get_mut(latent).into_iter().for_each(|value| *value = start);
        }
    }
    for moments in moments {
        for latent in begun.iter().map(|latent| *latent as usize) {
            moments.encoder[latent * d_in..(latent + 1) * d_in].fill(0.0);
            moments.decoder[latent * d_out..(latent + 1) * d_out].fill(0.0);
            let others = [
                &mut moments.encoder_bias,
                &mut moments.log_threshold,
                &mut moments.log_scale,
                &mut moments.magnitude_bias,
            ];
            others.into_iter().flat_map(|values| values.get_mut(latent)).for_each(|value| *value = 0.0);
        }
    }
    begun
}

/// `‖y − ŷ‖` of each row.
fn errors(rows: &Rows<'_>, d: usize) -> Vec<f64> {
    let pairs = rows.target.par_chunks(d).zip(rows.reconstruction.par_chunks(d));
    pairs.map(|(y, fit)| y.iter().zip(fit).map(|(y, fit)| f64::from(y - fit).powi(2)).sum::<f64>().sqrt()).collect()
}

/// At most `most` different indices, one after the other with probabilities proportional to `weights` (those of the rest), as
/// Efraimidis and Spirakis draw them: the largest of `ln(u)/w`.
fn draw(weights: &[f64], most: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut keys: Vec<(f64, usize)> = weights
        .iter()
        .enumerate()
        .map(|(index, weight)| ((1.0 - random.random::<f64>()).ln() / weight, index))
        .filter(|(key, _)| key.is_finite())
        .collect();
    keys.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    keys.into_iter().take(most).map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use golgi_data::dictionary::Architecture;

    use super::*;

    #[test]
    fn draws_follow_their_weights() {
        let mut counts = [0u32; 4];
        for seed in 0..4000 {
            let drawn = draw(&[1.0, 0.0, 2.0, 5.0], 1, &mut ChaCha8Rng::seed_from_u64(seed));
            counts[drawn[0]] += 1;
        }
        // Standard deviations are below 32.
        for (count, expected) in counts.into_iter().zip([500u32, 0, 1000, 2500]) {
            assert!(count.abs_diff(expected) < 130, "{counts:?}");
        }
        let all = draw(&[1.0, 0.0, 2.0, 5.0], 9, &mut ChaCha8Rng::seed_from_u64(1));
        let mut sorted = all.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 2, 3]);
    }

    #[test]
    fn a_silent_latent_takes_the_input_that_fails() {
        let mut settings = Settings::published(Architecture::Standard, 3, 100);
        settings.resample_every = Some(10);
        assert!(is_due(&settings, 10) && is_due(&settings, 90) && !is_due(&settings, 15) && !is_due(&settings, 100));
        let full = |value: f32| Parameters {
            encoder: vec![value; 6],
            encoder_bias: vec![value; 3],
            decoder: vec![value; 6],
            decoder_bias: vec![1.0, 0.0],
            ..Parameters::default()
        };
        let (mut parameters, mut mean, mut square) = (full(0.5), full(0.7), full(0.9));
        // Only the second row is not reconstructed.
        let target = [2.0, 3.0, 1.0, 4.0];
        let reconstruction = [2.0, 3.0, 0.0, 0.0];
        let rows = Rows { input: &target, target: &target, reconstruction: &reconstruction, subtracts: true };
        let layout = Layout::plain(2, 2);
        let begun = resample(&mut parameters, [&mut mean, &mut square], &settings, &layout, &[0, 9, 5], 5, &rows, 10);
        assert_eq!(begun, [1]);
        // Without b_dec the row is (0, 4).
        assert_eq!(parameters.decoder, [0.5, 0.5, 0.0, 1.0, 0.5, 0.5]);
        let length = SHARE * 0.5f32.sqrt();
        assert!((parameters.encoder[3] - length).abs() < 1e-6 && parameters.encoder[2] == 0.0, "{parameters:?}");
        assert_eq!(parameters.encoder_bias, [0.5, 0.0, 0.5]);
        assert_eq!((mean.encoder[1], mean.encoder[2], square.decoder[3], square.encoder_bias[1]), (0.7, 0.0, 0.0, 0.0));
        assert_eq!((mean.decoder_bias[0], square.decoder[4]), (1.0, 0.9));
    }
}
