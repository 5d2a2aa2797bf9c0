//! JumpReLU with a target for L0 (Rajamanoharan et al. 2024; the target as in dictionary_learning):
//!
//! ```text
//! f = z · 1[z > θ]     L = E‖y − ŷ‖² + λ (L0/L0* − 1)²     L0 = E Σ_i 1[z_i > θ_i]
//! ```
//!
//! A step has no derivative, so that of a narrow window stands for it, `rect(u) = 1[|u| < ½]`:
//! `∂f/∂θ = −(θ/ε) rect((z − θ)/ε)` and `∂1[z > θ]/∂θ = −(1/ε) rect((z − θ)/ε)`; `∂f/∂z = 1[z > θ]`. log θ is trained.

use super::{Chosen, Loss, Moment, Rule, Work, push_rows};
use crate::SaeError;
use crate::kernels::ByLatent;
use crate::parameters::Parameters;

pub(super) struct JumpRelu;

impl Rule for JumpRelu {
    fn choose(&self, z: &[f32], parameters: &Parameters, moment: &Moment<'_>, chosen: &mut Chosen) {
        let thresholds: Vec<f32> = parameters.log_threshold.iter().map(|log| log.exp()).collect();
        let (m, half) = (thresholds.len(), moment.settings.bandwidth / 2.0);
        push_rows(&mut chosen.active, z, m, |row| {
            let all = (0u32..).zip(row).zip(&thresholds);
            all.filter(|((_, z), threshold)| z > threshold).map(|((latent, z), _)| (latent, *z)).collect::<Vec<_>>()
        });
        push_rows(&mut chosen.near, z, m, |row| {
            let all = (0u32..).zip(row).zip(&thresholds);
            let near = all.filter(|((_, z), threshold)| (**z - **threshold).abs() < half);
            near.map(|((latent, z), _)| (latent, *z)).collect::<Vec<_>>()
        });
    }

    fn learn(&self, work: &mut Work<'_>, moment: &Moment<'_>, chosen: &Chosen) -> Result<Loss, SaeError> {
        let (codes, near) = (&chosen.active, &chosen.near);
        work.reconstruction = work.reconstruct(codes)?;
        let (g, reconstruction) = work.squared_error(&work.reconstruction, work.target);
        let dz = work.pull(codes, &g)?;
        let turned = ByLatent::new(codes, work.latents());
        work.add_to_decoder(codes, &turned, &g)?;
        work.add_to_encoder(codes, &turned, &dz)?;
        work.add_to_output(&g)?;

        let (target, epsilon) = (f64::from(moment.settings.target_l0), moment.settings.bandwidth);
        let excess = codes.mean_active() / target - 1.0;
        let sparsity = f64::from(moment.sparsity) * excess * excess;
        let per_active = (f64::from(moment.sparsity) * 2.0 * excess / target / work.rows() as f64) as f32;
        for (pulled, latent) in work.pull(near, &g)?.iter().zip(&near.latents) {
            let at = *latent as usize;
            let threshold = work.parameters.log_threshold[at].exp();
            let after_threshold = -(threshold * pulled + per_active) / epsilon;
            work.gradient.log_threshold[at] += after_threshold * threshold;
        }
        Ok(Loss { total: reconstruction + sparsity, reconstruction, sparsity, auxiliary: 0.0 })
    }
}
