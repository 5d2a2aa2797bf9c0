//! AlexNet in its one-column form (Krizhevsky, arXiv 1404.5997), as torchvision has it.

use super::super::build::Builder;
use super::super::graph::Network;
use super::super::op::{Padding, Window};
use crate::error::Result;
use crate::layers::{Activation, Loader};

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("features.0.weight")
        && names.has("classifier.6.weight")
        && names.shape("features.0.weight").is_ok_and(|shape| shape.get(2) == Some(&11))
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (mut net, mut x) = Builder::new(loader);
    let pool = Window { size: 3, stride: 2, padding: 0, ceil: false };
    // Index of the convolution, stride, border, and whether a pooling follows.
    let layers = [(0, 4, 2, true), (3, 1, 2, true), (6, 1, 1, false), (8, 1, 1, false), (10, 1, 1, true)];
    for (index, stride, border, pooled) in layers {
        x = net.conv(&format!("features.{index}"), x, stride, Padding::Zeros(border))?;
        x = net.activation(&format!("features.{}", index + 1), x, Activation::Relu)?;
        if pooled {
            x = net.max_pool(&format!("features.{}", index + 2), x, pool)?;
        }
    }
    x = net.adaptive_avg_pool("avgpool", x, 6)?;
    x = net.flatten("flatten", x)?;
    // classifier.0 and classifier.3 are dropout, which does nothing here.
    x = net.linear("classifier.1", x)?;
    x = net.activation("classifier.2", x, Activation::Relu)?;
    x = net.linear("classifier.4", x)?;
    x = net.activation("classifier.5", x, Activation::Relu)?;
    net.linear("classifier.6", x)?;
    Ok(net.finish("alexnet"))
}
