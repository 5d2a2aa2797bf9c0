//! What a vision model expects of a picture: its size, how it is resized, and how its values are scaled.

use serde::{Deserialize, Serialize};

use super::resample::{Taps, resample, taps};
use super::{ImageError, Interpolation, Picture};

/// The largest side of a model's input, in pixels.
const MAX_INPUT: u32 = 4096;

/// How a picture of any size becomes a square one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The largest square at the centre, resized to this many pixels a side.
    SquareThenResize(u32),
    /// The shortest side resized to `resize` pixels, the other in proportion; then the square of `crop` pixels a side at
    /// the centre, `crop` ≤ `resize`.
    ResizeThenCrop {
        /// The shortest side, in pixels.
        resize: u32,
        /// The side of the square, in pixels.
        crop: u32,
    },
    /// Everything stretched to this many pixels a side, whatever its proportions.
    Stretch(u32),
}

/// The settings of [`Preprocess`], not checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PreprocessSettings {
    /// How the picture becomes a square.
    pub fit: Fit,
    /// The filter that resizes it.
    pub interpolation: Interpolation,
    /// Whether the filter is widened where the picture becomes smaller.
    pub antialias: bool,
    /// What values of 0..=255 are multiplied with.
    pub scale: f32,
    /// Subtracted from red, green and blue after that.
    pub mean: [f32; 3],
    /// What the difference is divided by.
    pub std: [f32; 3],
}

/// How a picture becomes a model's input: (x·scale − mean) / std for each channel of the resized picture, x in 0..=255.
///
/// Resized values are not rounded to whole numbers, as they are not where PyTorch resizes tensors; a pipeline that
/// resizes 8-bit pictures before it scales them differs by up to half a step, 0.5·scale/std.
///
/// ```
/// use golgi_data::images::{Picture, Preprocess};
///
/// let grey = Picture::new(640, 480, vec![127; 640 * 480 * 3])?;
/// let lite = Preprocess::efficientnet_lite(224)?;
/// let input = lite.apply(&grey); // [3, 224, 224]
/// assert_eq!(input.len(), 3 * lite.input_size() * lite.input_size());
/// assert!(input.iter().all(|value| value.abs() < 1e-6));
/// assert_eq!(lite.denormalise(&input)?.rgb()[..3], [127, 127, 127]);
/// # Ok::<(), golgi_data::images::ImageError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PreprocessSettings", into = "PreprocessSettings")]
pub struct Preprocess(PreprocessSettings);

impl TryFrom<PreprocessSettings> for Preprocess {
    type Error = ImageError;

    fn try_from(settings: PreprocessSettings) -> Result<Preprocess, ImageError> {
        Preprocess::new(settings)
    }
}

impl From<Preprocess> for PreprocessSettings {
    fn from(preprocess: Preprocess) -> PreprocessSettings {
        preprocess.0
    }
}

impl Preprocess {
    /// Checks the settings.
    ///
    /// # Errors
    /// If a size is 0, above 4096 pixels, or a crop larger than what it is cut from; if a number is not finite, or the scale or
    /// a deviation is 0.
    pub fn new(settings: PreprocessSettings) -> Result<Preprocess, ImageError> {
        let wrong = |setting, value: String, rule: String| Err(ImageError::Setting { setting, value, rule });
        let (resize, size) = match settings.fit {
            Fit::SquareThenResize(n) | Fit::Stretch(n) => (n, n),
            Fit::ResizeThenCrop { resize, crop } => (resize, crop),
        };
        if !(1..=MAX_INPUT).contains(&resize) {
            return wrong("the size to resize to", resize.to_string(), format!("1 to {MAX_INPUT} pixels"));
        }
        if !(1..=resize).contains(&size) {
            return wrong("the crop", size.to_string(), format!("1 to {resize} pixels, the size before it"));
        }
        if !(settings.scale.is_finite() && settings.scale > 0.0) {
            return wrong("the scale", settings.scale.to_string(), "a positive number".to_owned());
        }
        if settings.mean.iter().any(|mean| !mean.is_finite()) {
            return wrong("the mean", format!("{:?}", settings.mean), "three finite numbers".to_owned());
        }
        if settings.std.iter().any(|std| !(std.is_finite() && *std > 0.0)) {
            return wrong("the standard deviation", format!("{:?}", settings.std), "three positive numbers".to_owned());
        }
        Ok(Preprocess(settings))
    }

    /// As torchvision's classifiers were trained: shortest side to size·256/224, bilinear and antialiased; centre crop; values
    /// in 0..=1, mean (0.485, 0.456, 0.406), standard deviation (0.229, 0.224, 0.225).
    ///
    /// # Errors
    /// If `size`, in pixels, is 0 or too large.
    pub fn imagenet(size: u32) -> Result<Preprocess, ImageError> {
        let resize = (u64::from(size) * 256 / 224).min(u64::from(u32::MAX)) as u32;
        Preprocess::new(PreprocessSettings {
            fit: Fit::ResizeThenCrop { resize, crop: size },
            interpolation: Interpolation::Bilinear,
            antialias: true,
            scale: 1.0 / 255.0,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        })
    }

    /// As EfficientNet-Lite expects it: centre square, bilinear without antialiasing, (x − 127) / 128.
    ///
    /// # Errors
    /// As [`Preprocess::imagenet`].
    pub fn efficientnet_lite(size: u32) -> Result<Preprocess, ImageError> {
        Preprocess::new(PreprocessSettings {
            fit: Fit::SquareThenResize(size),
            interpolation: Interpolation::Bilinear,
            antialias: false,
            scale: 1.0,
            mean: [127.0; 3],
            std: [128.0; 3],
        })
    }

    /// The settings.
    pub fn settings(&self) -> &PreprocessSettings {
        &self.0
    }

    /// The side of the input, in pixels.
    pub fn input_size(&self) -> usize {
        match self.0.fit {
            Fit::SquareThenResize(n) | Fit::Stretch(n) => n as usize,
            Fit::ResizeThenCrop { crop, .. } => crop as usize,
        }
    }

    /// The input `[3, size, size]` that a model gets for a picture.
    pub fn apply(&self, picture: &Picture) -> Vec<f32> {
        let size = self.input_size();
        let [columns, rows] = self.axes(picture);
        let PreprocessSettings { scale, mean, std, .. } = self.0;
        let mut out = vec![0.0; 3 * size * size];
        resample(picture, &columns, &rows, |x, y, values| {
            for (channel, value) in values.into_iter().enumerate() {
                out[(channel * size + y) * size + x] = (value * scale - mean[channel]) / std[channel];
            }
        });
        out
    }

    /// The part of a picture `(x, y, width, height)` that the input shows, in pixels of the picture; its edges may lie within
    /// pixels.
    pub fn region(&self, picture: &Picture) -> [f32; 4] {
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        match self.0.fit {
            Fit::Stretch(_) => [0.0, 0.0, width, height],
            Fit::SquareThenResize(_) => {
                let side = picture.width().min(picture.height());
                let before = |length: u32| ((length - side) / 2) as f32;
                [before(picture.width()), before(picture.height()), side as f32, side as f32]
            }
            Fit::ResizeThenCrop { resize, crop } => {
                let [x, y] = resized(picture, resize);
                let part = |length: f32, resized: usize| {
                    let step = length / resized as f32;
                    (centre(resized, crop as usize) as f32 * step, crop as f32 * step)
                };
                let ((left, wide), (top, high)) = (part(width, x), part(height, y));
                [left, top, wide, high]
            }
        }
    }

    /// The picture whose input this would be: round((v·std + mean) / scale), cut to 0..=255.
    ///
    /// # Errors
    /// If `values` is not `[3, size, size]`.
    pub fn denormalise(&self, values: &[f32]) -> Result<Picture, ImageError> {
        let size = self.input_size();
        let expected = 3 * size * size;
        if values.len() != expected {
            let what = "a model's input with three channels";
            return Err(ImageError::Shape { what, width: size, height: size, found: values.len(), expected });
        }
        let byte = |channel: usize, i: usize| {
            let value = values[channel * size * size + i] * self.0.std[channel] + self.0.mean[channel];
            // A cast cuts to 0..=255, and makes 0 of what is not a number.
            (value / self.0.scale).round() as u8
        };
        let rgb = (0..size * size).flat_map(|i| [byte(0, i), byte(1, i), byte(2, i)]).collect();
        Picture::new(size as u32, size as u32, rgb)
    }

    /// What makes each column and each row of the input.
    fn axes(&self, picture: &Picture) -> [Vec<Taps>; 2] {
        let sides = [picture.width() as usize, picture.height() as usize];
        let size = self.input_size();
        let PreprocessSettings { interpolation, antialias, .. } = self.0;
        match self.0.fit {
            Fit::Stretch(_) => sides.map(|side| taps((side, size), 0..size, interpolation, antialias)),
            Fit::SquareThenResize(_) => {
                let square = sides[0].min(sides[1]);
                sides.map(|side| {
                    let before = (side - square) / 2;
                    let mut axis = taps((square, size), 0..size, interpolation, antialias);
                    axis.iter_mut().for_each(|tap| tap.start += before);
                    axis
                })
            }
            Fit::ResizeThenCrop { resize, .. } => {
                let resized = resized(picture, resize);
                [0, 1].map(|axis| {
                    let first = centre(resized[axis], size);
                    taps((sides[axis], resized[axis]), first..first + size, interpolation, antialias)
                })
            }
        }
    }
}

/// Width and height once the shortest side has `shortest` pixels; the other is rounded down.
fn resized(picture: &Picture, shortest: u32) -> [usize; 2] {
    let sides = [picture.width(), picture.height()].map(u64::from);
    let short = sides[0].min(sides[1]);
    sides.map(|side| (side * u64::from(shortest) / short) as usize)
}

/// Where a centre crop of `size` out of `length` begins. An odd rest is halved to the even neighbour, as Python rounds.
fn centre(length: usize, size: usize) -> usize {
    let rest = length - size;
    rest / 2 + usize::from(rest % 4 == 3)
}
