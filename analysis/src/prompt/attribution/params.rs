//! Parameters of direct logit attribution.

use serde::{Deserialize, Serialize};

/// Which logit to explain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// The position whose prediction is explained, from the end if negative; the last one if absent.
    pub position: Option<i64>,
    /// The token whose logit is explained; the model's first choice if absent.
    pub target: Option<u32>,
    /// A token whose logit is subtracted.
    pub foil: Option<u32>,
    /// How many neurons to list.
    pub top_neurons: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params { position: None, target: None, foil: None, top_neurons: 20 }
    }
}
