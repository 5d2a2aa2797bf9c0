//! Methods that read one prompt.

pub mod attention;
pub mod attribution;
pub mod effect;
pub mod logit_lens;
mod run;
pub mod token_stats;

pub use run::{Needs, PromptInput, PromptRun};
pub(crate) use run::{last_resid, lens, rows_at_once};

use serde::{Deserialize, Serialize};

use crate::report::{Table, number};

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

/// Candidates as a table.
fn candidate_table(name: &str, candidates: &[Candidate]) -> Table {
    let row = |c: &Candidate| vec![c.id.into(), c.text.clone().into(), number(c.prob), number(c.logit)];
    Table {
        name: name.to_owned(),
        columns: ["id", "token", "probability", "logit"].map(String::from).to_vec(),
        rows: candidates.iter().map(row).collect(),
    }
}
