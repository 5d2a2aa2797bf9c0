//! Attention patterns and what each head does on this prompt.

use serde::{Deserialize, Serialize};

/// How a head behaves on one prompt. Each score is a mean over queries of attention mass, in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeadScore {
    /// Layer.
    pub layer: u32,
    /// Head.
    pub head: u32,
    /// Mass on the position just before the query (queries from 1 on).
    pub previous: f32,
    /// Mass on earlier occurrences of the query's token (over queries that have one; 0 if none has).
    pub duplicate: f32,
    /// Mass on positions just behind earlier occurrences of the query's token (likewise).
    pub induction: f32,
    /// Mass on the first position (queries from 1 on).
    pub first: f32,
    /// Mass on the query's own position.
    pub current: f32,
    /// Mean entropy of a query's attention, nats.
    pub entropy: f32,
}

/// Every pattern of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttentionMaps {
    /// Tokens, for display.
    pub tokens: Vec<String>,
    /// Layers.
    pub n_layers: usize,
    /// Heads per layer.
    pub n_heads: usize,
    /// `[layer, head, query, key]`, row-major.
    pub patterns: Vec<f32>,
    /// One entry per head, by layer, then head.
    pub scores: Vec<HeadScore>,
}

impl AttentionMaps {
    /// The pattern of a head: `pos × pos`, queries as rows. Empty if there is no such head.
    pub fn pattern(&self, layer: usize, head: usize) -> &[f32] {
        let n = self.tokens.len() * self.tokens.len();
        let start = (layer * self.n_heads + head) * n;
        if layer < self.n_layers && head < self.n_heads { self.patterns.get(start..start + n).unwrap_or(&[]) } else { &[] }
    }
}
