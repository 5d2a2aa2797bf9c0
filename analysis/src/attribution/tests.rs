//! Planted truth: networks whose answers are known.

use golgi_data::context::RunContext;
use golgi_data::images::Preprocess;
use golgi_data::unit::Unit;
use golgi_probes::layers::{Activation, Linear};
use golgi_probes::vision::{Conv, Extent, Network, Node, Op, OpenVision, Output, Padding};
use golgi_probes::{Device, Kind, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::gaussian::gaussian;

const SIDE: i64 = 48;

fn noise(shape: &[i64], deviation: f32, seed: u64) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product::<i64>()).map(|_| deviation * gaussian(&mut random)).collect();
    Tensor::from_slice(&values).view(shape)
}

fn conv(weight: Tensor, stride: i64) -> Op {
    Op::Conv(Conv { weight, bias: None, stride, padding: Padding::Zeros(0), groups: 1 })
}

fn opened(ops: Vec<(&str, Op, Extent)>) -> OpenVision {
    let mut nodes =
        vec![Node { site: "input".parse().unwrap(), op: Op::Input, inputs: vec![], extent: Extent::Map(3) }];
    for (at, (name, op, extent)) in ops.into_iter().enumerate() {
        nodes.push(Node { site: name.parse().unwrap(), op, inputs: vec![at], extent });
    }
    let network = Network { family: "planted", nodes, output: Output::Classes, kind: Kind::Float, device: Device::Cpu };
    OpenVision::in_memory("planted", network, Preprocess::imagenet(SIDE as u32).unwrap())
}

/// One layer of random filters and a rectifier, read by random logits: it has learned nothing.
fn untrained(filters: i64) -> OpenVision {
    let side = (SIDE - 7) / 2 + 1;
    let flat = filters * side * side;
    let head = Linear { weight: noise(&[10, flat], 1.0, 2), bias: None };
    opened(vec![
        ("conv", conv(noise(&[filters, 3, 7, 7], 1.0, 1), 2), Extent::Map(filters as usize)),
        ("relu", Op::Activation(Activation::Relu), Extent::Map(filters as usize)),
        ("flatten", Op::Flatten, Extent::Vector(flat as usize)),
        ("fc", Op::Linear(head), Extent::Vector(10)),
    ])
}

/// Something like a photograph: smooth light, and the edges of a few things.
fn photograph() -> Tensor {
    let mut values = Vec::new();
    for channel in 0..3 {
        for y in 0..SIDE {
            for x in 0..SIDE {
                let (u, v) = (x as f32 / SIDE as f32, y as f32 / SIDE as f32);
                let disc = f32::from((u - 0.4).hypot(v - 0.55) < 0.22);
                let bar = f32::from((u + 0.3 * v - 0.85).abs() < 0.06);
                values.push(0.8 * u - 0.5 * v + disc * (1.0 - 0.4 * channel as f32) - bar);
            }
        }
    }
    Tensor::from_slice(&values).view([1, 3, SIDE, SIDE])
}

fn by_method(maps: &[Map], method: Method) -> &Map {
    maps.iter().find(|map| map.method == method).unwrap()
}

#[test]
fn a_linear_network_is_explained_by_its_weights() {
    let weight = noise(&[2, 3, 7, 7], 1.0, 7);
    let open = opened(vec![("conv", conv(weight.shallow_clone(), 1), Extent::Map(2))]);
    // As large as the filter: one position.
    let pixels = photograph().narrow(2, 10, 7).narrow(3, 12, 7);
    let question = Question::unit(&open, Unit::new("conv".parse().unwrap(), 1)).unwrap();
    let maps = attribute(&open, &question, &pixels, &Method::ALL, &RunContext::new(0)).unwrap();
    let filter = weight.select(0, 1);
    let y = (&filter * &pixels).sum(Kind::Double).double_value(&[]);
    let expected = Vec::<f32>::try_from(filter.abs().amax([0i64], false).contiguous().view([-1])).unwrap();
    for method in [Method::Saliency, Method::Deconvnet, Method::Guided] {
        let map = by_method(&maps, method);
        assert!(map.values.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{method}");
    }
    let sum: f64 = by_method(&maps, Method::InputTimesGradient).values.iter().map(|v| f64::from(*v)).sum();
    assert!((sum - y).abs() < 1e-4 * y.abs(), "{sum} {y}");
    for baseline in [Baseline::Black, Baseline::Mean, Baseline::Blurred] {
        let complete = by_method(&maps, Method::Integrated(baseline)).completeness.unwrap();
        assert!(complete.residual() < 1e-4 && complete.nodes == 50, "{baseline:?} {complete:?}");
    }
}

#[test]
fn integrated_gradients_are_whole() {
    let (open, pixels) = (untrained(16), photograph());
    let question = Question::class(&open, 3).unwrap();
    let methods = [Baseline::Black, Baseline::Mean, Baseline::Blurred].map(Method::Integrated);
    for map in attribute(&open, &question, &pixels, &methods, &RunContext::new(0)).unwrap() {
        let complete = map.completeness.unwrap();
        assert!(complete.difference.abs() > 1.0 && complete.residual() < 0.01, "{} {complete:?}", map.method);
        let sum: f64 = map.values.iter().map(|value| f64::from(*value)).sum();
        assert!((sum - complete.sum).abs() < 1e-3 * sum.abs());
    }
}

#[test]
fn guided_backpropagation_is_flagged_and_the_gradient_is_not() {
    let (open, pixels, ctx) = (untrained(256), photograph(), RunContext::new(1));
    let question = Question::class(&open, 4).unwrap();
    let methods = [Method::Saliency, Method::Guided, Method::Deconvnet];
    let maps = attribute(&open, &question, &pixels, &methods, &ctx).unwrap();
    let found = sensitivity(&open, &question, &pixels, &maps, &ctx).unwrap();
    assert!(found[0].correlation.abs() < 0.1 && !found[0].insensitive, "{found:?}");
    assert!(found[1].correlation > 0.5 && found[1].insensitive, "{found:?}");
    assert_ne!(found[1].other, question.name);
    // A network that has learned nothing is drawn alike when it is shuffled.
    let cascades = cascade(&open, &question, &pixels, &maps, 2, &ctx).unwrap();
    let [saliency, guided] = [0, 1].map(|at| cascades[at].last());
    // (The gradient keeps some likeness: fewer filters reach the pixels at the border.)
    assert!(guided > 0.5 && saliency < guided - 0.2, "{saliency} {guided}");
    for cascade in &cascades {
        assert_eq!(cascade.steps.iter().map(|step| step.share).collect::<Vec<_>>(), [0.5, 1.0]);
        assert_eq!(cascade.steps[0].site, "fc");
        assert!(cascade.null.spearman_abs.abs() < 0.1 && cascade.twin.is_some());
    }
}

#[test]
fn grad_cam_points_at_what_the_class_reads() {
    // Channel 0 is high where red exceeds the other colours, channel 1 where blue does; class k is the mean of channel k.
    let weight = Tensor::from_slice(&[2f32, -1.0, -1.0, -1.0, -1.0, 2.0]).view([2, 3, 1, 1]);
    let head = Linear { weight: Tensor::from_slice(&[1f32, 0.0, 0.0, 1.0]).view([2, 2]), bias: None };
    let open = opened(vec![
        ("conv", conv(weight, 1), Extent::Map(2)),
        ("relu", Op::Activation(Activation::Relu), Extent::Map(2)),
        ("pool", Op::AdaptiveAvgPool(1), Extent::Map(2)),
        ("flatten", Op::Flatten, Extent::Vector(2)),
        ("fc", Op::Linear(head), Extent::Vector(2)),
    ]);
    let pixels = Tensor::zeros([1, 3, SIDE, SIDE], (Kind::Float, Device::Cpu));
    let _ = pixels.narrow(1, 0, 1).narrow(2, 5, 8).narrow(3, 30, 8).fill_(1.0);
    let _ = pixels.narrow(1, 2, 1).narrow(2, 28, 8).narrow(3, 9, 8).fill_(1.0);
    for (class, (top, left)) in [(0, (5, 30)), (1, (28, 9))] {
        let question = Question::class(&open, class).unwrap();
        assert_eq!(question.layer.to_string(), "relu");
        let methods = [Method::GradCam, Method::GuidedGradCam, Method::Saliency];
        let maps = attribute(&open, &question, &pixels, &methods, &RunContext::new(0)).unwrap();
        for map in &maps[..2] {
            let side = SIDE as usize;
            let inside = |at: usize| (top..top + 8).contains(&(at / side)) && (left..left + 8).contains(&(at % side));
            let (mut within, mut all) = (0.0, 0.0);
            for (at, value) in map.values.iter().enumerate() {
                all += value;
                within += if inside(at) { *value } else { 0.0 };
            }
            assert!(all > 0.0 && within > 0.999 * all, "{class}, {}: {within} of {all}", map.method);
        }
        let under = golgi_data::images::Picture::new(48, 48, vec![90; 48 * 48 * 3]).unwrap();
        let drawn = maps[0].picture(&under).unwrap();
        assert_ne!(drawn.pixel(left as u32 + 3, top as u32 + 3), Some([90; 3]));
        assert_eq!(drawn.pixel(1, 1), Some([90; 3]));
    }
}

#[test]
fn impossible_questions_are_refused() {
    let open = untrained(4);
    assert!(Question::class(&open, 10).unwrap_err().to_string().contains("10 units"));
    let question = Question::class(&open, 1).unwrap();
    let said = |site: &str| question.clone().at(&open, site.parse().unwrap()).unwrap_err().to_string();
    assert!(said("flatten").contains("has none") && said("nowhere").contains("no site"));
    assert_eq!(question.clone().at(&open, "conv".parse().unwrap()).unwrap().layer.to_string(), "conv");
    let two = Tensor::cat(&[photograph(), photograph()], 0);
    let refused = attribute(&open, &question, &two, &[Method::Saliency], &RunContext::new(0)).unwrap_err();
    assert!(refused.to_string().contains("one picture"));
    let ctx = RunContext::new(0);
    ctx.cancel();
    assert!(attribute(&open, &question, &photograph(), &[Method::Saliency], &ctx).is_err());
    assert!("smooth-grad".parse::<Method>().unwrap_err().contains("grad-cam"));
}
