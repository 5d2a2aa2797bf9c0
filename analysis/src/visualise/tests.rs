use golgi_data::context::RunContext;
use golgi_data::images::Preprocess;
use golgi_probes::Tensor;
use golgi_probes::vision::{Conv, Extent, Network, Node, Op, OpenVision, Output, Padding};
use tch::{Device, Kind};

use super::jitter::Jitter;
use super::*;
use crate::VisionError;

/// A filter of 7 × 7: a wave of four pixels under a bell, turned by `angle`.
fn gabor(angle: f32) -> Vec<f32> {
    let mut filter = Vec::new();
    for y in -3..=3 {
        for x in -3..=3 {
            let (x, y) = (x as f32, y as f32);
            let along = x * angle.cos() + y * angle.sin();
            filter.push((-(x * x + y * y) / 8.0).exp() * (std::f32::consts::TAU * along / 4.0).cos());
        }
    }
    let mean = filter.iter().sum::<f32>() / 49.0;
    filter.into_iter().map(|value| value - mean).collect()
}

/// One convolution whose units read grey values by Gabor filters of three angles, and one dead unit.
fn planted() -> OpenVision {
    let filters: Vec<Vec<f32>> = [0.0, 0.8, 1.6].iter().map(|angle| gabor(*angle)).chain([vec![0.0; 49]]).collect();
    let weight: Vec<f32> =
        filters.iter().flat_map(|filter| [filter.clone(), filter.clone(), filter.clone()].concat()).collect();
    let weight = Tensor::from_slice(&weight).view([4, 3, 7, 7]);
    let bias = Some(Tensor::from_slice(&[0f32, 0.0, 0.0, -1.0]));
    let conv = Conv { weight, bias, stride: 1, padding: Padding::Zeros(3), groups: 1 };
    let node = |name: &str, op, inputs, channels| Node {
        site: name.parse().unwrap(),
        op,
        inputs,
        extent: Extent::Map(channels),
    };
    let nodes = vec![
        node("input", Op::Input, vec![], 3),
        node("conv", Op::Conv(conv), vec![0], 4),
        node("relu", Op::Activation(golgi_probes::layers::Activation::Relu), vec![1], 4),
    ];
    let network =
        Network { family: "planted", nodes, output: Output::Features, kind: Kind::Float, device: Device::Cpu };
    OpenVision::in_memory("planted", network, Preprocess::imagenet(32).unwrap())
}

fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len() as f32;
    let (ma, mb) = (a.iter().sum::<f32>() / n, b.iter().sum::<f32>() / n);
    let sum = |f: &dyn Fn(f32, f32) -> f32| a.iter().zip(b).map(|(x, y)| f(x - ma, y - mb)).sum::<f32>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

#[test]
fn a_neuron_shows_the_filter_that_it_reads() {
    let open = planted();
    let units: Vec<_> = (0..3).map(|unit| format!("relu:{unit}").parse().unwrap()).collect();
    let target = Target::units(&units).unwrap().aiming(Aim::Neuron);
    for parametrisation in [Parametrisation::Pixel, Parametrisation::Fft] {
        let settings =
            Settings { size: 32, steps: 150, parametrisation, jitter: Jitter::none(), ..Settings::default() };
        let found = visualise(&open, &target, &settings, &RunContext::new(3)).unwrap();
        for (index, (image, angle)) in found.iter().zip([0.0, 0.8, 1.6]).enumerate() {
            assert_eq!(image.verdict, Verdict::Converged);
            // Of all images with values in 0..1 the best for a filter is white where it is positive and black where it is negative.
            let (sum, part) =
                (|f: &dyn Fn(f32) -> f32| gabor(angle).into_iter().map(f).sum::<f32>(), open.preprocess.settings());
            let best: f32 = (0..3)
                .map(|c| {
                    ((1.0 - part.mean[c]) * sum(&|w| w.max(0.0)) - part.mean[c] * sum(&|w| w.min(0.0))) / part.std[c]
                })
                .sum();
            assert!(image.value > 0.9 * best && image.value <= best * 1.001, "{} of {best}", image.value);
            let grey = |x: u32, y: u32| image.picture.pixel(x, y).unwrap().iter().map(|v| f32::from(*v)).sum::<f32>();
            let patch: Vec<f32> =
                (13..20).flat_map(|y| (13..20).map(move |x| (x, y))).map(|(x, y)| grey(x, y)).collect();
            // Pixels count as much as the filter weighs them: where it is near 0 the image may be anything.
            let agreement = |angle: f32| {
                let filter = gabor(angle);
                let weigh =
                    |values: &[f32]| values.iter().zip(&filter).map(|(v, w)| v * w.abs().sqrt()).collect::<Vec<_>>();
                let grey = patch.iter().map(|value| value / 382.5 - 1.0).collect::<Vec<_>>();
                let signs = filter.iter().map(|w| w.signum()).collect::<Vec<_>>();
                correlation(&weigh(&grey), &weigh(&signs))
            };
            let (alike, other) = (agreement(angle), agreement(angle + 0.8));
            assert!(alike > 0.9 && other < 0.6, "{parametrisation:?}, unit {index}: {alike}, {other}");
        }
    }
}

/// How much two images differ, of 255. Equal ones differ by what the order of sums changes, which is the machine's.
fn distance(one: &Optimised, other: &Optimised) -> f64 {
    let pairs = one.picture.rgb().iter().zip(other.picture.rgb());
    pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.picture.rgb().len() as f64
}

#[test]
fn images_of_a_batch_are_those_they_are_alone() {
    let open = planted();
    let units: Vec<_> = (0..2).map(|unit| format!("conv:{unit}").parse().unwrap()).collect();
    let settings = Settings { size: 32, steps: 20, ..Settings::default() };
    let both = visualise(&open, &Target::units(&units).unwrap(), &settings, &RunContext::new(1)).unwrap();
    let one = visualise(&open, &Target::units(&units[..1]).unwrap(), &settings, &RunContext::new(1)).unwrap();
    let again = visualise(&open, &Target::units(&units[..1]).unwrap(), &settings, &RunContext::new(1)).unwrap();
    let same = distance(&one[0], &again[0]);
    assert!((both[0].value - one[0].value).abs() < 1e-3 * one[0].value.abs(), "{} {}", both[0].value, one[0].value);
    let other = visualise(&open, &Target::units(&units[..1]).unwrap(), &settings, &RunContext::new(2)).unwrap();
    let apart = distance(&one[0], &other[0]);
    assert!(apart > 1.0 && same < 0.1 * apart, "{same} {apart}");
}

#[test]
fn whoever_watches_sees_the_image_grow_and_changes_nothing() {
    let open = planted();
    let target = Target::units(&["conv:0".parse().unwrap()]).unwrap();
    let settings = Settings { size: 32, steps: 10, ..Settings::default() };
    let mut seen: Vec<(u64, Vec<u8>)> = Vec::new();
    let watched = visualise_watched(&open, &target, &settings, &RunContext::new(1), &mut |step, pictures| {
        assert_eq!(pictures.len(), 1);
        seen.push((step, pictures[0].rgb().to_vec()));
    });
    let alone = visualise(&open, &target, &settings, &RunContext::new(1)).unwrap();
    let (seen_last, end) = (&seen[2].1, distance(&watched.unwrap()[0], &alone[0]));
    let moved = seen_last.iter().zip(alone[0].picture.rgb()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
    assert!(end < 0.1 * moved / seen_last.len() as f64, "{end} {moved}");
    assert_eq!(seen.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 4, 8]);
    assert!(seen[0].1 != seen[1].1 && seen[2].1 != alone[0].picture.rgb());
}

#[test]
fn what_silences_a_unit_lowers_it_and_a_dead_unit_is_said_to_be_dead() {
    let open = planted();
    let unit = |text: &str| Target::units(&[text.parse().unwrap()]).unwrap().aiming(Aim::Neuron);
    let settings = Settings { size: 32, steps: 60, jitter: Jitter::none(), ..Settings::default() };
    let run = |target: Target| visualise(&open, &target, &settings, &RunContext::new(0)).unwrap().remove(0);
    let (up, down) = (run(unit("conv:0")), run(unit("conv:0").negative()));
    assert!(up.value > 1.0 && down.value > 1.0 && down.name == "-conv:0", "{} {}", up.value, down.value);
    assert_eq!(run(unit("relu:3")).verdict, Verdict::NeverExcited);
}

#[test]
fn the_spectrum_at_the_start_falls_like_one_over_f() {
    let side = 64;
    let parameters = Parametrisation::Fft.start(8, 64, 5).unwrap();
    let image = Parametrisation::Fft.channels(&parameters, side).unwrap();
    let spectrum = image.f_fft_rfft2(None::<&[i64]>, [-2i64, -1].as_slice(), "ortho").unwrap().abs();
    let at = |f: i64| {
        let row = spectrum.select(2, 0).select(2, f);
        row.square().mean(Kind::Float).sqrt().double_value(&[])
    };
    let slope = (at(20) / at(2)).ln() / 10f64.ln();
    assert!((slope + 1.0).abs() < 0.15, "{slope}");
}

#[test]
fn diverse_images_differ_more() {
    let open = planted();
    let target = Target {
        site: "relu".parse().unwrap(),
        names: vec!["a".into(), "b".into()],
        weights: vec![vec![(0, 1.0), (1, 1.0), (2, 1.0)]; 2],
        aim: Aim::Channel,
    };
    let alike = |diversity: f64| {
        let settings = Settings { size: 32, steps: 80, jitter: Jitter::none(), diversity, ..Settings::default() };
        let found = visualise(&open, &target, &settings, &RunContext::new(4)).unwrap();
        // Products of the normalised Gram matrices, which the setting is to lower.
        let gram = |image: &Optimised| {
            let map = open.network.activation(&open.pixels(&image.picture).unwrap(), 2).unwrap().flatten(2, -1);
            let gram = map.bmm(&map.transpose(1, 2)).view([-1]);
            &gram / gram.square().sum(None::<Kind>).sqrt()
        };
        (gram(&found[0]) * gram(&found[1])).sum(Kind::Double).double_value(&[])
    };
    let (free, pushed) = (alike(0.0), alike(20.0));
    assert!(free > 0.9 && pushed < free - 0.1, "{pushed} {free}");
}

#[test]
fn impossible_wishes_are_refused() {
    let open = planted();
    let said = |target: Result<Target, VisionError>, settings: Settings| {
        target.and_then(|target| visualise(&open, &target, &settings, &RunContext::new(0))).unwrap_err().to_string()
    };
    let unit = |text: &str| Target::units(&[text.parse().unwrap()]);
    assert!(said(unit("conv:4"), Settings::default()).contains("4 units"));
    assert!(said(unit("cnv:1"), Settings::default()).contains("no site `cnv`"));
    assert!(said(Target::units(&[]), Settings::default()).contains("no unit"));
    let both = Target::units(&["conv:1".parse().unwrap(), "relu:1".parse().unwrap()]);
    assert!(said(both, Settings::default()).contains("different sites"));
    assert!(said(unit("conv:1"), Settings { size: 4, ..Settings::default() }).contains("16 to 1024"));
    let jitter = Jitter { crop: 30, ..Jitter::none() };
    assert!(said(unit("conv:1"), Settings { size: 32, jitter, ..Settings::default() }).contains("leave 2 pixels"));
}
