//! All of it, for a dictionary of a model.

use golgi_data::context::RunContext;
use golgi_data::corpus::{ContextOptions, PackedCorpus, contexts};
use golgi_data::site::Site;
use golgi_probes::{Batch, Capture, ForwardOptions, Kind, OpenModel};
use golgi_sae::Coder;
use serde::{Deserialize, Serialize};

use super::NAME;
use super::cloud::{Cloud, CloudParams, cloud};
use super::crystals::{CrystalParams, Crystals, Pairs, crystals};
use super::lobes::{LobeParams, Lobes, Presence, lobes};
use super::matrix::unit_rows;
use super::pairs::{Member, PairList};
use crate::harvest::expected_bos;
use crate::sae::{fitting, pieces};
use crate::{AnalysisError, Result};

/// What is computed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeometryParams {
    /// Of the cloud.
    pub cloud: CloudParams,
    /// Of lobes.
    pub lobes: LobeParams,
    /// Of crystals.
    pub crystals: CrystalParams,
}

/// The geometry of a dictionary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Decoder rows of length 1, as a point cloud.
    pub cloud: Cloud,
    /// Which latents belong together; `None` without texts, or where too few latents are active.
    pub lobes: Option<Lobes>,
    /// Relations between pairs; `None` where there were none.
    pub crystals: Option<Crystals>,
}

/// The sites that a dictionary reads, in a model.
fn sites(model: &OpenModel, coder: &Coder) -> Result<Vec<Site>> {
    coder.dictionary().config.inputs.iter().map(|part| fitting(model, &part.site, part.width)).collect()
}

/// In which blocks of a corpus each latent is active: its activation exceeds the threshold at any token. Positions and massive
/// activations that were left out of the training are left out here, and so is BOS.
///
/// # Errors
/// If the dictionary is not one of this model, the corpus has no text, or the work is cancelled.
pub fn presence(
    model: &OpenModel,
    corpus: &PackedCorpus,
    coder: &Coder,
    params: &LobeParams,
    ctx: &RunContext,
) -> Result<Presence> {
    let bos = expected_bos(model);
    let len = params.block.min(model.model.dims.n_ctx);
    let chosen = contexts(corpus, &ContextOptions { len, tokens: params.tokens, split: None, bos });
    if chosen.is_empty() {
        let cause = format!("the corpus {} has no text", corpus.name());
        return Err(AnalysisError::Unsuitable { analysis: NAME, model: model.name.clone(), cause });
    }
    let mut config = coder.dictionary().config.clone();
    config.skip_first |= bos.is_some();
    let mut presence = Presence::new(config.latents as usize, chosen.len());
    pieces(model, corpus, &chosen, &config, "looking which latents are active together", ctx, |piece| {
        let codes = coder.encode(&piece.x)?;
        let mut rows = 0..codes.len();
        for (block, count) in piece.contexts {
            for row in rows.by_ref().take(count) {
                let (latents, values) = codes.row(row);
                let active = latents.iter().zip(values).filter(|(_, value)| **value > params.threshold);
                active.for_each(|(latent, _)| presence.set(*latent as usize, block));
            }
        }
        Ok(())
    })?;
    Ok(presence)
}

/// What a model makes of a text at the sites of a dictionary: the activation at its last token, with a space before it.
fn activation(model: &OpenModel, sites: &[Site], text: &str) -> Result<Vec<f32>> {
    let text = format!(" {text}");
    let tokens = model.encode(&text)?;
    let raw = model.tokenizer()?.encode_raw(&text).map_err(golgi_probes::ProbeError::from)?;
    // Models that read both ways put tokens behind the text.
    let start = tokens.windows(raw.len().max(1)).position(|window| window == raw.as_slice());
    let at = start.map_or(tokens.len(), |start| start + raw.len()).saturating_sub(1);
    let mut capture = Capture::sites(sites);
    model.model.forward(&Batch::single(&tokens)?, &mut capture, ForwardOptions::default())?;
    let trace = capture.into_trace(vec![tokens])?;
    let mut row = Vec::new();
    for site in sites {
        let values = trace.get(site)?.f_to_kind(Kind::Float)?.f_flatten(2, -1)?;
        let own = values.f_select(0, 0)?.f_select(0, at as i64)?.f_contiguous()?;
        row.extend(Vec::<f32>::try_from(own)?);
    }
    Ok(row)
}

/// The pairs of a list as differences: of decoder rows, where members are latents; else of what the model makes of the words at the
/// dictionary's site.
///
/// # Errors
/// If a latent does not exist, or words cannot be read because there is no model.
pub fn differences(list: &PairList, coder: &Coder, model: Option<&OpenModel>, ctx: &RunContext) -> Result<Pairs> {
    let dictionary = coder.dictionary();
    let unsuitable =
        |model: &str, cause: String| AnalysisError::Unsuitable { analysis: NAME, model: model.to_owned(), cause };
    let read = |member: &Member| -> Result<Vec<f32>> {
        match (member, model) {
            (Member::Latent(latent), _) if *latent < dictionary.config.latents => {
                Ok(dictionary.writes(*latent as usize).to_vec())
            }
            (Member::Latent(latent), _) => {
                let cause = format!("there is no latent #{latent}; it has {}", dictionary.config.latents);
                Err(unsuitable("the dictionary", cause))
            }
            (Member::Text(text), Some(model)) => activation(model, &sites(model, coder)?, text),
            (Member::Text(_), None) => Err(unsuitable("the dictionary", "words need a model to be read by".to_owned())),
        }
    };
    ctx.stage("reading pairs", list.pairs.len() as u64);
    let mut pairs = Pairs { relations: list.relations.clone(), ..Pairs::default() };
    for (relation, a, b) in &list.pairs {
        ctx.check()?;
        let (from, to) = (read(a)?, read(b)?);
        pairs.d = from.len();
        pairs.differences.extend(to.iter().zip(&from).map(|(to, from)| to - from));
        pairs.members.push((*relation, a.text(), b.text()));
        ctx.advance(1);
    }
    Ok(pairs)
}

/// The geometry of a dictionary: its cloud always; lobes with a model and a corpus; crystals with a list of pairs, which needs a model unless
/// its members are latents.
///
/// # Errors
/// If the dictionary is not one of this model, a parameter is impossible, or the work is cancelled.
pub fn geometry(
    coder: &Coder,
    model: Option<&OpenModel>,
    corpus: Option<&PackedCorpus>,
    list: Option<&PairList>,
    params: &GeometryParams,
    ctx: &RunContext,
) -> Result<Geometry> {
    params.check()?;
    let dictionary = coder.dictionary();
    let d = dictionary.config.d_out();
    let decoder = unit_rows(&dictionary.decoder, d);
    // What needs the model comes first: it is refused before the long work.
    let pairs = list.map(|list| differences(list, coder, model, ctx)).transpose()?;
    if pairs.as_ref().is_some_and(|pairs| pairs.differences.iter().all(|value| *value == 0.0)) {
        ctx.warn("the members of every pair are the same to the model; nothing can be said of relations");
    }
    let present = match (model, corpus) {
        (Some(model), Some(corpus)) => Some(presence(model, corpus, coder, &params.lobes, ctx)?),
        _ => None,
    };
    let cloud = cloud(&decoder, d, &params.cloud, ctx)?;
    let lobes = match &present {
        Some(presence) => lobes(presence, &decoder, d, &params.lobes, ctx)?,
        None => None,
    };
    if present.is_some() && lobes.is_none() {
        ctx.warn(format!(
            "fewer than 10 latents are active in {} blocks or more; there are no lobes",
            params.lobes.least
        ));
    }
    let crystals = pairs.map(|pairs| crystals(&pairs, &params.crystals, ctx)).transpose()?;
    Ok(Geometry { cloud, lobes, crystals })
}

impl GeometryParams {
    /// Refuses what cannot be computed.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<()> {
        let refused = |name, found: String, expected: &str| {
            Err(AnalysisError::Param { analysis: NAME, name, found, expected: expected.to_owned() })
        };
        let (lobes, cloud) = (&self.lobes, &self.cloud);
        if !(2..=65_535).contains(&lobes.block) {
            return refused("block", lobes.block.to_string(), "a block has 2 to 65535 tokens");
        }
        if let Some(k) = lobes.clusters.iter().find(|k| !(2..=4096).contains(*k)) {
            return refused("clusters", k.to_string(), "there may be 2 to 4096 clusters");
        }
        if !(10..=16_384).contains(&lobes.latents) {
            return refused("latents", lobes.latents.to_string(), "10 to 16384 latents can be clustered");
        }
        if !lobes.threshold.is_finite() || lobes.threshold < 0.0 {
            return refused("threshold", lobes.threshold.to_string(), "a threshold is 0 or more");
        }
        if cloud.neighbour == 0 || cloud.neighbour > 100 {
            return refused("neighbour", cloud.neighbour.to_string(), "it is one of the 100 nearest");
        }
        if cloud.ranks.0 == 0 || cloud.ranks.0 >= cloud.ranks.1 {
            return refused("ranks", format!("{} to {}", cloud.ranks.0, cloud.ranks.1), "ranks go up from 1");
        }
        let nulls =
            [cloud.nulls, lobes.permutations, lobes.random_sets, self.crystals.permutations, self.crystals.splits];
        if let Some(count) = nulls.into_iter().find(|count| *count > 10_000) {
            return refused("nulls", count.to_string(), "at most 10000 of a kind are drawn");
        }
        Ok(())
    }
}
