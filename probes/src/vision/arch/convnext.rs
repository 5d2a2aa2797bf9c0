//! ConvNeXt tiny to large (Liu et al., arXiv 2201.03545), as torchvision has it. Its inner layers work on maps turned to channels-last; here
//! every site is `[batch, channels, height, width]`.

use golgi_data::images::{Fit, Preprocess, PreprocessSettings};

use super::super::build::{Builder, Value};
use super::super::graph::Network;
use super::super::op::Padding;
use crate::error::Result;
use crate::layers::{Activation, Loader};

const EPS: f64 = 1e-6;
/// More stages and blocks than any ConvNeXt has.
const MOST: usize = 256;

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("features.0.0.weight") && names.has("features.1.0.layer_scale") && names.has("classifier.2.weight")
}

fn block(net: &mut Builder, at: &str, x: Value) -> Result<Value> {
    let path = |index: usize| format!("{at}.block.{index}");
    let mut inner = net.conv(&path(0), x, 1, Padding::Zeros(3))?;
    // Parts 1 and 6 turn the map and turn it back.
    inner = net.channel_norm(&path(2), inner, EPS)?;
    inner = net.linear(&path(3), inner)?;
    inner = net.activation(&path(4), inner, Activation::Gelu)?;
    inner = net.linear(&path(5), inner)?;
    inner = net.scale(&format!("{at}.mul"), &format!("{at}.layer_scale"), inner)?;
    net.sum(&format!("{at}.add"), inner, x)
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (mut net, mut x) = Builder::new(loader);
    x = net.conv("features.0.0", x, 4, Padding::Zeros(0))?;
    x = net.channel_norm("features.0.1", x, EPS)?;
    // Odd numbers are stages, even ones the steps between them.
    for stage in (1..MOST).step_by(2).take_while(|stage| loader.has(&format!("features.{stage}.0.layer_scale"))) {
        for index in (0..MOST).take_while(|index| loader.has(&format!("features.{stage}.{index}.layer_scale"))) {
            x = block(&mut net, &format!("features.{stage}.{index}"), x)?;
        }
        let step = format!("features.{}", stage + 1);
        if loader.has(&format!("{step}.1.weight")) {
            x = net.channel_norm(&format!("{step}.0"), x, EPS)?;
            x = net.conv(&format!("{step}.1"), x, 2, Padding::Zeros(0))?;
        }
    }
    x = net.adaptive_avg_pool("avgpool", x, 1)?;
    x = net.channel_norm("classifier.0", x, EPS)?;
    x = net.flatten("classifier.1", x)?;
    net.linear("classifier.2", x)?;
    Ok(net.finish("convnext"))
}

pub(super) fn expects(_: &Network) -> Result<Preprocess> {
    let usual = *Preprocess::imagenet(224)?.settings();
    Ok(Preprocess::new(PreprocessSettings { fit: Fit::ResizeThenCrop { resize: 236, crop: 224 }, ..usual })?)
}
