//! Parameters of a unit's page.

use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

/// Which unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Its address, such as `L5N123`, `L18H6` or `blocks.3.hook_resid_post:7`.
    pub unit: Unit,
    /// How many tokens at each end of a ranking.
    pub top: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params { unit: Unit::neuron(0, 0), top: 10 }
    }
}
