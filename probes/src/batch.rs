//! What a model runs on: token ids, padded to one length, with a mask that says which are real.

use tch::{Device, Kind, Tensor};

use crate::error::{ProbeError, Result};

/// A batch of token sequences.
#[derive(Debug)]
pub struct Batch {
    /// Token ids, `[batch, pos]`, int64.
    pub tokens: Tensor,
    /// True where a token is real, `[batch, pos]`, bool; `None` when all are.
    pub mask: Option<Tensor>,
}

impl Batch {
    /// One sequence.
    ///
    /// # Errors
    /// [`ProbeError::NoTokens`] if it is empty.
    pub fn single(tokens: &[u32]) -> Result<Batch> {
        Batch::padded(&[tokens.to_vec()], 0)
    }

    /// Several sequences, padded on the right with `pad` to the length of the longest. Padded positions are hidden
    /// from every other position, so that a sequence gets the same activations as alone; what is captured *at* padded
    /// positions means nothing.
    ///
    /// # Errors
    /// [`ProbeError::NoTokens`] if there is no sequence, or an empty one.
    pub fn padded(sequences: &[Vec<u32>], pad: u32) -> Result<Batch> {
        let longest = sequences.iter().map(Vec::len).max().unwrap_or(0);
        if longest == 0 || sequences.iter().any(Vec::is_empty) {
            return Err(ProbeError::NoTokens);
        }
        let shape = [sequences.len() as i64, longest as i64];
        let mut tokens = Vec::with_capacity(sequences.len() * longest);
        let mut real = Vec::with_capacity(sequences.len() * longest);
        for sequence in sequences {
            tokens.extend(sequence.iter().map(|token| i64::from(*token)));
            tokens.resize(tokens.len() + longest - sequence.len(), i64::from(pad));
            real.extend((0..longest).map(|pos| pos < sequence.len()));
        }
        let mask = if real.iter().all(|real| *real) { None } else { Some(Tensor::f_from_slice(&real)?.f_view(shape)?) };
        Ok(Batch { tokens: Tensor::f_from_slice(&tokens)?.f_view(shape)?, mask })
    }

    /// Wraps tensors that exist already: int64 `tokens` and a bool `mask` of the same shape `[batch, pos]`. Padding may
    /// be on either side.
    pub fn from_tensors(tokens: Tensor, mask: Option<Tensor>) -> Batch {
        Batch { tokens, mask }
    }

    /// `(batch, pos)`.
    pub fn shape(&self) -> (i64, i64) {
        let size = self.tokens.size();
        (size[0], size[1])
    }

    /// The token ids of row `row`, padding left out.
    ///
    /// # Errors
    /// If the tensors cannot be read.
    pub fn row(&self, row: i64) -> Result<Vec<u32>> {
        let ids = self.tokens.f_select(0, row)?;
        let ids = match &self.mask {
            Some(mask) => ids.f_masked_select(&mask.f_select(0, row)?)?,
            None => ids,
        };
        let ids = Vec::<i64>::try_from(ids.f_to_device(Device::Cpu)?.f_to_kind(Kind::Int64)?)?;
        Ok(ids.into_iter().map(|id| id as u32).collect())
    }
}
