//! Label maps of every depth, and tables with faults.

use std::fs;

use super::*;

fn encode(color: png::ColorType, depth: png::BitDepth, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 3, 2);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette((0..48).collect::<Vec<u8>>());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    out
}

#[test]
fn every_depth_is_read_as_numbers() {
    use png::{BitDepth, ColorType};
    let read =
        |color, depth, data: &[u8]| LabelMap::decode(&encode(color, depth, data), "m").unwrap().labels().to_vec();
    assert_eq!(read(ColorType::Indexed, BitDepth::Eight, &[0, 1, 2, 3, 4, 5]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(read(ColorType::Indexed, BitDepth::Four, &[0x01, 0x20, 0x34, 0xF0]), [0, 1, 2, 3, 4, 15]);
    assert_eq!(read(ColorType::Grayscale, BitDepth::Two, &[0b0001_1000, 0b1100_0100]), [0, 1, 2, 3, 0, 1]);
    assert_eq!(read(ColorType::Grayscale, BitDepth::One, &[0b1010_0000, 0b0110_0000]), [1, 0, 1, 0, 1, 1]);
    let deep: Vec<u8> = [0u16, 1, 255, 256, 65_535, 7].iter().flat_map(|v| v.to_be_bytes()).collect();
    assert_eq!(read(ColorType::Grayscale, BitDepth::Sixteen, &deep), [0, 1, 255, 256, 65_535, 7]);
}

#[test]
fn what_is_no_label_map_is_said() {
    let message = |bytes: &[u8]| LabelMap::decode(bytes, "m.png").unwrap_err().to_string();
    let color = encode(png::ColorType::Rgb, png::BitDepth::Eight, &[0; 18]);
    assert!(message(&color).contains("m.png is no label map: its pixels are Rgb"));
    assert!(message(b"GIF89a").contains("it is no PNG file") && message(b"").contains("empty"));
    let whole = LabelMap::new(30, 20, (0..600).collect()).unwrap().to_png().unwrap();
    assert!(message(&whole[..whole.len() / 2]).contains("truncated"), "{}", message(&whole[..whole.len() / 2]));
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        let _ = LabelMap::decode(&damaged, "either is an answer");
    }
    let map = LabelMap::new(2, 1, vec![0, 1]).unwrap();
    let picture = Picture::new(1, 2, vec![0; 6]).unwrap();
    assert!(
        map.check_fits(&picture, "m.png").unwrap_err().to_string().contains("2 × 1 pixels where its picture is 1 × 2")
    );
    assert!(LabelMap::new(2, 1, vec![0]).is_err() && LabelMap::new(0, 1, vec![]).is_err());
}

#[test]
fn tables_of_labels_come_back_and_faults_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(LABELS);
    let label = |value, name: &str, concepts: [Option<&str>; 2]| MaskLabel {
        value,
        name: name.to_owned(),
        concepts: concepts.map(|concept| concept.map(str::to_owned)).to_vec(),
    };
    let labels = MaskLabels {
        categories: vec!["colour".to_owned(), "shape".to_owned()],
        labels: vec![label(0, "a \"ground\", grey", [None, None]), label(9, "red dot", [Some("red"), Some("dot")])],
    };
    fs::write(&path, labels.to_csv()).unwrap();
    assert_eq!(MaskLabels::read(&path).unwrap(), labels);
    assert_eq!(labels.get(9).unwrap().name, "red dot");
    assert_eq!((labels.get(3), labels.concepts("shape")), (None, vec!["dot".to_owned()]));
    let map = LabelMap::new(2, 1, vec![9, 3]).unwrap();
    assert_eq!(labels.mask(&map, "colour", "red"), [true, false]);
    assert_eq!(labels.mask(&map, "size", "red"), [false, false]);
    let mask = folder.path().join("masks").join("a.png");
    assert_eq!(MaskLabels::beside(&mask), Some(path.clone()));
    let message = |text: &str| {
        fs::write(&path, text).unwrap();
        MaskLabels::read(&path).unwrap_err().to_string()
    };
    assert!(message("number,name\n1,a\n").contains("no column `value`"));
    assert!(message("value,name\n70000,a\n").contains("line 2: `70000` is no number"));
    assert!(message("value,name\n1,a\n1,b\n").contains("line 3: the number 1 is listed twice"));
}
