//! ResNet 18 to 152, also wide and with groups (He et al., arXiv 1512.03385; ResNeXt, 1611.05431), as torchvision has it: the
//! stride of a bottleneck is that of its 3 × 3 convolution.

use super::super::build::{Builder, Value};
use super::super::graph::Network;
use super::super::op::{Padding, Window};
use crate::error::Result;
use crate::layers::{Activation, Loader};

const EPS: f64 = 1e-5;
/// More blocks than a stage of ResNet 152 has (36).
const MOST: usize = 256;

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("conv1.weight")
        && names.has("layer1.0.conv1.weight")
        && names.has("layer4.0.conv1.weight")
        && names.has("fc.weight")
}

fn block(net: &mut Builder, at: &str, x: Value, stride: i64) -> Result<Value> {
    let path = |name: &str| format!("{at}.{name}");
    let bottleneck = net.has(&path("conv3.weight"));
    let strides: &[i64] = if bottleneck { &[1, stride, 1] } else { &[stride, 1] };
    let mut inner = x;
    for (index, stride) in strides.iter().enumerate() {
        let border = if bottleneck && index != 1 { 0 } else { 1 };
        inner = net.conv(&path(&format!("conv{}", index + 1)), inner, *stride, Padding::Zeros(border))?;
        inner = net.batch_norm(&path(&format!("bn{}", index + 1)), inner, EPS)?;
        if index + 1 < strides.len() {
            inner = net.activation(&path("relu"), inner, Activation::Relu)?;
        }
    }
    let mut skip = x;
    if net.has(&path("downsample.0.weight")) {
        skip = net.conv(&path("downsample.0"), x, stride, Padding::Zeros(0))?;
        skip = net.batch_norm(&path("downsample.1"), skip, EPS)?;
    }
    let sum = net.sum(&path("add"), inner, skip)?;
    net.activation(&path("relu"), sum, Activation::Relu)
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (mut net, mut x) = Builder::new(loader);
    x = net.conv("conv1", x, 2, Padding::Zeros(3))?;
    x = net.batch_norm("bn1", x, EPS)?;
    x = net.activation("relu", x, Activation::Relu)?;
    x = net.max_pool("maxpool", x, Window { size: 3, stride: 2, padding: 1, ceil: false })?;
    for stage in 1..=4 {
        for index in (0..MOST).take_while(|index| loader.has(&format!("layer{stage}.{index}.conv1.weight"))) {
            let stride = if stage > 1 && index == 0 { 2 } else { 1 };
            x = block(&mut net, &format!("layer{stage}.{index}"), x, stride)?;
        }
    }
    x = net.adaptive_avg_pool("avgpool", x, 1)?;
    x = net.flatten("flatten", x)?;
    net.linear("fc", x)?;
    Ok(net.finish("resnet"))
}
