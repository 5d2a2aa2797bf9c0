//! EfficientNet B0 to B7 and Lite0 to Lite4 in the layout of the first PyTorch port (`_blocks.3._project_conv`), whose borders are TensorFlow's. The
//! Lite networks have ReLU6 and no squeeze-and-excitation; the others SiLU and both.

use golgi_data::images::{Interpolation, Preprocess, PreprocessSettings};

use super::super::build::{Builder, Value};
use super::super::graph::Network;
use super::super::op::{Op, Padding};
use crate::error::{ProbeError, Result};
use crate::layers::{Activation, Loader};

const EPS: f64 = 1e-3;
/// The first step of each stage. Stages differ in their number of channels.
const STRIDES: [i64; 7] = [1, 2, 2, 2, 1, 2, 1];
/// More blocks than B7 has (55).
const MOST: usize = 256;

pub(super) fn recognise(names: &Builder) -> bool {
    names.has("_conv_stem.weight") && names.has("_blocks.0._depthwise_conv.weight") && names.has("_conv_head.weight")
}

struct Port<'a> {
    net: Builder<'a>,
    activation: Activation,
}

impl Port<'_> {
    fn conv(&mut self, at: &str, name: &str, x: Value, stride: i64) -> Result<Value> {
        self.net.conv(&format!("{at}{name}"), x, stride, Padding::Same)
    }

    fn norm(&mut self, at: &str, name: &str, x: Value) -> Result<Value> {
        self.net.batch_norm(&format!("{at}{name}"), x, EPS)
    }

    fn activation(&mut self, at: &str, x: Value) -> Result<Value> {
        self.net.activation(&format!("{at}_swish"), x, self.activation)
    }

    fn block(&mut self, at: &str, x: Value, stride: i64) -> Result<Value> {
        let mut inner = x;
        if self.net.has(&format!("{at}_expand_conv.weight")) {
            inner = self.conv(at, "_expand_conv", inner, 1)?;
            inner = self.norm(at, "_bn0", inner)?;
            inner = self.activation(at, inner)?;
        }
        inner = self.conv(at, "_depthwise_conv", inner, stride)?;
        inner = self.norm(at, "_bn1", inner)?;
        inner = self.activation(at, inner)?;
        if self.net.has(&format!("{at}_se_reduce.weight")) {
            let mut scale = self.net.adaptive_avg_pool(&format!("{at}adaptive_avg_pool2d"), inner, 1)?;
            scale = self.conv(at, "_se_reduce", scale, 1)?;
            scale = self.activation(at, scale)?;
            scale = self.conv(at, "_se_expand", scale, 1)?;
            scale = self.net.activation(&format!("{at}sigmoid"), scale, Activation::Sigmoid)?;
            inner = self.net.product(&format!("{at}mul"), scale, inner)?;
        }
        inner = self.conv(at, "_project_conv", inner, 1)?;
        inner = self.norm(at, "_bn2", inner)?;
        if stride == 1 && self.net.channels(x) == self.net.channels(inner) {
            inner = self.net.sum(&format!("{at}add"), inner, x)?;
        }
        Ok(inner)
    }
}

pub(super) fn build(loader: &Loader) -> Result<Network> {
    let (net, mut x) = Builder::new(loader);
    let lite = !net.has("_blocks.0._se_reduce.weight");
    let mut port = Port { net, activation: if lite { Activation::Relu6 } else { Activation::Silu } };
    x = port.conv("", "_conv_stem", x, 2)?;
    x = port.norm("", "_bn0", x)?;
    x = port.activation("", x)?;
    let (mut stages, mut width) = (STRIDES.iter(), 0);
    for index in (0..MOST).take_while(|index| loader.has(&format!("_blocks.{index}._depthwise_conv.weight"))) {
        let at = format!("_blocks.{index}.");
        let out = port.net.shape(&format!("{at}_project_conv.weight"))?.first().copied().unwrap_or(0);
        let stride = if out == width {
            1
        } else {
            let next = stages.next();
            *next
                .ok_or_else(|| ProbeError::Config(format!("`{at}` begins an eighth stage; EfficientNets have seven")))?
        };
        width = out;
        x = port.block(&at, x, stride)?;
    }
    x = port.conv("", "_conv_head", x, 1)?;
    x = port.norm("", "_bn1", x)?;
    x = port.activation("", x)?;
    let Port { mut net, .. } = port;
    x = net.adaptive_avg_pool("_avg_pooling", x, 1)?;
    x = net.flatten("view", x)?;
    net.linear("_fc", x)?;
    Ok(net.finish("efficientnet_lite"))
}

/// Lite0 to Lite4 see 224 to 300 pixels, told by the width of the last block and the number of blocks; the others as in `efficientnet.rs`, resized as
/// that port resizes.
pub(super) fn expects(network: &Network) -> Result<Preprocess> {
    let lite = network.nodes.iter().any(|node| matches!(node.op, Op::Activation(Activation::Relu6)));
    if !lite {
        let size = super::efficientnet::side(network);
        let usual = *Preprocess::imagenet(size)?.settings();
        return Ok(Preprocess::new(PreprocessSettings { interpolation: Interpolation::Bicubic, ..usual })?);
    }
    let last = network.nodes.iter().rev().find(|node| node.site.to_string().ends_with("_project_conv"));
    let size = match (last.map_or(0, |node| node.extent.channels()), super::efficientnet::depthwise(network)) {
        (320, 0..=16) => 224,
        (320, _) => 240,
        (352, _) => 260,
        (384, _) => 280,
        (448, _) => 300,
        _ => 224,
    };
    Ok(Preprocess::efficientnet_lite(size)?)
}
