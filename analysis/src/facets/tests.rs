//! Planted truth: a unit with three kinds of picture that drive it.

use golgi_data::context::RunContext;
use golgi_data::images::{ImageSet, Picture, Preprocess};
use golgi_probes::layers::{Activation, Linear};
use golgi_probes::vision::{Conv, Extent, Network, Node, Op, OpenVision, Output, Padding};
use golgi_probes::{Device, Kind, Tensor};
use tempfile::TempDir;

use super::*;

const SIDE: u32 = 32;

/// Detectors of red, green and blue, averaged over the image, and a unit that any of them drives.
fn planted() -> OpenVision {
    let weight = [2f32, -1.0, -1.0, -1.0, 2.0, -1.0, -1.0, -1.0, 2.0];
    let weight = Tensor::from_slice(&weight).view([3, 3, 1, 1]);
    let conv = Conv { weight, bias: None, stride: 1, padding: Padding::Zeros(0), groups: 1 };
    let head = Linear { weight: Tensor::from_slice(&[1f32, 1.0, 1.0, 0.0, -1.0, 0.5]).view([2, 3]), bias: None };
    let ops = vec![
        ("input", Op::Input, Extent::Map(3)),
        ("conv", Op::Conv(conv), Extent::Map(3)),
        ("relu", Op::Activation(Activation::Relu), Extent::Map(3)),
        ("pool", Op::AdaptiveAvgPool(1), Extent::Map(3)),
        ("flatten", Op::Flatten, Extent::Vector(3)),
        ("fc", Op::Linear(head), Extent::Vector(2)),
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
        output: Output::Classes,
        kind: Kind::Float,
        device: Device::Cpu,
    };
    OpenVision::in_memory("planted", network, Preprocess::imagenet(SIDE).unwrap())
}

/// Pictures of discs: 20 each of red, green and blue ones on grey, and 40 without colour.
fn pictures() -> (TempDir, ImageSet) {
    let folder = tempfile::tempdir().unwrap();
    for (class, count) in [("blue", 20), ("green", 20), ("plain", 40), ("red", 20)] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        for i in 0..count {
            let wave = |k: f32| ((i as f32 + 1.0) * k).sin();
            let (cx, cy, radius) = (16.0 + 5.0 * wave(1.3), 16.0 + 5.0 * wave(2.9), 8.0 + 2.0 * wave(0.7));
            let strength = 200.0 + 40.0 * wave(5.1);
            let mut rgb = Vec::new();
            for y in 0..SIDE {
                for x in 0..SIDE {
                    let inside = (x as f32 - cx).hypot(y as f32 - cy) < radius;
                    let grey = 90.0 + 20.0 * ((x + y) as f32 * 0.3 + wave(3.7)).sin();
                    let colour = |c: &str| {
                        if inside && class == c {
                            strength
                        } else if inside && class != "plain" {
                            30.0
                        } else {
                            grey
                        }
                    };
                    rgb.extend(["red", "green", "blue"].map(|c| colour(c) as u8));
                }
            }
            let picture = Picture::new(SIDE, SIDE, rgb).unwrap();
            std::fs::write(folder.path().join(class).join(format!("{i:02}.png")), picture.to_png().unwrap()).unwrap();
        }
    }
    let set = ImageSet::open(folder.path().to_str().unwrap()).unwrap();
    (folder, set)
}

fn settings() -> FacetSettings {
    FacetSettings { facets: 3, top: 60, size: 32, ..FacetSettings::default() }
}

#[test]
fn planted_facets_are_found_and_raise_their_unit() {
    let (open, (_folder, set)) = (planted(), pictures());
    let found = facets(&open, &["fc:0".parse().unwrap()], &set, &settings(), &RunContext::new(2)).unwrap().remove(0);
    let [own, shuffled] = found.purity.unwrap();
    assert!(own >= 0.85 && shuffled < own - 0.2, "{own} {shuffled}");
    assert!(
        found.explained > 0.8 && found.explained_shuffled < 0.3,
        "{} {}",
        found.explained,
        found.explained_shuffled
    );
    let three = found.stability.iter().find(|entry| entry.kinds == 3).unwrap();
    assert!(three.agreement > 0.9, "{:?}", found.stability);
    assert!(found.values.is_sorted_by(|a, b| a >= b));
    let mut colours = Vec::new();
    for facet in &found.facets {
        assert!(
            facet.value > facet.start && facet.percentile >= 95.0,
            "{} {} {}",
            facet.start,
            facet.value,
            facet.percentile
        );
        assert_eq!((facet.exemplars.len(), facet.image.width()), (15, 32));
        // Its image has the colour of its exemplars.
        let label = set.entries()[facet.exemplars[0]].label.unwrap();
        let mut sums = [0u64; 3];
        facet.image.rgb().as_chunks::<3>().0.iter().for_each(|p| (0..3).for_each(|c| sums[c] += u64::from(p[c])));
        let strongest = (0..3).max_by_key(|c| sums[*c]).unwrap();
        assert_eq!(["red", "green", "blue"][strongest], set.classes()[label as usize]);
        colours.push(strongest);
    }
    colours.sort_unstable();
    assert_eq!(colours, [0, 1, 2]);

    let mut report = crate::report::Report::new("visualise", "planted", crate::Provenance::default());
    append(&mut report, &[found], &set, &settings()).unwrap();
    assert_eq!((report.tables.len(), report.figures.len()), (3, 4));
}

#[test]
fn the_other_schedule_and_bad_wishes() {
    let (open, (_folder, set)) = (planted(), pictures());
    let unit = || ["fc:0".parse().unwrap()];
    let other = FacetSettings { schedule: Schedule::CentreBias, ..settings() };
    let found = facets(&open, &unit(), &set, &other, &RunContext::new(2)).unwrap().remove(0);
    assert!(found.facets.iter().all(|facet| facet.value > facet.start));
    let said =
        |settings: FacetSettings| facets(&open, &unit(), &set, &settings, &RunContext::new(0)).unwrap_err().to_string();
    assert!(said(FacetSettings { facets: 1, ..settings() }).contains("2 to 20"));
    assert!(said(FacetSettings { limit: 5, ..settings() }).contains("too few"));
    assert!(said(FacetSettings { top: 5, ..settings() }).contains("three for each"));
    assert!(said(FacetSettings { size: 8, ..settings() }).contains("32 to 512"));
    assert!(said(FacetSettings { code: Some("nowhere".parse().unwrap()), ..settings() }).contains("no site"));
}
