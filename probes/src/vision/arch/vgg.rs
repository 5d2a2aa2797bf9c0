//! VGG 11 to 19, with and without batch norm (Simonyan and Zisserman, arXiv 1409.1556), as torchvision has it.
//!
//! The numbers in the names say where the poolings are: convolution, norm and ReLU take one each.

use super::super::build::Builder;
use super::super::graph::Network;
use super::super::op::{Padding, Window};
use crate::error::Result;
use crate::layers::{Activation, Loader};

/// More entries of `features` than VGG 19 with batch norm has.
const MOST: usize = 64;

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("features.0.weight")
        && names.has("classifier.6.weight")
        && names.shape("features.0.weight").is_ok_and(|shape| shape.get(2) == Some(&3))
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (mut net, mut x) = Builder::new(loader);
    let normed = net.has("features.1.running_mean");
    let pool = Window { size: 2, stride: 2, padding: 0, ceil: false };
    let mut index = 0;
    while index < MOST {
        x = net.conv(&format!("features.{index}"), x, 1, Padding::Zeros(1))?;
        index += 1;
        if normed {
            x = net.batch_norm(&format!("features.{index}"), x, 1e-5)?;
            index += 1;
        }
        x = net.activation(&format!("features.{index}"), x, Activation::Relu)?;
        index += 1;
        if !net.has(&format!("features.{index}.weight")) {
            x = net.max_pool(&format!("features.{index}"), x, pool)?;
            index += 1;
            if !net.has(&format!("features.{index}.weight")) {
                break;
            }
        }
    }
    x = net.adaptive_avg_pool("avgpool", x, 7)?;
    x = net.flatten("flatten", x)?;
    // classifier.2 and classifier.5 are dropout, which does nothing here.
    x = net.linear("classifier.0", x)?;
    x = net.activation("classifier.1", x, Activation::Relu)?;
    x = net.linear("classifier.3", x)?;
    x = net.activation("classifier.4", x, Activation::Relu)?;
    net.linear("classifier.6", x)?;
    Ok(net.finish("vgg"))
}
