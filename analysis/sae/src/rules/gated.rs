//! Gated latents (Rajamanoharan et al. 2024): one path decides what is active, another how strongly.
//!
//! ```text
//! p = (x − b_dec)·W_enc     π = p + b_gate     f = 1[π > 0] · ReLU(e^r ⊙ p + b_mag)
//! L = E‖y − ŷ‖² + λ E Σ_i ReLU(π_i) ‖d_i‖ + E‖y − (ReLU(π)·W_dec + b_dec)‖²
//! ```
//!
//! with W_dec and b_dec held fixed in the last term, which alone teaches the gate.

use golgi_data::dictionary::Codes;

use super::{Chosen, Loss, Moment, Rule, Work, push_rows};
use crate::SaeError;
use crate::kernels::{ByLatent, above};
use crate::parameters::Parameters;

pub(super) struct Gated;

impl Rule for Gated {
    /// `z` is π here: the encoder's bias is b_gate.
    fn choose(&self, z: &[f32], parameters: &Parameters, _moment: &Moment<'_>, chosen: &mut Chosen) {
        let m = parameters.encoder_bias.len();
        push_rows(&mut chosen.near, z, m, |row| above(row, 0.0).collect::<Vec<_>>());
        let magnitude = |(latent, gate): (u32, f32)| {
            let at = latent as usize;
            let projection = gate - parameters.encoder_bias[at];
            (latent, parameters.log_scale[at].exp() * projection + parameters.magnitude_bias[at])
        };
        push_rows(&mut chosen.active, z, m, |row| {
            above(row, 0.0).map(magnitude).filter(|one| one.1 > 0.0).collect::<Vec<_>>()
        });
    }

    fn sees_to_bias(&self) -> bool {
        true
    }

    fn learn(&self, work: &mut Work<'_>, moment: &Moment<'_>, chosen: &Chosen) -> Result<Loss, SaeError> {
        let (codes, gates) = (&chosen.active, &chosen.near);
        work.reconstruction = work.reconstruct(codes)?;
        let (g, reconstruction) = work.squared_error(&work.reconstruction, work.target);
        let by_magnitude = work.pull(codes, &g)?;
        let turned = ByLatent::new(codes, work.latents());
        work.add_to_decoder(codes, &turned, &g)?;
        work.add_to_output(&g)?;

        let through_gates = work.reconstruct(gates)?;
        let (g, auxiliary) = work.squared_error(&through_gates, work.target);
        // The skip connection is no part of what the gate is taught by; only π learns here.
        let norms = work.penalty_norms(moment);
        let weight = moment.sparsity / work.rows() as f32;
        let mut dz = work.pull(gates, &g)?;
        let mut penalty = 0f64;
        let mut sums = vec![0f32; norms.len()];
        for ((dz, latent), value) in dz.iter_mut().zip(&gates.latents).zip(&gates.values) {
            let at = *latent as usize;
            *dz += weight * norms[at];
            penalty += f64::from(value * norms[at]);
            sums[at] += weight * value;
            work.gradient.encoder_bias[at] += *dz;
        }
        let sparsity = f64::from(weight) * penalty;
        work.add_norm_gradient(moment, &sums);
        self.add_magnitudes(work, codes, gates, &by_magnitude, &mut dz);
        let turned = ByLatent::new(gates, work.latents());
        work.add_to_encoder(gates, &turned, &dz)?;
        Ok(Loss { total: reconstruction + sparsity + auxiliary, reconstruction, sparsity, auxiliary })
    }
}

impl Gated {
    /// The second path's part: to its own parameters, and to `dz` of the projections that both share. Every active latent has an
    /// open gate, in the same order.
    fn add_magnitudes(&self, work: &mut Work<'_>, codes: &Codes, gates: &Codes, by_magnitude: &[f32], dz: &mut [f32]) {
        for row in 0..codes.len() {
            let mut gate = gates.starts[row];
            let places = codes.starts[row]..codes.starts[row + 1];
            for (latent, pulled) in codes.latents[places.clone()].iter().zip(&by_magnitude[places]) {
                while gates.latents[gate] != *latent {
                    gate += 1;
                }
                let at = *latent as usize;
                let scale = work.parameters.log_scale[at].exp();
                let projection = gates.values[gate] - work.parameters.encoder_bias[at];
                work.gradient.magnitude_bias[at] += pulled;
                work.gradient.log_scale[at] += pulled * scale * projection;
                dz[gate] += pulled * scale;
            }
        }
    }
}
