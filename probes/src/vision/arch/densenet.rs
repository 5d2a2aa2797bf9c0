//! DenseNet 121 to 201 (Huang et al., arXiv 1608.06993), as torchvision has it: each layer reads the channels of all before it.

use super::super::build::{Builder, Value};
use super::super::graph::Network;
use super::super::op::{Padding, Window};
use crate::error::Result;
use crate::layers::{Activation, Loader};

const EPS: f64 = 1e-5;
/// More blocks, and layers of a block, than any DenseNet has.
const MOST: usize = 256;

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("features.conv0.weight")
        && names.has("features.denseblock1.denselayer1.conv1.weight")
        && names.has("classifier.weight")
}

fn layer(net: &mut Builder, at: &str, before: &[Value]) -> Result<Value> {
    let path = |name: &str| format!("{at}.{name}");
    let x = net.concat(&path("cat"), before)?;
    let x = net.batch_norm(&path("norm1"), x, EPS)?;
    let x = net.activation(&path("relu1"), x, Activation::Relu)?;
    let x = net.conv(&path("conv1"), x, 1, Padding::Zeros(0))?;
    let x = net.batch_norm(&path("norm2"), x, EPS)?;
    let x = net.activation(&path("relu2"), x, Activation::Relu)?;
    net.conv(&path("conv2"), x, 1, Padding::Zeros(1))
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (mut net, mut x) = Builder::new(loader);
    x = net.conv("features.conv0", x, 2, Padding::Zeros(3))?;
    x = net.batch_norm("features.norm0", x, EPS)?;
    x = net.activation("features.relu0", x, Activation::Relu)?;
    x = net.max_pool("features.pool0", x, Window { size: 3, stride: 2, padding: 1, ceil: false })?;
    for block in
        (1..MOST).take_while(|block| loader.has(&format!("features.denseblock{block}.denselayer1.conv1.weight")))
    {
        let at = format!("features.denseblock{block}");
        let mut parts = vec![x];
        for index in (1..MOST).take_while(|index| loader.has(&format!("{at}.denselayer{index}.conv1.weight"))) {
            let new = layer(&mut net, &format!("{at}.denselayer{index}"), &parts)?;
            parts.push(new);
        }
        x = net.concat(&format!("{at}.cat"), &parts)?;
        let at = format!("features.transition{block}");
        if loader.has(&format!("{at}.conv.weight")) {
            x = net.batch_norm(&format!("{at}.norm"), x, EPS)?;
            x = net.activation(&format!("{at}.relu"), x, Activation::Relu)?;
            x = net.conv(&format!("{at}.conv"), x, 1, Padding::Zeros(0))?;
            x = net.avg_pool(&format!("{at}.pool"), x, Window { size: 2, stride: 2, padding: 0, ceil: false })?;
        }
    }
    x = net.batch_norm("features.norm5", x, EPS)?;
    x = net.activation("relu", x, Activation::Relu)?;
    x = net.adaptive_avg_pool("adaptive_avg_pool2d", x, 1)?;
    x = net.flatten("flatten", x)?;
    net.linear("classifier", x)?;
    Ok(net.finish("densenet"))
}
