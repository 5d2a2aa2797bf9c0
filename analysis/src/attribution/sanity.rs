//! Whether maps depend on what the network has learned, and on the question.

use golgi_data::context::RunContext;
use golgi_probes::Tensor;
use golgi_probes::vision::OpenVision;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::maps::{Explainer, Map, Question};
use super::method::Method;
use super::similarity::{Similarity, pearson};
use crate::error::VisionError;

/// Nodes of integrals in the comparisons, which need no more.
const NODES: usize = 8;
/// Maps of two questions that correlate more than this are the picture's and not the questions'.
const INSENSITIVE: f64 = 0.5;

/// How a method's map changes as more and more of the network is shuffled, from its end to its beginning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cascade {
    /// The method.
    pub method: Method,
    /// Step after step.
    pub steps: Vec<Step>,
    /// The map with its pixels in random order, beside the map: what no similarity looks like.
    pub null: Similarity,
    /// The map of the network that is shuffled whole.
    #[serde(skip)]
    pub twin: Option<Map>,
}

impl Cascade {
    /// The rank correlation of magnitudes when everything is shuffled.
    pub fn last(&self) -> f64 {
        self.steps.last().map_or(0.0, |step| step.similarity.spearman_abs)
    }
}

/// One step of a cascade.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The first site whose weights are shuffled; so are all behind it.
    pub site: String,
    /// The share of layers with weights that are shuffled.
    pub share: f64,
    /// The map beside that of the network as it is.
    pub similarity: Similarity,
}

/// Shuffles the network in at most `steps` steps, the last all of it, and compares each method's maps with `maps`, those of the network as it is.
///
/// # Errors
/// As [`attribute`](super::attribute).
pub fn cascade(
    open: &OpenVision,
    question: &Question,
    pixels: &Tensor,
    maps: &[Map],
    steps: usize,
    ctx: &RunContext,
) -> Result<Vec<Cascade>, VisionError> {
    let weighted = open.network.weighted();
    if weighted.is_empty() || steps == 0 {
        return Err(VisionError::Settings("there is nothing to shuffle, or no step to do so".to_owned()));
    }
    let steps = steps.min(weighted.len());
    ctx.stage("shuffling the network from its end", (steps * maps.len()) as u64);
    let null = |map: &Map| {
        let mut random = ChaCha8Rng::seed_from_u64(ctx.seed());
        let mut shuffled = map.values.clone();
        shuffled.shuffle(&mut random);
        Similarity::of(&map.values, &shuffled, (map.height, map.width))
    };
    let begin = |map: &Map| Cascade { method: map.method, steps: Vec::new(), null: null(map), twin: None };
    let mut found: Vec<Cascade> = maps.iter().map(begin).collect();
    for step in 1..=steps {
        let count = (weighted.len() * step).div_ceil(steps);
        let first = weighted[weighted.len() - count];
        let network = open.network.shuffled(ctx.seed(), first)?;
        let explainer = Explainer::new(open, &network, question, pixels, NODES)?;
        for (cascade, map) in found.iter_mut().zip(maps) {
            let now = explainer.map(map.method, ctx)?;
            cascade.steps.push(Step {
                site: network.nodes[first].site.to_string(),
                share: count as f64 / weighted.len() as f64,
                similarity: Similarity::of(&map.values, &now.values, (map.height, map.width)),
            });
            if step == steps {
                cascade.twin = Some(now);
            }
            ctx.advance(1);
        }
    }
    Ok(found)
}

/// A method's maps for two questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sensitivity {
    /// The method.
    pub method: Method,
    /// The other question, a unit of the same site drawn at random.
    pub other: String,
    /// Correlation of the signed maps, colour by colour.
    pub correlation: f64,
    /// Whether the maps are so alike that they hardly tell the questions apart (correlation above 0.5).
    pub insensitive: bool,
}

/// Compares each method's map with that for another unit of the same site, drawn with the context's seed.
///
/// # Errors
/// As [`attribute`](super::attribute); if the site has one unit only.
pub fn sensitivity(
    open: &OpenVision,
    question: &Question,
    pixels: &Tensor,
    maps: &[Map],
    ctx: &RunContext,
) -> Result<Vec<Sensitivity>, VisionError> {
    let size = open.network.nodes[open.network.find(&question.unit.site)?].extent.channels() as u32;
    if size < 2 {
        return Err(VisionError::Settings(format!("`{}` has one unit only", question.unit.site)));
    }
    let mut random = ChaCha8Rng::seed_from_u64(ctx.seed());
    let step = random.random_range(1..size);
    let mut unit = question.unit.clone();
    unit.index = (unit.index + step) % size;
    let is_class = question.name != question.unit.to_string();
    let name = if is_class { open.class(unit.index as usize) } else { unit.to_string() };
    let other = Question { unit, name: name.clone(), layer: question.layer.clone() };
    let explainer = Explainer::new(open, &open.network, &other, pixels, NODES)?;
    ctx.stage("asking for another unit", maps.len() as u64);
    maps.iter()
        .map(|map| {
            let now = explainer.map(map.method, ctx)?;
            ctx.advance(1);
            let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
            let correlation = pearson(&wide(&map.signed), &wide(&now.signed));
            Ok(Sensitivity {
                method: map.method,
                other: name.clone(),
                correlation,
                insensitive: correlation > INSENSITIVE,
            })
        })
        .collect()
}
