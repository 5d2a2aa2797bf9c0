//! Adam, one pass over weights, gradients and moments (Kingma and Ba 2015, algorithm 1, as in PyTorch).
//!
//! ```text
//! m ← β₁m + (1−β₁)g     v ← β₂v + (1−β₂)g²     w ← w − η/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)
//! ```
//!
//! Moments of latents that were not active in a batch decay too, so this is Adam and no relative of it: weights equal those of
//! the dense optimiser.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::vector::{for_each_processor, multiply_add};

/// The constants of Adam.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    /// Decay of the mean gradient.
    pub beta1: f32,
    /// Decay of the mean squared gradient.
    pub beta2: f32,
    /// Added to the denominator.
    pub epsilon: f32,
}

/// What one step multiplies with.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    adam: Adam,
    /// η / (1 − β₁ᵗ).
    rate: f32,
    /// 1 / √(1 − β₂ᵗ).
    root: f32,
    /// Gradients are multiplied by it first (clipping).
    scale: f32,
}

impl Adam {
    /// Step number `t`, from 1, at the learning rate `rate`, with gradients multiplied by `scale`.
    pub fn step(self, t: u64, rate: f64, scale: f32) -> Step {
        let t = t as f64;
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(t);
        let rate = (rate / correction(self.beta1)) as f32;
        Step { adam: self, rate, root: (1.0 / correction(self.beta2).sqrt()) as f32, scale }
    }
}

/// Numbers that one thread takes at once.
const GRAIN: usize = 1 << 13;

#[inline(always)]
fn apply_body<const FUSED: bool>(step: &Step, weights: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32]) {
    let (beta1, beta2, epsilon) = (step.adam.beta1, step.adam.beta2, step.adam.epsilon);
    for (((weight, gradient), m), v) in weights.iter_mut().zip(gradient).zip(m).zip(v) {
        let g = gradient * step.scale;
        *m = multiply_add::<FUSED>(beta1, *m, (1.0 - beta1) * g);
        *v = multiply_add::<FUSED>(beta2, *v, (1.0 - beta2) * (g * g));
        *weight -= step.rate * *m / multiply_add::<FUSED>(v.sqrt(), step.root, epsilon);
    }
}

for_each_processor! {
    fn apply_chunk(step: &Step, weights: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32]) = apply_body
}

/// One step of Adam on one array. All four have one length.
pub fn apply(step: &Step, weights: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32]) {
    let chunks = weights.par_chunks_mut(GRAIN).zip(gradient.par_chunks(GRAIN));
    let moments = m.par_chunks_mut(GRAIN).zip(v.par_chunks_mut(GRAIN));
    chunks.zip(moments).for_each(|((weights, gradient), (m, v))| apply_chunk(step, weights, gradient, m, v));
}

#[cfg(test)]
mod tests {
    use tch::nn::{self, OptimizerConfig};
    use tch::{Device, Tensor};

    use super::*;

    #[test]
    fn it_is_the_tensor_librarys_adam() {
        let store = nn::VarStore::new(Device::Cpu);
        let start: Vec<f32> = (0..100).map(|i| (i as f32 * 0.37).sin()).collect();
        let variable = store.root().var_copy("w", &Tensor::from_slice(&start));
        let mut theirs =
            nn::Adam { beta1: 0.9, beta2: 0.999, wd: 0.0, eps: 1e-8, amsgrad: false }.build(&store, 1e-2).unwrap();
        let adam = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
        let (mut ours, mut m, mut v) = (start.clone(), vec![0f32; 100], vec![0f32; 100]);
        for t in 1..=20 {
            let loss = (&variable * &variable * (t as f64 * 0.1)).sin().sum(tch::Kind::Float);
            theirs.zero_grad();
            loss.backward();
            // The same gradient for both, so that only the optimiser is compared.
            let gradient = Vec::<f32>::try_from(variable.grad()).unwrap();
            theirs.step();
            apply(&adam.step(t, 1e-2, 1.0), &mut ours, &gradient, &mut m, &mut v);
            for (ours, theirs) in ours.iter().zip(Vec::<f32>::try_from(&variable).unwrap()) {
                assert!((ours - theirs).abs() < 2e-6, "step {t}: {ours} against {theirs}");
            }
        }
        assert!(ours.iter().zip(&start).all(|(now, before)| now != before || *before == 0.0));
    }
}
