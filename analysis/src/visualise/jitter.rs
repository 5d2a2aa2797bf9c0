//! Small random transformations, so that what is found does not hang on single pixels.

use golgi_probes::Tensor;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::TchError;

/// What happens to all images of a step alike, in this order: border, crop, scale, turn, crop (lucid's standard list).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jitter {
    /// Grey pixels (0.5) on each side.
    pub border: i64,
    /// The image loses this many pixels in each direction, at a random place.
    pub crop: i64,
    /// Random factors of its size.
    pub scales: Vec<f64>,
    /// Random turns, in degrees.
    pub turns: Vec<f64>,
    /// A second crop.
    pub last_crop: i64,
}

impl Default for Jitter {
    fn default() -> Jitter {
        Jitter {
            border: 12,
            crop: 8,
            scales: (0..=10).map(|step| 0.9 + 0.02 * f64::from(step)).collect(),
            turns: (-10..=10).map(f64::from).chain([0.0; 5]).collect(),
            last_crop: 4,
        }
    }
}

impl Jitter {
    /// Nothing.
    pub fn none() -> Jitter {
        Jitter { border: 0, crop: 0, scales: Vec::new(), turns: Vec::new(), last_crop: 0 }
    }

    /// What is wrong with it for images of `side` pixels.
    pub(super) fn fault(&self, side: i64) -> Option<String> {
        let smallest = self.scales.iter().copied().fold(1.0, f64::min);
        let left = ((side + 2 * self.border - self.crop) as f64 * smallest) as i64 - self.last_crop;
        if self.border < 0 || self.crop < 0 || self.last_crop < 0 || self.border > side {
            return Some("borders and crops lie between 0 and the size of the image".to_owned());
        }
        if self.scales.iter().any(|scale| !(0.1..=10.0).contains(scale))
            || self.turns.iter().any(|turn| !turn.is_finite())
        {
            return Some("scales lie between 0.1 and 10, turns are finite".to_owned());
        }
        (left < 8).then(|| format!("the transformations leave {} pixels of an image of {side}", left.max(0)))
    }

    pub(super) fn apply(&self, images: &Tensor, random: &mut ChaCha8Rng) -> Result<Tensor, TchError> {
        let mut x = images.shallow_clone();
        if self.border > 0 {
            // Padding puts zeros; grey is 0.5.
            let b = self.border;
            x = x.f_sub_scalar(0.5)?.f_constant_pad_nd([b, b, b, b])?.f_add_scalar(0.5)?;
        }
        x = cropped(&x, self.crop, random)?;
        if let Some(scale) = chosen(&self.scales, random).filter(|scale| *scale != 1.0) {
            let side = |n: i64| ((n as f64 * scale).round() as i64).max(1);
            let size = [side(x.size()[2]), side(x.size()[3])];
            x = x.f_upsample_bilinear2d(size, false, None::<f64>, None::<f64>)?;
        }
        if let Some(turn) = chosen(&self.turns, random).filter(|turn| *turn != 0.0) {
            x = turned(&x, turn)?;
        }
        cropped(&x, self.last_crop, random)
    }
}

fn chosen(list: &[f64], random: &mut ChaCha8Rng) -> Option<f64> {
    if list.is_empty() { None } else { Some(list[random.random_range(0..list.len())]) }
}

fn cropped(x: &Tensor, by: i64, random: &mut ChaCha8Rng) -> Result<Tensor, TchError> {
    if by == 0 {
        return Ok(x.shallow_clone());
    }
    let (top, left) = (random.random_range(0..=by), random.random_range(0..=by));
    x.f_narrow(2, top, x.size()[2] - by)?.f_narrow(3, left, x.size()[3] - by)
}

/// Turned about its centre; grey comes in at the corners.
fn turned(x: &Tensor, degrees: f64) -> Result<Tensor, TchError> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let n = x.size()[0];
    let matrix = Tensor::f_from_slice(&[cos as f32, -sin as f32, 0.0, sin as f32, cos as f32, 0.0])?;
    let matrix = matrix.f_view([1, 2, 3])?.f_expand([n, 2, 3], false)?.f_to_device(x.device())?;
    let grid = Tensor::f_affine_grid_generator(&matrix, x.size(), false)?;
    // 0: bilinear; 0: zeros outside.
    x.f_sub_scalar(0.5)?.f_grid_sampler(&grid, 0, 0, false)?.f_add_scalar(0.5)
}
