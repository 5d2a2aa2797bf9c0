//! Sparse dictionaries of a model: training on a corpus, judging, what they say of a prompt, steering.
//!
//! The mathematics is in [`golgi_sae`]; here it meets models, corpora and reports.

mod evaluate;
mod features;
mod script;
mod steer;

pub use evaluate::{EvaluateParams, Evaluation, evaluate};
pub(crate) use evaluate::{fitting, rows};
pub use features::{ActiveLatent, PromptFeatures, features};
pub use script::{DictionarySpec, TrainScript};
pub use steer::{Steered, steer};
