//! ReLU latents with an L1 penalty (Bricken et al. 2023; dictionary_learning):
//!
//! ```text
//! f = ReLU(z)     L = E‖y − ŷ‖² + λ E Σ_i f_i ‖d_i‖
//! ```
//!
//! With decoder rows kept at norm 1 the norms are left out of the penalty. A crosscoder counts `Σ_l ‖d_i^l‖` over its sites
//! (Lindsey et al. 2024) in the place of `‖d_i‖`.

use super::{Chosen, Loss, Moment, Rule, Work, push_rows};
use crate::SaeError;
use crate::kernels::{ByLatent, above};
use crate::parameters::Parameters;

pub(super) struct Standard;

impl Rule for Standard {
    fn choose(&self, z: &[f32], parameters: &Parameters, _moment: &Moment<'_>, chosen: &mut Chosen) {
        push_rows(&mut chosen.active, z, parameters.encoder_bias.len(), |row| above(row, 0.0).collect::<Vec<_>>());
    }

    fn learn(&self, work: &mut Work<'_>, moment: &Moment<'_>, chosen: &Chosen) -> Result<Loss, SaeError> {
        let codes = &chosen.active;
        work.reconstruction = work.reconstruct(codes)?;
        let (g, reconstruction) = work.squared_error(&work.reconstruction, work.target);
        let norms = work.penalty_norms(moment);
        let weight = moment.sparsity / work.rows() as f32;
        let mut dz = work.pull(codes, &g)?;
        let mut penalty = 0f64;
        let mut sums = vec![0f32; norms.len()];
        for ((dz, latent), value) in dz.iter_mut().zip(&codes.latents).zip(&codes.values) {
            let norm = norms[*latent as usize];
            *dz += weight * norm;
            penalty += f64::from(value * norm);
            sums[*latent as usize] += weight * value;
        }
        let sparsity = f64::from(weight) * penalty;
        let turned = ByLatent::new(codes, work.latents());
        work.add_to_decoder(codes, &turned, &g)?;
        work.add_norm_gradient(moment, &sums);
        work.add_to_encoder(codes, &turned, &dz)?;
        work.add_to_output(&g)?;
        Ok(Loss { total: reconstruction + sparsity, reconstruction, sparsity, auxiliary: 0.0 })
    }
}
