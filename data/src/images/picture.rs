//! One picture, and what was done to make it 8-bit sRGB.

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::{ExtendedColorType, ImageEncoder};

use super::ImageError;
use super::decode::{self, MAX_PIXELS, MAX_SIDE};
use super::error::io;
use crate::context::bytes_text;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 512 << 20;

/// What was done to a file's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remark {
    /// From cyan, magenta, yellow and black, without a colour profile.
    Cmyk,
    /// From 16 bits a channel to 8.
    SixteenBit,
    /// From floating-point channels to 8 bits, values outside 0..=1 cut off.
    FloatingPoint,
    /// Transparent pixels put over white.
    Alpha,
    /// One grey channel copied to red, green and blue.
    Grey,
    /// The first frame of several.
    FirstFrame,
    /// Turned or mirrored as the camera noted in EXIF.
    Oriented,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Remark::Cmyk => "converted from CMYK",
            Remark::SixteenBit => "reduced from 16 bits a channel to 8",
            Remark::FloatingPoint => "reduced from floating point to 8 bits a channel",
            Remark::Alpha => "transparency put over white",
            Remark::Grey => "greyscale spread to RGB",
            Remark::FirstFrame => "the first frame of an animation",
            Remark::Oriented => "turned as its EXIF orientation says",
        })
    }
}

/// A picture in 8-bit sRGB.
///
/// ```
/// use golgi_data::images::{Picture, Remark};
///
/// let picture = Picture::new(2, 1, vec![255, 0, 0, 0, 0, 255])?;
/// let back = Picture::decode(&picture.to_png()?, "two.png")?;
/// assert_eq!(back, picture);
/// assert_eq!(back.pixel(1, 0), Some([0, 0, 255]));
/// assert!(back.remarks().is_empty());
/// # Ok::<(), golgi_data::images::ImageError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
    remarks: Vec<Remark>,
}

impl Picture {
    /// A picture of `rgb` `[height, width, 3]`, row by row.
    ///
    /// # Errors
    /// If a side is 0 or above the limit, or the number of bytes is not 3 · width · height.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Result<Picture, ImageError> {
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > MAX_SIDE || pixels > MAX_PIXELS {
            return Err(ImageError::TooManyPixels { name: "the picture".to_owned(), width, height });
        }
        let expected = pixels as usize * 3;
        if pixels == 0 || rgb.len() != expected {
            let (width, height) = (width as usize, height as usize);
            let expected = expected.max(3);
            return Err(ImageError::Shape { what: "a picture", width, height, found: rgb.len(), expected });
        }
        Ok(Picture { width, height, rgb, remarks: Vec::new() })
    }

    /// Reads a picture file. Its header is looked at before anything is decoded.
    ///
    /// # Errors
    /// If it cannot be read, is empty, truncated, damaged, no picture, or above 64 megapixels.
    pub fn read(path: &Path) -> Result<Picture, ImageError> {
        Picture::decode(&read_file(path)?, &path.display().to_string())
    }

    /// As [`Picture::read`], from the bytes of a file that messages call `name`.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn decode(bytes: &[u8], name: &str) -> Result<Picture, ImageError> {
        let decoded = decode::decode(bytes, name)?;
        let picture = Picture::new(decoded.width, decoded.height, decoded.rgb)?;
        Ok(Picture { remarks: decoded.remarks, ..picture })
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The channels `[height, width, 3]`, row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// What was done to the pixels when it was read, in order.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// Red, green and blue of one pixel; `None` outside.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        let start = (y as usize * self.width as usize + x as usize) * 3;
        let inside = x < self.width && y < self.height;
        inside.then(|| self.rgb.get(start..).and_then(|rest| rest.first_chunk().copied())).flatten()
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// If the encoder fails, which means that memory ran out.
    pub fn to_png(&self) -> Result<Vec<u8>, ImageError> {
        let mut out = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(Cursor::new(&mut out));
        self.encode(encoder)?;
        Ok(out)
    }

    /// The picture as a JPEG file of a quality of 1..=100.
    ///
    /// # Errors
    /// As [`Picture::to_png`].
    pub fn to_jpeg(&self, quality: u8) -> Result<Vec<u8>, ImageError> {
        let mut out = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality.clamp(1, 100));
        self.encode(encoder)?;
        Ok(out)
    }

    fn encode(&self, encoder: impl ImageEncoder) -> Result<(), ImageError> {
        let encoded = encoder.write_image(&self.rgb, self.width, self.height, ExtendedColorType::Rgb8);
        encoded.map_err(|error| ImageError::Damaged { name: "the picture".to_owned(), cause: error.to_string() })
    }
}

/// The bytes of a file that is not above the limit.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, ImageError> {
    let file = File::open(path).map_err(io("read", path))?;
    let meta = file.metadata().map_err(io("read", path))?;
    if meta.is_dir() {
        return Err(io("read", path)(std::io::Error::other("it is a folder, not a file")));
    }
    let too_large =
        || ImageError::TooLarge { name: path.display().to_string(), what: "the file", limit: bytes_text(MAX_FILE) };
    if meta.len() > MAX_FILE {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(meta.len() as usize);
    // What grows while it is read is bounded all the same.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(io("read", path))?;
    if bytes.len() as u64 > MAX_FILE { Err(too_large()) } else { Ok(bytes) }
}
