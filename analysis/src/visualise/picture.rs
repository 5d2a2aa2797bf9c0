//! Images as parameters.

use golgi_probes::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError};

use crate::gaussian::gaussian;

/// Standard deviation of the parameters at the start.
const START: f32 = 0.01;
/// Lucid divides the inverse transform by this.
const SPECTRUM_SCALE: f64 = 4.0;
/// How the colours of natural images vary together, a square root of their covariance (lucid); rows are red, green and blue.
const COLOURS: [f32; 9] = [0.26, 0.09, 0.02, 0.27, 0.00, -0.05, 0.27, -0.09, 0.03];
/// The largest norm of its columns, by which it is divided.
const LARGEST_COLUMN: f32 = 0.461_952_4;

/// How an image is written. Behind either stand three decorrelated channels, turned into colours and brought to 0..1 by a sigmoid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parametrisation {
    /// Its value at each pixel.
    Pixel,
    /// Its spectrum, each frequency f scaled by 1/max(f, 1/size), so that all scales climb alike.
    #[default]
    Fft,
}

impl std::str::FromStr for Parametrisation {
    type Err = String;

    fn from_str(text: &str) -> Result<Parametrisation, String> {
        match text {
            "pixel" => Ok(Parametrisation::Pixel),
            "fft" => Ok(Parametrisation::Fft),
            other => Err(format!("`{other}` is no parametrisation; fft and pixel are")),
        }
    }
}

impl Parametrisation {
    /// Parameters of `n` images of `side` pixels a side, at the start.
    pub(super) fn start(self, n: usize, side: usize, seed: u64) -> Result<Tensor, TchError> {
        let shape = match self {
            Parametrisation::Pixel => vec![n, 3, side, side],
            Parametrisation::Fft => vec![n, 3, side, side / 2 + 1, 2],
        };
        let one: usize = shape[1..].iter().product();
        // Each image has a seed of its own: what else is in the batch does not change it.
        let rows = (0..n).flat_map(|image| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(image as u64);
            (0..one).map(|_| START * gaussian(&mut random)).collect::<Vec<_>>()
        });
        let values: Vec<f32> = rows.collect();
        let shape: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
        Tensor::f_from_slice(&values)?.f_view(shape.as_slice())
    }

    /// The channels before they are colours, `[n, 3, side, side]`.
    pub(super) fn channels(self, parameters: &Tensor, side: i64) -> Result<Tensor, TchError> {
        match self {
            Parametrisation::Pixel => Ok(parameters.shallow_clone()),
            Parametrisation::Fft => {
                let scale = frequencies(side)?.f_to_device(parameters.device())?;
                let spectrum = parameters.f_mul(&scale)?.f_contiguous()?.f_view_as_complex()?;
                let image = spectrum.f_fft_irfft2([side, side].as_slice(), [-2i64, -1].as_slice(), "ortho")?;
                image.f_div_scalar(SPECTRUM_SCALE)
            }
        }
    }

    /// The images, `[n, 3, side, side]` in 0..1.
    pub(super) fn images(self, parameters: &Tensor, side: i64) -> Result<Tensor, TchError> {
        let channels = self.channels(parameters, side)?;
        let colours: Vec<f32> = COLOURS.iter().map(|value| value / LARGEST_COLUMN).collect();
        let colours = Tensor::f_from_slice(&colours)?.f_view([3, 3])?.f_to_device(channels.device())?;
        // [n, side, side, 3] · [3, 3]ᵀ
        channels.f_permute([0, 2, 3, 1])?.f_linear(&colours, None::<Tensor>)?.f_permute([0, 3, 1, 2])?.f_sigmoid()
    }
}

/// `1 / max(f, 1/side)` for each frequency of a real transform, `[side, side/2 + 1, 1]`; f in cycles per pixel.
fn frequencies(side: i64) -> Result<Tensor, TchError> {
    let n = side as f64;
    let frequency = |i: i64| if i <= side / 2 { i as f64 / n } else { (i - side) as f64 / n };
    let mut scale = Vec::with_capacity((side * (side / 2 + 1)) as usize);
    for y in 0..side {
        for x in 0..=side / 2 {
            let f = frequency(y).hypot(x as f64 / n);
            scale.push((1.0 / f.max(1.0 / n)) as f32);
        }
    }
    Tensor::f_from_slice(&scale)?.f_view([side, side / 2 + 1, 1])?.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)
}
