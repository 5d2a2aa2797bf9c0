//! Textures: a value of 0..=1 at every point, which mixes a colour with its shade.

use std::f32::consts::PI;

use serde::{Deserialize, Serialize};

/// The kinds of texture, each a concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextureKind {
    /// No texture.
    Plain,
    /// A sine wave in one direction.
    Stripes,
    /// Squares in turn.
    Checker,
    /// Discs on a square grid.
    Dots,
    /// An independent value at every pixel.
    Noise,
}

impl TextureKind {
    /// Every kind.
    pub const ALL: [TextureKind; 5] =
        [TextureKind::Plain, TextureKind::Stripes, TextureKind::Checker, TextureKind::Dots, TextureKind::Noise];

    /// Such as `stripes`.
    pub fn name(self) -> &'static str {
        match self {
            TextureKind::Plain => "plain",
            TextureKind::Stripes => "stripes",
            TextureKind::Checker => "checker",
            TextureKind::Dots => "dots",
            TextureKind::Noise => "noise",
        }
    }
}

/// A texture.
///
/// ```
/// use golgi_data::images::generate::{Texture, TextureKind};
///
/// // Upright stripes, one every 8 pixels: along a row the value repeats after 8, along a column it stays.
/// let stripes = Texture { kind: TextureKind::Stripes, orientation: 0.0, frequency: 1.0 / 8.0, seed: 0 };
/// assert!((stripes.value(3, 0) - stripes.value(11, 5)).abs() < 1e-5);
/// assert!(stripes.value(2, 0) > 0.99 && stripes.value(6, 0) < 0.01);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Texture {
    /// Its kind.
    pub kind: TextureKind,
    /// The direction in which it changes, in radians: 0 to the right, π/2 down. Without meaning for noise.
    pub orientation: f32,
    /// Periods per pixel, so that 1/8 repeats every 8 pixels. Without meaning for noise.
    pub frequency: f32,
    /// The seed of noise.
    pub seed: u64,
}

impl Texture {
    /// One without structure.
    pub const PLAIN: Texture = Texture { kind: TextureKind::Plain, orientation: 0.0, frequency: 0.0, seed: 0 };

    /// The value at a pixel, in 0..=1: stripes ½ + ½·sin(2π·f·u) with u = x·cos θ + y·sin θ; checker 1 where ⌊2fu⌋ + ⌊2fv⌋ is
    /// even, v across u; dots 1 within 0.3 periods of a point of the grid; noise uniform; plain 1.
    pub fn value(&self, x: u32, y: u32) -> f32 {
        let (sin, cos) = self.orientation.sin_cos();
        let (x, y, f) = (x as f32, y as f32, self.frequency);
        let (u, v) = ((x * cos + y * sin) * f, (y * cos - x * sin) * f);
        match self.kind {
            TextureKind::Plain => 1.0,
            TextureKind::Stripes => 0.5 + 0.5 * (2.0 * PI * u).sin(),
            // Of floats, for the sum may be of any size.
            TextureKind::Checker => 1.0 - ((2.0 * u).floor() + (2.0 * v).floor()).rem_euclid(2.0),
            TextureKind::Dots => {
                let from_grid = |w: f32| w - w.floor() - 0.5;
                f32::from(from_grid(u).hypot(from_grid(v)) < 0.3)
            }
            TextureKind::Noise => {
                let mixed = mix(self.seed ^ mix(u64::from(x as u32) << 32 | u64::from(y as u32)));
                (mixed >> 40) as f32 / (1u64 << 24) as f32
            }
        }
    }

    /// A colour at a pixel: value·colour + (1 − value)·shade.
    pub fn mix(&self, colour: [u8; 3], shade: [u8; 3], x: u32, y: u32) -> [u8; 3] {
        let value = self.value(x, y);
        let channel = |c: usize| f32::from(colour[c]) * value + f32::from(shade[c]) * (1.0 - value);
        [0, 1, 2].map(|c| channel(c).round() as u8)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every bit of the result depends on every bit of the input.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}
