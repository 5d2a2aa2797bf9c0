//! Parameters of the repeat experiment.

use golgi_data::site::BlockPoint;
use golgi_data::unit::Unit;
use golgi_probes::OpenModel;
use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, Result};

/// Whether a sequence begins with the BOS token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bos {
    /// As the model's tokenizer does with text.
    #[default]
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}

/// The sequences, and the heads to ablate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How many sequences.
    pub sequences: usize,
    /// Fewest tokens before they repeat.
    pub min_tokens: usize,
    /// Most tokens before they repeat.
    pub max_tokens: usize,
    /// Whether sequences begin with BOS.
    pub bos: Bos,
    /// Heads to ablate together, such as `L18H6`; if empty, the `ablate_top` heads with the highest induction scores.
    pub heads: Vec<Unit>,
    /// How many heads to choose where none are named; 0 for no ablation.
    pub ablate_top: usize,
    /// With how many random choices of heads to compare.
    pub draws: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            sequences: 8,
            min_tokens: 20,
            max_tokens: 40,
            bos: Bos::Auto,
            heads: Vec::new(),
            ablate_top: 4,
            draws: 5,
        }
    }
}

impl Params {
    pub(super) fn check(&self, model: &OpenModel) -> Result<()> {
        let refuse = |name, found: String, expected: String| {
            Err(AnalysisError::Param { analysis: "repeats", name, found, expected })
        };
        let n_ctx = model.model.dims.n_ctx;
        let longest = n_ctx.saturating_sub(1) / 2;
        if !(1..=10_000).contains(&self.sequences) {
            return refuse("sequences", self.sequences.to_string(), "it must lie between 1 and 10000".into());
        }
        if self.min_tokens < 3 || self.min_tokens > self.max_tokens {
            let expected = format!("it must lie between 3 and `max_tokens`, {}", self.max_tokens);
            return refuse("min_tokens", self.min_tokens.to_string(), expected);
        }
        if self.max_tokens > longest {
            let expected =
                format!("twice of it, and BOS, must fit into the context of {n_ctx} tokens: at most {longest}");
            return refuse("max_tokens", self.max_tokens.to_string(), expected);
        }
        if self.draws > 1000 {
            return refuse("draws", self.draws.to_string(), "at most 1000 make sense".into());
        }
        let n_heads = model.model.dims.n_layers * model.model.dims.n_heads;
        if self.ablate_top > n_heads {
            return refuse("ablate_top", self.ablate_top.to_string(), format!("the model has {n_heads} heads"));
        }
        for unit in &self.heads {
            let spec = model.model.site(&unit.site)?;
            let size = spec.units(&model.model.dims);
            if unit.site.point() != Some(BlockPoint::Z) || unit.index as usize >= size {
                let expected =
                    format!("heads are written as L18H6, with layers and heads counted from 0, {size} per layer");
                return refuse("heads", unit.to_string(), expected);
            }
        }
        Ok(())
    }
}
