//! Matryoshka BatchTopK (Bussmann et al. 2025): the choice of BatchTopK; every prefix of latents has to reconstruct by itself,
//! so that general features stay in front instead of being split up.
//!
//! ```text
//! ŷ_p = Σ_{i < prefix p} f_i d_i + b_dec     L = mean_p E‖y − ŷ_p‖² + auxiliary loss of TopK
//! ```
//!
//! SAELens sums over prefixes where dictionary_learning takes a mean; this is the mean.

use golgi_data::dictionary::Codes;

use super::batch_top_k::BatchTopK;
use super::{Chosen, Loss, Memory, Moment, Rule, Work};
use crate::SaeError;
use crate::kernels::vector::add_scaled;
use crate::kernels::{ByLatent, decode};
use crate::parameters::Parameters;

pub(super) struct Matryoshka {
    choice: BatchTopK,
    prefixes: Vec<u32>,
}

impl Matryoshka {
    pub(super) fn new(k: usize, prefixes: Vec<u32>) -> Matryoshka {
        Matryoshka { choice: BatchTopK::new(k), prefixes }
    }

    /// The codes of the latents that each prefix adds.
    fn groups(&self, codes: &Codes) -> Vec<Codes> {
        let mut groups = vec![Codes::default(); self.prefixes.len()];
        for row in 0..codes.len() {
            let (latents, values) = codes.row(row);
            let mut start = 0;
            for (group, end) in groups.iter_mut().zip(&self.prefixes) {
                let stop = latents.partition_point(|latent| latent < end);
                group.push(latents[start..stop].iter().copied().zip(values[start..stop].iter().copied()));
                start = stop;
            }
        }
        groups
    }
}

impl Rule for Matryoshka {
    fn choose(&self, z: &[f32], parameters: &Parameters, moment: &Moment<'_>, chosen: &mut Chosen) {
        self.choice.choose(z, parameters, moment, chosen);
    }

    fn settle(&self, rows: usize, memory: &mut Memory, chosen: &mut Chosen) {
        self.choice.settle(rows, memory, chosen);
    }

    fn learn(&self, work: &mut Work<'_>, moment: &Moment<'_>, chosen: &Chosen) -> Result<Loss, SaeError> {
        let groups = self.groups(&chosen.active);
        let (d, share) = (work.d_out(), 1.0 / groups.len() as f32);
        let mut fit = work.reconstruct(&Codes { starts: vec![0; chosen.active.len() + 1], ..Codes::default() })?;
        let mut reconstruction = 0.0;
        let mut errors = Vec::with_capacity(groups.len());
        let mut added = vec![0f32; fit.len()];
        for group in &groups {
            decode(&mut added, group, &work.parameters.decoder, None, d)?;
            add_scaled(&mut fit, 1.0, &added);
            let (mut g, loss) = work.squared_error(&fit, work.target);
            g.iter_mut().for_each(|value| *value *= share);
            reconstruction += loss * f64::from(share);
            errors.push(g);
        }
        work.reconstruction = fit;
        // What a latent does is seen by its own prefix and all longer ones.
        let mut g = vec![0f32; work.target.len()];
        for (group, error) in groups.iter().zip(errors).rev() {
            add_scaled(&mut g, 1.0, &error);
            let dz = work.pull(group, &g)?;
            let turned = ByLatent::new(group, work.latents());
            work.add_to_decoder(group, &turned, &g)?;
            work.add_to_encoder(group, &turned, &dz)?;
        }
        work.add_to_output(&g)?;
        let auxiliary = work.auxiliary(&chosen.dead, moment.settings.auxiliary)?;
        Ok(Loss { total: reconstruction + auxiliary, reconstruction, sparsity: 0.0, auxiliary })
    }
}
