//! Building a network from weights: shapes come from the file, and each is checked against what the layer before gives.

use std::collections::HashMap;

use golgi_data::site::Site;

use super::graph::{Extent, Network, Node, Output};
use super::op::{BatchNorm, ChannelNorm, Conv, Op, Padding, Window};
use crate::error::{ProbeError, Result};
use crate::layers::{Activation, Linear, Loader};

/// A node that was added: what later ones read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value(usize);

/// Adds node after node. Paths are those of the file, without the parameter's name.
pub struct Builder<'a> {
    loader: &'a Loader<'a>,
    nodes: Vec<Node>,
    uses: HashMap<String, usize>,
}

impl<'a> Builder<'a> {
    /// An empty network that reads three channels, and its input.
    pub fn new(loader: &'a Loader<'a>) -> (Builder<'a>, Value) {
        let input =
            Node { site: Site::Module("input".to_owned()), op: Op::Input, inputs: Vec::new(), extent: Extent::Map(3) };
        (Builder { loader, nodes: vec![input], uses: HashMap::new() }, Value(0))
    }

    /// Whether the file holds a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.loader.has(name)
    }

    /// The shape of a tensor of the file.
    ///
    /// # Errors
    /// [`ProbeError::Weights`] if it is not there.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>> {
        self.loader.shape(name)
    }

    /// How many channels `value` has.
    pub fn channels(&self, value: Value) -> usize {
        self.nodes[value.0].extent.channels()
    }

    /// The shape of `value`.
    pub(super) fn extent(&self, value: Value) -> Extent {
        self.nodes[value.0].extent
    }

    pub(super) fn add(&mut self, path: &str, op: Op, inputs: &[Value], extent: Extent) -> Result<Value> {
        let before = self.uses.entry(path.to_owned()).or_insert(0);
        let name = if *before == 0 { path.to_owned() } else { format!("{path}_{before}") };
        *before += 1;
        let site = name.parse()?;
        self.nodes.push(Node { site, op, inputs: inputs.iter().map(|value| value.0).collect(), extent });
        Ok(Value(self.nodes.len() - 1))
    }

    /// The convolution `path.weight`, `path.bias` if there is one. How many groups it has follows from its shape.
    ///
    /// # Errors
    /// If the weight is missing or does not fit what it reads.
    pub fn conv(&mut self, path: &str, x: Value, stride: i64, padding: Padding) -> Result<Value> {
        let name = format!("{path}.weight");
        let (shape, given) = (self.shape(&name)?, self.channels(x));
        let fits = matches!(shape.as_slice(), [out, seen, height, width] if *seen > 0 && *height > 0 && *width > 0
            && given % seen == 0 && out % (given / seen) == 0);
        if !fits {
            let expected = [&[shape.first().copied().unwrap_or(0), given][..], shape.get(2..).unwrap_or(&[])].concat();
            return Err(ProbeError::WeightShape { name, expected, found: shape });
        }
        let weight = self.loader.tensor(&name, &shape)?;
        let bias_name = format!("{path}.bias");
        let bias = if self.has(&bias_name) { Some(self.loader.tensor(&bias_name, &shape[..1])?) } else { None };
        let conv = Conv { weight, bias, stride, padding, groups: (given / shape[1]) as i64 };
        self.add(path, Op::Conv(conv), &[x], Extent::Map(shape[0]))
    }

    /// The batch norm under `path`.
    ///
    /// # Errors
    /// If a part of it is missing or has another size than what it reads.
    pub fn batch_norm(&mut self, path: &str, x: Value, eps: f64) -> Result<Value> {
        let size = [self.channels(x)];
        let part = |name: &str| self.loader.tensor(&format!("{path}.{name}"), &size);
        let norm = BatchNorm {
            mean: part("running_mean")?,
            var: part("running_var")?,
            gain: part("weight")?,
            bias: part("bias")?,
            eps,
        };
        self.add(path, Op::BatchNorm(norm), &[x], Extent::Map(size[0]))
    }

    /// The layer norm over channels under `path`.
    ///
    /// # Errors
    /// If a part of it is missing or has another size than what it reads.
    pub fn channel_norm(&mut self, path: &str, x: Value, eps: f64) -> Result<Value> {
        let (size, extent) = ([self.channels(x)], self.nodes[x.0].extent);
        let part = |name: &str| self.loader.tensor(&format!("{path}.{name}"), &size);
        let norm = ChannelNorm { gain: part("weight")?, bias: part("bias")?, eps };
        self.add(path, Op::ChannelNorm(norm), &[x], extent)
    }

    /// The affine map of channels under `path`.
    ///
    /// # Errors
    /// If its weight is missing or has another width than what it reads.
    pub fn linear(&mut self, path: &str, x: Value) -> Result<Value> {
        let name = format!("{path}.weight");
        let (shape, given) = (self.shape(&name)?, self.channels(x));
        let [out, seen] = shape[..] else {
            return Err(ProbeError::WeightShape { name, expected: vec![0, given], found: shape });
        };
        if seen != given {
            return Err(ProbeError::WeightShape { name, expected: vec![out, given], found: shape });
        }
        let weight = self.loader.tensor(&name, &shape)?;
        let bias = self.loader.tensor(&format!("{path}.bias"), &shape[..1])?;
        let extent = match self.nodes[x.0].extent {
            Extent::Map(_) => Extent::Map(out),
            Extent::Vector(_) => Extent::Vector(out),
            Extent::Tokens(_) | Extent::Heads { .. } | Extent::Pattern(_) => Extent::Tokens(out),
        };
        self.add(path, Op::Linear(Linear { weight, bias: Some(bias) }), &[x], extent)
    }

    /// Each channel times the entries of the tensor `name`, which has so many.
    ///
    /// # Errors
    /// If it is missing or has another number of entries than `x` has channels.
    pub fn scale(&mut self, path: &str, name: &str, x: Value) -> Result<Value> {
        let channels = self.channels(x);
        let scale = self.loader.tensor(name, &[channels, 1, 1])?.f_view([channels as i64])?;
        self.add(path, Op::Scale(scale), &[x], Extent::Map(channels))
    }

    fn keep(&mut self, path: &str, op: Op, x: Value) -> Result<Value> {
        let extent = self.nodes[x.0].extent;
        self.add(path, op, &[x], extent)
    }

    /// An elementwise function.
    ///
    /// # Errors
    /// If `path` is no name of a site.
    pub fn activation(&mut self, path: &str, x: Value, activation: Activation) -> Result<Value> {
        self.keep(path, Op::Activation(activation), x)
    }

    /// The largest value of each window.
    ///
    /// # Errors
    /// If `path` is no name of a site.
    pub fn max_pool(&mut self, path: &str, x: Value, window: Window) -> Result<Value> {
        self.keep(path, Op::MaxPool(window), x)
    }

    /// The mean of each window.
    ///
    /// # Errors
    /// If `path` is no name of a site.
    pub fn avg_pool(&mut self, path: &str, x: Value, window: Window) -> Result<Value> {
        self.keep(path, Op::AvgPool(window), x)
    }

    /// Means that give a map of `side` × `side`.
    ///
    /// # Errors
    /// If `path` is no name of a site.
    pub fn adaptive_avg_pool(&mut self, path: &str, x: Value, side: i64) -> Result<Value> {
        self.keep(path, Op::AdaptiveAvgPool(side), x)
    }

    /// The map, which an adaptive pooling has brought to a fixed size before, as a vector.
    ///
    /// # Errors
    /// If `path` is no name of a site.
    pub fn flatten(&mut self, path: &str, x: Value) -> Result<Value> {
        let mut at = x.0;
        let side = loop {
            match (&self.nodes[at].op, self.nodes[at].inputs.first()) {
                (Op::AdaptiveAvgPool(side), _) => break *side as usize,
                (_, Some(before)) => at = *before,
                (_, None) => break 1,
            }
        };
        self.add(path, Op::Flatten, &[x], Extent::Vector(self.channels(x) * side * side))
    }

    /// The sum of two values of the same size.
    ///
    /// # Errors
    /// If they have different numbers of channels.
    pub fn sum(&mut self, path: &str, a: Value, b: Value) -> Result<Value> {
        let (one, other) = (self.channels(a), self.channels(b));
        if one != other {
            return Err(ProbeError::Config(format!("`{path}` adds {one} channels to {other}")));
        }
        let extent = self.nodes[a.0].extent;
        self.add(path, Op::Add, &[a, b], extent)
    }

    /// The product of a map with one of 1 × 1.
    ///
    /// # Errors
    /// If they have different numbers of channels.
    pub fn product(&mut self, path: &str, scale: Value, x: Value) -> Result<Value> {
        let (one, other) = (self.channels(scale), self.channels(x));
        if one != other {
            return Err(ProbeError::Config(format!("`{path}` scales {other} channels by {one}")));
        }
        // The map first: its size is that of the product.
        let extent = self.nodes[x.0].extent;
        self.add(path, Op::Mul, &[x, scale], extent)
    }

    /// The channels of several maps behind each other.
    ///
    /// # Errors
    /// If `path` is no name of a site.
    pub fn concat(&mut self, path: &str, parts: &[Value]) -> Result<Value> {
        let channels = parts.iter().map(|part| self.channels(*part)).sum();
        self.add(path, Op::Concat, parts, Extent::Map(channels))
    }

    /// The network, whose last node is the output.
    pub fn finish(self, family: &'static str) -> Network {
        self.finish_with(family, Output::Classes)
    }

    pub(super) fn finish_with(self, family: &'static str, output: Output) -> Network {
        Network { family, nodes: self.nodes, output, kind: self.loader.kind(), device: self.loader.device() }
    }
}
