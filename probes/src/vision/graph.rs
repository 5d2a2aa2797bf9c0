//! A network for images as a list of named operations.

use golgi_data::site::Site;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::op::Op;
use super::token::TokenOp;
use crate::error::{ProbeError, Result};

/// The shape of one image's activation at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// `[batch, channels, height, width]`.
    Map(usize),
    /// `[batch, channels]`.
    Vector(usize),
    /// `[batch, tokens, channels]`.
    Tokens(usize),
    /// `[batch, tokens, heads, d_head]`; channel c is coordinate c mod d_head of head ⌊c / d_head⌋.
    Heads {
        /// How many heads.
        heads: usize,
        /// Width of each.
        d_head: usize,
    },
    /// `[batch, heads, query, key]`; a head is a channel.
    Pattern(usize),
}

impl Extent {
    /// How many channels, or numbers of a vector: the units of the site.
    pub fn channels(self) -> usize {
        match self {
            Extent::Map(channels) | Extent::Vector(channels) | Extent::Tokens(channels) | Extent::Pattern(channels) => {
                channels
            }
            Extent::Heads { heads, d_head } => heads * d_head,
        }
    }

    /// The shape behind the batch, where [`Network::spatial`] gives `(height, width)`.
    pub fn shape(self, (height, width): (i64, i64)) -> Vec<i64> {
        match self {
            Extent::Map(channels) => vec![channels as i64, height, width],
            Extent::Vector(channels) => vec![channels as i64],
            Extent::Tokens(channels) => vec![height, channels as i64],
            Extent::Heads { heads, d_head } => vec![height, heads as i64, d_head as i64],
            Extent::Pattern(heads) => vec![heads as i64, height, height],
        }
    }
}

/// One operation of a network; what comes out of it is a site.
#[derive(Debug)]
pub struct Node {
    /// Its name: the module path of the reference implementation. A module that is used again gets `_1`, `_2`, …; what
    /// is no module is named for the operation (`layer1.0.add`).
    pub site: Site,
    /// What it does.
    pub op: Op,
    /// The nodes whose values it reads; all stand before it.
    pub inputs: Vec<usize>,
    /// What comes out.
    pub extent: Extent,
}

/// What the last node of a network gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Logits of classes, `[batch, classes]`.
    Classes,
    /// A description of the image, `[batch, features]`.
    Features,
}

/// A network for images: operations in the order in which they run.
///
/// Node 0 is the input, `[batch, 3, height, width]`; the last is the output, `[batch, classes or features]`.
#[derive(Debug)]
pub struct Network {
    /// The family's name, as registered.
    pub family: &'static str,
    /// The operations.
    pub nodes: Vec<Node>,
    /// What comes out.
    pub output: Output,
    /// Element type of weights and activations.
    pub kind: Kind,
    /// Where the weights are.
    pub device: Device,
}

impl Network {
    /// How many classes the output tells apart; 0 if it is no classifier.
    pub fn classes(&self) -> usize {
        match self.output {
            Output::Classes => self.nodes.last().map_or(0, |node| node.extent.channels()),
            Output::Features => 0,
        }
    }

    /// An activation of `node` as a map `[batch, channels, rows, columns]`, for images of `height` × `width`.
    ///
    /// Vectors are maps of 1 × 1. Tokens lie where their patches do, without the leading ones; attention scores and patterns show how the first token
    /// attends to the patches.
    ///
    /// # Errors
    /// If the image is too small, or the tensor library fails.
    pub fn as_map(&self, node: usize, value: &Tensor, (height, width): (i64, i64)) -> Result<Tensor> {
        let tokens = match self.nodes[node].extent {
            Extent::Map(_) => return Ok(value.shallow_clone()),
            Extent::Vector(_) => return Ok(value.f_unsqueeze(-1)?.f_unsqueeze(-1)?),
            Extent::Tokens(_) => value.f_transpose(1, 2)?,
            Extent::Heads { .. } => value.f_flatten(2, -1)?.f_transpose(1, 2)?,
            Extent::Pattern(_) => value.f_select(2, 0)?,
        };
        let (leading, map) = self.patches()?;
        let (rows, columns) = self.spatial(height, width)?[map];
        let size = tokens.size();
        Ok(tokens.f_narrow(2, leading, rows * columns)?.f_reshape([size[0], size[1], rows, columns])?)
    }

    /// How many leading tokens a vision transformer has, and the node whose map its other tokens are.
    fn patches(&self) -> Result<(i64, usize)> {
        let found = self.nodes.iter().find_map(|node| match &node.op {
            Op::Token(TokenOp::Tokens(leading)) => Some((leading.size()[0], node.inputs[0])),
            _ => None,
        });
        found.ok_or_else(|| ProbeError::Trace(format!("the {} network has tokens of no patches", self.family)))
    }

    /// Rows and columns of what [`Network::as_map`] gives at each node, for images of `height` × `width`.
    ///
    /// # Errors
    /// If the image is too small.
    pub fn map_sizes(&self, height: i64, width: i64) -> Result<Vec<(i64, i64)>> {
        let sizes = self.spatial(height, width)?;
        let size = |(node, size): (&Node, &(i64, i64))| match node.extent {
            Extent::Map(_) => Ok(*size),
            Extent::Vector(_) => Ok((1, 1)),
            Extent::Tokens(_) | Extent::Heads { .. } | Extent::Pattern(_) => Ok(sizes[self.patches()?.1]),
        };
        self.nodes.iter().zip(&sizes).map(size).collect()
    }

    /// The index of the node `site`.
    ///
    /// # Errors
    /// [`ProbeError::UnknownSite`], with sites of the same end or beginning.
    pub fn find(&self, site: &Site) -> Result<usize> {
        self.nodes.iter().position(|node| node.site == *site).ok_or_else(|| {
            let name = site.to_string();
            let last = name.rsplit('.').next().unwrap_or(&name).to_owned();
            let near: Vec<String> =
                self.nodes.iter().map(|node| node.site.to_string()).filter(|known| known.ends_with(&last)).collect();
            let hint = match near.as_slice() {
                [] => String::new(),
                near => format!(" (there is {})", near[..near.len().min(3)].join(", ")),
            };
            ProbeError::UnknownSite { site: name, hint }
        })
    }

    /// Refuses a unit that the network does not have; returns the index of its node.
    ///
    /// # Errors
    /// [`ProbeError::UnknownSite`], [`ProbeError::UnknownUnit`].
    pub fn check(&self, unit: &golgi_data::unit::Unit) -> Result<usize> {
        let index = self.find(&unit.site)?;
        let size = self.nodes[index].extent.channels();
        if unit.index as usize >= size {
            return Err(ProbeError::UnknownUnit { unit: unit.clone(), size });
        }
        Ok(index)
    }

    /// The same network with the entries of each weight of the nodes from `first` on shuffled; norms, biases and earlier nodes stay. A node is shuffled
    /// alike whatever `first` is.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn shuffled(&self, seed: u64, first: usize) -> Result<Network> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(index as u64);
            let Node { site, inputs, extent, .. } = node;
            nodes.push(Node {
                site: site.clone(),
                op: node.op.copied(if index < first { None } else { Some(&mut random) })?,
                inputs: inputs.clone(),
                extent: *extent,
            });
        }
        let Network { family, output, kind, device, .. } = *self;
        Ok(Network { family, nodes, output, kind, device })
    }

    /// The nodes that have weights which [`Network::shuffled`] shuffles, in order.
    pub fn weighted(&self) -> Vec<usize> {
        let weighted = |op: &Op| match op {
            Op::Conv(_) | Op::Linear(_) => true,
            Op::Token(op) => op.is_weighted(),
            _ => false,
        };
        let nodes = self.nodes.iter().enumerate().filter(|(_, node)| weighted(&node.op));
        nodes.map(|(index, _)| index).collect()
    }

    /// How many parameters it has.
    pub fn parameters(&self) -> u64 {
        self.nodes.iter().map(|node| node.op.parameters()).sum()
    }

    /// Height and width at each node for images of `height` × `width`; 1 × 1 for vectors, tokens × 1 for tokens.
    ///
    /// # Errors
    /// [`ProbeError::Image`] if nothing would be left of so small an image.
    pub fn spatial(&self, height: i64, width: i64) -> Result<Vec<(i64, i64)>> {
        let mut sizes: Vec<(i64, i64)> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let size = match node.inputs.first() {
                None => (height, width),
                Some(first) => node.op.spatial(sizes[*first]),
            };
            if size.0 < 1 || size.1 < 1 {
                return Err(ProbeError::Image(format!(
                    "an image of {width} × {height} pixels is too small: nothing is left of it at `{}`; give a larger one",
                    node.site
                )));
            }
            sizes.push(size);
        }
        Ok(sizes)
    }
}
