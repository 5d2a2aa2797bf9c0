//! GoogLeNet (Szegedy et al., arXiv 1409.4842), as torchvision has it: with batch norm, and 3 × 3 where the paper has 5 × 5. The heads
//! that help training are left out.
//!
//! Torchvision's own weights expect (x − 0.5) / 0.5; its `transform_input` makes that of images normalised as for the other networks.

use golgi_data::images::{Preprocess, PreprocessSettings};

use super::super::build::{Builder, Value};
use super::super::graph::Network;
use super::super::op::{Padding, Window};
use crate::error::Result;
use crate::layers::{Activation, Loader};

const BLOCKS: [(&str, Option<(&str, i64)>); 9] = [
    ("3a", None),
    ("3b", Some(("maxpool3", 3))),
    ("4a", None),
    ("4b", None),
    ("4c", None),
    ("4d", None),
    ("4e", Some(("maxpool4", 2))),
    ("5a", None),
    ("5b", None),
];

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("inception3a.branch1.conv.weight") && names.has("conv1.conv.weight") && names.has("fc.weight")
}

/// Convolution, norm and ReLU.
fn unit(net: &mut Builder, at: &str, x: Value, stride: i64, border: i64) -> Result<Value> {
    let x = net.conv(&format!("{at}.conv"), x, stride, Padding::Zeros(border))?;
    let x = net.batch_norm(&format!("{at}.bn"), x, 1e-3)?;
    net.activation(&format!("{at}.relu"), x, Activation::Relu)
}

fn inception(net: &mut Builder, at: &str, x: Value) -> Result<Value> {
    let one = unit(net, &format!("{at}.branch1"), x, 1, 0)?;
    let mut parts = vec![one];
    for branch in ["branch2", "branch3"] {
        let narrow = unit(net, &format!("{at}.{branch}.0"), x, 1, 0)?;
        parts.push(unit(net, &format!("{at}.{branch}.1"), narrow, 1, 1)?);
    }
    let pooled = Window { size: 3, stride: 1, padding: 1, ceil: true };
    let pooled = net.max_pool(&format!("{at}.branch4.0"), x, pooled)?;
    parts.push(unit(net, &format!("{at}.branch4.1"), pooled, 1, 0)?);
    net.concat(&format!("{at}.cat"), &parts)
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (mut net, mut x) = Builder::new(loader);
    let pool = |size| Window { size, stride: 2, padding: 0, ceil: true };
    x = unit(&mut net, "conv1", x, 2, 3)?;
    x = net.max_pool("maxpool1", x, pool(3))?;
    x = unit(&mut net, "conv2", x, 1, 0)?;
    x = unit(&mut net, "conv3", x, 1, 1)?;
    x = net.max_pool("maxpool2", x, pool(3))?;
    for (name, pooled) in BLOCKS {
        x = inception(&mut net, &format!("inception{name}"), x)?;
        if let Some((path, size)) = pooled {
            x = net.max_pool(path, x, pool(size))?;
        }
    }
    x = net.adaptive_avg_pool("avgpool", x, 1)?;
    x = net.flatten("flatten", x)?;
    net.linear("fc", x)?;
    Ok(net.finish("googlenet"))
}

pub(super) fn expects(_: &Network) -> Result<Preprocess> {
    let usual = *Preprocess::imagenet(224)?.settings();
    Ok(Preprocess::new(PreprocessSettings { mean: [0.5; 3], std: [0.5; 3], ..usual })?)
}
