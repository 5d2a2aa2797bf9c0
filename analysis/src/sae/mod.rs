//! Sparse dictionaries of a model: training on a corpus, and judging.
//!
//! The mathematics is in [`golgi_sae`]; here it meets models, corpora and reports.

mod evaluate;
mod script;

pub use evaluate::{EvaluateParams, Evaluation, evaluate};
pub use script::{DictionarySpec, TrainScript};
