//! Files of every format and with every fault, made here.

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageEncoder, ImageFormat, Luma, Rgb, Rgba, RgbaImage};

use super::*;

fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// 16 × 12 pixels, red on the left, blue on the right.
fn halves() -> DynamicImage {
    let half = |x| if x < 8 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) };
    image::RgbImage::from_fn(16, 12, |x, _| half(x)).into()
}

const FORMATS: [ImageFormat; 6] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff];

fn message(bytes: &[u8]) -> String {
    Picture::decode(bytes, "some.file").unwrap_err().to_string()
}

#[test]
fn every_format_is_read() {
    for format in FORMATS {
        let picture = Picture::decode(&file(&halves(), format), "halves").unwrap();
        assert_eq!((picture.width(), picture.height()), (16, 12), "{format:?}");
        let (left, right) = (picture.pixel(1, 1).unwrap(), picture.pixel(14, 10).unwrap());
        assert!(left[0] > 250 && left[2] < 5 && right[2] > 250 && right[0] < 5, "{format:?}: {left:?} {right:?}");
        assert_eq!(picture.remarks(), [], "{format:?}");
        assert_eq!((picture.pixel(16, 0), picture.pixel(0, 12)), (None, None));
    }
}

#[test]
fn truncated_files_are_named_as_such() {
    for format in FORMATS {
        let whole = file(&halves(), format);
        for keep in [whole.len() / 2, whole.len() * 3 / 4] {
            let message = message(&whole[..keep]);
            assert!(message.contains("some.file is truncated"), "{format:?} {keep}: {message}");
        }
    }
}

#[test]
fn what_is_no_picture_is_said() {
    assert!(message(b"").contains("some.file is empty"));
    assert!(message(b"hello").contains("no picture"));
    assert!(message(b"%PDF-1.4 and so on").contains("convert it"));
    let folder = tempfile::tempdir().unwrap();
    assert!(Picture::read(folder.path()).is_err());
    assert!(Picture::read(&folder.path().join("none.png")).unwrap_err().to_string().contains("check the path"));
}

#[test]
fn bombs_are_refused_by_their_headers() {
    // 50 000 × 50 000 pixels of one colour compress to nothing; here even the pixels are left out.
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend([50_000u32.to_be_bytes(), 50_000u32.to_be_bytes()].concat());
    png.extend([8, 2, 0, 0, 0]);
    let crc = crc32(&png[12..]);
    png.extend(crc.to_be_bytes());
    png.extend(b"\0\0\0\x01IDAT\0");
    assert!(message(&png).contains("50000 × 50000 pixels"), "{}", message(&png));
    let gif = [b"GIF89a".as_slice(), &[255, 255, 255, 255, 0, 0, 0], b",\0\0\0\0\xff\xff\xff\xff\0\x02\0\0;"].concat();
    assert!(message(&gif).contains("64 megapixels"), "{}", message(&gif));
    let mut bmp = file(&halves(), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&60_000u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&60_000u32.to_le_bytes());
    assert!(message(&bmp).contains("60000 × 60000"), "{}", message(&bmp));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[test]
fn cmyk_is_converted() {
    let bytes = include_bytes!("../../../assets/reference/images/cmyk.jpg");
    let picture = Picture::decode(bytes, "cmyk.jpg").unwrap();
    assert_eq!(picture.remarks(), [Remark::Cmyk]);
    let near = |x, expected: [u8; 3]| {
        let found = picture.pixel(x, 8).unwrap();
        assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 8), "{found:?} where {expected:?} belongs");
    };
    near(2, [255, 0, 0]);
    near(13, [0, 191, 191]);
}

#[test]
fn sixteen_bits_grey_alpha_and_floats_are_reduced() {
    let deep = image::ImageBuffer::from_pixel(3, 2, Luma([0x80FFu16]));
    let picture = Picture::decode(&file(&deep.into(), ImageFormat::Png), "deep").unwrap();
    assert_eq!(picture.remarks(), [Remark::SixteenBit, Remark::Grey]);
    assert_eq!(picture.pixel(2, 1), Some([128; 3]));

    let clear = RgbaImage::from_fn(2, 1, |x, _| Rgba([0, 100, 200, if x == 0 { 0 } else { 128 }]));
    let picture = Picture::decode(&file(&clear.into(), ImageFormat::Png), "clear").unwrap();
    assert_eq!(picture.remarks(), [Remark::Alpha]);
    assert_eq!((picture.pixel(0, 0), picture.pixel(1, 0)), (Some([255; 3]), Some([127, 177, 227])));

    let opaque = RgbaImage::from_pixel(2, 1, Rgba([1, 2, 3, 255]));
    assert_eq!(Picture::decode(&file(&opaque.into(), ImageFormat::Png), "opaque").unwrap().remarks(), []);

    let float = image::Rgb32FImage::from_pixel(2, 2, Rgb([0.5, 7.0, -1.0]));
    let picture = Picture::decode(&file(&float.into(), ImageFormat::Tiff), "float").unwrap();
    assert_eq!(picture.remarks(), [Remark::FloatingPoint]);
    assert_eq!(picture.pixel(0, 0), Some([128, 255, 0]));
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    let mut gif = Vec::new();
    let frame = |color| Frame::new(RgbaImage::from_pixel(4, 4, Rgba(color)));
    GifEncoder::new(&mut gif).encode_frames([frame([255, 0, 0, 255]), frame([0, 0, 255, 255])]).unwrap();

    let mut apng = Vec::new();
    let mut encoder = png::Encoder::new(&mut apng, 4, 4);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[255, 0, 0].repeat(16)).unwrap();
    writer.write_image_data(&[0, 0, 255].repeat(16)).unwrap();
    writer.finish().unwrap();

    for (bytes, name) in [(gif, "GIF"), (apng, "PNG"), (animated_webp(), "WebP")] {
        let picture = Picture::decode(&bytes, name).unwrap();
        assert_eq!(picture.remarks()[0], Remark::FirstFrame, "{name}");
        assert_eq!(picture.pixel(3, 3), Some([255, 0, 0]), "{name}");
    }
}

/// Two frames of 4 × 4 pixels, red and blue, in the extended container.
fn animated_webp() -> Vec<u8> {
    let chunk = |name: &[u8], content: &[u8]| {
        let pad = vec![0; content.len() % 2];
        [name, &(content.len() as u32).to_le_bytes(), content, &pad].concat()
    };
    let frame = |color| {
        let still = file(&image::RgbImage::from_pixel(4, 4, Rgb(color)).into(), ImageFormat::WebP);
        // Place, size less one, duration, flags; then the still picture's chunk.
        let head = [0, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0, 100, 0, 0, 2];
        chunk(b"ANMF", &[&head, &still[12..]].concat())
    };
    let body = [
        b"WEBP".to_vec(),
        chunk(b"VP8X", &[2, 0, 0, 0, 3, 0, 0, 3, 0, 0]),
        chunk(b"ANIM", &[0; 6]),
        frame([255, 0, 0]),
        frame([0, 0, 255]),
    ]
    .concat();
    chunk(b"RIFF", &body)
}

#[test]
fn the_orientation_of_exif_is_applied() {
    // TIFF header, one entry: tag 0x0112, short, one value, 6 (turn right).
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0".to_vec();
    exif.extend([0; 4]);
    let mut jpeg = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95);
    encoder.set_exif_metadata(exif).unwrap();
    let source = halves();
    encoder.write_image(source.as_bytes(), 16, 12, image::ExtendedColorType::Rgb8).unwrap();
    let picture = Picture::decode(&jpeg, "turned").unwrap();
    assert_eq!(picture.remarks(), [Remark::Oriented]);
    assert_eq!((picture.width(), picture.height()), (12, 16));
    assert!(picture.pixel(6, 1).unwrap()[0] > 250 && picture.pixel(6, 14).unwrap()[2] > 250);
}

#[test]
fn damaged_files_never_panic() {
    for format in FORMATS {
        let whole = file(&halves(), format);
        let step = (whole.len() / 150).max(1);
        for at in (0..whole.len()).step_by(step) {
            for value in [0, 0x7F, 0xFF] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                // Either is an answer.
                let _ = Picture::decode(&damaged, "damaged");
            }
            let _ = Picture::decode(&whole[..at], "cut");
        }
    }
}

#[test]
fn pictures_have_their_number_of_bytes() {
    assert!(Picture::new(2, 2, vec![0; 11]).unwrap_err().to_string().contains("give 12"));
    assert!(Picture::new(0, 2, vec![]).is_err());
    assert!(Picture::new(70_000, 1, vec![0; 210_000]).is_err());
    let picture = Picture::new(8, 8, vec![77; 192]).unwrap();
    let back = Picture::decode(&picture.to_jpeg(90).unwrap(), "back").unwrap();
    assert!(back.rgb().iter().all(|value| value.abs_diff(77) < 3));
}
