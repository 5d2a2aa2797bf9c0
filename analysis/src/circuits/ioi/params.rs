//! Parameters of the IOI task.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, Result};

/// How many prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How many prompts, from 2 to 10 000.
    pub prompts: usize,
    /// How many of them run at once.
    pub batch: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params { prompts: 50, batch: 8 }
    }
}

impl Params {
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |name, found: usize, expected: &str| {
            Err(AnalysisError::Param { analysis: "ioi", name, found: found.to_string(), expected: expected.into() })
        };
        match self {
            Params { prompts, .. } if !(2..=10_000).contains(prompts) => {
                refuse("prompts", *prompts, "it must lie between 2 and 10000")
            }
            Params { batch, .. } if !(1..=1024).contains(batch) => {
                refuse("batch", *batch, "it must lie between 1 and 1024")
            }
            _ => Ok(()),
        }
    }
}
