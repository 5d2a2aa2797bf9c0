//! MobileNetV2 (Sandler et al., arXiv 1801.04381), as torchvision has it: ReLU6, and no activation behind a block.

use super::super::build::{Builder, Value};
use super::super::graph::Network;
use super::super::op::Padding;
use crate::error::{ProbeError, Result};
use crate::layers::{Activation, Loader};

const EPS: f64 = 1e-5;
/// Blocks of which the first step is 2: those of `features.1` to `features.17` at which a stage of stride 2 begins.
const STEPS: [usize; 4] = [2, 4, 7, 14];

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("features.0.0.weight") && names.has("features.1.conv.0.0.weight") && names.has("features.18.0.weight")
}

/// Convolution, norm and ReLU6: parts 0, 1 and 2 of `at`.
fn unit(net: &mut Builder, at: &str, x: Value, stride: i64, border: i64) -> Result<Value> {
    let x = net.conv(&format!("{at}.0"), x, stride, Padding::Zeros(border))?;
    let x = net.batch_norm(&format!("{at}.1"), x, EPS)?;
    net.activation(&format!("{at}.2"), x, Activation::Relu6)
}

fn block(net: &mut Builder, at: &str, x: Value, stride: i64) -> Result<Value> {
    let path = |index: usize| format!("{at}.conv.{index}");
    // The first block does not widen.
    let widens = net.has(&format!("{}.0.weight", path(1)));
    let (mut inner, mut part) = (x, 0);
    if widens {
        inner = unit(net, &path(0), inner, 1, 0)?;
        part += 1;
    }
    inner = unit(net, &path(part), inner, stride, 1)?;
    inner = net.conv(&path(part + 1), inner, 1, Padding::Zeros(0))?;
    inner = net.batch_norm(&path(part + 2), inner, EPS)?;
    if stride == 1 && net.channels(x) == net.channels(inner) {
        net.sum(&format!("{at}.add"), x, inner)
    } else {
        Ok(inner)
    }
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (mut net, mut x) = Builder::new(loader);
    x = unit(&mut net, "features.0", x, 2, 1)?;
    for index in 1..18 {
        let at = format!("features.{index}");
        if !loader.has(&format!("{at}.conv.0.0.weight")) {
            return Err(ProbeError::Config(format!("`{at}` is missing: MobileNetV2 has 17 blocks")));
        }
        x = block(&mut net, &at, x, if STEPS.contains(&index) { 2 } else { 1 })?;
    }
    x = unit(&mut net, "features.18", x, 1, 0)?;
    x = net.adaptive_avg_pool("adaptive_avg_pool2d", x, 1)?;
    x = net.flatten("flatten", x)?;
    // classifier.0 is dropout, which does nothing here.
    net.linear("classifier.1", x)?;
    Ok(net.finish("mobilenet_v2"))
}
