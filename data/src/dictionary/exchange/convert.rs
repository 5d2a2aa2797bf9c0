//! Changes of a dictionary's weights that leave what it computes as it is.

use rayon::prelude::*;

use crate::dictionary::{Dictionary, DictionaryError, Normalisation};

/// Decoder rows shorter than this are taken to be of this length.
const SHORTEST: f32 = 1e-8;

impl Dictionary {
    /// The same function without a scale in front: `W_enc·s`, `W_dec/s`, `b_dec/s`. Latents keep their values.
    ///
    /// # Errors
    /// If inputs and outputs have different scales although the decoder's bias is subtracted from inputs, or the result is
    /// no usable dictionary.
    pub fn folded(&self) -> Result<Dictionary, DictionaryError> {
        let mut folded = self.clone();
        let Normalisation::Scale { input, output } = self.config.normalisation else { return Ok(folded) };
        if self.config.subtract_decoder_bias && input != output {
            let what = format!("its inputs are scaled by {input} and its outputs by {output}, which have one bias");
            return Err(DictionaryError::Config { what });
        }
        folded.encoder.par_iter_mut().for_each(|value| *value *= input);
        folded.decoder.par_iter_mut().for_each(|value| *value /= output);
        folded.decoder_bias.iter_mut().for_each(|value| *value /= output);
        folded.skip.iter_mut().flatten().for_each(|value| *value *= input / output);
        folded.config.normalisation = Normalisation::None;
        folded.config.conversions.push(format!(
            "The scale of activations, {input} for inputs and {output} for outputs, was folded into the weights; latents keep \
             their values."
        ));
        folded.check()?;
        Ok(folded)
    }
}

/// ‖d‖ of each latent.
pub(super) fn decoder_norms(dictionary: &Dictionary) -> Vec<f32> {
    let width = dictionary.config.d_out();
    let norm = |row: &[f32]| row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt() as f32;
    dictionary.decoder.par_chunks(width).map(norm).collect()
}

/// Makes decoder rows of length 1: `W_enc·‖d‖`, `b_enc·‖d‖`, `W_dec/‖d‖`. Thresholds and magnitudes are the caller's concern.
pub(super) fn fold_decoder_norms(dictionary: &mut Dictionary) {
    let norms = decoder_norms(dictionary);
    let (d_in, d_out) = (dictionary.config.d_in(), dictionary.config.d_out());
    let clamped = |norm: &f32| norm.max(SHORTEST);
    dictionary.encoder.par_chunks_mut(d_in).zip(&norms).for_each(|(row, norm)| {
        row.iter_mut().for_each(|value| *value *= clamped(norm));
    });
    dictionary.encoder_bias.iter_mut().zip(&norms).for_each(|(value, norm)| *value *= clamped(norm));
    dictionary.decoder.par_chunks_mut(d_out).zip(&norms).for_each(|(row, norm)| {
        row.iter_mut().for_each(|value| *value /= clamped(norm));
    });
}
