//! Sentences as vectors, by a local embedder such as MiniLM.

use std::collections::HashMap;

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site};
use golgi_probes::{Batch, Capture, Device, ForwardOptions, Kind, OpenModel, ProbeError};

use crate::error::{AnalysisError, Result};

/// Texts in one pass.
const AT_ONCE: usize = 32;
/// So many texts are remembered at most.
const MEMORY: usize = 20_000;
/// Longer texts are cut, as the model's authors do.
const MAX_TOKENS: usize = 256;

/// An embedder with what it has embedded already.
#[derive(Debug)]
pub struct Embedder<'a> {
    model: &'a OpenModel,
    ctx: &'a RunContext,
    known: HashMap<String, Vec<f32>>,
}

impl<'a> Embedder<'a> {
    /// Embeds with `model`.
    ///
    /// # Errors
    /// If it has no tokenizer, or reads texts in one direction only.
    pub fn new(model: &'a OpenModel, ctx: &'a RunContext) -> Result<Embedder<'a>> {
        model.tokenizer()?;
        if model.model.causal {
            return Err(AnalysisError::Unsuitable {
                analysis: "an embedding of sentences",
                model: model.name.clone(),
                cause: "it reads texts in one direction only; name an embedder such as minilm".to_owned(),
            });
        }
        Ok(Embedder { model, ctx, known: HashMap::new() })
    }

    /// The vectors of `texts`, each of length 1: the mean of the last layer's states over the tokens, special ones included, as
    /// sentence-transformers pool MiniLM. An empty text has the vector of its special tokens.
    ///
    /// # Errors
    /// If the model fails or somebody asked to stop.
    pub fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        if self.known.len() > MEMORY {
            self.known.clear();
        }
        let mut fresh: Vec<&String> = texts.iter().filter(|text| !self.known.contains_key(*text)).collect();
        fresh.sort_unstable();
        fresh.dedup();
        // Texts of like length together: little padding.
        fresh.sort_by_key(|text| text.len());
        let site = Site::block(self.model.model.blocks.len().saturating_sub(1) as u32, BlockPoint::ResidPost);
        let tokenizer = self.model.tokenizer()?;
        for group in fresh.chunks(AT_ONCE) {
            self.ctx.check()?;
            let mut rows = Vec::with_capacity(group.len());
            for text in group {
                let mut ids = tokenizer.encode(text).map_err(ProbeError::from)?;
                ids.truncate(MAX_TOKENS.min(self.model.model.dims.n_ctx));
                if ids.is_empty() {
                    return Err(ProbeError::NoTokens.into());
                }
                rows.push(ids);
            }
            let batch = Batch::padded(&rows, tokenizer.pad().unwrap_or(0))?;
            let mut capture = Capture::sites([&site]);
            self.model.model.forward(&batch, &mut capture, ForwardOptions::default())?;
            let trace = capture.into_trace(rows.clone())?;
            let states = trace.get(&site)?.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?;
            for (row, (text, ids)) in group.iter().zip(&rows).enumerate() {
                let own = states.f_select(0, row as i64)?.f_narrow(0, 0, ids.len() as i64)?;
                let mean = own.f_mean_dim(0i64, false, Kind::Float)?;
                let mut vector = Vec::<f32>::try_from(&mean)?;
                let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
                vector.iter_mut().for_each(|value| *value /= length.max(1e-9));
                self.known.insert((*text).clone(), vector);
            }
        }
        Ok(texts.iter().map(|text| self.known.get(text).cloned().unwrap_or_default()).collect())
    }
}

/// The cosine of two vectors of length 1.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
