//! Parameters of the logit lens.

use serde::{Deserialize, Serialize};

/// What to show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How many tokens in each cell.
    pub top: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params { top: 5 }
    }
}
