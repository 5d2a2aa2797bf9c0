//! What the same units do on real pictures.

use golgi_data::context::RunContext;
use golgi_data::images::{ImageSet, ReadReport};
use golgi_probes::Tensor;
use golgi_probes::vision::OpenVision;
use tch::Kind;

use super::target::Target;
use crate::error::VisionError;

/// Pictures that are shown to the network at once.
const BATCH: usize = 16;

/// The values of a target on real pictures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Real {
    /// The pictures that could be read: indices into the set.
    pub pictures: Vec<usize>,
    /// For each row of the target, the value on each picture.
    pub values: Vec<Vec<f32>>,
    /// What could be read.
    pub report: ReadReport,
}

impl Real {
    /// The index into the set of the picture that gives a row its largest value.
    pub fn best(&self, row: usize) -> Option<usize> {
        let values = self.values.get(row)?;
        let at = (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]))?;
        Some(self.pictures[at])
    }
}

/// The share of `values` that lie below `value`, in percent.
pub fn percentile(values: &[f32], value: f32) -> f64 {
    100.0 * values.iter().filter(|one| **one < value).count() as f64 / values.len().max(1) as f64
}

/// Shows at most `limit` pictures of `set` to the network, as its record says.
///
/// # Errors
/// If the target does not fit the network, no picture can be read, or the work is cancelled.
pub fn real_values(
    open: &OpenVision,
    target: &Target,
    set: &ImageSet,
    limit: usize,
    ctx: &RunContext,
) -> Result<Real, VisionError> {
    let ready = target.ready(&open.network)?;
    let wanted: Vec<usize> = (0..set.len().min(limit)).collect();
    ctx.stage("showing real pictures", wanted.len() as u64);
    let mut real = Real { values: vec![Vec::with_capacity(wanted.len()); target.names.len()], ..Real::default() };
    let preprocess = open.preprocess;
    let mut batches = set.read_batches(&wanted, BATCH, ctx, |loaded| preprocess.apply(&loaded.picture));
    while let Some(batch) = batches.next().transpose()? {
        let pixels = batch.iter().map(|(_, values)| open.tensor(values)).collect::<Result<Vec<_>, _>>()?;
        let pixels = Tensor::f_cat(&pixels, 0)?;
        let map = ready.map(&open.network, &open.network.activation(&pixels, ready.node)?, &pixels)?;
        let values = tch::no_grad(|| ready.anywhere(&map))?;
        let values = values.f_transpose(0, 1)?.f_contiguous()?.f_to_kind(Kind::Float)?.f_view([-1])?;
        let values = Vec::<f32>::try_from(values.f_to_device(tch::Device::Cpu)?)?;
        real.values.iter_mut().zip(values.chunks(batch.len())).for_each(|(row, new)| row.extend_from_slice(new));
        real.pictures.extend(batch.iter().map(|(index, _)| *index));
        ctx.advance(batch.len() as u64);
    }
    real.report = batches.report().clone();
    if real.report.bad > 0 {
        ctx.warn(real.report.to_string());
    }
    Ok(real)
}
