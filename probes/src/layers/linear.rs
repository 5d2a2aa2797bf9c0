//! An affine map.

use tch::Tensor;

use crate::error::Result;

/// `y = x Wᵀ + b`, with `W` stored as `[out, in]` in every family, whatever its file does.
#[derive(Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Tensor,
    /// `[out]`.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// Applies the map along the last axis: `[…, in]` → `[…, out]`.
    ///
    /// # Errors
    /// If the last axis of `x` is not `in` long.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, self.bias.as_ref())?)
    }
}
