//! The direct path from the residual stream to a logit.
//!
//! With the scale of the final norm frozen at its value in the run, a logit is linear in the last residual stream:
//! `logit(t) = u·x + constant` with `u = C(W_U[t] ⊙ gain) / scale`, where `C` takes the mean out (layer norm only). What
//! a head or an MLP wrote into the stream therefore contributes `u · write`. In models with a norm behind attention or MLP
//! (Gemma), that norm's gain and frozen scale belong to `u` likewise. In post-norm models every later norm rescales what
//! was written before, so there is no such path.

use golgi_data::site::{BlockPoint, Site};
use golgi_probes::layers::{Norm, NormKind};
use golgi_probes::transformer::{Head, Layout};
use golgi_probes::{Device, Kind, OpenModel, ProbeError, Tensor};

use crate::error::{AnalysisError, Result};
use crate::prompt::PromptRun;

/// A tensor as f32 in main memory; shared where it is that already.
pub(crate) fn plain(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?)
}

/// `vectors` `[…, d]` behind the linear part of `norm`: times the gain, mean taken out if the norm does so. The result's
/// product with `x` equals the product of `vectors` with `norm(x)`, up to the frozen scale and the norm's bias.
pub(crate) fn fold(norm: &Norm, vectors: &Tensor) -> Result<Tensor> {
    let scaled = vectors.f_mul(&plain(&norm.gain)?)?;
    Ok(match norm.kind {
        NormKind::Layer => scaled.f_sub(&scaled.f_mean_dim(-1, true, None::<Kind>)?)?,
        NormKind::Rms | NormKind::RmsPlusOne => scaled,
    })
}

/// Why the model has no linear path from its residual stream to the logits, if it has none.
pub(crate) fn obstacle(model: &OpenModel) -> Option<&'static str> {
    let network = &model.model;
    match network.head {
        Head::None | Head::Norm(_) => Some("it has no unembedding"),
        Head::Mlm { .. } => Some("a nonlinear layer stands before its unembedding"),
        Head::Lm { .. } if network.blocks.iter().any(|block| matches!(block.layout, Layout::PostNorm)) => {
            Some("its norms stand behind attention and MLP, so that no linear path leads to the logits")
        }
        Head::Lm { .. } if network.embedding.norm.is_some() => Some("a norm stands behind its embeddings"),
        Head::Lm { .. } => None,
    }
}

/// What reads the residual stream for chosen logits: one row per (position, token).
pub(crate) struct Readers {
    /// `[rows, d_model]`: the logit is `u · x + constant`.
    pub u: Tensor,
    /// What biases of norm, projection and unembedding add, `[rows]`.
    pub constant: Tensor,
    positions: Vec<usize>,
}

impl Readers {
    /// Refuses models without a linear path, in the name of `analysis`.
    pub fn possible(analysis: &'static str, model: &OpenModel) -> Result<()> {
        match obstacle(model) {
            Some(cause) => {
                Err(AnalysisError::Unsuitable { analysis, model: model.name.clone(), cause: cause.to_owned() })
            }
            None => Ok(()),
        }
    }

    /// For the logits of `targets[i]` at `positions[i]`.
    pub fn new(
        analysis: &'static str,
        model: &OpenModel,
        run: &PromptRun,
        positions: &[usize],
        targets: &[u32],
    ) -> Result<Readers> {
        Readers::possible(analysis, model)?;
        let Head::Lm { norm, project_out, unembed, .. } = &model.model.head else {
            return Err(ProbeError::NoLogits(model.name.clone()).into());
        };
        targets.iter().try_for_each(|id| check_token(model, *id))?;
        let ids: Vec<i64> = targets.iter().map(|id| i64::from(*id)).collect();
        let ids = Tensor::f_from_slice(&ids)?.f_to_device(model.model.device)?;
        let mut rows = plain(&unembed.weight.f_index_select(0, &ids)?)?;
        let mut constant = match &unembed.bias {
            Some(bias) => plain(&bias.f_index_select(0, &ids)?)?,
            None => Tensor::f_zeros([targets.len() as i64], (Kind::Float, Device::Cpu))?,
        };
        if let Some(project) = project_out {
            if let Some(bias) = &project.bias {
                constant = constant.f_add(&rows.f_mv(&plain(bias)?)?)?;
            }
            rows = rows.f_matmul(&plain(&project.weight)?)?;
        }
        let positions = positions.to_vec();
        if let Some(norm) = norm {
            if let Some(bias) = &norm.bias {
                constant = constant.f_add(&rows.f_mv(&plain(bias)?)?)?;
            }
            let scale = rows_at(&run.activation(model, &Site::LnFinalScale)?, &positions)?;
            rows = fold(norm, &rows)?.f_div(&scale)?;
        }
        Ok(Readers { u: rows, constant, positions })
    }

    /// For the difference of the first logit and the second, if there are two; the same readers otherwise.
    pub fn difference(&self) -> Result<Readers> {
        let subtract = |x: &Tensor| -> Result<Tensor> {
            let first = x.f_narrow(0, 0, 1)?;
            if self.positions.len() < 2 { Ok(first) } else { Ok(first.f_sub(&x.f_narrow(0, 1, 1)?)?) }
        };
        let (u, constant) = (subtract(&self.u)?, subtract(&self.constant)?);
        Ok(Readers { u, constant, positions: self.positions[..1].to_vec() })
    }

    /// The readers of what attention of `layer` computes before any norm behind it, and what that norm's bias adds.
    pub fn behind_attention(
        &self,
        model: &OpenModel,
        run: &PromptRun,
        layer: usize,
    ) -> Result<(Tensor, Option<Tensor>)> {
        match &model.model.blocks[layer].layout {
            Layout::Sandwich { ln1_post, .. } => self.behind(model, run, ln1_post, layer, BlockPoint::Ln1PostScale),
            _ => Ok((self.u.shallow_clone(), None)),
        }
    }

    /// The same for the MLP.
    pub fn behind_mlp(&self, model: &OpenModel, run: &PromptRun, layer: usize) -> Result<(Tensor, Option<Tensor>)> {
        match &model.model.blocks[layer].layout {
            Layout::Sandwich { ln2_post, .. } => self.behind(model, run, ln2_post, layer, BlockPoint::Ln2PostScale),
            _ => Ok((self.u.shallow_clone(), None)),
        }
    }

    fn behind(
        &self,
        model: &OpenModel,
        run: &PromptRun,
        norm: &Norm,
        layer: usize,
        scale: BlockPoint,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let scale = rows_at(&run.activation(model, &Site::block(layer as u32, scale))?, &self.positions)?;
        let bias = norm.bias.as_ref().map(|bias| Ok::<_, AnalysisError>(self.u.f_mv(&plain(bias)?)?)).transpose()?;
        Ok((fold(norm, &self.u)?.f_div(&scale)?, bias))
    }
}

/// The rows `positions` of an activation `[pos, …]`.
pub(crate) fn rows_at(activation: &Tensor, positions: &[usize]) -> Result<Tensor> {
    let wide: Vec<i64> = positions.iter().map(|p| *p as i64).collect();
    Ok(activation.f_index_select(0, &Tensor::f_from_slice(&wide)?)?)
}

/// Refuses a token outside the model's vocabulary.
pub(crate) fn check_token(model: &OpenModel, id: u32) -> Result<()> {
    let d_vocab = model.model.dims.d_vocab;
    if (id as usize) < d_vocab {
        Ok(())
    } else {
        Err(ProbeError::UnknownToken { token: i64::from(id), d_vocab }.into())
    }
}
