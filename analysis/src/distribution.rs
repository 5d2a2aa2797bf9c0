//! Numbers from tensors: distributions over the vocabulary, and the ends of a ranking.

use golgi_probes::{Device, Kind, OpenModel, Tensor};

use crate::error::{AnalysisError, Result};
use crate::prompt::Candidate;
use crate::units::page::{ScoredToken, TokenEnds};

/// Every element, in order, as f32.
pub(crate) fn floats(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
    Ok(Vec::<f32>::try_from(&flat)?)
}

/// Every element, in order, of an integer tensor.
pub(crate) fn integers(tensor: &Tensor) -> Result<Vec<i64>> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Int64)?.f_contiguous()?.f_view([-1])?;
    Ok(Vec::<i64>::try_from(&flat)?)
}

/// Distributions over the vocabulary, one per row.
pub(crate) struct Distributions {
    /// `[rows, d_vocab]`, f32.
    pub logits: Tensor,
    /// Natural log-probabilities, likewise.
    pub log_probs: Tensor,
    /// Nats, one per row.
    pub entropy: Vec<f32>,
}

impl Distributions {
    /// From logits `[rows, d_vocab]`.
    ///
    /// # Errors
    /// [`AnalysisError::NotFinite`] if a row contains anything but numbers.
    pub fn new(logits: Tensor) -> Result<Distributions> {
        let log_probs = logits.f_log_softmax(-1, Kind::Float)?;
        let entropy =
            floats(&log_probs.f_exp()?.f_mul(&log_probs)?.f_sum_dim_intlist(-1, false, None::<Kind>)?.f_neg()?)?;
        // Any NaN or infinite logit makes its row's entropy a NaN.
        if entropy.iter().any(|h| !h.is_finite()) {
            return Err(AnalysisError::NotFinite);
        }
        // Rounding can leave a certain distribution just below 0.
        let entropy = entropy.into_iter().map(|h| h.max(0.0)).collect();
        Ok(Distributions { logits, log_probs, entropy })
    }

    pub fn rows(&self) -> usize {
        self.entropy.len()
    }

    /// The `n` most probable tokens of each row, most probable first, the smaller id on a tie.
    pub fn top(&self, model: &OpenModel, n: usize) -> Result<Vec<Vec<Candidate>>> {
        let k = n.min(self.logits.size()[1] as usize);
        if k == 0 {
            return Ok(vec![Vec::new(); self.rows()]);
        }
        let (logits, ids) = self.logits.f_topk(k as i64, -1, true, true)?;
        let log_probs = floats(&self.log_probs.f_gather(-1, &ids, false)?)?;
        let (logits, ids) = (floats(&logits)?, integers(&ids)?);
        let candidate = |i: usize| {
            let id = ids[i] as u32;
            Candidate { id, text: model.piece(id), prob: log_probs[i].exp(), logit: logits[i] }
        };
        let rows = (0..self.rows()).map(|row| {
            let mut row: Vec<Candidate> = (row * k..(row + 1) * k).map(candidate).collect();
            row.sort_by(|a, b| b.logit.total_cmp(&a.logit).then(a.id.cmp(&b.id)));
            row
        });
        Ok(rows.collect())
    }

    /// Log-probability of `ids[row]` in each row.
    pub fn log_prob_of(&self, ids: &[u32]) -> Result<Vec<f32>> {
        floats(&self.log_probs.f_gather(-1, &column(ids)?, false)?)
    }

    /// How many tokens of each row are more probable than `ids[row]`.
    pub fn rank_of(&self, ids: &[u32]) -> Result<Vec<u32>> {
        let own = self.logits.f_gather(-1, &column(ids)?, false)?;
        let above = self.logits.f_gt_tensor(&own)?.f_sum_dim_intlist(-1, false, Kind::Int64)?;
        Ok(integers(&above)?.into_iter().map(|n| n as u32).collect())
    }

    /// `KL(self ‖ other)` of each row, nats. Rounding below 0 counts as 0.
    pub fn kl(&self, other: &Distributions) -> Result<Vec<f32>> {
        let terms = self.log_probs.f_exp()?.f_mul(&self.log_probs.f_sub(&other.log_probs)?)?;
        let sums = floats(&terms.f_sum_dim_intlist(-1, false, None::<Kind>)?)?;
        Ok(sums.into_iter().map(|kl| kl.max(0.0)).collect())
    }
}

fn column(ids: &[u32]) -> Result<Tensor> {
    let wide: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    Ok(Tensor::f_from_slice(&wide)?.f_unsqueeze(1)?)
}

/// The vocabulary is worked through in pieces of this many tokens, so that tables in another element type are never
/// copied whole.
pub(crate) const TOKENS_AT_ONCE: i64 = 1 << 15;

/// `table · direction` for every token, `[d_vocab]`, f32, in main memory.
pub(crate) fn scores(table: &Tensor, direction: &Tensor) -> Result<Tensor> {
    let direction = direction.f_to_device(table.device())?.f_to_kind(Kind::Float)?;
    let rows = table.size()[0];
    let mut parts = Vec::new();
    for start in (0..rows).step_by(TOKENS_AT_ONCE as usize) {
        let piece = table.f_narrow(0, start, TOKENS_AT_ONCE.min(rows - start))?.f_to_kind(Kind::Float)?;
        parts.push(piece.f_mv(&direction)?.f_to_device(Device::Cpu)?);
    }
    Ok(Tensor::f_cat(&parts, 0)?)
}

/// The `n` largest and smallest of `scores` `[d_vocab]`.
pub(crate) fn ends(model: &OpenModel, name: &str, formula: &str, scores: &Tensor, n: usize) -> Result<TokenEnds> {
    let n = n.min(scores.numel()) as i64;
    let side = |largest: bool| -> Result<Vec<ScoredToken>> {
        let (values, ids) = scores.f_topk(n, 0, largest, true)?;
        let found = integers(&ids)?.into_iter().zip(floats(&values)?);
        Ok(found.map(|(id, score)| ScoredToken { id: id as u32, text: model.piece(id as u32), score }).collect())
    };
    Ok(TokenEnds { name: name.to_owned(), formula: formula.to_owned(), top: side(true)?, bottom: side(false)? })
}
