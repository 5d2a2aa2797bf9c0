//! Parameters of the attention maps.

use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

/// What to report. All patterns are always computed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Heads whose pattern becomes a figure of the report, such as `L18H6`.
    pub heads: Vec<Unit>,
}
