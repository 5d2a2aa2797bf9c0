//! SqueezeNet 1.0 and 1.1 (Iandola et al., arXiv 1602.07360), as torchvision has it.

use super::super::build::{Builder, Value};
use super::super::graph::Network;
use super::super::op::{Padding, Window};
use crate::error::Result;
use crate::layers::{Activation, Loader};

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("features.0.weight") && names.has("features.3.squeeze.weight") && names.has("classifier.1.weight")
}

fn fire(net: &mut Builder, at: &str, x: Value) -> Result<Value> {
    let path = |name: &str| format!("{at}.{name}");
    let narrow = net.conv(&path("squeeze"), x, 1, Padding::Zeros(0))?;
    let narrow = net.activation(&path("squeeze_activation"), narrow, Activation::Relu)?;
    let mut parts = Vec::new();
    for (name, border) in [("expand1x1", 0), ("expand3x3", 1)] {
        let wide = net.conv(&path(name), narrow, 1, Padding::Zeros(border))?;
        parts.push(net.activation(&path(&format!("{name}_activation")), wide, Activation::Relu)?);
    }
    net.concat(&path("cat"), &parts)
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (mut net, mut x) = Builder::new(loader);
    x = net.conv("features.0", x, 2, Padding::Zeros(0))?;
    x = net.activation("features.1", x, Activation::Relu)?;
    // Behind the ReLU come twelve or eleven parts, each a fire module or, where there is none, a pooling.
    let pool = Window { size: 3, stride: 2, padding: 0, ceil: true };
    for index in 2..=12 {
        let at = format!("features.{index}");
        x = if loader.has(&format!("{at}.squeeze.weight")) {
            fire(&mut net, &at, x)?
        } else {
            net.max_pool(&at, x, pool)?
        };
    }
    // classifier.0 is dropout, which does nothing here.
    x = net.conv("classifier.1", x, 1, Padding::Zeros(0))?;
    x = net.activation("classifier.2", x, Activation::Relu)?;
    x = net.adaptive_avg_pool("classifier.3", x, 1)?;
    net.flatten("flatten", x)?;
    Ok(net.finish("squeezenet"))
}
