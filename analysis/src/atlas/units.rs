//! All units of a model and its dictionaries, in blocks.

use std::sync::Arc;

use golgi_data::atlas::{UnitGroup, UnitKind};
use golgi_data::site::Site;
use golgi_probes::layers::Activation;
use golgi_probes::{Kind, OpenModel, Tensor};
use golgi_sae::Coder;
use rayon::prelude::*;

use super::batch::{Batch, Counts};
use super::block::{Block, POOLED, pooled_quantile};
use super::channel::Channel;
use super::examples::BAND_EDGES;
use super::lanes::{ABSOLUTE, LANES, Row, SIGNED};
use super::plan::Plan;
use super::subject::Subject;
use super::weights::has_vectors;
use super::{BuildError, BuildOptions};
use crate::direct::plain;
use crate::distribution::floats;
use crate::error::Result;

/// The share of a layer's values that count as inactive where activity has no natural bound.
const INACTIVE: f64 = 0.95;

/// Units of one kind and layer.
#[derive(Debug)]
pub(super) struct Group {
    pub about: UnitGroup,
    /// The site of its units.
    pub site: Site,
    /// The site of the model from which they are read.
    pub read_at: Site,
    /// Of latents.
    coder: Option<Arc<Coder>>,
    pub blocks: Vec<Block>,
    /// What a value's magnitude is multiplied by before it is compared with the layer's bound; `None` where 0 is the bound.
    scale: Option<Vec<f32>>,
    /// Magnitudes seen while calibrating.
    pooled: Vec<u32>,
}

/// Whether the model's MLPs have gates.
pub(super) fn is_gated(model: &OpenModel) -> bool {
    model.model.blocks.iter().any(|block| block.mlp.pre_linear.is_some())
}

/// How many blocks hold the units of `groups`.
pub(super) fn count_blocks(groups: &[UnitGroup]) -> usize {
    groups.iter().map(|group| (group.count as usize).div_ceil(LANES)).sum()
}

/// Columns of an activation, one per unit: `[batch, pos, units]` in f32 in main memory, contiguous. A head's value is the length of its
/// vector, a latent's what the dictionary makes of the whole row.
pub(crate) fn columns(kind: UnitKind, coder: Option<&Coder>, activation: &Tensor) -> Result<Tensor> {
    let values = match (kind, coder) {
        (UnitKind::Latent, Some(coder)) => return encoded(coder, activation),
        (UnitKind::Head, _) => activation.f_to_kind(Kind::Float)?.f_norm_scalaropt_dim(2.0, -1, false)?,
        _ => activation.shallow_clone(),
    };
    Ok(plain(&values)?.f_contiguous()?)
}

/// The latents of an activation `[batch, pos, …]`, dense, `[batch, pos, latents]`.
fn encoded(coder: &Coder, activation: &Tensor) -> Result<Tensor> {
    let rows = plain(activation)?.f_contiguous()?;
    let rows = numbers(&rows);
    let codes = coder.encode(rows)?;
    let config = &coder.dictionary().config;
    let (latents, width, domain) = (config.latents as usize, config.d_in(), config.domain());
    let mut dense = vec![0f32; codes.len() * latents];
    dense.par_chunks_mut(latents).enumerate().for_each(|(row, dense)| {
        // First positions are in no statistics; of massive activations the dictionary has nothing to say.
        if !domain.covers(false, &rows[row * width..(row + 1) * width]) {
            return;
        }
        let (active, values) = codes.row(row);
        active.iter().zip(values).for_each(|(latent, value)| dense[*latent as usize] = *value);
    });
    let size = activation.size();
    Ok(Tensor::f_from_slice(&dense)?.f_view([size[0], size[1], latents as i64])?)
}

/// The numbers of a tensor from [`columns`].
pub(super) fn numbers(columns: &Tensor) -> &[f32] {
    debug_assert!(columns.is_contiguous() && columns.kind() == Kind::Float);
    // SAFETY: `columns` made it contiguous f32 in main memory; the slice borrows the tensor, so the memory stays, and a forward
    // pass never writes into a tensor that it has handed out.
    unsafe { std::slice::from_raw_parts(columns.data_ptr().cast::<f32>(), columns.numel()) }
}

impl Group {
    fn new(subject: &Subject, about: UnitGroup, plan: &Plan, options: &BuildOptions) -> Result<Group> {
        let site: Site = about.site.parse().map_err(|_| BuildError::NoUnits)?;
        let (read_at, coder) = match &site {
            Site::Latents(read) => (read.as_ref().clone(), subject.latents_at(read).map(|own| Arc::clone(&own.coder))),
            own => (own.clone(), None),
        };
        let scale = match about.kind {
            // What a dictionary makes is 0 where it is not active.
            UnitKind::Latent => None,
            UnitKind::Neuron => {
                let mlp = subject.model.model.mlp(about.layer);
                match mlp.pre_linear {
                    None => None,
                    Some(_) => Some(floats(&plain(&mlp.down.weight)?.f_norm_scalaropt_dim(2.0, 0, false)?)?),
                }
            }
            UnitKind::Head | UnitKind::Residual => Some(vec![1.0; about.count as usize]),
        };
        let magnitude = if scale.is_some() { ABSOLUTE } else { SIGNED };
        let (count, triggers) = (about.count as usize, has_vectors(about.kind));
        let blocks = (0..count)
            .step_by(LANES)
            .map(|first| Block::new(plan, options.bins, (first, LANES.min(count - first)), magnitude, triggers));
        Ok(Group { blocks: blocks.collect(), site, read_at, coder, about, scale, pooled: Vec::new() })
    }

    /// Adds a batch; returns whether all activations are numbers.
    pub fn add(&mut self, activation: &Tensor, batch: &Batch, before: &Counts, plan: &Plan) -> Result<bool> {
        let columns = columns(self.about.kind, self.coder.as_deref(), activation)?;
        let (values, width) = (numbers(&columns), self.about.count as usize);
        let finite = self
            .blocks
            .par_iter_mut()
            .map_init(Vec::<Row>::new, |rows, block| block.add(values, width, rows, batch, before, &plan.common));
        // Not `all`, which would leave blocks out once one has failed.
        Ok(finite.reduce(|| true, |a, b| a & b))
    }

    /// The same with values that did not come from the model.
    pub fn fill(&mut self, values: &Tensor, batch: &Batch, before: &Counts, plan: &Plan) {
        let (values, width) = (numbers(values), self.about.count as usize);
        let mut rows = Vec::new();
        for block in &mut self.blocks {
            block.add(values, width, &mut rows, batch, before, &plan.common);
        }
    }

    /// How many examples its units have.
    pub fn examples(&self) -> usize {
        let of = |block: &Block| {
            (0..block.used).flat_map(|lane| block.examples.of(lane)).map(|(_, p)| p.len()).sum::<usize>()
        };
        self.blocks.iter().map(of).sum()
    }

    /// Adds a batch to what thresholds and bands are found from.
    pub fn calibrate(&mut self, activation: &Tensor, len: usize) -> Result<()> {
        let columns = columns(self.about.kind, self.coder.as_deref(), activation)?;
        let (values, width) = (numbers(&columns), self.about.count as usize);
        let ones = vec![1.0; width];
        let scale = self.scale.as_deref().unwrap_or(&ones);
        let fresh = || (Vec::<Row>::new(), vec![0u32; POOLED]);
        let counted = self.blocks.par_iter_mut().fold(fresh, |(mut rows, mut pooled), block| {
            block.calibrate(values, width, &mut rows, len, scale, &mut pooled);
            (rows, pooled)
        });
        let sum = |mut a: Vec<u32>, b: Vec<u32>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        let before = std::mem::replace(&mut self.pooled, vec![0; POOLED]);
        self.pooled = counted.map(|(_, pooled)| pooled).reduce(|| vec![0; POOLED], sum);
        self.pooled.iter_mut().zip(before).for_each(|(count, before)| *count += before);
        Ok(())
    }

    /// Fixes thresholds and bands, and forgets what they were found from.
    fn settle(&mut self, options: &BuildOptions) {
        let bound = pooled_quantile(&self.pooled, INACTIVE);
        for block in &mut self.blocks {
            for lane in 0..block.used {
                if let Some(scale) = &self.scale {
                    let scale = scale[block.first + lane];
                    // What writes nothing is never active.
                    block.threshold[lane] = if scale > 0.0 { bound / scale } else { f32::INFINITY };
                }
                let mut counts = block.sketch.counts(lane).to_vec();
                if self.about.kind == UnitKind::Latent {
                    // Most tokens are 0; bands of all tokens would be empty but for one.
                    counts[..=options.bins.index(0.0)].fill(0);
                }
                let counts = counts.as_slice();
                let edge = |q: f64| options.bins.quantile(counts, q, f32::NEG_INFINITY, f32::INFINITY).unwrap_or(0.0);
                block.examples.set_edges(lane, BAND_EDGES.map(edge));
            }
            block.sketch.clear();
        }
        self.pooled = Vec::new();
    }
}

/// Every unit of a model with what is known of it.
#[derive(Debug)]
pub(super) struct Units {
    pub groups: Vec<Group>,
}

impl Units {
    pub fn new(subject: &Subject, plan: &Plan, options: &BuildOptions) -> Result<Units> {
        let groups = subject.groups(options).into_iter().map(|about| Group::new(subject, about, plan, options));
        Ok(Units { groups: groups.collect::<Result<_>>()? })
    }

    /// The units of the last layer and all latents, which are no more in the layers before.
    pub fn some(subject: &Subject, plan: &Plan, options: &BuildOptions) -> Result<Units> {
        let last = subject.model.model.blocks.len() as u32 - 1;
        let wanted = |about: &UnitGroup| about.layer == last || about.kind == UnitKind::Latent;
        let groups = subject.groups(options).into_iter().filter(wanted);
        let groups = groups.map(|about| Group::new(subject, about, plan, options));
        Ok(Units { groups: groups.collect::<Result<_>>()? })
    }

    /// Ends the calibration.
    pub fn settle(&mut self, options: &BuildOptions) {
        self.groups.par_iter_mut().for_each(|group| group.settle(options));
    }

    pub fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        self.groups.iter_mut().flat_map(|group| &mut group.blocks).try_for_each(|block| block.transfer(channel))
    }
}

/// In words, when a unit counts as active.
pub(super) fn active_rule(subject: &Subject) -> String {
    let model = subject.model;
    let neurons = if is_gated(model) {
        "neurons (adapted to gated MLPs): |z|·‖w_out‖ above the 95th percentile of this product over the layer's neurons and the calibration tokens".to_owned()
    } else {
        let name = model.model.blocks.first().map_or(Activation::Relu, |block| block.mlp.activation).name();
        format!("neurons: {name} output > 0")
    };
    let latents = match subject.dictionaries.as_slice() {
        [] => "",
        _ => "; latents: above 0, and their bands are quantiles of the tokens where they are active",
    };
    format!(
        "{neurons}; heads and residual dimensions: |x| above the 95th percentile of the layer over the calibration tokens{latents}"
    )
}
