//! Parameters of the neuron table.

use serde::{Deserialize, Serialize};

/// Where to look, and for which logit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// The position, from the end if negative; the last one if absent.
    pub position: Option<i64>,
    /// The token whose logit is explained; the model's first choice if absent.
    pub target: Option<u32>,
    /// How many neurons the report lists, by magnitude of their attribution (of their activation, where the model has none).
    pub top: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params { position: None, target: None, top: 50 }
    }
}
