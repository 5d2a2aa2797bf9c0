//! Directions of the residual stream in terms of tokens.

use golgi_probes::layers::{Norm, NormKind};
use golgi_probes::transformer::{Block, Head, Layout};
use golgi_probes::{Kind, OpenModel, Tensor};

use super::TokenEnds;
use crate::direct::{fold, plain};
use crate::distribution::{ends, scores};
use crate::error::Result;

/// The norm that stands between the residual stream and attention, if the block reads through one.
pub(super) fn before_attention(block: &Block) -> Option<&Norm> {
    if matches!(block.layout, Layout::PostNorm) { None } else { Some(&block.ln1) }
}

/// The same for the MLP.
pub(crate) fn before_mlp(block: &Block) -> Option<&Norm> {
    if matches!(block.layout, Layout::PostNorm) { None } else { Some(&block.ln2) }
}

/// Reading vectors `[…, d_model]` behind `norm`, as vectors over the rows of the embedding table, `[…, d_embed]`.
pub(super) fn reader(model: &OpenModel, norm: Option<&Norm>, vectors: &Tensor) -> Result<Tensor> {
    let vectors = match norm {
        Some(norm) => fold(norm, vectors)?,
        None => vectors.shallow_clone(),
    };
    match &model.model.embedding.project_in {
        Some(project) => Ok(vectors.f_matmul(&plain(&project.weight)?)?),
        None => Ok(vectors),
    }
}

/// `gain ⊙ C(vectors)`: what is left of a written vector behind a norm, its scale apart.
pub(crate) fn behind(norm: &Norm, vectors: &Tensor) -> Result<Tensor> {
    let centred = match norm.kind {
        NormKind::Layer => vectors.f_sub(&vectors.f_mean_dim(-1, true, None::<Kind>)?)?,
        NormKind::Rms | NormKind::RmsPlusOne => vectors.shallow_clone(),
    };
    Ok(centred.f_mul(&plain(&norm.gain)?)?)
}

/// The unembedding table `[d_vocab, d_embed]`, with written vectors `[…, d_model]` as vectors over its rows. `None` where the
/// model has no linear unembedding.
pub(crate) fn writer<'a>(model: &'a OpenModel, vectors: &Tensor) -> Result<Option<(&'a Tensor, Tensor)>> {
    let Head::Lm { norm, project_out, unembed, .. } = &model.model.head else {
        return Ok(None);
    };
    let mut vectors = match norm {
        Some(norm) => behind(norm, vectors)?,
        None => vectors.shallow_clone(),
    };
    if let Some(project) = project_out {
        vectors = vectors.f_matmul(&plain(&project.weight)?.f_tr()?)?;
    }
    Ok(Some((&unembed.weight, vectors)))
}

/// The tokens that a reading vector `[d_model]` prefers.
pub(super) fn read_ends(
    model: &OpenModel,
    norm: Option<&Norm>,
    w: &Tensor,
    name: &str,
    top: usize,
) -> Result<TokenEnds> {
    let formula = match norm.map(|norm| norm.kind) {
        Some(NormKind::Layer) => {
            "E · C(w ⊙ g): raw embedding rows, gain of the norm before it folded in, mean taken out"
        }
        Some(_) => "E · (w ⊙ g): raw embedding rows, gain of the norm before it folded in",
        None => "E · w: raw embedding rows",
    };
    ends(model, name, formula, &scores(&model.model.embedding.tokens, &reader(model, norm, w)?)?, top)
}

/// The tokens that a written vector `[d_model]` promotes; `None` where the model has no linear unembedding.
pub(super) fn write_ends(model: &OpenModel, w: &Tensor, name: &str, top: usize) -> Result<Option<TokenEnds>> {
    let Some((table, w)) = writer(model, w)? else {
        return Ok(None);
    };
    let found = scores(table, &w)?;
    let centred = found.f_sub(&found.f_mean(None::<Kind>)?)?;
    let formula = "W_U · (g ⊙ C(w)) − mean over the vocabulary: gain of the final norm folded in, its scale left out";
    Ok(Some(ends(model, name, formula, &centred, top)?))
}
