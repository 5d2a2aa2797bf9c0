//! What the token statistics found.

use serde::{Deserialize, Serialize};

use crate::prompt::Candidate;

/// How well the model predicted one token from those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenStat {
    /// The token.
    pub id: u32,
    /// Its text, for display.
    pub text: String,
    /// `−ln p(token | earlier tokens)`, nats; `None` for the first token, which nothing predicts.
    pub loss: Option<f32>,
    /// `p(token | earlier tokens)`.
    pub prob: Option<f32>,
    /// How many tokens of the vocabulary were more probable; 0 is the best.
    pub rank: Option<u32>,
    /// Entropy of the distribution over the *next* token, nats.
    pub entropy: f32,
}

/// Statistics of every token of a prompt, and what comes next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenStats {
    /// One entry per position.
    pub tokens: Vec<TokenStat>,
    /// Mean of the losses, nats per token; `None` for a single token.
    pub mean_loss: Option<f32>,
    /// The most probable next tokens at every position: `next[pos]`, most probable first.
    pub next: Vec<Vec<Candidate>>,
}
