//! The k largest latents of each row (Gao et al. 2024):
//!
//! ```text
//! f = TopK(ReLU(z))     L = E‖y − ŷ‖² + α · E‖e − ê‖² / E‖e − ē‖²
//! ```
//!
//! with the auxiliary loss of [`Work::auxiliary`] for latents that have died.

use super::{Chosen, Loss, Moment, Rule, Work, push_dead, push_rows};
use crate::SaeError;
use crate::kernels::{ByLatent, largest};
use crate::parameters::Parameters;

pub(super) struct TopK {
    pub(super) k: usize,
}

impl Rule for TopK {
    fn choose(&self, z: &[f32], parameters: &Parameters, moment: &Moment<'_>, chosen: &mut Chosen) {
        push_rows(&mut chosen.active, z, parameters.encoder_bias.len(), |row| largest(row, self.k));
        push_dead(&mut chosen.dead, z, parameters, moment);
    }

    fn learn(&self, work: &mut Work<'_>, moment: &Moment<'_>, chosen: &Chosen) -> Result<Loss, SaeError> {
        learn(work, moment, chosen)
    }
}

/// What TopK and BatchTopK share: they differ in the choice only.
pub(super) fn learn(work: &mut Work<'_>, moment: &Moment<'_>, chosen: &Chosen) -> Result<Loss, SaeError> {
    let codes = &chosen.active;
    work.reconstruction = work.reconstruct(codes)?;
    let (g, reconstruction) = work.squared_error(&work.reconstruction, work.target);
    let dz = work.pull(codes, &g)?;
    let turned = ByLatent::new(codes, work.latents());
    work.add_to_decoder(codes, &turned, &g)?;
    work.add_to_encoder(codes, &turned, &dz)?;
    work.add_to_output(&g)?;
    let auxiliary = work.auxiliary(&chosen.dead, moment.settings.auxiliary)?;
    Ok(Loss { total: reconstruction + auxiliary, reconstruction, sparsity: 0.0, auxiliary })
}
