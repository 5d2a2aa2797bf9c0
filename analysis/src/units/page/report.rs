//! A unit's page.

use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

/// A token with a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoredToken {
    /// The token.
    pub id: u32,
    /// Its text, for display.
    pub text: String,
    /// The score.
    pub score: f32,
}

/// The two ends of the vocabulary along a direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenEnds {
    /// What the direction is, such as "reads (gate)" or "writes".
    pub name: String,
    /// How the score is computed, as a formula.
    pub formula: String,
    /// Largest scores first.
    pub top: Vec<ScoredToken>,
    /// Smallest scores first.
    pub bottom: Vec<ScoredToken>,
}

/// What kind of unit a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// An MLP neuron.
    Neuron,
    /// An attention head.
    Head,
    /// A dimension of the residual stream.
    Residual,
    /// A coordinate of any other site.
    Other,
}

/// A labelled number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What it is.
    pub name: String,
    /// The number.
    pub value: f32,
    /// How it is computed.
    pub formula: String,
}

/// Everything about one unit, from its weights and over one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitPage {
    /// The unit.
    pub unit: Unit,
    /// Its kind.
    pub kind: UnitKind,
    /// From the weights: norms, cosine of read and write vector, bias, for heads copying score and so on.
    pub measures: Vec<Measure>,
    /// Read and write vectors through embedding and unembedding.
    pub ends: Vec<TokenEnds>,
    /// The text's tokens, for display.
    pub tokens: Vec<String>,
    /// The unit's activation at each position; for a head, the length of what it writes there.
    pub activations: Vec<f32>,
    /// Its direct attribution, at each position, to the logit of the model's first choice there; empty where the model
    /// predicts nothing.
    pub attributions: Vec<f32>,
    /// The model's first choice at each position, for display; empty likewise.
    pub predictions: Vec<String>,
}
