//! Everything an atlas knows about one unit.

use serde::Serialize;

use super::Explanation;
use crate::unit::Unit;

/// A statistic of a unit, beside the other units of its kind and layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistic {
    /// The column of `units.parquet`.
    pub name: String,
    /// The value; `None` where it is not defined.
    pub value: Option<f64>,
    /// The share of its layer's units, in percent, whose value is smaller (those with an equal value count half).
    pub percentile: Option<f32>,
}

/// A bar of the histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bar {
    /// From,
    pub low: f32,
    /// to.
    pub high: f32,
    /// Activations in between; not whole where a bin of the sketch reaches over two bars.
    pub count: f32,
}

/// The activation at one position of a context, or at a few neighbouring ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PositionValue {
    /// The first position.
    pub position: u32,
    /// Mean activation.
    pub mean: f32,
    /// Share of the contexts in which the unit is active there.
    pub rate: f32,
}

/// The activation in texts with one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelValue {
    /// The language or genre.
    pub label: String,
    /// Tokens with this label.
    pub tokens: u64,
    /// Mean activation.
    pub mean: f32,
    /// Share of tokens at which the unit is active.
    pub rate: f32,
}

/// A vocabulary token and a number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenValue {
    /// Its id.
    pub token: u32,
    /// Its text.
    pub text: String,
    /// Mean activation over its occurrences, or the weight towards its logit.
    pub value: f32,
    /// Occurrences; `None` for logits.
    pub count: Option<u32>,
}

/// A unit near another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Neighbour {
    /// Its id.
    pub id: u32,
    /// Its address.
    pub unit: Unit,
    /// Cosine of the output vectors, or correlation of the activations.
    pub value: f32,
}

/// A place in the corpus.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// 0 for the strongest overall (by magnitude where activity is judged by magnitude), else the band of [`Manifest::bands`](super::Manifest::bands), counted from 1.
    pub band: i8,
    /// Its rank within the band.
    pub rank: u8,
    /// The activation at the peak.
    pub value: f32,
    /// The context's number.
    pub context: u32,
    /// The peak's position in the context.
    pub position: u16,
    /// The document's name.
    pub document: String,
    /// The document's language, where known.
    pub language: Option<String>,
    /// The document's genre, where known.
    pub genre: Option<String>,
    /// The tokens around the peak.
    pub tokens: Vec<String>,
    /// One activation for each of them.
    pub values: Vec<f32>,
    /// Which of them is the peak.
    pub peak: usize,
    /// Text of the context before the window and after it, for who wants to read on.
    pub before: String,
    /// See `before`.
    pub after: String,
}

/// An n-gram that ends where the unit fires.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trigger {
    /// Its length.
    pub n: u8,
    /// Its text.
    pub text: String,
    /// How often the unit fired at its end.
    pub fired: u32,
    /// How often it occurs.
    pub occurs: u32,
    /// `fired` may be too low by at most this.
    pub error: u32,
}

/// A family the unit belongs to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Family {
    /// The family: `token detector`, `positional`, …
    pub family: String,
    /// The sort within it.
    pub kind: String,
    /// The number that decided.
    pub score: f32,
    /// What it had to pass.
    pub threshold: f32,
    /// The evidence in words.
    pub evidence: String,
}

/// One unit's page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// Its id in the atlas.
    pub id: u32,
    /// Its address.
    pub unit: Unit,
    /// The short address.
    pub short: String,
    /// `neuron`, `head` or `residual`.
    pub kind: &'static str,
    /// Its layer.
    pub layer: u32,
    /// Its statistics.
    pub statistics: Vec<Statistic>,
    /// Its activations, skipped positions left out.
    pub histogram: Vec<Bar>,
    /// Its activation along the context.
    pub positions: Vec<PositionValue>,
    /// Its activation by language.
    pub languages: Vec<LabelValue>,
    /// Its activation by genre.
    pub genres: Vec<LabelValue>,
    /// The vocabulary tokens at which it is strongest on average.
    pub top_tokens: Vec<TokenValue>,
    /// The vocabulary tokens at which it is weakest on average.
    pub bottom_tokens: Vec<TokenValue>,
    /// The tokens whose logits it raises when positive.
    pub promoted: Vec<TokenValue>,
    /// The tokens whose logits it lowers when positive.
    pub suppressed: Vec<TokenValue>,
    /// The units with the most similar output vectors.
    pub nearest_by_weights: Vec<Neighbour>,
    /// The units whose activations go most with its own.
    pub nearest_by_correlation: Vec<Neighbour>,
    /// Places in the corpus, by band and rank.
    pub examples: Vec<Example>,
    /// What makes it fire.
    pub triggers: Vec<Trigger>,
    /// Its families; empty before `golgi find families`.
    pub families: Vec<Family>,
    /// What it is said to do; empty before `golgi explain`.
    pub explanations: Vec<Explanation>,
}

impl Page {
    /// The value of the statistic `name`.
    pub fn statistic(&self, name: &str) -> Option<f64> {
        self.statistics.iter().find(|statistic| statistic.name == name)?.value
    }
}
