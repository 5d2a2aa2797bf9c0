//! The report card of a dictionary, beside baselines with as many numbers.

use golgi_data::context::RunContext;
use golgi_data::corpus::{ContextOptions, PackedCorpus, Split, contexts};
use golgi_probes::OpenModel;
use golgi_sae::evaluate::{
    Coding, Pca, Quality, RandomDirections, SpliceLoss, Stability, TopCoordinates, explained_by_site, part_shares,
    quality, splice_losses, stability,
};
use golgi_sae::planted::max_cosines;
use golgi_sae::{Coder, SaeError};
use serde::{Deserialize, Serialize};

use super::probing::{Probing, probing};
use super::rows::{pieces, sequence, sites_of, unsuitable};
use crate::Result;
use crate::harvest::expected_bos;

/// How much is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateParams {
    /// Tokens whose activations are reconstructed; as many others are what baselines are fitted to.
    pub tokens: u64,
    /// Tokens on which the model's loss is measured with each replacement.
    pub splice_tokens: u64,
    /// Tokens that the model sees at once; `None`: as in training, or 128.
    pub context: Option<usize>,
    /// Texts of [`PROBE_LEN`](super::PROBE_LEN) tokens on which few latents have to tell language and genre, half of them to fit probes to;
    /// 0: none.
    pub probe_texts: usize,
    /// Words whose first letters latents have to tell; 0: none.
    pub words: usize,
}

impl Default for EvaluateParams {
    fn default() -> EvaluateParams {
        EvaluateParams { tokens: 16_384, splice_tokens: 2048, context: None, probe_texts: 1000, words: 1000 }
    }
}

/// A dictionary's report card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Reconstruction and sparsity, on documents that training did not see.
    pub quality: Quality,
    /// Tokens among them that are left out, because their norm is larger than any in training: attention sinks and the like.
    pub left_out: u64,
    /// The same of the baselines, each with the dictionary's L0 as its number of numbers.
    pub baselines: Vec<(String, Quality)>,
    /// The model's loss with each in the activation's place; empty for transcoders and crosscoders.
    pub splice: Vec<SpliceLoss>,
    /// Tokens of that measurement.
    pub splice_tokens: u64,
    /// For each latent the largest cosine of its decoder row with another latent's.
    pub decoder_similarity: Vec<f32>,
    /// The explained variance of each output site, by name.
    pub sites: Vec<(String, f64)>,
    /// For each latent the share of its decoder's norm at each output site; empty where there is one site.
    pub site_shares: Vec<Vec<f32>>,
    /// What few latents know: sparse probes, targeted perturbation, absorption.
    pub probing: Probing,
    /// What it shares with another dictionary, if that was given.
    pub stability: Option<Stability>,
    /// The same with as many random directions in the other's place.
    pub stability_by_chance: Option<f64>,
}

/// Judges a dictionary of `model` on `corpus`: documents of the split `confirm`, with baselines fitted to `explore`. `other` is a
/// dictionary of the same site with another seed.
///
/// # Errors
/// If the dictionary is not one of this model, the corpus has too little text, or the work is cancelled.
pub fn evaluate(
    model: &OpenModel,
    corpus: &PackedCorpus,
    coder: &Coder,
    other: Option<&Coder>,
    params: &EvaluateParams,
    ctx: &RunContext,
) -> Result<Evaluation> {
    let config = &coder.dictionary().config;
    let (inputs, _) = sites_of(model, config)?;
    let len = params.context.unwrap_or(config.context.map_or(128, |len| len as usize)).min(model.model.dims.n_ctx);
    let gather = |split: Split, stage: &str| -> Result<(Vec<f32>, Vec<f32>, u64)> {
        let options = ContextOptions { len, tokens: params.tokens, split: Some(split), bos: expected_bos(model) };
        let chosen = contexts(corpus, &options);
        if chosen.is_empty() {
            return Err(unsuitable(
                model,
                format!("the corpus {} has no documents of the split `{split}`", corpus.name()),
            ));
        }
        let (mut x, mut y, mut left_out) = (Vec::new(), Vec::new(), 0);
        pieces(model, corpus, &chosen, config, stage, ctx, |piece| {
            x.extend(piece.x);
            y.extend(piece.y);
            left_out += piece.left_out;
            Ok(())
        })?;
        Ok((x, y, left_out))
    };
    let (_, fit_y, _) = gather(Split::Explore, "reading what baselines are fitted to")?;
    let (x, y, left_out) = gather(Split::Confirm, "reading what is judged")?;
    ctx.stage("judging reconstructions", 0);
    let d = config.d_out();
    let codes = coder.encode(&x)?;
    let latents = config.latents as usize;
    let fit = coder.decode(&codes, &x)?;
    let quality_of = quality(&y, &fit, d, Some((&codes, latents)));
    let widths: Vec<usize> = config.outputs.iter().map(|part| part.width as usize).collect();
    let explained = explained_by_site(&y, &fit, &widths);
    let sites = config.outputs.iter().map(|part| part.site.clone()).zip(explained).collect();
    let k = (quality_of.l0.round() as usize).max(1);
    ctx.check()?;
    let random = RandomDirections::fit(&fit_y, d, latents, k, ctx.seed())?;
    let (pca, coordinates) = (Pca::fit(&fit_y, d, k)?, TopCoordinates::fit(&fit_y, d, k));
    let baselines: [&dyn Coding; 3] = [&pca, &random, &coordinates];
    let judged = |coding: &dyn Coding| -> Result<(String, Quality)> {
        Ok((coding.name().to_owned(), quality(&y, &coding.reconstruct(&y)?, d, None)))
    };
    let judged = baselines.iter().map(|one| judged(*one)).collect::<Result<Vec<_>>>()?;
    let mut splice = Vec::new();
    let mut splice_tokens = 0;
    if let ([site], true) = (inputs.as_slice(), config.is_autoencoder()) {
        let options =
            ContextOptions { len, tokens: params.splice_tokens, split: Some(Split::Confirm), bos: expected_bos(model) };
        let chosen = contexts(corpus, &options);
        splice_tokens = chosen.iter().map(|context| u64::from(context.len)).sum();
        let sequences: Vec<Vec<u32>> = chosen.iter().map(|context| sequence(model, corpus, context)).collect();
        let sequences: Vec<Vec<u32>> = sequences.into_iter().filter(|tokens| tokens.len() > 1).collect();
        let mut codings: Vec<&dyn Coding> = vec![coder];
        codings.extend(baselines);
        let mean = mean_row(&fit_y, d);
        splice = splice_losses(&model.model, site, &sequences, &mean, &codings, config.domain(), ctx)?;
    }
    let decoder = &coder.dictionary().decoder;
    let stability = match other {
        None => None,
        Some(other) if other.dictionary().config.outputs == config.outputs => {
            Some(stability(decoder, &other.dictionary().decoder, d))
        }
        Some(_) => return Err(SaeError::Settings("the other dictionary stands at other sites".to_owned()).into()),
    };
    let stability_by_chance = other.map(|other| {
        let count = other.dictionary().config.latents as usize;
        let random = golgi_sae::planted::Planted::new(d, count, 1.0, ctx.seed()).directions;
        mean_of(&max_cosines(decoder, &random, d))
    });
    let all = Pca::fit(&fit_y, d, d)?;
    let probing = probing(model, corpus, coder, &all, &random, params, ctx)?;
    Ok(Evaluation {
        quality: quality_of,
        left_out,
        baselines: judged,
        splice,
        splice_tokens,
        decoder_similarity: nearest_other(decoder, d),
        sites,
        site_shares: if config.outputs.len() > 1 { part_shares(coder.dictionary()) } else { Vec::new() },
        probing,
        stability,
        stability_by_chance,
    })
}

fn mean_row(rows: &[f32], d: usize) -> Vec<f32> {
    let n = (rows.len() / d).max(1) as f64;
    let mut mean = vec![0f64; d];
    for row in rows.chunks(d) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / n);
    }
    mean.into_iter().map(|value| value as f32).collect()
}

/// For each row the largest cosine with another row.
fn nearest_other(rows: &[f32], d: usize) -> Vec<f32> {
    use golgi_sae::kernels::vector::{dot, norm};
    use rayon::prelude::*;
    let norms: Vec<f32> = rows.chunks(d).map(|row| norm(row).max(f32::MIN_POSITIVE)).collect();
    let cosine = |a: usize, b: usize| dot(&rows[a * d..(a + 1) * d], &rows[b * d..(b + 1) * d]) / (norms[a] * norms[b]);
    let n = norms.len();
    (0..n).into_par_iter().map(|a| (0..n).filter(|b| *b != a).map(|b| cosine(a, b)).fold(-1.0, f32::max)).collect()
}

pub(super) fn mean_of(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len().max(1) as f64
}
