//! Planted truth: units that detect what is painted.

use golgi_data::context::RunContext;
use golgi_data::images::{ImageSet, LabelMap, Picture, Preprocess};
use golgi_probes::layers::Activation;
use golgi_probes::vision::{Conv, Extent, Network, Node, Op, OpenVision, Output, Padding, Window};
use golgi_probes::{Device, Kind, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::overlap::Overlap;
use super::*;

const SIDE: u32 = 64;
/// The side of what is painted: on a third of the pictures half a percent of all pixels.
const PATCH: u32 = 8;
const CONCEPTS: [&str; 3] = ["red", "stripes", "blue"];

/// Detectors of red, of vertical stripes and of blue, and one of brightness, each smoothed a little.
fn planted() -> OpenVision {
    let mut weight = vec![0f32; 4 * 3 * 9];
    let mut put = |unit: usize, colour: usize, at: usize, value: f32| weight[(unit * 3 + colour) * 9 + at] = value;
    for (unit, gains) in [(0, [1.0, -0.5, -0.5]), (2, [-0.5, -0.5, 1.0]), (3, [0.1, 0.1, 0.1])] {
        gains.iter().enumerate().for_each(|(colour, gain)| put(unit, colour, 4, *gain));
    }
    for colour in 0..3 {
        [(3, -1.0), (4, 2.0), (5, -1.0)].iter().for_each(|(at, value)| put(1, colour, *at, *value));
    }
    let weight = Tensor::from_slice(&weight).view([4, 3, 3, 3]);
    let conv = Conv { weight, bias: None, stride: 1, padding: Padding::Zeros(1), groups: 1 };
    let ops = vec![
        ("input", Op::Input, Extent::Map(3)),
        ("conv", Op::Conv(conv), Extent::Map(4)),
        ("relu", Op::Activation(Activation::Relu), Extent::Map(4)),
        ("pool", Op::AvgPool(Window { size: 3, stride: 1, padding: 1, ceil: false }), Extent::Map(4)),
    ];
    let nodes = ops.into_iter().enumerate().map(|(at, (name, op, extent))| Node {
        site: name.parse().unwrap(),
        op,
        inputs: if at == 0 { vec![] } else { vec![at - 1] },
        extent,
    });
    let network = Network {
        family: "planted",
        nodes: nodes.collect(),
        output: Output::Features,
        kind: Kind::Float,
        device: Device::Cpu,
    };
    OpenVision::in_memory("planted", network, Preprocess::imagenet(SIDE).unwrap())
}

/// Pictures of 73 × 73, of which a network with an input of 64 sees the middle: grey with a smooth light, and one patch each.
fn painted(n: usize) -> (TempDir, ImageSet) {
    let folder = tempfile::tempdir().unwrap();
    let side = SIDE * 256 / 224;
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let mut table = "path,mask\n".to_owned();
    for i in 0..n {
        let (left, top) = (random.random_range(10..side - 10 - PATCH), random.random_range(10..side - 10 - PATCH));
        let (mut rgb, mut labels) = (Vec::new(), Vec::new());
        for y in 0..side {
            for x in 0..side {
                let inside = (left..left + PATCH).contains(&x) && (top..top + PATCH).contains(&y);
                labels.push(if inside { 1 + (i % 3) as u16 } else { 0 });
                let grey = 100 + (x + y) as u8 / 4;
                rgb.extend(match (inside, i % 3) {
                    (true, 0) => [220, 40, 40],
                    (true, 1) => [if x % 2 == 0 { 20 } else { 230 }; 3],
                    (true, _) => [40, 40, 220],
                    (false, _) => [grey; 3],
                });
            }
        }
        let picture = Picture::new(side, side, rgb).unwrap().to_png().unwrap();
        std::fs::write(folder.path().join(format!("{i:03}.png")), picture).unwrap();
        let map = LabelMap::new(side, side, labels).unwrap().to_png().unwrap();
        std::fs::write(folder.path().join(format!("{i:03}.mask.png")), map).unwrap();
        table += &format!("{i:03}.png,{i:03}.mask.png\n");
    }
    std::fs::write(folder.path().join("labels.csv"), "value,name\n0,ground\n1,red\n2,stripes\n3,blue\n").unwrap();
    std::fs::write(folder.path().join("images.csv"), table).unwrap();
    let set = ImageSet::open(folder.path().join("images.csv").to_str().unwrap()).unwrap();
    (folder, set)
}

fn settings() -> DissectionSettings {
    DissectionSettings { side: SIDE, ..DissectionSettings::default() }
}

#[test]
fn detectors_get_the_names_of_what_they_detect() {
    let (open, (_folder, set)) = (planted(), painted(90));
    let site = "pool".parse().unwrap();
    let found = dissect(&open, &site, &set, &settings(), &RunContext::new(0)).unwrap();
    assert_eq!((found.pictures, found.units.len(), found.concepts.len()), (90, 4, 4));
    for (unit, name) in found.units.iter().zip(CONCEPTS) {
        assert_eq!((unit.concept.name.as_str(), unit.milan.name.as_str()), (name, name));
        assert!(unit.interpretable && unit.iou > 0.5 && unit.null_iou < 0.04, "{unit:?}");
        // Its exemplars have it.
        let of = |index: &usize| CONCEPTS[index % 3];
        assert_eq!(unit.exemplars.len(), 15);
        assert!(unit.exemplars.iter().all(|index| of(index) == name), "{unit:?}");
    }
    let shares: f64 = found.concepts.iter().map(|(_, share)| share).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    let report = report(&found, &open, &set, &settings(), 0).unwrap();
    assert!(report.tables[0].rows.len() == 4 && report.figures.len() >= 4);
}

#[test]
fn noise_gets_no_name() {
    let (units, pixels) = (100, 64 * 64);
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut overlap = Overlap::new(units, 2).unwrap();
    for _ in 0..30 {
        let of = |share: f64, n: usize, random: &mut ChaCha8Rng| {
            let values: Vec<f32> = (0..n).map(|_| f32::from(u8::from(random.random_bool(share)))).collect();
            Tensor::from_slice(&values).view([-1, pixels as i64])
        };
        let fires = of(0.005, units * pixels, &mut random);
        let labelled = of(0.02, 2 * pixels, &mut random);
        overlap.add(&fires, &labelled, &Tensor::from_slice(&[1f64, 1.0])).unwrap();
    }
    let most = overlap.iou().unwrap().into_iter().fold(0.0, f64::max);
    assert!(most > 0.0 && most < 0.04, "{most}");
}

#[test]
fn only_pictures_of_its_category_count_against_a_concept() {
    let row = |values: [f32; 4]| Tensor::from_slice(&values).view([1, 4]);
    let mut overlap = Overlap::new(1, 1).unwrap();
    overlap.add(&row([1.0, 1.0, 0.0, 0.0]), &row([1.0, 0.0, 1.0, 0.0]), &Tensor::from_slice(&[1f64])).unwrap();
    assert!((overlap.iou().unwrap()[0] - 1.0 / 3.0).abs() < 1e-12);
    // The unit fires in a picture that nobody has labelled.
    overlap.add(&row([1.0; 4]), &row([0.0; 4]), &Tensor::from_slice(&[0f64])).unwrap();
    assert!((overlap.iou().unwrap()[0] - 1.0 / 3.0).abs() < 1e-12);
    overlap.add(&row([1.0; 4]), &row([0.0; 4]), &Tensor::from_slice(&[1f64])).unwrap();
    assert!((overlap.iou().unwrap()[0] - 1.0 / 7.0).abs() < 1e-12);
}

#[test]
fn sets_without_labels_and_bad_maps_are_refused() {
    let (open, (folder, set)) = (planted(), painted(6));
    let site = "pool".parse().unwrap();
    let said = |set: &ImageSet, settings: &DissectionSettings| {
        dissect(&open, &site, set, settings, &RunContext::new(0)).unwrap_err().to_string()
    };
    assert!(said(&set, &DissectionSettings { quantile: 1.5, ..settings() }).contains("quantiles"));
    let small = LabelMap::new(5, 5, vec![1; 25]).unwrap().to_png().unwrap();
    std::fs::write(folder.path().join("002.mask.png"), small).unwrap();
    assert!(said(&set, &settings()).contains("5 × 5"));
    std::fs::remove_file(folder.path().join("labels.csv")).unwrap();
    assert!(said(&set, &settings()).contains("labels.csv"));
    let plain = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("000.png"), plain.path().join("a.png")).unwrap();
    let plain = ImageSet::open(plain.path().to_str().unwrap()).unwrap();
    assert!(said(&plain, &settings()).contains("no label maps"));
}
