//! Sparse dictionaries of a model: training on a corpus, judging, what they say of a prompt, steering.
//!
//! The mathematics is in [`golgi_sae`]; here it meets models, corpora and reports.

mod evaluate;
mod features;
mod live;
mod probing;
mod report;
mod rows;
mod script;
mod steer;

pub use evaluate::{EvaluateParams, Evaluation, evaluate};
pub use features::{ActiveLatent, PromptFeatures, features};
pub use live::ModelRows;
pub use probing::{PROBE_LEN, Probing};
pub(crate) use rows::{fitting, pieces};
pub use script::{DEFAULT_BUFFER, DictionarySpec, TrainScript};
pub use steer::{Steered, steer};
