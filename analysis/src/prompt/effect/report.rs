//! What interventions change.

use serde::{Deserialize, Serialize};

/// A token's probability before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectRow {
    /// The token.
    pub id: u32,
    /// Its text, for display.
    pub text: String,
    /// Probability in the model as it is.
    pub before: f32,
    /// Probability in the changed model.
    pub after: f32,
    /// Logits likewise.
    pub logit_before: f32,
    /// See `logit_before`.
    pub logit_after: f32,
}

/// The next-token distribution with and without interventions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The position whose prediction is compared.
    pub position: usize,
    /// The union of both top lists, by probability before.
    pub rows: Vec<EffectRow>,
    /// `KL(before ‖ after)` at this position, nats.
    pub kl: f32,
    /// `KL(before ‖ after)` at every position, nats.
    pub kl_by_position: Vec<f32>,
    /// Mean loss over the prompt, nats per token; `None` for a single token.
    pub loss_before: Option<f32>,
    /// See `loss_before`.
    pub loss_after: Option<f32>,
}
