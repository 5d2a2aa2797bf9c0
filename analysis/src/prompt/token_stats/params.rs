//! Parameters of the token statistics.

use serde::{Deserialize, Serialize};

/// What to show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How many candidates for the next token, at each position.
    pub top: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params { top: 10 }
    }
}
