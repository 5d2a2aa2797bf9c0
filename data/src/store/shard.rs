//! One shard, mapped.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, UInt16Type, UInt32Type};
use arrow_array::{ArrowPrimitiveType, RecordBatch};
use half::slice::HalfFloatSliceExt;

use super::error::failed;
use super::{Manifest, StoreDtype, StoreError, layout, shard_name};

/// One shard of a store. Columns are slices of the mapped file.
#[derive(Debug, Clone)]
pub struct Shard {
    batch: RecordBatch,
    dtype: StoreDtype,
    widths: Vec<usize>,
}

impl Shard {
    pub(super) fn open(folder: &Path, manifest: &Manifest, index: usize) -> Result<Shard, StoreError> {
        let planned = &manifest.shards[index];
        let path = folder.join(shard_name(index));
        let map = layout::map(&path).map_err(failed("read", &path))?;
        let damaged = || StoreError::Damaged { path: folder.to_path_buf(), files: vec![shard_name(index)] };
        if map.len() as u64 != planned.bytes {
            return Err(damaged());
        }
        #[cfg(unix)]
        // Read ahead; where the system does not take the hint the pages come one by one.
        let _ = map.advise(memmap2::Advice::WillNeed);
        let batch =
            layout::read_batch(Arc::new(map), &layout::schema(manifest), planned.rows).map_err(|_| damaged())?;
        let widths = manifest.sites.iter().map(|site| site.width as usize).collect();
        Ok(Shard { batch, dtype: manifest.dtype, widths })
    }

    /// Token positions.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The table, for Arrow's own tools.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The context of each row.
    pub fn contexts(&self) -> &[u32] {
        self.fixed::<UInt32Type>(0)
    }

    /// The position of each row in its context, BOS included.
    pub fn positions(&self) -> &[u16] {
        self.fixed::<UInt16Type>(1)
    }

    /// The token of each row.
    pub fn tokens(&self) -> &[u32] {
        self.fixed::<UInt32Type>(2)
    }

    fn fixed<T: ArrowPrimitiveType>(&self, column: usize) -> &[T::Native] {
        // The schema was checked when the shard was opened.
        self.batch.column(column).as_primitive::<T>().values()
    }

    /// The activations of the site with this index, `[rows, width]`, row after row; f16 is widened. `None` if the store has
    /// no such site.
    pub fn values(&self, site: usize) -> Option<Cow<'_, [f32]>> {
        let list = self.batch.columns().get(3 + site)?.as_fixed_size_list();
        Some(match self.dtype {
            StoreDtype::F32 => Cow::Borrowed(list.values().as_primitive::<Float32Type>().values()),
            StoreDtype::F16 => Cow::Owned(list.values().as_primitive::<Float16Type>().values().to_f32_vec()),
        })
    }

    /// Appends some rows of a site to `to`, widened where they are f16.
    pub(super) fn append(&self, site: usize, rows: std::ops::Range<usize>, to: &mut Vec<f32>) {
        let width = self.widths[site];
        let range = rows.start * width..rows.end * width;
        let list = self.batch.column(3 + site).as_fixed_size_list();
        match self.dtype {
            StoreDtype::F32 => to.extend_from_slice(&list.values().as_primitive::<Float32Type>().values()[range]),
            StoreDtype::F16 => {
                let values = &list.values().as_primitive::<Float16Type>().values()[range];
                let start = to.len();
                to.resize(start + values.len(), 0.0);
                values.convert_to_f32_slice(&mut to[start..]);
            }
        }
    }
}
