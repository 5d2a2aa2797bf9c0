//! The files that a model came from.

use std::cell::OnceCell;

use golgi_data::weights::Weights;

use crate::error::Result;

/// The weight files behind a model; none for a network that was built in memory.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    weights: Option<Weights>,
    digest: OnceCell<String>,
}

impl Origin {
    pub fn files(weights: Weights) -> Origin {
        Origin { weights: Some(weights), digest: OnceCell::new() }
    }

    /// SHA-256 over the files, hexadecimal; computed once. Empty where there are none.
    pub fn digest(&self) -> Result<String> {
        if let Some(digest) = self.digest.get() {
            return Ok(digest.clone());
        }
        let digest = self.weights.as_ref().map(Weights::digest).transpose()?.unwrap_or_default();
        Ok(self.digest.get_or_init(|| digest).clone())
    }

    pub fn bytes_on_disk(&self) -> u64 {
        self.weights.as_ref().map_or(0, Weights::bytes_on_disk)
    }
}
