//! Encoding and decoding with a finished dictionary, fast: the products of the tensor library and the sparse kernels.
//!
//! What comes out is what [`Dictionary::encode`] and [`Dictionary::decode`] say, but for rounding.

use golgi_data::dictionary::{Architecture, Codes, Dictionary, DictionaryError, Normalisation, Undo};
use rayon::prelude::*;

use crate::SaeError;
use crate::kernels::vector::add_scaled;
use crate::kernels::{self, above, largest, matmul};

/// Rows whose pre-activations are held at once.
const TILE: usize = 512;

/// A dictionary in use.
#[derive(Debug)]
pub struct Coder {
    dictionary: Dictionary,
}

/// Rows as the encoder sees them, and how their reconstructions get back.
struct Normalised {
    rows: Vec<f32>,
    undo: Vec<Undo>,
}

impl Coder {
    /// Checks the dictionary and takes it into use.
    ///
    /// # Errors
    /// If the dictionary is not usable.
    pub fn new(dictionary: Dictionary) -> Result<Coder, SaeError> {
        dictionary.check()?;
        Ok(Coder { dictionary })
    }

    /// The dictionary.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    fn check(&self, rows: &[f32]) -> Result<(), SaeError> {
        let width = self.dictionary.config.d_in();
        match rows.len().is_multiple_of(width) {
            true => Ok(()),
            false => Err(DictionaryError::Rows { width, actual: rows.len(), does: "reads" }.into()),
        }
    }

    fn normalised(&self, rows: &[f32]) -> Normalised {
        let d = self.dictionary.config.d_in();
        match self.dictionary.config.normalisation {
            Normalisation::None => {
                let undo = vec![Undo { factor: 1.0, offset: 0.0 }; rows.len() / d];
                Normalised { rows: rows.to_vec(), undo }
            }
            Normalisation::Scale { input, output } => {
                let undo = vec![Undo { factor: 1.0 / output, offset: 0.0 }; rows.len() / d];
                Normalised { rows: rows.iter().map(|value| value * input).collect(), undo }
            }
            Normalisation::RowNorm | Normalisation::LayerNorm => {
                let all: Vec<(Vec<f32>, Undo)> =
                    rows.par_chunks(d).map(|row| self.dictionary.normalised(row)).collect();
                let (rows, undo): (Vec<Vec<f32>>, Vec<Undo>) = all.into_iter().unzip();
                Normalised { rows: rows.concat(), undo }
            }
        }
    }

    /// How each row's reconstruction gets back to the model's scale; a change of latent i by Δ changes the row by
    /// `Δ · factor · d_i`.
    pub fn undo(&self, rows: &[f32]) -> Vec<Undo> {
        self.normalised(rows).undo
    }

    /// The active latents of each row of `rows`, `[n, d_in]`.
    ///
    /// # Errors
    /// If these are not rows of the dictionary's width, or the tensor library fails.
    pub fn encode(&self, rows: &[f32]) -> Result<Codes, SaeError> {
        self.check(rows)?;
        let (d, m) = (self.dictionary.config.d_in(), self.dictionary.config.latents as usize);
        let mut seen = self.normalised(rows).rows;
        if self.dictionary.config.subtract_decoder_bias {
            seen.par_chunks_mut(d).for_each(|row| add_scaled(row, -1.0, &self.dictionary.decoder_bias));
        }
        let mut codes = Codes::default();
        let mut z = Vec::new();
        for rows in seen.chunks(TILE * d) {
            z.resize(rows.len() / d * m, 0.0);
            let (encoder, bias) = (&self.dictionary.encoder, &self.dictionary.encoder_bias);
            matmul::times_transposed_plus(&mut z, rows, encoder, bias, d)?;
            let chosen: Vec<Vec<(u32, f32)>> = z.par_chunks(m).map(|row| self.choose(row)).collect();
            chosen.into_iter().for_each(|row| codes.push(row));
        }
        Ok(codes)
    }

    fn choose(&self, z: &[f32]) -> Vec<(u32, f32)> {
        match &self.dictionary.config.architecture {
            Architecture::Standard => above(z, 0.0).collect(),
            Architecture::TopK { k } => largest(z, *k as usize),
            Architecture::Gated => {
                let Some(magnitude) = &self.dictionary.magnitude else { return Vec::new() };
                let strength = |(latent, gate): (u32, f32)| {
                    let at = latent as usize;
                    let projection = gate - self.dictionary.encoder_bias[at];
                    (latent, magnitude.log_scale[at].exp() * projection + magnitude.bias[at])
                };
                above(z, 0.0).map(strength).filter(|one| one.1 > 0.0).collect()
            }
            Architecture::BatchTopK { .. } | Architecture::JumpRelu | Architecture::Matryoshka { .. } => {
                let thresholds = self.dictionary.threshold.as_deref().unwrap_or_default();
                let all = (0u32..).zip(z.iter().zip(thresholds));
                all.filter(|(_, (z, threshold))| **z > threshold.max(0.0))
                    .map(|(latent, (z, _))| (latent, *z))
                    .collect()
            }
        }
    }

    /// Reconstructions `[n, d_out]` of `codes`; `rows` are the inputs.
    ///
    /// # Errors
    /// If codes and rows do not belong together or to this dictionary, or the tensor library fails.
    pub fn decode(&self, codes: &Codes, rows: &[f32]) -> Result<Vec<f32>, SaeError> {
        self.check(rows)?;
        let config = &self.dictionary.config;
        let (d_in, d_out, latents) = (config.d_in(), config.d_out(), config.latents);
        if rows.len() != codes.len() * d_in {
            return Err(DictionaryError::Rows { width: d_in, actual: rows.len(), does: "reads" }.into());
        }
        if let Some(latent) = codes.latents.iter().find(|latent| **latent >= latents) {
            return Err(DictionaryError::Latent { latent: *latent, latents }.into());
        }
        let normalised = self.normalised(rows);
        let mut out = vec![0f32; codes.len() * d_out];
        let bias = Some(self.dictionary.decoder_bias.as_slice());
        kernels::decode(&mut out, codes, &self.dictionary.decoder, bias, d_out)?;
        if let Some(skip) = &self.dictionary.skip {
            let mut skipped = vec![0f32; out.len()];
            matmul::times_transposed(&mut skipped, &normalised.rows, skip, d_in)?;
            add_scaled(&mut out, 1.0, &skipped);
        }
        out.par_chunks_mut(d_out).zip(&normalised.undo).for_each(|(row, undo)| {
            row.iter_mut().for_each(|value| *value = *value * undo.factor + undo.offset);
        });
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use golgi_data::dictionary::{Config, Magnitude, Part};

    use super::*;

    fn wave(n: usize, phase: f32) -> Vec<f32> {
        (0..n).map(|i| ((i as f32 + phase) * 1.618).sin()).collect()
    }

    #[test]
    fn it_computes_what_the_dictionary_says() {
        let (d, m) = (10, 30);
        let site = Part { site: "x".into(), width: d as u32 };
        let prefixes = vec![10, 30];
        for architecture in [
            Architecture::Standard,
            Architecture::Gated,
            Architecture::TopK { k: 4 },
            Architecture::BatchTopK { k: 4 },
            Architecture::JumpRelu,
            Architecture::Matryoshka { k: 4, prefixes },
        ] {
            let scale = Normalisation::Scale { input: 0.3, output: 0.3 };
            for normalisation in [Normalisation::None, scale, Normalisation::RowNorm, Normalisation::LayerNorm] {
                let name = format!("{} {normalisation:?}", architecture.name());
                let mut config = Config::autoencoder(architecture.clone(), site.clone(), m as u32);
                config.normalisation = normalisation;
                let magnitude = Magnitude { log_scale: wave(m, 0.4), bias: wave(m, 0.6) };
                let dictionary = Dictionary {
                    encoder: wave(m * d, 0.1),
                    encoder_bias: wave(m, 0.2),
                    decoder: wave(m * d, 0.3),
                    decoder_bias: wave(d, 0.5),
                    threshold: architecture.has_threshold().then(|| wave(m, 0.8)),
                    magnitude: (architecture == Architecture::Gated).then_some(magnitude),
                    skip: Some(wave(d * d, 0.9)),
                    ..Dictionary::empty(config)
                };
                let rows = wave(d * 700, 0.7);
                let expected = dictionary.encode(&rows).unwrap();
                let decoded = dictionary.decode(&expected, &rows).unwrap();
                let coder = Coder::new(dictionary).unwrap();
                let found = coder.encode(&rows).unwrap();
                assert_eq!(found.latents, expected.latents, "{name}");
                assert_eq!(found.starts, expected.starts, "{name}");
                let close =
                    |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4 * b.abs().max(1.0));
                assert!(close(&found.values, &expected.values), "{name}");
                assert!(close(&coder.decode(&found, &rows).unwrap(), &decoded), "{name}");
            }
        }
    }
}
