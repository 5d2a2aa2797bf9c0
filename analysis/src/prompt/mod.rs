//! Methods that read one prompt.

pub mod attention;
pub mod attribution;
pub mod effect;
pub mod logit_lens;
mod run;
pub mod token_stats;

pub use run::{Needs, PromptInput, PromptRun};

use serde::{Deserialize, Serialize};

/// A token of the vocabulary as a possible next token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id.
    pub id: u32,
    /// Its text, for display.
    pub text: String,
    /// Its probability, in 0..=1.
    pub prob: f32,
    /// Its logit.
    pub logit: f32,
}
