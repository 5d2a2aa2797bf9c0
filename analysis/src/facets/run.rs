//! From pictures to facets.

use golgi_data::context::RunContext;
use golgi_data::images::{ImageSet, Picture};
use golgi_data::site::Site;
use golgi_data::unit::Unit;
use golgi_probes::Tensor;
use golgi_probes::vision::OpenVision;
use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::Kind;

use super::ascend::Ascent;
use super::cluster::{adjusted_rand, components, kinds, plane, purity};
use super::gather::{Gathered, code_node, gather};
use super::schedule::Schedule;
use crate::error::VisionError;
use crate::visualise::{Aim, Ready, Target, percentile, to_picture};

/// Numbers of kinds for which the stability is told.
const KINDS: [usize; 5] = [2, 3, 4, 6, 10];
/// Seeds of the stability.
const SEEDS: u64 = 5;

/// How facets are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FacetSettings {
    /// How many facets.
    pub facets: usize,
    /// Of the pictures, so many that excite the unit most are looked at.
    pub top: usize,
    /// So many of a facet's most typical pictures are averaged.
    pub exemplars: usize,
    /// Pictures of the set at most.
    pub limit: usize,
    /// The side of the images, in pixels.
    pub size: u32,
    /// How images are raised.
    pub schedule: Schedule,
    /// Where codes are read; what the last linear layer reads if absent.
    pub code: Option<Site>,
}

impl Default for FacetSettings {
    fn default() -> FacetSettings {
        FacetSettings {
            facets: 4,
            top: 200,
            exemplars: 15,
            limit: 1000,
            size: 128,
            schedule: Schedule::MeanImage,
            code: None,
        }
    }
}

impl FacetSettings {
    fn check(&self) -> Result<(), VisionError> {
        let wrong = |text: String| Err(VisionError::Settings(text));
        if !(2..=20).contains(&self.facets) {
            return wrong(format!("{} facets; 2 to 20 are possible", self.facets));
        }
        if !(32..=512).contains(&self.size) {
            return wrong(format!("images of {} pixels a side; 32 to 512 are possible", self.size));
        }
        if !(3 * self.facets..=1000).contains(&self.top) {
            return wrong(format!(
                "{} pictures for {} facets; three for each to 1000 are possible",
                self.top, self.facets
            ));
        }
        if self.exemplars == 0 {
            return wrong("a facet needs an exemplar".to_owned());
        }
        Ok(())
    }
}

/// How alike the kinds are that different seeds find.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stability {
    /// How many kinds.
    pub kinds: usize,
    /// Mean adjusted Rand index over pairs of five seeds of t-SNE and k-means.
    pub agreement: f64,
}

/// The facets of a unit.
#[derive(Debug, Clone)]
pub struct Facets {
    /// The unit.
    pub unit: Unit,
    /// The pictures that excite it most: indices into the set, the strongest first.
    pub pictures: Vec<usize>,
    /// Its value on each.
    pub values: Vec<f32>,
    /// Where each lies in the plane.
    pub places: Vec<[f64; 2]>,
    /// The facet of each.
    pub clusters: Vec<usize>,
    /// The facets, the largest first.
    pub facets: Vec<Facet>,
    /// The share of the codes' variance that lies between facets.
    pub explained: f64,
    /// The same for facets that were found with codes whose columns are shuffled: no structure.
    pub explained_shuffled: f64,
    /// The share of pictures that have the commonest label of their facet, and the same with shuffled codes, where the set has labels.
    pub purity: Option<[f64; 2]>,
    /// How alike kinds of different seeds are.
    pub stability: Vec<Stability>,
}

/// One kind of picture that drives a unit.
#[derive(Debug, Clone)]
pub struct Facet {
    /// How many of the pictures belong to it.
    pub size: usize,
    /// The most typical, indices into the set.
    pub exemplars: Vec<usize>,
    /// The unit's mean value on them.
    pub exemplar_value: f32,
    /// Their mean.
    pub mean: Picture,
    /// The unit's value on that.
    pub start: f32,
    /// The image.
    pub image: Picture,
    /// The unit's value on it.
    pub value: f32,
    /// The share of real pictures whose value is lower, in percent.
    pub percentile: f64,
}

/// The facets of each unit; all lie at one site. Random choices come from the context's seed.
///
/// # Errors
/// If the units do not fit the network, the settings are impossible, there are too few pictures, or the work is cancelled.
pub fn facets(
    open: &OpenVision,
    units: &[Unit],
    set: &ImageSet,
    settings: &FacetSettings,
    ctx: &RunContext,
) -> Result<Vec<Facets>, VisionError> {
    settings.check()?;
    let network = &open.network;
    let all = Target::units(units)?.ready(network)?;
    let code = settings.code.clone().unwrap_or_else(|| network.nodes[code_node(network)].site.clone());
    let gathered = gather(open, &all, units.len(), &code, (set, settings.limit), ctx)?;
    if gathered.pictures.len() < 3 * settings.facets {
        let text = format!(
            "{} pictures are too few for {} facets; give a larger set or fewer facets",
            gathered.pictures.len(),
            settings.facets
        );
        return Err(VisionError::Settings(text));
    }
    ctx.stage("raising units from their facets", settings.schedule.steps() * units.len() as u64);
    let each = units.iter().enumerate().map(|(row, unit)| {
        let ready = Target::units(std::slice::from_ref(unit))?.aiming(Aim::Channel).ready(network)?;
        of_unit(open, (unit, row), &ready, (set, &gathered), settings, ctx)
    });
    each.collect()
}

fn of_unit(
    open: &OpenVision,
    (unit, row): (&Unit, usize),
    ready: &Ready,
    (set, gathered): (&ImageSet, &Gathered),
    settings: &FacetSettings,
    ctx: &RunContext,
) -> Result<Facets, VisionError> {
    let all = &gathered.values[row];
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| all[*b].total_cmp(&all[*a]).then(a.cmp(b)));
    order.truncate(settings.top);
    let codes: Vec<f32> =
        order.iter().flat_map(|at| &gathered.codes[at * gathered.width..(at + 1) * gathered.width]).copied().collect();
    let parts = components(&codes, gathered.width)?;
    let places = plane(&parts, ctx.seed())?;
    let (clusters, centres) = kinds(&places, settings.facets, ctx.seed())?;
    let shuffled = shuffled(&codes, gathered.width, settings.facets, ctx)?;
    let labels: Option<Vec<u32>> = order.iter().map(|at| set.entries()[gathered.pictures[*at]].label).collect();
    let mut found = Facets {
        unit: unit.clone(),
        pictures: order.iter().map(|at| gathered.pictures[*at]).collect(),
        values: order.iter().map(|at| all[*at]).collect(),
        explained: explained(&parts, &clusters),
        explained_shuffled: explained(&parts, &shuffled),
        purity: labels.map(|labels| [purity(&clusters, &labels), purity(&shuffled, &labels)]),
        stability: stability(&parts, ctx)?,
        facets: Vec::new(),
        places,
        clusters,
    };
    found.facets = images(open, ready, (set, &found, &centres), (all, settings), ctx)?;
    Ok(found)
}

/// Kinds that are found with codes whose columns are shuffled, each on its own.
fn shuffled(codes: &[f32], width: usize, k: usize, ctx: &RunContext) -> Result<Vec<usize>, VisionError> {
    let n = codes.len() / width;
    let mut mixed = vec![0f32; codes.len()];
    for column in 0..width {
        let mut random = ChaCha8Rng::seed_from_u64(ctx.seed());
        random.set_stream(column as u64 + 1);
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut random);
        order.iter().enumerate().for_each(|(to, from)| mixed[to * width + column] = codes[from * width + column]);
    }
    let places = plane(&components(&mixed, width)?, ctx.seed())?;
    Ok(kinds(&places, k, ctx.seed())?.0)
}

/// The share of the variance that lies between groups.
fn explained(parts: &Array2<f64>, clusters: &[usize]) -> f64 {
    let groups = clusters.iter().max().map_or(0, |most| most + 1);
    let total: f64 = parts.iter().map(|value| value * value).sum();
    let mut between = 0.0;
    for group in 0..groups {
        let rows: Vec<usize> = (0..clusters.len()).filter(|row| clusters[*row] == group).collect();
        if let Some(mean) = parts.select(Axis(0), &rows).mean_axis(Axis(0)) {
            between += rows.len() as f64 * mean.iter().map(|value| value * value).sum::<f64>();
        }
    }
    if total > 0.0 { between / total } else { 0.0 }
}

fn stability(parts: &Array2<f64>, ctx: &RunContext) -> Result<Vec<Stability>, VisionError> {
    let places = (0..SEEDS).map(|seed| {
        ctx.check()?;
        plane(parts, ctx.seed().wrapping_add(1 + seed))
    });
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let possible = KINDS.iter().filter(|k| parts.nrows() >= 3 * **k);
    possible
        .map(|k| {
            let found = places.iter().enumerate().map(|(seed, places)| Ok(kinds(places, *k, seed as u64)?.0));
            let found = found.collect::<Result<Vec<_>, VisionError>>()?;
            let pairs = (0..found.len()).flat_map(|a| (a + 1..found.len()).map(move |b| (a, b)));
            let indices: Vec<f64> = pairs.map(|(a, b)| adjusted_rand(&found[a], &found[b])).collect();
            Ok(Stability { kinds: *k, agreement: indices.iter().sum::<f64>() / indices.len().max(1) as f64 })
        })
        .collect()
}

/// The facets themselves: typical pictures, their mean, and the image that is raised from it.
fn images(
    open: &OpenVision,
    ready: &Ready,
    (set, found, centres): (&ImageSet, &Facets, &[[f64; 2]]),
    (all, settings): (&[f32], &FacetSettings),
    ctx: &RunContext,
) -> Result<Vec<Facet>, VisionError> {
    let side = i64::from(settings.size);
    let typical: Vec<Vec<usize>> = (0..centres.len())
        .map(|cluster| {
            let distance = |at: usize| {
                let place = found.places[at];
                (place[0] - centres[cluster][0]).hypot(place[1] - centres[cluster][1])
            };
            let mut own: Vec<usize> = (0..found.clusters.len()).filter(|at| found.clusters[*at] == cluster).collect();
            own.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
            own.truncate(settings.exemplars);
            own
        })
        .collect();
    let means = typical.iter().map(|own| {
        let mut sum = Tensor::f_zeros([1, 3, side, side], (Kind::Float, tch::Device::Cpu))?;
        for at in own {
            // As the network sees it, without its normalisation.
            let values = open.preprocess.apply(&set.load(found.pictures[*at])?.picture);
            let seen = open.preprocess.denormalise(&values)?;
            let size = [1, i64::from(seen.height()), i64::from(seen.width()), 3];
            let pixels = Tensor::f_from_slice(seen.rgb())?.f_view(size)?.f_permute([0, 3, 1, 2])?;
            let pixels = pixels.f_to_kind(Kind::Float)?;
            let scaled = pixels.f_internal_upsample_bilinear2d_aa([side, side], false, None::<f64>, None::<f64>)?;
            sum = sum.f_add(&scaled)?;
        }
        Ok(sum.f_div_scalar(own.len().max(1) as f64)?)
    });
    let means = Tensor::f_cat(&means.collect::<Result<Vec<_>, VisionError>>()?, 0)?.f_to_device(open.network.device)?;
    let raised = Ascent { open, ready, side }.run(&means, settings.schedule, ctx)?;
    let values = |images: &Tensor| -> Result<Vec<f32>, VisionError> {
        let pixels = open.normalised(&images.f_div_scalar(255.0)?)?;
        let map = ready.map(&open.network, &open.network.activation(&pixels, ready.node)?, &pixels)?;
        let values = ready.values(&map)?.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?;
        Ok(Vec::<f32>::try_from(values)?)
    };
    let (before, after) = (values(&means)?, values(&raised)?);
    let facet = |(cluster, own): (usize, &Vec<usize>)| {
        let image = |images: &Tensor| to_picture(&images.f_get(cluster as i64)?.f_div_scalar(255.0)?);
        Ok(Facet {
            size: found.clusters.iter().filter(|other| **other == cluster).count(),
            exemplars: own.iter().map(|at| found.pictures[*at]).collect(),
            exemplar_value: own.iter().map(|at| found.values[*at]).sum::<f32>() / own.len().max(1) as f32,
            mean: image(&means)?,
            start: before[cluster],
            image: image(&raised)?,
            value: after[cluster],
            percentile: percentile(all, after[cluster]),
        })
    };
    typical.iter().enumerate().map(facet).collect()
}
