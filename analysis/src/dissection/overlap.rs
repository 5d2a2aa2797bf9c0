//! Counting where units and concepts agree.

use golgi_probes::Tensor;
use tch::{Device, Kind, TchError};

/// Sums over pictures, in f64: counts of pixels are exact.
pub(super) struct Overlap {
    /// |M_i ∩ L_c|, `[units, concepts]`.
    both: Tensor,
    /// |M_i ∪ L_c| over the pictures that are annotated in c's category, `[units, concepts]`.
    either: Tensor,
}

impl Overlap {
    pub fn new(units: usize, concepts: usize) -> Result<Overlap, TchError> {
        let zeros = || Tensor::f_zeros([units as i64, concepts as i64], (Kind::Double, Device::Cpu));
        Ok(Overlap { both: zeros()?, either: zeros()? })
    }

    /// Adds a picture: `fires` `[units, pixels]` and `labelled` `[concepts, pixels]` of 0 and 1; `annotated` `[concepts]`, 1 for concepts of categories
    /// that the picture is annotated in.
    pub fn add(&mut self, fires: &Tensor, labelled: &Tensor, annotated: &Tensor) -> Result<(), TchError> {
        let both = fires.f_matmul(&labelled.f_transpose(0, 1)?)?.f_to_kind(Kind::Double)?;
        let areas = |masks: &Tensor| masks.f_sum_dim_intlist(1i64, false, Kind::Double);
        let either = areas(fires)?.f_unsqueeze(1)?.f_add(&areas(labelled)?.f_unsqueeze(0)?)?.f_sub(&both)?;
        self.both = self.both.f_add(&both.f_mul(annotated)?)?;
        self.either = self.either.f_add(&either.f_mul(annotated)?)?;
        Ok(())
    }

    /// |M_i ∩ L_c| / |M_i ∪ L_c|, `[units · concepts]`; 0 where nothing is.
    pub fn iou(&self) -> Result<Vec<f64>, TchError> {
        let iou = self.both.f_div(&self.either.f_clamp_min(1.0)?)?.f_contiguous()?.f_view([-1])?;
        Vec::<f64>::try_from(iou)
    }
}
