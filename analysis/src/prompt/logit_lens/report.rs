//! What the logit lens shows.

use serde::{Deserialize, Serialize};

use crate::prompt::Candidate;

/// The prediction read off the residual stream at one depth and position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LensCell {
    /// The most probable next tokens, most probable first.
    pub top: Vec<Candidate>,
    /// Entropy of the distribution, nats.
    pub entropy: f32,
    /// `KL(final distribution ‖ this one)`, nats.
    pub kl_to_final: f32,
    /// How many tokens are more probable here than the final prediction; 0: already decided.
    pub rank_of_final: u32,
    /// Probability here of the token that truly follows; `None` at the last position.
    pub prob_of_next: Option<f32>,
}

/// Predictions by depth and position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogitLens {
    /// Names of the depths, from the input on: `embed` (the stream before block 0), then `0`, `1`, … (behind each block).
    pub depths: Vec<String>,
    /// Tokens, for display.
    pub tokens: Vec<String>,
    /// `depths × tokens`, row by row.
    pub cells: Vec<LensCell>,
}

impl LogitLens {
    /// The cell at `depth` (an index into `depths`) and `pos`.
    pub fn cell(&self, depth: usize, pos: usize) -> Option<&LensCell> {
        if pos < self.tokens.len() { self.cells.get(depth * self.tokens.len() + pos) } else { None }
    }
}
