//! The forward pass.

use golgi_data::site::Site;
use tch::{Kind, Tensor};

use crate::batch::Batch;
use crate::error::{ProbeError, Result};
use crate::generate::KvCache;
use crate::layers::{AttendTo, NormSites, RotaryTable};
use crate::pass::{Flow, Pass, Plan, finish};
use crate::tap::{PassInfo, Tap};
use crate::transformer::{Head, Transformer};

/// How a pass is run.
#[derive(Debug, Default)]
pub struct ForwardOptions<'a> {
    /// Run to the logits even if the tap wants nothing so far down.
    pub logits: bool,
    /// Compute logits for the last position only (generation).
    pub last_only: bool,
    /// Use one fused attention kernel in layers whose scores and pattern nobody wants. It rounds differently from the
    /// explicit steps, so it is never chosen silently.
    pub fused_attention: bool,
    /// Keys and values of earlier positions; extended by this pass.
    pub cache: Option<&'a mut KvCache>,
    /// Length of the prompt while generating.
    pub prompt_len: Option<i64>,
}

impl ForwardOptions<'_> {
    /// A plain pass to the logits.
    pub fn logits() -> ForwardOptions<'static> {
        ForwardOptions { logits: true, ..ForwardOptions::default() }
    }
}

impl Transformer {
    /// Runs the model over `batch`, handing each wanted activation to `tap`.
    ///
    /// Returns the logits `[batch, pos, d_vocab]`, or `None` when the pass stopped behind the last wanted site because
    /// `options.logits` is off. A site that nobody wants costs nothing: per-head results are not computed, and blocks
    /// behind the last wanted site are not run.
    ///
    /// # Errors
    /// If there are no tokens, a token is outside the vocabulary, the context is too short, logits are asked of a model
    /// that has none, or the tap fails.
    pub fn forward(&self, batch: &Batch, tap: &mut dyn Tap, mut options: ForwardOptions) -> Result<Option<Tensor>> {
        let offset = options.cache.as_ref().map_or(0, |cache| cache.len());
        self.check(batch, offset, options.logits)?;
        let (rows, pos) = batch.shape();
        let mask = batch.mask.as_ref().map(|mask| mask.f_to_device(self.device)).transpose()?;
        let prompt_len = options.prompt_len.unwrap_or(offset + pos);
        tap.begin(&PassInfo { batch: rows, pos, offset, prompt_len, mask: mask.as_ref() })?;
        let _no_grad = if tap.needs_grad() { None } else { Some(tch::no_grad_guard()) };
        let plan = Plan::new(self.sites().into_iter().map(|spec| spec.site), self.blocks.len(), tap);
        let mut pass = Pass::new(tap, plan, options.logits);
        let tokens = batch.tokens.f_to_device(self.device)?;
        finish(self.run(&mut pass, &tokens, mask.as_ref(), offset, &mut options))
    }

    fn check(&self, batch: &Batch, offset: i64, logits: bool) -> Result<()> {
        let (rows, pos) = batch.shape();
        if rows == 0 || pos == 0 {
            return Err(ProbeError::NoTokens);
        }
        let total = (offset + pos) as usize;
        if total > self.dims.n_ctx {
            return Err(ProbeError::ContextOverflow { tokens: total, context: self.dims.n_ctx });
        }
        if logits && !self.has_logits() {
            return Err(ProbeError::NoLogits(format!("this {} model", self.family)));
        }
        let (low, high) = (batch.tokens.f_min()?.f_int64_value(&[])?, batch.tokens.f_max()?.f_int64_value(&[])?);
        let d_vocab = self.dims.d_vocab;
        match [low, high].into_iter().find(|token| *token < 0 || *token >= d_vocab as i64) {
            Some(token) => Err(ProbeError::UnknownToken { token, d_vocab }),
            None => Ok(()),
        }
    }

    fn run(
        &self,
        pass: &mut Pass,
        tokens: &Tensor,
        mask: Option<&Tensor>,
        offset: i64,
        options: &mut ForwardOptions,
    ) -> Flow<Tensor> {
        pass.start()?;
        let geometry = Geometry::new(self, tokens, mask, offset)?;
        let mut resid = self.embed(pass, tokens, &geometry.positions)?;
        for (index, block) in self.blocks.iter().enumerate() {
            let to = AttendTo {
                mask: geometry.mask(block.window),
                rotary: geometry.rotaries.get(block.rotary),
                fused: options.fused_attention,
            };
            let cache = options.cache.as_mut().map(|cache| cache.layer(index));
            resid = block.tapped(pass, index as u32, resid, &to, cache)?;
        }
        if options.last_only {
            let last = resid.size()[1] - 1;
            resid = resid.f_narrow(1, last, 1)?;
        }
        let logits = self.unembed_tapped(pass, resid)?;
        pass.site(Site::Logits, logits)
    }

    fn embed(&self, pass: &mut Pass, tokens: &Tensor, positions: &Tensor) -> Flow<Tensor> {
        let embedding = &self.embedding;
        let lookup = |table: &Tensor, ids: &Tensor| Tensor::f_embedding(table, ids, -1, false, false);
        let mut tokens_in = lookup(&embedding.tokens, tokens)?;
        if let Some(scale) = embedding.scale {
            // Rounded to the element type first, as the reference implementation does.
            let scale = Tensor::f_from_slice(&[scale])?.f_to_kind(self.kind)?.f_to_device(self.device)?;
            tokens_in = tokens_in.f_mul(&scale)?;
        }
        if let Some(project) = &embedding.project_in {
            tokens_in = project.forward(&tokens_in)?;
        }
        let mut resid = pass.site(Site::Embed, tokens_in)?;
        if let Some(table) = &embedding.positions {
            let places = lookup(&table.weight, &positions.f_add_scalar(table.offset)?)?.f_expand_as(&resid)?;
            resid = resid.f_add(&pass.site(Site::PosEmbed, places)?)?;
        }
        if let Some(table) = &embedding.token_types {
            let types = table.f_select(0, 0)?.f_expand_as(&resid)?;
            resid = resid.f_add(&pass.site(Site::TokenTypeEmbed, types)?)?;
        }
        if let Some(norm) = &embedding.norm {
            let sites = NormSites::Plain(Site::EmbedNormScale, Site::EmbedNormNormalized);
            resid = norm.tapped(pass, &sites, &resid)?;
        }
        Ok(resid)
    }

    /// From the last residual stream to the logits.
    fn unembed_tapped(&self, pass: &mut Pass, resid: Tensor) -> Flow<Tensor> {
        let sites = NormSites::Plain(Site::LnFinalScale, Site::LnFinalNormalized);
        match &self.head {
            Head::None => Ok(resid),
            Head::Norm(norm) => norm.tapped(pass, &sites, &resid),
            Head::Lm { norm, project_out, unembed, softcap } => {
                let mut read = match norm {
                    Some(norm) => norm.tapped(pass, &sites, &resid)?,
                    None => resid,
                };
                if let Some(project) = project_out {
                    read = project.forward(&read)?;
                }
                let logits = unembed.forward(&read)?;
                match softcap {
                    Some(cap) => Ok(logits.f_div_scalar(*cap)?.f_tanh()?.f_mul_scalar(*cap)?),
                    None => Ok(logits),
                }
            }
            Head::Mlm { head, unembed } => {
                let read = head.activation.apply(&head.dense.forward(&resid)?)?;
                let read = head.norm.tapped(pass, &sites, &read)?;
                Ok(unembed.forward(&read)?)
            }
        }
    }

    /// Logits `[…, d_vocab]` of any residual stream `[…, d_model]`: final norm, unembedding and soft cap. With the
    /// stream behind a middle layer this is the logit lens.
    ///
    /// # Errors
    /// [`ProbeError::NoLogits`] if the model has none.
    pub fn unembed(&self, resid: &Tensor) -> Result<Tensor> {
        if !self.has_logits() {
            return Err(ProbeError::NoLogits(format!("this {} model", self.family)));
        }
        let mut nobody = crate::tap::NoTap;
        let plan = Plan::new(std::iter::empty(), self.blocks.len(), &nobody);
        let flow = self.unembed_tapped(&mut Pass::new(&mut nobody, plan, true), resid.shallow_clone());
        finish(flow)?.ok_or_else(|| ProbeError::NoLogits(format!("this {} model", self.family)))
    }
}

/// Positions, masks and rotations of one pass.
struct Geometry {
    /// `[1 or batch, pos]`, int64.
    positions: Tensor,
    /// `[1 or batch, 1, query, key]`: 0 where seen, `-inf` where not.
    full: Tensor,
    /// The same for each window size that the model uses.
    windowed: Vec<(usize, Tensor)>,
    rotaries: Vec<RotaryTable>,
}

impl Geometry {
    fn new(model: &Transformer, tokens: &Tensor, real: Option<&Tensor>, offset: i64) -> Result<Geometry> {
        let (pos, device) = (tokens.size()[1], model.device);
        let keys = Tensor::f_arange(offset + pos, (Kind::Int64, device))?.f_unsqueeze(0)?;
        let queries = Tensor::f_arange_start(offset, offset + pos, (Kind::Int64, device))?.f_unsqueeze(1)?;
        let back = queries.f_sub(&keys)?;
        let mut seen = if model.causal { back.f_ge(0)? } else { back.f_eq_tensor(&back)? }.f_unsqueeze(0)?;
        let positions = match real {
            None => queries.f_transpose(0, 1)?,
            Some(real) => {
                // Padding is seen by nobody but itself, which keeps its own softmax finite.
                let itself = back.f_eq(0)?.f_unsqueeze(0)?;
                seen = seen.f_logical_and(&real.f_unsqueeze(1)?)?.f_logical_or(&itself)?;
                real.f_to_kind(Kind::Int64)?.f_cumsum(1, Kind::Int64)?.f_sub_scalar(1)?.f_clamp_min(0)?
            }
        };
        let additive = |seen: &Tensor| -> Result<Tensor> {
            let zero = Tensor::f_zeros(seen.size(), (model.kind, device))?;
            Ok(zero.f_masked_fill(&seen.f_logical_not()?, f64::NEG_INFINITY)?.f_unsqueeze(1)?)
        };
        let mut sizes: Vec<usize> = model.blocks.iter().filter_map(|block| block.window).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let mut windowed = Vec::with_capacity(sizes.len());
        for size in sizes {
            windowed.push((size, additive(&seen.f_logical_and(&back.f_lt(size as i64)?)?)?));
        }
        let tables = model.rotaries.iter().map(|rotary| rotary.table(&positions, model.kind, device));
        Ok(Geometry { full: additive(&seen)?, windowed, rotaries: tables.collect::<Result<_>>()?, positions })
    }

    fn mask(&self, window: Option<usize>) -> &Tensor {
        let found = window.and_then(|window| self.windowed.iter().find(|(size, _)| *size == window));
        found.map_or(&self.full, |(_, mask)| mask)
    }
}
