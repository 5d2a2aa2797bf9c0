//! Parameters of the search.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, Result};

/// How much is run and compared. Thresholds are not among them: the finders calibrate these per model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Tokens run through the model once more: for explanations, for the null of positions and for the curve of the dead.
    pub tokens: usize,
    /// The most properties tried as explanations.
    pub properties: usize,
    /// Shuffled written vectors of the nulls.
    pub impostors: usize,
    /// Layers from the last one down in which entropy neurons are looked for.
    pub late_layers: usize,
    /// The most entropy neurons that are clamped.
    pub clamp: usize,
    /// Tokens on which they are.
    pub clamp_tokens: usize,
    /// The most pairs of a neuron and a head whose path is ablated.
    pub ablate: usize,
    /// Tokens on which they are.
    pub ablate_tokens: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            tokens: 8192,
            properties: 200,
            impostors: 8000,
            late_layers: 2,
            clamp: 5,
            clamp_tokens: 512,
            ablate: 10,
            ablate_tokens: 1024,
        }
    }
}

impl Params {
    /// Reads parameters from a table of names and values; what is left out has its default.
    ///
    /// # Errors
    /// If a name is unknown or a value is not of its type.
    pub fn parse(params: &serde_json::Value) -> Result<Params> {
        crate::registry::parse("families", params)
    }

    pub(super) fn check(&self) -> Result<()> {
        let limits = [
            ("tokens", self.tokens, 1, 10_000_000),
            ("properties", self.properties, 1, 4096),
            ("impostors", self.impostors, 100, 100_000),
            ("late_layers", self.late_layers, 1, 1000),
            ("clamp", self.clamp, 0, 1000),
            ("clamp_tokens", self.clamp_tokens, 1, 1_000_000),
            ("ablate", self.ablate, 0, 1000),
            ("ablate_tokens", self.ablate_tokens, 1, 1_000_000),
        ];
        for (name, value, low, high) in limits {
            if !(low..=high).contains(&value) {
                let expected = format!("it must lie between {low} and {high}");
                return Err(AnalysisError::Param { analysis: "families", name, found: value.to_string(), expected });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_and_impossible_parameters_are_refused() {
        assert_eq!(Params::parse(&json!({ "clamp": 7 })).unwrap(), Params { clamp: 7, ..Params::default() });
        assert!(Params::parse(&json!({ "clmap": 7 })).unwrap_err().to_string().contains("`clmap`"));
        assert!(Params { tokens: 0, ..Params::default() }.check().unwrap_err().to_string().contains("`tokens`"));
        assert!(Params::default().check().is_ok());
    }
}
