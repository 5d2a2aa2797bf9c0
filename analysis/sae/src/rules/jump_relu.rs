//! JumpReLU (Rajamanoharan et al. 2024) with a target for L0 (as dictionary_learning), a price for L0, or the tanh penalty of
//! Anthropic's cross-layer transcoders:
//!
//! ```text
//! f = z · 1[z > θ]     L = E‖y − ŷ‖² + S + P     L0 = E Σ_i 1[z_i > θ_i]
//! S = λ (L0/L0* − 1)²   or   λ L0   or   λ E Σ_i tanh(c ‖d_i‖ f_i)
//! P = λ_P E Σ_{i dead} ReLU(θ_i − z_i) ‖d_i‖
//! ```
//!
//! A step has no derivative, so that of a narrow window stands for it, `rect(u) = 1[|u| < ½]`:
//! `∂f/∂θ = −(θ/ε) rect((z − θ)/ε)` and `∂1[z > θ]/∂θ = −(1/ε) rect((z − θ)/ε)`; `∂f/∂z = 1[z > θ]`. log θ is trained.

use golgi_data::dictionary::Codes;

use super::{Chosen, Loss, Moment, Rule, Work, push_rows};
use crate::SaeError;
use crate::kernels::ByLatent;
use crate::parameters::Parameters;
use crate::settings::Penalty;

pub(super) struct JumpRelu;

/// Codes of those latents whose z passes `test` with their θ, with `value` of both.
fn push_where(
    codes: &mut Codes,
    z: &[f32],
    thresholds: &[f32],
    test: impl Fn(f32, f32) -> bool + Sync,
    value: impl Fn(f32, f32) -> f32 + Sync,
) {
    push_rows(codes, z, thresholds.len(), |row| {
        let all = (0u32..).zip(row.iter().zip(thresholds));
        let found = all.filter(|(_, (z, threshold))| test(**z, **threshold));
        found.map(|(latent, (z, threshold))| (latent, value(*z, *threshold))).collect::<Vec<_>>()
    });
}

impl Rule for JumpRelu {
    fn choose(&self, z: &[f32], parameters: &Parameters, moment: &Moment<'_>, chosen: &mut Chosen) {
        let thresholds: Vec<f32> = parameters.log_threshold.iter().map(|log| log.exp()).collect();
        let half = moment.settings.bandwidth / 2.0;
        push_where(&mut chosen.active, z, &thresholds, |z, threshold| z > threshold, |z, _| z);
        push_where(&mut chosen.near, z, &thresholds, |z, threshold| (z - threshold).abs() < half, |z, _| z);
        if moment.settings.pre_activation > 0.0 && !moment.dead.is_empty() {
            push_rows(&mut chosen.dead, z, thresholds.len(), |row| {
                let below = |latent: &u32| {
                    let gap = thresholds[*latent as usize] - row[*latent as usize];
                    (gap > 0.0).then_some((*latent, gap))
                };
                moment.dead.iter().filter_map(below).collect::<Vec<_>>()
            });
        }
    }

    fn learn(&self, work: &mut Work<'_>, moment: &Moment<'_>, chosen: &Chosen) -> Result<Loss, SaeError> {
        let (codes, near) = (&chosen.active, &chosen.near);
        work.reconstruction = work.reconstruct(codes)?;
        let (g, reconstruction) = work.squared_error(&work.reconstruction, work.target);
        let mut dz = work.pull(codes, &g)?;
        let mut pulled = work.pull(near, &g)?;
        let (n, weight) = (work.rows() as f64, f64::from(moment.sparsity));
        // The price of a latent's being active at all, and what its activation costs.
        let (sparsity, per_active) = match moment.settings.penalty {
            Penalty::Target => {
                let target = f64::from(moment.settings.target_l0);
                let excess = codes.mean_active() / target - 1.0;
                (weight * excess * excess, weight * 2.0 * excess / target / n)
            }
            Penalty::L0 => (weight * codes.mean_active(), weight / n),
            Penalty::Tanh { c } => (add_tanh(work, moment, codes, &mut dz, near, &mut pulled, c), 0.0),
        };
        let turned = ByLatent::new(codes, work.latents());
        work.add_to_decoder(codes, &turned, &g)?;
        work.add_to_encoder(codes, &turned, &dz)?;
        work.add_to_output(&g)?;
        let (epsilon, per_active) = (moment.settings.bandwidth, per_active as f32);
        for (pulled, latent) in pulled.iter().zip(&near.latents) {
            let at = *latent as usize;
            let threshold = work.parameters.log_threshold[at].exp();
            let after_threshold = -(threshold * pulled + per_active) / epsilon;
            work.gradient.log_threshold[at] += after_threshold * threshold;
        }
        let auxiliary = add_pre_activations(work, moment, &chosen.dead)?;
        Ok(Loss { total: reconstruction + sparsity + auxiliary, reconstruction, sparsity, auxiliary })
    }
}

/// `λ E Σ_i tanh(c ‖d_i‖ f_i)`; its derivative after activations goes to `dz` and, near thresholds, to `pulled`, that after
/// norms to the decoder.
fn add_tanh(
    work: &mut Work<'_>,
    moment: &Moment<'_>,
    codes: &Codes,
    dz: &mut [f32],
    near: &Codes,
    pulled: &mut [f32],
    c: f32,
) -> f64 {
    let norms = work.penalty_norms(moment);
    let weight = moment.sparsity / work.rows() as f32;
    let mut sums = vec![0f32; norms.len()];
    let mut penalty = 0f64;
    for ((dz, latent), value) in dz.iter_mut().zip(&codes.latents).zip(&codes.values) {
        let at = *latent as usize;
        let tanh = (c * norms[at] * value).tanh();
        let slope = weight * c * (1.0 - tanh * tanh);
        penalty += f64::from(tanh);
        *dz += slope * norms[at];
        sums[at] += slope * value;
    }
    for ((pulled, latent), z) in pulled.iter_mut().zip(&near.latents).zip(&near.values) {
        let at = *latent as usize;
        let active = if *z > work.parameters.log_threshold[at].exp() { *z } else { 0.0 };
        let tanh = (c * norms[at] * active).tanh();
        *pulled += weight * c * norms[at] * (1.0 - tanh * tanh);
    }
    work.add_norm_gradient(moment, &sums);
    f64::from(weight) * penalty
}

/// `λ_P E Σ_{i dead} ReLU(θ_i − z_i) ‖d_i‖` with its derivatives.
fn add_pre_activations(work: &mut Work<'_>, moment: &Moment<'_>, gaps: &Codes) -> Result<f64, SaeError> {
    if moment.settings.pre_activation == 0.0 || gaps.active() == 0 {
        return Ok(0.0);
    }
    let norms = work.penalty_norms(moment);
    let weight = moment.settings.pre_activation / work.rows() as f32;
    let mut sums = vec![0f32; norms.len()];
    let mut loss = 0f64;
    let mut dz = Vec::with_capacity(gaps.active());
    for (latent, gap) in gaps.latents.iter().zip(&gaps.values) {
        let at = *latent as usize;
        loss += f64::from(gap * norms[at]);
        sums[at] += weight * gap;
        dz.push(-weight * norms[at]);
        work.gradient.log_threshold[at] += weight * norms[at] * work.parameters.log_threshold[at].exp();
    }
    work.add_norm_gradient(moment, &sums);
    let turned = ByLatent::new(gaps, work.latents());
    work.add_to_encoder(gaps, &turned, &dz)?;
    Ok(f64::from(weight) * loss)
}
