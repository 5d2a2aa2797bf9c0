//! From pictures with label maps to names.

use golgi_data::context::RunContext;
use golgi_data::images::{ImageSet, Loaded};
use golgi_data::site::Site;
use golgi_probes::Tensor;
use golgi_probes::vision::OpenVision;
use serde::{Deserialize, Serialize};
use tch::Kind;

use super::concepts::{Concept, Concepts};
use super::overlap::Overlap;
use crate::error::VisionError;

/// Pictures that are shown to the network at once.
const BATCH: usize = 8;
/// Activations of a unit that its quantiles are taken from, at most; of more, every n-th is.
const MOST_VALUES: usize = 200_000;
/// Added to each count of MILAN's p(c | E).
const KAPPA: f64 = 1.0;
/// Weight of the frequency of a concept in MILAN's score.
const LAMBDA: f64 = 0.2;

/// How units are named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DissectionSettings {
    /// Pictures at most.
    pub limit: usize,
    /// A unit fires where it is above this quantile of its values: P(a > T) = 1 − quantile.
    pub quantile: f64,
    /// The side to which maps and labels are brought, in pixels.
    pub side: u32,
    /// Below this overlap a unit has no name.
    pub least: f64,
    /// Pictures with the largest values that MILAN looks at.
    pub exemplars: usize,
    /// The quantile above which a unit fires for MILAN.
    pub exemplar_quantile: f64,
}

impl Default for DissectionSettings {
    fn default() -> DissectionSettings {
        DissectionSettings {
            limit: 1000,
            quantile: 0.995,
            side: 112,
            least: 0.04,
            exemplars: 15,
            exemplar_quantile: 0.99,
        }
    }
}

impl DissectionSettings {
    fn check(&self) -> Result<(), VisionError> {
        let share = |value: f64| (0.5..1.0).contains(&value);
        if !(share(self.quantile) && share(self.exemplar_quantile) && (0.0..1.0).contains(&self.least)) {
            return Err(VisionError::Settings("quantiles lie between 0.5 and 1, overlaps between 0 and 1".to_owned()));
        }
        if !(7..=512).contains(&self.side) || self.exemplars == 0 || self.limit == 0 {
            let text = "label maps of 7 to 512 pixels, at least one picture and one exemplar are needed";
            return Err(VisionError::Settings(text.to_owned()));
        }
        Ok(())
    }
}

/// What one unit covers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    /// Its number.
    pub unit: u32,
    /// The concept that it overlaps most.
    pub concept: Concept,
    /// That overlap, Σ|M ∩ L| / Σ|M ∪ L|.
    pub iou: f64,
    /// The largest overlap with label maps that are shifted by half a picture.
    pub null_iou: f64,
    /// Whether the overlap is large enough for a name, and larger than the null.
    pub interpretable: bool,
    /// MILAN's choice among the same concepts: the largest log p(c | E) − 0.2 log p(c).
    pub milan: Concept,
    /// That score.
    pub milan_score: f64,
    /// The activation above which the unit fires.
    pub threshold: f32,
    /// The pictures with its largest values: indices into the set.
    pub exemplars: Vec<usize>,
}

/// The names of a site's units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dissection {
    /// The site.
    pub site: Site,
    /// Its units, in order.
    pub units: Vec<Named>,
    /// The concepts, and the share of pixels that each has.
    pub concepts: Vec<(Concept, f64)>,
    /// Pictures that counted.
    pub pictures: usize,
}

impl Dissection {
    /// How many units have a name.
    pub fn interpretable(&self) -> usize {
        self.units.iter().filter(|unit| unit.interpretable).count()
    }
}

/// Names the units of `site` by the label maps of `set`.
///
/// # Errors
/// If there is no such site, the pictures have no label maps or a map does not fit its picture, the settings are impossible, or the work is cancelled.
pub fn dissect(
    open: &OpenVision,
    site: &Site,
    set: &ImageSet,
    settings: &DissectionSettings,
    ctx: &RunContext,
) -> Result<Dissection, VisionError> {
    settings.check()?;
    let node = open.network.find(site)?;
    let concepts = Concepts::of(set)?;
    let masked = (0..set.len()).filter(|index| set.entries()[*index].mask.is_some());
    let pictures: Vec<usize> = masked.take(settings.limit).collect();
    let first = Thresholds::of(open, node, set, &pictures, settings, ctx)?;
    let units = open.network.nodes[node].extent.channels();
    let mut sums = Sums {
        real: Overlap::new(units, concepts.all.len())?,
        null: Overlap::new(units, concepts.all.len())?,
        exemplars: Tensor::f_zeros([units as i64, concepts.all.len() as i64], (Kind::Double, tch::Device::Cpu))?,
        pixels: vec![0.0; concepts.all.len()],
        total: 0.0,
    };
    second_pass(open, node, (set, &pictures, &concepts), &first, settings, &mut sums, ctx)?;
    sums.named(site, &concepts, first, pictures.len(), settings)
}

/// What the first pass over the pictures gives.
struct Thresholds {
    /// For dissection and for MILAN, by unit.
    values: [Vec<f32>; 2],
    /// The pictures with the largest values of each unit.
    exemplars: Vec<Vec<usize>>,
}

impl Thresholds {
    fn of(
        open: &OpenVision,
        node: usize,
        set: &ImageSet,
        pictures: &[usize],
        settings: &DissectionSettings,
        ctx: &RunContext,
    ) -> Result<Thresholds, VisionError> {
        ctx.stage("finding thresholds", pictures.len() as u64);
        let units = open.network.nodes[node].extent.channels();
        let (mut values, mut largest) = (vec![Vec::<f32>::new(); units], vec![Vec::<(f32, usize)>::new(); units]);
        let preprocess = open.preprocess;
        let mut batches = set.read_batches(pictures, BATCH, ctx, |loaded| preprocess.apply(&loaded.picture));
        while let Some(batch) = batches.next().transpose()? {
            let (inputs, indices): (Vec<_>, Vec<_>) = batch.into_iter().map(|(index, input)| (input, index)).unzip();
            let maps = maps(open, node, &inputs)?;
            let positions = maps.size()[2] as usize * maps.size()[3] as usize;
            let stride = (pictures.len() * positions).div_ceil(MOST_VALUES).max(1);
            let flat = Vec::<f32>::try_from(maps.f_contiguous()?.f_view([-1])?)?;
            for (at, map) in flat.chunks(positions).enumerate() {
                let (picture, unit) = (indices[at / units], at % units);
                values[unit].extend(map.iter().step_by(stride));
                let most = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                largest[unit].push((most, picture));
            }
            ctx.advance(indices.len() as u64);
        }
        if batches.report().bad > 0 {
            ctx.warn(batches.report().to_string());
        }
        let quantile = |sorted: &[f32], share: f64| {
            let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
            sorted.get(at).copied().unwrap_or(f32::INFINITY)
        };
        let mut found = Thresholds { values: [Vec::new(), Vec::new()], exemplars: Vec::new() };
        for (mut values, mut largest) in values.into_iter().zip(largest) {
            values.sort_unstable_by(f32::total_cmp);
            found.values[0].push(quantile(&values, settings.quantile));
            found.values[1].push(quantile(&values, settings.exemplar_quantile));
            largest.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            largest.truncate(settings.exemplars);
            found.exemplars.push(largest.into_iter().map(|(_, picture)| picture).collect());
        }
        Ok(found)
    }
}

/// The maps of a batch, `[n, units, rows, columns]`, as f32 on the processor.
fn maps(open: &OpenVision, node: usize, inputs: &[Vec<f32>]) -> Result<Tensor, VisionError> {
    let pixels = inputs.iter().map(|values| open.tensor(values)).collect::<Result<Vec<_>, _>>()?;
    let pixels = Tensor::f_cat(&pixels, 0)?;
    let size = (pixels.size()[2], pixels.size()[3]);
    let maps = open.network.as_map(node, &open.network.activation(&pixels, node)?, size)?;
    Ok(maps.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?)
}

/// What the second pass adds up.
struct Sums {
    real: Overlap,
    null: Overlap,
    /// Pixels of each concept inside the exemplars' masks, `[units, concepts]`.
    exemplars: Tensor,
    /// Pixels of each concept.
    pixels: Vec<f64>,
    /// All pixels.
    total: f64,
}

fn second_pass(
    open: &OpenVision,
    node: usize,
    (set, pictures, concepts): (&ImageSet, &[usize], &Concepts),
    first: &Thresholds,
    settings: &DissectionSettings,
    sums: &mut Sums,
    ctx: &RunContext,
) -> Result<(), VisionError> {
    ctx.stage("comparing units with concepts", pictures.len() as u64);
    let (side, preprocess) = (settings.side as usize, open.preprocess);
    let column = |values: &[f32]| Tensor::f_from_slice(values)?.f_unsqueeze(1);
    let [above, above_for_milan] = [column(&first.values[0])?, column(&first.values[1])?];
    let count = concepts.all.len();
    let each = |loaded: Loaded| {
        let path = set.entries()[loaded.index].mask.clone().unwrap_or_default();
        let masks = concepts.masks(&path, &loaded.picture, &preprocess, side);
        masks.map(|masks| (preprocess.apply(&loaded.picture), masks))
    };
    for batch in set.read_batches(pictures, BATCH, ctx, each) {
        let batch =
            batch?.into_iter().map(|(index, read)| Ok((index, read?))).collect::<Result<Vec<_>, VisionError>>()?;
        let (inputs, rest): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|(index, (input, masks))| (input, (index, masks))).unzip();
        let maps = maps(open, node, &inputs)?;
        let size = [side as i64, side as i64];
        let maps = maps.f_upsample_bilinear2d(size, false, None::<f64>, None::<f64>)?.f_flatten(2, -1)?;
        for (at, (index, masks)) in rest.into_iter().enumerate() {
            let map = maps.f_get(at as i64)?;
            let labelled = Tensor::f_from_slice(&masks)?.f_view([count as i64, (side * side) as i64])?;
            let areas: Vec<f64> =
                masks.chunks(side * side).map(|mask| mask.iter().map(|v| f64::from(*v)).sum()).collect();
            let annotated = annotated(concepts, &areas)?;
            let fires = map.f_gt_tensor(&above)?.f_to_kind(Kind::Float)?;
            sums.real.add(&fires, &labelled, &annotated)?;
            let square = labelled.f_view([count as i64, size[0], size[1]])?;
            let shifted = square.f_roll([size[0] / 2, size[1] / 2], [1i64, 2])?.f_flatten(1, -1)?;
            sums.null.add(&fires, &shifted, &annotated)?;
            let of: Vec<f32> = first.exemplars.iter().map(|own| if own.contains(&index) { 1.0 } else { 0.0 }).collect();
            let seen = map.f_gt_tensor(&above_for_milan)?.f_to_kind(Kind::Float)?.f_mul(&column(&of)?)?;
            let within = seen.f_matmul(&labelled.f_transpose(0, 1)?)?.f_to_kind(Kind::Double)?;
            sums.exemplars = sums.exemplars.f_add(&within)?;
            sums.pixels.iter_mut().zip(&areas).for_each(|(sum, area)| *sum += area);
            sums.total += (side * side) as f64;
        }
        ctx.advance(inputs.len() as u64);
    }
    Ok(())
}

/// 1 for the concepts of categories of which a picture has any, `[concepts]`.
fn annotated(concepts: &Concepts, areas: &[f64]) -> Result<Tensor, VisionError> {
    let is = |concept: &Concept| {
        concepts.all.iter().zip(areas).any(|(other, area)| other.category == concept.category && *area > 0.0)
    };
    let flags: Vec<f64> = concepts.all.iter().map(|concept| f64::from(u8::from(is(concept)))).collect();
    Ok(Tensor::f_from_slice(&flags)?)
}

impl Sums {
    fn named(
        self,
        site: &Site,
        concepts: &Concepts,
        first: Thresholds,
        pictures: usize,
        settings: &DissectionSettings,
    ) -> Result<Dissection, VisionError> {
        let (real, null) = (self.real.iou()?, self.null.iou()?);
        let within = Vec::<f64>::try_from(self.exemplars.f_contiguous()?.f_view([-1])?)?;
        let count = concepts.all.len();
        let best = |values: &[f64]| {
            let at = (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0);
            (at, values[at])
        };
        let units = (0..first.exemplars.len()).map(|unit| {
            let row = unit * count..(unit + 1) * count;
            let ((concept, iou), (_, null_iou)) = (best(&real[row.clone()]), best(&null[row.clone()]));
            let seen = &within[row];
            let all: f64 = seen.iter().sum::<f64>() + KAPPA * count as f64;
            let scores: Vec<f64> = seen
                .iter()
                .zip(&self.pixels)
                // A concept that no pixel has names nothing.
                .map(|(seen, pixels)| match *pixels > 0.0 {
                    true => ((seen + KAPPA) / all).ln() - LAMBDA * (pixels / self.total).ln(),
                    false => f64::NEG_INFINITY,
                })
                .collect();
            let (milan, milan_score) = best(&scores);
            Named {
                unit: unit as u32,
                concept: concepts.all[concept].clone(),
                iou,
                null_iou,
                interpretable: iou > settings.least && iou > null_iou,
                milan: concepts.all[milan].clone(),
                milan_score,
                threshold: first.values[0][unit],
                exemplars: first.exemplars[unit].clone(),
            }
        });
        let shares = concepts.all.iter().cloned().zip(self.pixels.iter().map(|pixels| pixels / self.total.max(1.0)));
        Ok(Dissection { site: site.clone(), units: units.collect(), concepts: shares.collect(), pictures })
    }
}
