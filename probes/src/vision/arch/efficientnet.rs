//! EfficientNet B0 to B7 (Tan and Le, arXiv 1905.11946), as torchvision has it. (EfficientNet in the layout of its first PyTorch port is
//! in `efficientnet_lite.rs`.)

use golgi_data::images::{Fit, Interpolation, Preprocess, PreprocessSettings};

use super::super::build::{Builder, Value};
use super::super::graph::{Network, Node};
use super::super::op::{Op, Padding};
use crate::error::Result;
use crate::layers::{Activation, Loader};

/// The first step of each stage, `features.1` to `features.7`.
const STRIDES: [i64; 7] = [1, 2, 2, 2, 1, 2, 1];
/// More blocks than a stage of B7 has.
const MOST: usize = 256;

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("features.0.0.weight")
        && names.has("features.1.0.block.0.0.weight")
        && names.has("features.1.0.block.1.fc1.weight")
        && names.has("classifier.1.weight")
}

/// Convolution and norm, and SiLU unless it is the last of a block: parts 0, 1 and 2 of `at`.
fn unit(net: &mut Builder, at: &str, x: Value, stride: i64, eps: f64, silu: bool) -> Result<Value> {
    let side = net.shape(&format!("{at}.0.weight"))?.get(2).copied().unwrap_or(1) as i64;
    let x = net.conv(&format!("{at}.0"), x, stride, Padding::Zeros((side - 1) / 2))?;
    let x = net.batch_norm(&format!("{at}.1"), x, eps)?;
    if silu { net.activation(&format!("{at}.2"), x, Activation::Silu) } else { Ok(x) }
}

fn block(net: &mut Builder, at: &str, x: Value, stride: i64, eps: f64) -> Result<Value> {
    let path = |index: usize| format!("{at}.block.{index}");
    // Blocks that widen have four parts, others three.
    let widens = net.has(&format!("{}.0.weight", path(3)));
    let (mut inner, mut part) = (x, 0);
    if widens {
        inner = unit(net, &path(0), inner, 1, eps, true)?;
        part += 1;
    }
    inner = unit(net, &path(part), inner, stride, eps, true)?;
    let squeeze = path(part + 1);
    let mut scale = net.adaptive_avg_pool(&format!("{squeeze}.avgpool"), inner, 1)?;
    scale = net.conv(&format!("{squeeze}.fc1"), scale, 1, Padding::Zeros(0))?;
    scale = net.activation(&format!("{squeeze}.activation"), scale, Activation::Silu)?;
    scale = net.conv(&format!("{squeeze}.fc2"), scale, 1, Padding::Zeros(0))?;
    scale = net.activation(&format!("{squeeze}.scale_activation"), scale, Activation::Sigmoid)?;
    inner = net.product(&format!("{squeeze}.mul"), scale, inner)?;
    inner = unit(net, &path(part + 2), inner, 1, eps, false)?;
    if stride == 1 && net.channels(x) == net.channels(inner) {
        net.sum(&format!("{at}.add"), inner, x)
    } else {
        Ok(inner)
    }
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (mut net, mut x) = Builder::new(loader);
    // The ε of B5, B6 and B7 is another; they are known by the width of the head.
    let width = net.shape("classifier.1.weight")?.get(1).copied().unwrap_or(0);
    let eps = if width >= 2048 { 1e-3 } else { 1e-5 };
    x = unit(&mut net, "features.0", x, 2, eps, true)?;
    for (stage, stride) in STRIDES.iter().enumerate() {
        let at = format!("features.{}", stage + 1);
        for index in (0..MOST).take_while(|index| loader.has(&format!("{at}.{index}.block.0.0.weight"))) {
            x = block(&mut net, &format!("{at}.{index}"), x, if index == 0 { *stride } else { 1 }, eps)?;
        }
    }
    x = unit(&mut net, "features.8", x, 1, eps, true)?;
    x = net.adaptive_avg_pool("avgpool", x, 1)?;
    x = net.flatten("flatten", x)?;
    // classifier.0 is dropout, which does nothing here.
    net.linear("classifier.1", x)?;
    Ok(net.finish("efficientnet"))
}

/// How many depthwise convolutions there are: one in each block.
pub(super) fn depthwise(network: &Network) -> usize {
    let depthwise = |node: &&Node| matches!(&node.op, Op::Conv(conv) if conv.groups > 1);
    network.nodes.iter().filter(depthwise).count()
}

/// The side of the images that B0 to B7 were trained on, told by the width of the head and, where two share it, by the number of blocks.
pub(super) fn side(network: &Network) -> u32 {
    let head = network.nodes.iter().rev().find_map(|node| match &node.op {
        Op::Linear(linear) => Some(linear.weight.size()[1]),
        _ => None,
    });
    match (head, depthwise(network)) {
        (Some(1280), 0..=16) => 224,
        (Some(1280), _) => 240,
        (Some(1408), _) => 260,
        (Some(1536), _) => 300,
        (Some(1792), _) => 380,
        (Some(2048), _) => 456,
        (Some(2304), _) => 528,
        (Some(2560), _) => 600,
        _ => 224,
    }
}

/// Torchvision has trained B2 at 288 pixels, and resizes for each network to another size before the crop.
pub(super) fn expects(network: &Network) -> Result<Preprocess> {
    let (resize, crop) = match side(network) {
        224 => (256, 224),
        240 => (256, 240),
        260 => (288, 288),
        300 => (320, 300),
        380 => (384, 380),
        side => (side, side),
    };
    let usual = *Preprocess::imagenet(224)?.settings();
    let fit = Fit::ResizeThenCrop { resize, crop };
    Ok(Preprocess::new(PreprocessSettings { fit, interpolation: Interpolation::Bicubic, ..usual })?)
}
