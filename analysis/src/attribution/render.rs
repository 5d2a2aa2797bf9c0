//! Maps as pictures.

use golgi_data::images::Picture;

use super::maps::Map;
use super::method::Method;
use crate::error::VisionError;

/// Values are divided by this quantile of their absolute values: single pixels do not decide how the rest looks.
const QUANTILE: f64 = 0.99;
/// How strongly Grad-CAM covers the picture where it is largest.
const COVER: f32 = 0.65;

impl Map {
    /// The absolute value that is drawn at full strength.
    pub fn full(&self) -> f32 {
        let mut sizes: Vec<f32> = self.values.iter().map(|value| value.abs()).collect();
        sizes.sort_unstable_by(f32::total_cmp);
        let at = ((sizes.len() as f64 * QUANTILE) as usize).min(sizes.len().saturating_sub(1));
        // A map that is zero almost everywhere is drawn by its largest value.
        let quantile = sizes.get(at).copied().unwrap_or(0.0);
        if quantile > 0.0 { quantile } else { sizes.last().copied().unwrap_or(0.0) }
    }

    /// As a picture. Signed maps: red above 0, blue below, on white. Grad-CAM: red over `under`, the picture as the network sees it. Others: white on
    /// black.
    ///
    /// # Errors
    /// If `under` has another size.
    pub fn picture(&self, under: &Picture) -> Result<Picture, VisionError> {
        let full = self.full();
        let strength = |value: f32| if full > 0.0 { (value / full).clamp(-1.0, 1.0) } else { 0.0 };
        if (under.width() as usize, under.height() as usize) != (self.width, self.height) {
            return Err(VisionError::Settings("the picture and its map have different sizes".to_owned()));
        }
        let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        let mut rgb = Vec::with_capacity(3 * self.values.len());
        for (value, below) in self.values.iter().zip(under.rgb().as_chunks::<3>().0) {
            let s = strength(*value);
            rgb.extend(if self.method == Method::GradCam {
                let cover = COVER * s.max(0.0);
                let mix = |below: u8, colour: f32| byte(f32::from(below) / 255.0 * (1.0 - cover) + colour * cover);
                // From violet to yellow.
                [mix(below[0], 0.35 + 0.65 * s), mix(below[1], 0.9 * s), mix(below[2], 0.45 * (1.0 - s))]
            } else if self.method.is_signed() {
                let fade = 1.0 - s.abs();
                if s >= 0.0 { [255, byte(fade), byte(fade)] } else { [byte(fade), byte(fade), 255] }
            } else {
                [byte(s); 3]
            });
        }
        Ok(Picture::new(self.width as u32, self.height as u32, rgb)?)
    }
}
