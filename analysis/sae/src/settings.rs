//! Everything that decides what training does, with the published defaults.

use golgi_data::dictionary::Architecture;
use serde::{Deserialize, Serialize};

use crate::SaeError;
use crate::kernels::adam::Adam;

/// How decoder rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoderNorm {
    /// Every row has norm 1: before a step the gradient's part along the row is taken out, after it the row is rescaled.
    Unit,
    /// Free; penalties count activations times the row's norm.
    Free,
}

/// What JumpReLU holds against activity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Penalty {
    /// `λ (L0/L0* − 1)²`: L0 is led to its target (dictionary_learning).
    #[default]
    Target,
    /// `λ L0` (Rajamanoharan et al. 2024; Gemma Scope).
    L0,
    /// `λ E Σ_i tanh(c ‖d_i‖ f_i)` (Anthropic's cross-layer transcoders; SAELens).
    Tanh {
        /// c.
        c: f32,
    },
}

/// What training does. [`Settings::published`] has the defaults of the literature for an architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How latents are made.
    pub architecture: Architecture,
    /// m.
    pub latents: u32,
    /// Rows of one step.
    pub batch: usize,
    /// How many steps.
    pub steps: u64,
    /// The highest learning rate.
    pub rate: f64,
    /// The optimiser's constants.
    pub adam: Adam,
    /// Steps over which the rate rises from 0 linearly.
    pub warm_up: u64,
    /// The share of steps, at the end, over which it falls to 0 linearly.
    pub decay: f64,
    /// The norm to which the whole gradient is cut.
    pub clip: Option<f32>,
    /// λ: the weight of the L1 penalty (Standard, Gated), or of the term that keeps L0 at its target (JumpReLU).
    pub sparsity: f32,
    /// Steps over which λ rises from 0 linearly.
    pub sparsity_warm_up: u64,
    /// JumpReLU: what is held against activity, with the weight `sparsity`.
    #[serde(default)]
    pub penalty: Penalty,
    /// JumpReLU: the mean number of active latents aimed at.
    pub target_l0: f32,
    /// JumpReLU: θ at the start.
    pub threshold: f32,
    /// JumpReLU: ε, the width of the kernel that stands for the step's derivative.
    pub bandwidth: f32,
    /// JumpReLU: λ_P of `λ_P E Σ_{i dead} ReLU(θ_i − z_i) ‖d_i‖`, which leads dead latents back to their thresholds (SAELens); 0: none.
    #[serde(default)]
    pub pre_activation: f32,
    /// How decoder rows are kept.
    pub decoder_norm: DecoderNorm,
    /// Rows (tokens) without activity after which a latent counts as dead.
    pub dead_after: u64,
    /// The weight of the auxiliary loss with which dead latents learn what is left over (TopK family); 0: none.
    pub auxiliary: f32,
    /// How many dead latents take part in it for each row; `None`: d/2.
    pub auxiliary_k: Option<u32>,
    /// Latents that were silent for more than half of so many steps are begun anew at their end (Standard, Gated, JumpReLU), as long
    /// as as many steps follow; `None`: never.
    pub resample_every: Option<u64>,
    /// Rows whose norm is above this many times the median norm are left out: attention sinks and other massive activations would be
    /// all that a squared error sees (`max_activation_norm_multiple` of dictionary_learning). `None`: every row is used.
    #[serde(default = "usual_max_norm")]
    pub max_norm: Option<f64>,
    /// Divide activations by √E‖x‖², each site by its own, so that settings do not depend on their scale. Folded back into the
    /// scale of the dictionary, or of several sites into its weights.
    pub normalise: bool,
    /// Where activations are normalised: to E‖x‖² = d of each site rather than 1 (SAELens, crosscoders, cross-layer transcoders).
    #[serde(default)]
    pub unit_coordinates: bool,
    /// Start b_dec at the geometric median of the first batch, else at 0.
    pub median_bias: bool,
    /// Of the initial weights and of the order of rows.
    pub seed: u64,
}

/// The value of [`Settings::max_norm`] where nothing else is said.
fn usual_max_norm() -> Option<f64> {
    Some(10.0)
}

/// How many active latents are aimed at unless the user says otherwise.
pub const DEFAULT_K: u32 = 32;

impl Settings {
    /// The published settings: dictionary_learning's for TopK, BatchTopK, Matryoshka, Gated and Standard, Gemma Scope's for
    /// JumpReLU with dictionary_learning's target for L0. Ours: the rate falls linearly over the last fifth, and a latent is
    /// dead after the smaller of 10 million rows and a tenth of the run, since a small run would never revive one otherwise.
    pub fn published(architecture: Architecture, latents: u32, steps: u64) -> Settings {
        let batch = 4096;
        let top_k_rate = 2e-4 / (f64::from(latents) / f64::from(1 << 14)).sqrt();
        let (rate, beta1, clip) = match architecture {
            Architecture::Standard => (1e-3, 0.9, None),
            Architecture::Gated => (5e-5, 0.0, None),
            Architecture::JumpRelu => (7e-5, 0.0, None),
            _ => (top_k_rate, 0.9, Some(1.0)),
        };
        let keeps_k = architecture.k().is_some();
        Settings {
            batch,
            steps,
            rate,
            adam: Adam { beta1, beta2: 0.999, epsilon: 1e-8 },
            warm_up: 1000.min(steps / 10),
            decay: 0.2,
            clip,
            sparsity: if architecture == Architecture::JumpRelu { 1.0 } else { 0.1 },
            sparsity_warm_up: if keeps_k { 0 } else { 2000.min(steps / 5) },
            penalty: Penalty::Target,
            target_l0: DEFAULT_K as f32,
            threshold: 0.001,
            bandwidth: 0.001,
            pre_activation: 0.0,
            decoder_norm: DecoderNorm::Unit,
            dead_after: 10_000_000.min(steps * batch as u64 / 10).max(1),
            auxiliary: if keeps_k { 1.0 / 32.0 } else { 0.0 },
            auxiliary_k: None,
            resample_every: None,
            max_norm: usual_max_norm(),
            normalise: true,
            unit_coordinates: false,
            median_bias: keeps_k,
            seed: 0,
            architecture,
            latents,
        }
    }

    /// The settings of a crosscoder: free decoder norms, which its penalty counts site by site, each coordinate of size 1, and for the
    /// L1 architecture those of the replication on Gemma 2 (rate 5e-5, λ 2 over the first twentieth).
    pub fn of_crosscoder(mut self) -> Settings {
        self.unit_coordinates = true;
        if self.architecture.k().is_none() {
            self.decoder_norm = DecoderNorm::Free;
        }
        if self.architecture == Architecture::Standard {
            (self.rate, self.sparsity, self.sparsity_warm_up) = (5e-5, 2.0, self.steps / 20);
        }
        self
    }

    /// The settings of a cross-layer transcoder: free decoder norms, each coordinate of size 1, and for JumpReLU those of the open
    /// implementations (rate 1e-4, θ 0.03, tanh penalty with c = 1 and λ 1e-3 that rises over the whole run, 3e-6 on dead latents;
    /// bandwidth 1).
    pub fn of_cross_layer(mut self) -> Settings {
        self.unit_coordinates = true;
        self.decoder_norm = DecoderNorm::Free;
        if self.architecture == Architecture::JumpRelu {
            (self.rate, self.adam.beta1, self.clip) = (1e-4, 0.9, Some(1.0));
            (self.threshold, self.bandwidth) = (0.03, 1.0);
            (self.penalty, self.sparsity, self.sparsity_warm_up) = (Penalty::Tanh { c: 1.0 }, 1e-3, self.steps);
            self.pre_activation = 3e-6;
        }
        self
    }

    /// The rate's factor in step `step`, from 0.
    pub fn rate_factor(&self, step: u64) -> f64 {
        let rise = if step < self.warm_up { (step + 1) as f64 / self.warm_up as f64 } else { 1.0 };
        let falling = self.decay * self.steps as f64;
        let left = self.steps.saturating_sub(step) as f64;
        let fall = if left < falling { left / falling } else { 1.0 };
        rise * fall
    }

    /// λ in step `step`, from 0.
    pub fn sparsity_at(&self, step: u64) -> f32 {
        match step < self.sparsity_warm_up {
            true => self.sparsity * ((step + 1) as f64 / self.sparsity_warm_up as f64) as f32,
            false => self.sparsity,
        }
    }

    /// Checks that these settings are possible for activations of width `d_in`.
    ///
    /// # Errors
    /// What is wrong first, with what would be right.
    pub fn check(&self, d_in: usize) -> Result<(), SaeError> {
        let wrong = |text: String| Err(SaeError::Settings(text));
        let m = self.latents;
        if let Some(k) = self.architecture.k()
            && (k == 0 || k > m)
        {
            return wrong(format!("k is {k}, but the dictionary has {m} latents; choose k between 1 and that"));
        }
        if m == 0 || m > 1 << 24 {
            return wrong(format!("{m} latents are not possible; choose 1 to {}", 1 << 24));
        }
        if self.batch < 2 || self.steps == 0 {
            return wrong(format!("{} steps of {} rows train nothing; choose more", self.steps, self.batch));
        }
        if (self.batch as u64).saturating_mul(u64::from(m)) > u64::from(u32::MAX) {
            return wrong(format!("{} rows × {m} latents are too many at once; choose a smaller batch", self.batch));
        }
        let positive =
            [("rate", self.rate), ("bandwidth", self.bandwidth.into()), ("threshold", self.threshold.into())];
        if let Some((name, value)) = positive.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
            return wrong(format!("{name} is {value}; it must be above 0"));
        }
        if let Some(multiple) = self.max_norm
            && !(multiple.is_finite() && multiple >= 1.0)
        {
            return wrong(format!("max_norm is {multiple}; it counts in median norms and must be at least 1"));
        }
        let shares = [("beta1", self.adam.beta1), ("beta2", self.adam.beta2), ("decay", self.decay as f32)];
        if let Some((name, value)) = shares.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return wrong(format!("{name} is {value}; it must lie between 0 and 1"));
        }
        let not_negative = [
            ("sparsity", self.sparsity),
            ("auxiliary", self.auxiliary),
            ("target_l0", self.target_l0),
            ("pre_activation", self.pre_activation),
        ];
        if let Some((name, value)) = not_negative.into_iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)) {
            return wrong(format!("{name} is {value}; it must be at least 0"));
        }
        if self.architecture == Architecture::JumpRelu
            && self.penalty == Penalty::Target
            && !(self.target_l0 > 0.0 && self.target_l0 <= m as f32)
        {
            return wrong(format!("target_l0 is {}; choose it between 0 and {m} latents", self.target_l0));
        }
        if let Penalty::Tanh { c } = self.penalty
            && !(c.is_finite() && c > 0.0)
        {
            return wrong(format!("the c of the tanh penalty is {c}; it must be above 0"));
        }
        if (self.penalty != Penalty::Target || self.pre_activation > 0.0) && self.architecture != Architecture::JumpRelu
        {
            return wrong("`penalty` and `pre_activation` are for jump_relu; leave them away".to_owned());
        }
        match self.resample_every {
            Some(every) if every < 2 => {
                return wrong(format!(
                    "resample_every is {every}; latents need at least 2 steps to show that they live"
                ));
            }
            Some(_) if self.architecture.k().is_some() => {
                return wrong(
                    "resample_every is for standard, gated and jump_relu; latents of the TopK family are revived by the auxiliary loss"
                        .to_owned(),
                );
            }
            _ => {}
        }
        if d_in == 0 {
            return wrong("the site has no width".to_owned());
        }
        Ok(())
    }
}
