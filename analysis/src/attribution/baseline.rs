//! Pictures that stand for nothing.

use golgi_probes::Tensor;
use golgi_probes::vision::OpenVision;
use serde::{Deserialize, Serialize};
use tch::Kind;

use crate::error::VisionError;

/// What a picture is compared with by integrated gradients. Each makes something else count as nothing, so that all are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// A black picture: dark parts count for nothing.
    Black,
    /// The picture's mean colour everywhere.
    Mean,
    /// The picture, blurred with a deviation of a sixteenth of its side: only detail counts.
    Blurred,
}

impl Baseline {
    /// The baseline of `pixels` `[1, 3, height, width]`, in the network's units.
    pub(super) fn of(self, open: &OpenVision, pixels: &Tensor) -> Result<Tensor, VisionError> {
        match self {
            Baseline::Black => {
                let black = Tensor::f_zeros(pixels.size(), (Kind::Float, pixels.device()))?;
                Ok(open.normalised(&black)?)
            }
            Baseline::Mean => {
                let mean = pixels.f_mean_dim([2i64, 3].as_slice(), true, None::<Kind>)?;
                Ok(mean.f_expand_as(pixels)?.f_contiguous()?)
            }
            Baseline::Blurred => blurred(pixels),
        }
    }
}

fn blurred(pixels: &Tensor) -> Result<Tensor, VisionError> {
    let side = pixels.size()[2].min(pixels.size()[3]);
    let deviation = side as f64 / 16.0;
    // Borders are mirrored, so that the picture must be larger than the reach.
    let reach = ((3.0 * deviation).ceil() as i64).clamp(1, side - 1);
    let weights: Vec<f64> = (-reach..=reach).map(|at| (-0.5 * (at as f64 / deviation).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|weight| (weight / sum) as f32).collect();
    let kernel = Tensor::f_from_slice(&weights)?.f_to_device(pixels.device())?.f_to_kind(pixels.kind())?;
    let n = weights.len() as i64;
    let padded = pixels.f_reflection_pad2d([reach; 4])?;
    let (one, none) = ([1, 1], [0, 0]);
    let column = kernel.f_view([1, 1, n, 1])?.f_expand([3, 1, n, 1], false)?;
    let row = kernel.f_view([1, 1, 1, n])?.f_expand([3, 1, 1, n], false)?;
    let turned = padded.f_conv2d(&column, None::<Tensor>, one, none, one, 3)?;
    Ok(turned.f_conv2d(&row, None::<Tensor>, one, none, one, 3)?)
}
