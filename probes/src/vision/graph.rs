//! A convolutional network as a list of named operations.

use golgi_data::site::Site;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind};

use super::op::Op;
use crate::error::{ProbeError, Result};

/// The shape of one image's activation at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// `[batch, channels, height, width]`.
    Map(usize),
    /// `[batch, channels]`.
    Vector(usize),
}

impl Extent {
    /// How many channels, or numbers of a vector: the units of the site.
    pub fn channels(self) -> usize {
        match self {
            Extent::Map(channels) | Extent::Vector(channels) => channels,
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

/// A convolutional network: operations in the order in which they run.
///
/// Node 0 is the input, `[batch, 3, height, width]`; the last is the output, the logits `[batch, classes]`.
#[derive(Debug)]
pub struct Network {
    /// The family's name, as registered.
    pub family: &'static str,
    /// The operations.
    pub nodes: Vec<Node>,
    /// Element type of weights and activations.
    pub kind: Kind,
    /// Where the weights are.
    pub device: Device,
}

impl Network {
    /// How many classes the output tells apart.
    pub fn classes(&self) -> usize {
        self.nodes.last().map_or(0, |node| node.extent.channels())
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

    /// The same network with the entries of each weight shuffled; norms and biases stay.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn shuffled(&self, seed: u64) -> Result<Network> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(index as u64);
            let Node { site, inputs, extent, .. } = node;
            nodes.push(Node {
                site: site.clone(),
                op: node.op.shuffled(&mut random)?,
                inputs: inputs.clone(),
                extent: *extent,
            });
        }
        Ok(Network { family: self.family, nodes, kind: self.kind, device: self.device })
    }

    /// How many parameters it has.
    pub fn parameters(&self) -> u64 {
        self.nodes.iter().map(|node| node.op.parameters()).sum()
    }

    /// Height and width at each node for images of `height` × `width`; 1 × 1 for vectors.
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
