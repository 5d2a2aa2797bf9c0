//! The tap that puts activations where they go in a shard.

use golgi_data::context::RunContext;
use golgi_data::site::Site;
use golgi_data::store::{Column, StoreDtype, StorePlan};
use golgi_probes::{Device, Kind, ProbeError, Tap, Tensor};
use tch::kind::Element;

/// Fills the columns of one shard, batch by batch.
pub(super) struct Gather<'a> {
    sites: &'a [Site],
    ctx: &'a RunContext,
    columns: Vec<Column>,
    /// The first row of the batch that is under way.
    row: usize,
    rows_of_batch: usize,
}

impl<'a> Gather<'a> {
    /// Columns for `rows` rows of a shard.
    pub(super) fn new(plan: &StorePlan, sites: &'a [Site], rows: usize, ctx: &'a RunContext) -> Gather<'a> {
        let column = |width: u32| match plan.manifest().dtype {
            StoreDtype::F32 => Column::F32(vec![0.0; rows * width as usize]),
            StoreDtype::F16 => Column::F16(vec![half::f16::ZERO; rows * width as usize]),
        };
        let columns = plan.manifest().sites.iter().map(|site| column(site.width)).collect();
        Gather { sites, ctx, columns, row: 0, rows_of_batch: 0 }
    }

    /// What comes now belongs to the next `rows` rows.
    pub(super) fn begin_batch(&mut self, rows: usize) {
        self.row += self.rows_of_batch;
        self.rows_of_batch = rows;
    }

    /// The filled columns.
    pub(super) fn into_columns(self) -> Vec<Column> {
        self.columns
    }
}

impl Tap for Gather<'_> {
    fn wants(&self, site: &Site) -> bool {
        self.sites.contains(site)
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> Result<Tensor, ProbeError> {
        self.ctx.check()?;
        let Some(index) = self.sites.iter().position(|wanted| wanted == site) else { return Ok(activation) };
        let (row, rows) = (self.row, self.rows_of_batch);
        match &mut self.columns[index] {
            Column::F32(values) => copy(&activation, Kind::Float, values, row, rows)?,
            Column::F16(values) => copy(&activation, Kind::Half, values, row, rows)?,
        }
        Ok(activation)
    }
}

/// Copies an activation `[batch, pos, …]` to its rows.
fn copy<T: Element>(from: &Tensor, kind: Kind, to: &mut [T], row: usize, rows: usize) -> Result<(), ProbeError> {
    let width = from.numel() / rows.max(1);
    let from = from.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(kind)?.f_contiguous()?;
    let place = to.get_mut(row * width..(row + rows) * width);
    let place = place.ok_or_else(|| ProbeError::Trace("a batch has more positions than its plan".to_owned()))?;
    Ok(from.f_copy_data(place, place.len())?)
}
