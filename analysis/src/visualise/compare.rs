//! What the same units do on real pictures.

use golgi_data::context::RunContext;
use golgi_data::images::ImageSet;
use golgi_probes::Tensor;
use golgi_probes::vision::OpenVision;
use serde::Serialize;
use tch::Kind;

use super::target::{Target, VisualiseError};

/// Pictures that are shown to the network at once.
const BATCH: usize = 16;

/// The values of a target on real pictures.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Real {
    /// What the pictures are called, in the set's order; those that could not be read are left out.
    pub pictures: Vec<String>,
    /// For each row of the target, the value on each picture.
    pub values: Vec<Vec<f32>>,
    /// How many pictures could not be read.
    pub unread: u64,
}

impl Real {
    /// The largest value of a row, and the picture that gives it.
    pub fn best(&self, row: usize) -> Option<(&str, f32)> {
        let values = self.values.get(row)?;
        let at = (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]))?;
        Some((self.pictures[at].as_str(), values[at]))
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
) -> Result<Real, VisualiseError> {
    let ready = target.ready(&open.network)?;
    let count = set.len().min(limit);
    ctx.stage("showing real pictures", count as u64);
    let mut real = Real { values: vec![Vec::with_capacity(count); target.names.len()], ..Real::default() };
    for first in (0..count).step_by(BATCH) {
        ctx.check()?;
        let (mut pixels, mut n) = (Vec::new(), 0);
        for index in first..(first + BATCH).min(count) {
            match set.load(index) {
                Ok(loaded) => {
                    pixels.push(open.pixels(&loaded.picture)?);
                    real.pictures.push(set.entries()[index].id.clone());
                    n += 1;
                }
                Err(error) => {
                    real.unread += 1;
                    ctx.warn(error.to_string());
                }
            }
        }
        if n > 0 {
            let record = open.network.record(&Tensor::f_cat(&pixels, 0)?, ready.node)?;
            let values = tch::no_grad(|| ready.anywhere(record.target()?).map_err(VisualiseError::from))?;
            let values = values.f_transpose(0, 1)?.f_contiguous()?.f_to_kind(Kind::Float)?.f_view([-1])?;
            let values = Vec::<f32>::try_from(values.f_to_device(tch::Device::Cpu)?)?;
            real.values.iter_mut().zip(values.chunks(n)).for_each(|(row, new)| row.extend_from_slice(new));
        }
        ctx.advance(BATCH as u64);
    }
    if real.pictures.is_empty() {
        return Err(VisualiseError::Settings(format!("no picture of {} could be read", set.name())));
    }
    Ok(real)
}
