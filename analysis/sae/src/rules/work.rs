//! What the rules compute with: a batch, its weights, the gradients that grow.

use golgi_data::dictionary::Codes;
use rayon::prelude::*;

use super::Moment;
use crate::SaeError;
use crate::kernels::vector::{add_scaled, dot, norm, sum_of_squares};
use crate::kernels::{self, ByLatent};
use crate::layout::columns;
use crate::parameters::Parameters;
use crate::settings::DecoderNorm;

/// A batch in the middle of a step.
pub struct Work<'a> {
    /// The weights.
    pub parameters: &'a Parameters,
    /// What the encoder saw: rows without b_dec, if so configured, `[n, d_in]`.
    pub seen: &'a [f32],
    /// The rows themselves, `[n, d_in]`, for the skip connection.
    pub input: &'a [f32],
    /// What is to be reconstructed, `[n, d_out]`.
    pub target: &'a [f32],
    /// Whether b_dec is subtracted from the input.
    pub subtracts: bool,
    /// What grows.
    pub gradient: &'a mut Parameters,
    /// Reconstructions of the step, `[n, d_out]`, for its statistics; set by the rule.
    pub reconstruction: Vec<f32>,
    /// `Σ_t dz_ti`, `[m]`: how the loss changes with each latent's projection.
    pub projected: Vec<f32>,
}

impl Work<'_> {
    /// The width of outputs.
    pub fn d_out(&self) -> usize {
        self.parameters.decoder_bias.len()
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.target.len() / self.d_out()
    }

    /// m.
    pub fn latents(&self) -> usize {
        self.parameters.encoder_bias.len()
    }

    /// `f · W_dec + b_dec (+ x · W_skipᵀ)`.
    pub fn reconstruct(&self, codes: &Codes) -> Result<Vec<f32>, SaeError> {
        let (d, parameters) = (self.d_out(), self.parameters);
        let mut out = vec![0f32; self.target.len()];
        kernels::decode(&mut out, codes, &parameters.decoder, Some(&parameters.decoder_bias), d)?;
        if !parameters.skip.is_empty() {
            let d_in = parameters.skip.len() / d;
            let mut skipped = vec![0f32; self.target.len()];
            kernels::matmul::times_transposed(&mut skipped, self.input, &parameters.skip, d_in)?;
            add_scaled(&mut out, 1.0, &skipped);
        }
        Ok(out)
    }

    /// `(ŷ − y) · 2/n`, the derivative of E‖ŷ − y‖² after the reconstruction, and E‖ŷ − y‖² itself.
    pub fn squared_error(&self, reconstruction: &[f32], target: &[f32]) -> (Vec<f32>, f64) {
        let n = self.rows() as f64;
        let mut error = reconstruction.to_vec();
        error.par_chunks_mut(self.d_out()).zip(target.par_chunks(self.d_out())).for_each(|(row, target)| {
            add_scaled(row, -1.0, target);
        });
        let loss = sum_of_squares(&error) / n;
        let factor = (2.0 / n) as f32;
        error.par_iter_mut().with_min_len(1 << 14).for_each(|value| *value *= factor);
        (error, loss)
    }

    /// `⟨g_t, d_i⟩` for all active latents.
    pub fn pull(&self, codes: &Codes, g: &[f32]) -> Result<Vec<f32>, SaeError> {
        kernels::pull(codes, g, &self.parameters.decoder, self.d_out())
    }

    /// Adds `Σ_t f_ti g_t` to the decoder's gradient.
    pub fn add_to_decoder(&mut self, codes: &Codes, turned: &ByLatent, g: &[f32]) -> Result<(), SaeError> {
        let d = self.d_out();
        kernels::add_decoder_gradient(&mut self.gradient.decoder, codes, turned, g, d)
    }

    /// Adds what follows from `dz`, the derivatives after the encoder's product at the codes' places, to the encoder and to
    /// [`Work::projected`].
    pub fn add_to_encoder(&mut self, codes: &Codes, turned: &ByLatent, dz: &[f32]) -> Result<(), SaeError> {
        let (d, encoder) = (self.parameters.encoder.len() / self.latents(), &mut self.gradient.encoder);
        kernels::add_encoder_gradient(encoder, &mut self.projected, codes, turned, dz, self.seen, d)
    }

    /// Adds `Σ_t g_t` to b_dec's gradient, and to W_skip's what follows from `g`.
    pub fn add_to_output(&mut self, g: &[f32]) -> Result<(), SaeError> {
        let d = self.d_out();
        for row in g.chunks(d) {
            add_scaled(&mut self.gradient.decoder_bias, 1.0, row);
        }
        if !self.gradient.skip.is_empty() {
            kernels::matmul::add_transposed_times(&mut self.gradient.skip, g, self.input, g.len() / d)?;
        }
        Ok(())
    }

    /// The norms that a penalty counts with: of decoder rows, of a crosscoder the sum of its sites' parts, or 1 where whole rows are
    /// counted and kept at 1.
    pub fn penalty_norms(&self, moment: &Moment<'_>) -> Vec<f32> {
        let parts = moment.layout.penalised();
        if moment.settings.decoder_norm == DecoderNorm::Unit && parts.len() == 1 {
            return vec![1.0; self.latents()];
        }
        let rows = self.parameters.decoder.par_chunks(self.d_out());
        rows.map(|row| columns(&parts).map(|part| norm(&row[part])).sum()).collect()
    }

    /// Adds the derivative of `Σ_i weight_i Σ_l ‖d_i^l‖` to the decoder's gradient, where such norms are counted.
    pub fn add_norm_gradient(&mut self, moment: &Moment<'_>, weights: &[f32]) {
        let parts = moment.layout.penalised();
        if moment.settings.decoder_norm == DecoderNorm::Unit && parts.len() == 1 {
            return;
        }
        let d = self.d_out();
        let rows = self.gradient.decoder.par_chunks_mut(d).zip(self.parameters.decoder.par_chunks(d));
        rows.zip(weights).for_each(|((gradient, row), weight)| {
            for part in columns(&parts) {
                let (gradient, row) = (&mut gradient[part.clone()], &row[part]);
                let norm = norm(row);
                if norm > 0.0 {
                    add_scaled(gradient, weight / norm, row);
                }
            }
        });
    }

    /// The auxiliary loss of the TopK family (Gao et al. 2024, section A.2; normalised as in dictionary_learning): the dead
    /// latents that are largest in a row reconstruct, without bias, what the others leave over,
    /// `α · E‖e − ê‖² / E‖e − ē‖²` with `e = y − ŷ` held fixed.
    pub fn auxiliary(&mut self, codes: &Codes, weight: f32) -> Result<f64, SaeError> {
        if weight == 0.0 || codes.active() == 0 {
            return Ok(0.0);
        }
        let (d, n) = (self.d_out(), self.rows());
        let mut left = self.target.to_vec();
        left.par_chunks_mut(d).zip(self.reconstruction.par_chunks(d)).for_each(|(row, fit)| add_scaled(row, -1.0, fit));
        let mut mean = vec![0f64; d];
        for row in left.chunks(d) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / n as f64);
        }
        let spread = |row: &[f32]| row.iter().zip(&mean).map(|(v, m)| (f64::from(*v) - m).powi(2)).sum::<f64>();
        let variance = left.par_chunks(d).map(spread).collect::<Vec<f64>>().into_iter().sum::<f64>() / n as f64;
        if variance <= 0.0 {
            return Ok(0.0);
        }
        let mut fit = vec![0f32; left.len()];
        kernels::decode(&mut fit, codes, &self.parameters.decoder, None, d)?;
        let (mut g, loss) = self.squared_error(&fit, &left);
        let factor = f64::from(weight) / variance;
        g.par_iter_mut().with_min_len(1 << 14).for_each(|value| *value *= factor as f32);
        let dz = self.pull(codes, &g)?;
        let turned = ByLatent::new(codes, self.latents());
        self.add_to_decoder(codes, &turned, &g)?;
        self.add_to_encoder(codes, &turned, &dz)?;
        Ok(loss * factor)
    }

    /// Adds to b_dec's gradient what it does in front of the encoder: `−Σ_i (Σ_t dz_ti) · W_enc,i`.
    pub fn add_input_bias(&mut self) {
        if !self.subtracts {
            return;
        }
        let d = self.d_out();
        for (row, sum) in self.parameters.encoder.chunks(d).zip(&self.projected) {
            if *sum != 0.0 {
                add_scaled(&mut self.gradient.decoder_bias, -sum, row);
            }
        }
    }

    /// Takes the part along each decoder row out of its gradient, where rows are kept at norm 1.
    pub fn project(gradient: &mut Parameters, parameters: &Parameters) {
        let d = parameters.decoder_bias.len();
        gradient.decoder.par_chunks_mut(d).zip(parameters.decoder.par_chunks(d)).for_each(|(gradient, row)| {
            let square = dot(row, row);
            if square > 0.0 {
                let along = dot(gradient, row) / square;
                add_scaled(gradient, -along, row);
            }
        });
    }
}
