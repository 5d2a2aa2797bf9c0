//! Parameters of the effect.

use serde::{Deserialize, Serialize};

/// Where to compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// The position whose prediction is compared, from the end if negative; the last one if absent.
    pub position: Option<i64>,
    /// How many of the most probable tokens of each distribution.
    pub top: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params { position: None, top: 10 }
    }
}
