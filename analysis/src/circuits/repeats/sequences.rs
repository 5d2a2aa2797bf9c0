//! Sequences that repeat.

use golgi_probes::{OpenModel, ProbeError};
use rand::Rng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::{Bos, Params};
use crate::error::{AnalysisError, Result};

/// A sequence that repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sequence {
    pub tokens: Vec<u32>,
    /// 1 with BOS, 0 without.
    pub start: usize,
    /// Tokens before they repeat.
    pub period: usize,
}

/// What sequences are made of.
pub(super) struct Source {
    ordinary: Vec<u32>,
    bos: Option<u32>,
    min: usize,
    max: usize,
}

impl Source {
    pub fn new(model: &OpenModel, params: &Params) -> Result<Source> {
        let d_vocab = model.model.dims.d_vocab;
        let ordinary: Vec<u32> = match &model.tokenizer {
            Some(tokenizer) => {
                (0..d_vocab.min(tokenizer.vocab_size()) as u32).filter(|id| !tokenizer.is_special(*id)).collect()
            }
            None => (0..d_vocab as u32).collect(),
        };
        if ordinary.len() < params.max_tokens {
            return Err(AnalysisError::Param {
                analysis: "repeats",
                name: "max_tokens",
                found: params.max_tokens.to_string(),
                expected: format!(
                    "the vocabulary has {} ordinary tokens, and those of a sequence must differ",
                    ordinary.len()
                ),
            });
        }
        let known = model.tokenizer.as_ref().and_then(|tokenizer| tokenizer.bos());
        let bos = match params.bos {
            Bos::No => None,
            Bos::Yes => Some(known.ok_or_else(|| AnalysisError::Param {
                analysis: "repeats",
                name: "bos",
                found: "yes".into(),
                expected: "the model's tokenizer has no BOS token; write no or auto".into(),
            })?),
            Bos::Auto => match &model.tokenizer {
                Some(tokenizer) => known.filter(|bos| tokenizer.encode("a").is_ok_and(|ids| ids.first() == Some(bos))),
                None => None,
            },
        };
        if let Some(token) = bos.filter(|bos| *bos as usize >= d_vocab) {
            return Err(ProbeError::UnknownToken { token: i64::from(token), d_vocab }.into());
        }
        Ok(Source { ordinary, bos, min: params.min_tokens, max: params.max_tokens })
    }

    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Sequence {
        let period = rng.random_range(self.min..=self.max);
        let chosen: Vec<u32> = sample(rng, self.ordinary.len(), period).into_iter().map(|i| self.ordinary[i]).collect();
        let tokens = self.bos.iter().chain(&chosen).chain(&chosen).copied().collect();
        Sequence { tokens, start: usize::from(self.bos.is_some()), period }
    }
}

impl Sequence {
    /// Mean loss over the first half and over the repeat, from the losses of tokens 1, 2, …; of each half without its first
    /// token, which nothing before it announces.
    pub fn split(&self, losses: &[f32]) -> (f64, f64) {
        let half = |from: usize| {
            // The loss of token `t` is at `t − 1`.
            let part = &losses[from..from + self.period - 1];
            part.iter().map(|loss| f64::from(*loss)).sum::<f64>() / part.len() as f64
        };
        (half(self.start), half(self.start + self.period))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_leave_out_what_cannot_be_predicted() {
        let sequence = Sequence { tokens: vec![9, 1, 2, 3, 1, 2, 3], start: 1, period: 3 };
        // Losses of tokens 1 to 6; tokens 1 and 4 begin the halves.
        assert_eq!(sequence.split(&[100.0, 1.0, 3.0, 100.0, 5.0, 9.0]), (2.0, 7.0));
        let without = Sequence { tokens: vec![1, 2, 3, 1, 2, 3], start: 0, period: 3 };
        assert_eq!(without.split(&[1.0, 3.0, 100.0, 5.0, 9.0]), (2.0, 7.0));
    }
}
