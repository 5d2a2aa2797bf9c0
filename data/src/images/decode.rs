//! From the bytes of a file to 8-bit sRGB. Files are hostile until parsed: the size that the header states is checked
//! before a pixel is decoded, and memory is bounded.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, Limits};

use super::jpeg::JpegOutline;
use super::{ImageError, Remark};
use crate::context::bytes_text;

/// The largest picture, in pixels.
pub(super) const MAX_PIXELS: u64 = 64_000_000;
/// The longest side, in pixels.
pub(super) const MAX_SIDE: u32 = 65_535;
/// What a decoder may take, in bytes: the largest picture with four channels of 16 bits, and half of that to work with.
const MAX_MEMORY: u64 = MAX_PIXELS * 8 * 3 / 2;

/// A decoded file.
pub(super) struct Decoded {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
    pub remarks: Vec<Remark>,
}

/// Decodes a file of any of the formats, told by its first bytes.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Decoded, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty { name: name.to_owned() });
    }
    let format = image::guess_format(bytes).ok();
    let format = format.and_then(|format| format_name(format).map(|label| (format, label)));
    let Some((format, label)) = format else {
        return Err(ImageError::NotPicture { name: name.to_owned(), cause: String::new() });
    };
    let source = Source { bytes, name, label };
    let input = Cursor::new(bytes);
    let failed = |error| source.failed(error);
    match format {
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(input, limits()).map_err(failed)?;
            let animated = decoder.is_apng().map_err(failed)?;
            source.pixels(decoder, animated, false)
        }
        ImageFormat::Jpeg => {
            let outline = JpegOutline::of(bytes);
            if !outline.whole {
                return Err(source.truncated());
            }
            source.pixels(JpegDecoder::new(input).map_err(failed)?, false, outline.components == 4)
        }
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(input).map_err(failed)?;
            let animated = decoder.has_animation();
            source.pixels(decoder, animated, false)
        }
        ImageFormat::Gif => {
            let first = source.pixels(GifDecoder::new(input).map_err(failed)?, false, false)?;
            // Only now, when the size is known to be bearable, is a second frame looked for.
            let mut again = GifDecoder::new(Cursor::new(bytes)).map_err(failed)?;
            again.set_limits(limits()).map_err(failed)?;
            let animated = again.into_frames().nth(1).is_some();
            let mut remarks = first.remarks;
            remarks.splice(0..0, animated.then_some(Remark::FirstFrame));
            Ok(Decoded { remarks, ..first })
        }
        ImageFormat::Bmp => source.pixels(BmpDecoder::new(input).map_err(failed)?, false, false),
        _ => {
            let decoder = TiffDecoder::new(input).map_err(failed)?;
            let original = decoder.original_color_type();
            let cmyk = matches!(original, ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16);
            source.pixels(decoder, false, cmyk)
        }
    }
}

/// The formats that are read, as people call them.
fn format_name(format: ImageFormat) -> Option<&'static str> {
    match format {
        ImageFormat::Png => Some("PNG"),
        ImageFormat::Jpeg => Some("JPEG"),
        ImageFormat::WebP => Some("WebP"),
        ImageFormat::Gif => Some("GIF"),
        ImageFormat::Bmp => Some("BMP"),
        ImageFormat::Tiff => Some("TIFF"),
        _ => None,
    }
}

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    limits
}

/// A file whose format is known.
struct Source<'a> {
    bytes: &'a [u8],
    name: &'a str,
    label: &'static str,
}

impl Source<'_> {
    /// Checks the header, decodes, and brings the pixels to 8-bit RGB.
    fn pixels(&self, mut decoder: impl ImageDecoder, animated: bool, cmyk: bool) -> Result<Decoded, ImageError> {
        let (width, height) = decoder.dimensions();
        if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(ImageError::TooManyPixels { name: self.name.to_owned(), width, height });
        }
        if width.min(height) == 0 {
            let cause = format!("its header says {width} × {height} pixels");
            return Err(ImageError::Damaged { name: self.name.to_owned(), cause });
        }
        decoder.set_limits(limits()).map_err(|error| self.failed(error))?;
        // Broken metadata is no reason to refuse the pixels.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let color = decoder.color_type();
        let mut image = DynamicImage::from_decoder(decoder).map_err(|error| self.failed(error))?;
        let mut remarks: Vec<Remark> = Vec::new();
        remarks.extend(animated.then_some(Remark::FirstFrame));
        remarks.extend(cmyk.then_some(Remark::Cmyk));
        remarks.extend(match color.bytes_per_pixel() / color.channel_count() {
            2 => Some(Remark::SixteenBit),
            4 => Some(Remark::FloatingPoint),
            _ => None,
        });
        if orientation != Orientation::NoTransforms {
            image.apply_orientation(orientation);
        }
        let (width, height) = (image.width(), image.height());
        let rgb = if color.has_alpha() {
            let rgba = image.into_rgba8();
            remarks.extend(rgba.pixels().any(|pixel| pixel.0[3] < 255).then_some(Remark::Alpha));
            rgba.pixels().flat_map(|pixel| over_white(pixel.0)).collect()
        } else {
            image.into_rgb8().into_raw()
        };
        remarks.extend((!color.has_color()).then_some(Remark::Grey));
        remarks.extend((orientation != Orientation::NoTransforms).then_some(Remark::Oriented));
        Ok(Decoded { width, height, rgb, remarks })
    }

    fn truncated(&self) -> ImageError {
        ImageError::Truncated { name: self.name.to_owned(), format: self.label }
    }

    fn failed(&self, error: image::ImageError) -> ImageError {
        let name = self.name.to_owned();
        match error {
            image::ImageError::Limits(_) => {
                ImageError::TooLarge { name, what: "decoding it", limit: bytes_text(MAX_MEMORY) }
            }
            image::ImageError::Unsupported(error) => ImageError::NotPicture { name, cause: error.to_string() },
            error if self.ends_early(&error) => self.truncated(),
            error => ImageError::Damaged { name, cause: error.to_string() },
        }
    }

    /// Whether an error means that the input is at its end.
    fn ends_early(&self, error: &image::ImageError) -> bool {
        if let image::ImageError::IoError(error) = error {
            return error.kind() == std::io::ErrorKind::UnexpectedEof;
        }
        match self.label {
            // Its error is of a crate that is no dependency of ours.
            "GIF" => error.to_string().to_lowercase().contains("unexpected end of file"),
            // The file says at its start how long it is.
            "WebP" => {
                let stated = self.bytes.get(4..8).and_then(|size| size.first_chunk().copied());
                stated.is_some_and(|stated| u64::from(u32::from_le_bytes(stated)) + 8 > self.bytes.len() as u64)
            }
            _ => false,
        }
    }
}

/// c·α + 255·(1 − α), rounded.
fn over_white([r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    // The value is at most 255.
    [r, g, b].map(|c| ((u32::from(c) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}
