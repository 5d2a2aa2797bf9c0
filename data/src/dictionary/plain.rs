//! What a dictionary computes, written down plainly: the meaning of its numbers, and the oracle of faster code.

use rayon::prelude::*;

use super::{Architecture, Codes, Dictionary, DictionaryError, Normalisation};

impl Dictionary {
    /// The active latents of each row of `rows`, `[n, d_in]`.
    ///
    /// # Errors
    /// If these are not rows of the dictionary's width.
    pub fn encode(&self, rows: &[f32]) -> Result<Codes, DictionaryError> {
        let d = self.config.d_in();
        if !rows.len().is_multiple_of(d) {
            return Err(DictionaryError::Rows { width: d, actual: rows.len(), does: "reads" });
        }
        let encoded: Vec<Vec<(u32, f32)>> = rows.par_chunks(d).map(|row| self.encode_row(row)).collect();
        let mut codes = Codes::default();
        encoded.into_iter().for_each(|row| codes.push(row));
        Ok(codes)
    }

    /// Reconstructions, `[n, d_out]`, of what `codes` say. `rows` are the inputs, which some normalisations and the skip
    /// connection need.
    ///
    /// # Errors
    /// If codes and rows do not belong together or to this dictionary.
    pub fn decode(&self, codes: &Codes, rows: &[f32]) -> Result<Vec<f32>, DictionaryError> {
        let (d_in, d_out, latents) = (self.config.d_in(), self.config.d_out(), self.config.latents);
        if rows.len() != codes.len() * d_in {
            return Err(DictionaryError::Rows { width: d_in, actual: rows.len(), does: "reads" });
        }
        if let Some(latent) = codes.latents.iter().find(|latent| **latent >= latents) {
            return Err(DictionaryError::Latent { latent: *latent, latents });
        }
        let mut out = vec![0f32; codes.len() * d_out];
        out.par_chunks_mut(d_out).zip(rows.par_chunks(d_in)).enumerate().for_each(|(index, (out, row))| {
            let (scaled, undo) = self.normalised(row);
            out.copy_from_slice(&self.decoder_bias);
            let (latents, values) = codes.row(index);
            for (latent, value) in latents.iter().zip(values) {
                for (out, weight) in out.iter_mut().zip(self.writes(*latent as usize)) {
                    *out += value * weight;
                }
            }
            if let Some(skip) = &self.skip {
                for (out, weights) in out.iter_mut().zip(skip.chunks(d_in)) {
                    *out += dot(weights, &scaled);
                }
            }
            out.iter_mut().for_each(|value| *value = *value * undo.factor + undo.offset);
        });
        Ok(out)
    }

    /// The pre-activations z of one row, `[m]`, without a bias, and of the row as the encoder sees it.
    fn projections(&self, row: &[f32]) -> Vec<f32> {
        let (mut scaled, _) = self.normalised(row);
        if self.config.subtract_decoder_bias {
            scaled.iter_mut().zip(&self.decoder_bias).for_each(|(value, bias)| *value -= bias);
        }
        self.encoder.chunks(scaled.len()).map(|weights| dot(weights, &scaled)).collect()
    }

    fn encode_row(&self, row: &[f32]) -> Vec<(u32, f32)> {
        let projections = self.projections(row);
        let z = projections.iter().zip(&self.encoder_bias).map(|(value, bias)| value + bias);
        let z = (0u32..).zip(z);
        let thresholds = self.threshold.as_deref().unwrap_or_default();
        match &self.config.architecture {
            Architecture::Standard => z.filter(|(_, z)| *z > 0.0).collect(),
            Architecture::Gated => {
                let Some(magnitude) = &self.magnitude else { return Vec::new() };
                let open = z.filter(|(_, z)| *z > 0.0).map(|(latent, _)| {
                    let at = latent as usize;
                    (latent, magnitude.log_scale[at].exp() * projections[at] + magnitude.bias[at])
                });
                open.filter(|(_, value)| *value > 0.0).collect()
            }
            Architecture::TopK { k } => {
                let mut all: Vec<(u32, f32)> = z.filter(|(_, z)| *z > 0.0).collect();
                all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                all.truncate(*k as usize);
                all.sort_by_key(|(latent, _)| *latent);
                all
            }
            Architecture::BatchTopK { .. } | Architecture::JumpRelu | Architecture::Matryoshka { .. } => {
                z.filter(|(latent, z)| *z > 0.0 && *z > thresholds[*latent as usize]).collect()
            }
        }
    }

    /// A row as the encoder sees it (before b_dec is subtracted), and how its reconstruction gets back.
    pub fn normalised(&self, row: &[f32]) -> (Vec<f32>, Undo) {
        let width = row.len() as f64;
        let squares = |mean: f64| row.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>();
        let scaled = |factor: f32, mean: f32| row.iter().map(|value| (value - mean) * factor).collect();
        match self.config.normalisation {
            Normalisation::None => (row.to_vec(), Undo { factor: 1.0, offset: 0.0 }),
            Normalisation::Scale { input, output } => (scaled(input, 0.0), Undo { factor: 1.0 / output, offset: 0.0 }),
            Normalisation::RowNorm => {
                let norm = squares(0.0).sqrt();
                let factor = if norm > 0.0 { width.sqrt() / norm } else { 1.0 };
                (scaled(factor as f32, 0.0), Undo { factor: (1.0 / factor) as f32, offset: 0.0 })
            }
            Normalisation::LayerNorm => {
                let mean = row.iter().map(|value| f64::from(*value)).sum::<f64>() / width;
                // The unbiased estimate, as PyTorch's `std` in SAELens, which does not multiply by the 1e-5 again.
                let std = (squares(mean) / (width - 1.0).max(1.0)).sqrt();
                (scaled((1.0 / (std + 1e-5)) as f32, mean as f32), Undo { factor: std as f32, offset: mean as f32 })
            }
        }
    }
}

/// How a reconstruction gets back to the scale of the model: `y = y' · factor + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Undo {
    /// The factor.
    pub factor: f32,
    /// What is added.
    pub offset: f32,
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // In f64: this is the oracle.
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() as f32
}
