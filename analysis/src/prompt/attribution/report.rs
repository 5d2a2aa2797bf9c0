//! What direct logit attribution found.

use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

use crate::prompt::Candidate;

/// The logit of a token (or the difference to another one) as a sum over everything that writes into the residual stream.
///
/// `embed + pos_embed + Σ heads + Σ attn_bias + Σ mlp + constant = total`, and `total` equals the model's own `actual` up to rounding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// The position whose prediction is explained.
    pub position: usize,
    /// The token whose logit is explained.
    pub target: Candidate,
    /// The token whose logit is subtracted.
    pub foil: Option<Candidate>,
    /// The token embedding's part.
    pub embed: f32,
    /// The position embedding's part (0 where there is none).
    pub pos_embed: f32,
    /// Each head's part: `heads[layer][head]`.
    pub heads: Vec<Vec<f32>>,
    /// The parts of the attention output biases, by layer.
    pub attn_bias: Vec<f32>,
    /// Each MLP's part, biases included, by layer.
    pub mlps: Vec<f32>,
    /// The neurons with the largest parts by magnitude.
    pub neurons: Vec<(Unit, f32)>,
    /// What norm biases and unembedding biases add.
    pub constant: f32,
    /// The sum of all parts.
    pub total: f32,
    /// The model's logit or logit difference, before any soft cap.
    pub actual: f32,
}
