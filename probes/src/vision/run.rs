//! The forward pass of a convolutional network.

use tch::{Kind, Tensor};

use super::graph::Network;
use crate::error::{ProbeError, Result};
use crate::tap::{PassInfo, Tap};

/// The largest number of multiplications for one image that is run: a bound against images that would never end.
const MAX_MULTIPLICATIONS: u64 = 1 << 44;

impl Network {
    /// Runs the network over `pixels`, `[batch, 3, height, width]`, prepared as the model's record says; hands each wanted activation to
    /// `tap`.
    ///
    /// Returns the logits `[batch, classes]`, or `None` if `to_the_end` is off: then only what the wanted sites depend on is computed. Values are
    /// let go of behind their last reader.
    ///
    /// # Errors
    /// If the images are misshapen, too small for the network or not finite, or the tap fails.
    pub fn forward(&self, pixels: &Tensor, tap: &mut dyn Tap, to_the_end: bool) -> Result<Option<Tensor>> {
        let batch = self.check_pixels(pixels)?;
        tap.begin(&PassInfo { batch, pos: 1, offset: 0, prompt_len: 1, mask: None })?;
        let _no_grad = if tap.needs_grad() { None } else { Some(tch::no_grad_guard()) };
        let wanted: Vec<bool> = self.nodes.iter().map(|node| tap.wants(&node.site)).collect();
        let last = self.nodes.len() - 1;
        let mut readers = self.readers(|node| usize::from(wanted[node]) + usize::from(to_the_end && node == last));
        let mut values: Vec<Option<Tensor>> = Vec::new();
        values.resize_with(self.nodes.len(), || None);
        for (index, node) in self.nodes.iter().enumerate() {
            if readers[index] == 0 {
                continue;
            }
            let mut value = if node.inputs.is_empty() {
                pixels.f_to_device(self.device)?.f_to_kind(self.kind)?
            } else {
                let inputs: Vec<&Tensor> = node.inputs.iter().filter_map(|input| values[*input].as_ref()).collect();
                node.op.apply(&inputs)?
            };
            for input in &node.inputs {
                readers[*input] -= 1;
                if readers[*input] == 0 {
                    values[*input] = None;
                }
            }
            if wanted[index] {
                let expected = value.size();
                value = tap.visit(&node.site, value)?;
                let found = value.size();
                if found != expected {
                    return Err(ProbeError::TapShape { site: node.site.clone(), expected, found });
                }
                // It was a reader.
                readers[index] -= 1;
            }
            if readers[index] > 0 {
                values[index] = Some(value);
            }
        }
        Ok(if to_the_end { values.pop().flatten() } else { None })
    }

    /// How often each node's value is read, where `roots` says how often it is wanted from outside; 0 for what need not be computed.
    pub(super) fn readers(&self, roots: impl Fn(usize) -> usize) -> Vec<usize> {
        let mut readers: Vec<usize> = (0..self.nodes.len()).map(roots).collect();
        for node in (0..self.nodes.len()).rev() {
            if readers[node] > 0 {
                self.nodes[node].inputs.iter().for_each(|input| readers[*input] += 1);
            }
        }
        readers
    }

    /// Refuses what is no batch of images for this network; returns how many they are.
    pub(super) fn check_pixels(&self, pixels: &Tensor) -> Result<i64> {
        let size = pixels.size();
        let (batch, height, width) = match size.as_slice() {
            [batch, 3, height, width] if *batch > 0 => (*batch, *height, *width),
            other => {
                let text = format!("pixels of shape {other:?} are no batch of images; [batch, 3, height, width] are");
                return Err(ProbeError::Image(text));
            }
        };
        if self.multiplications(height, width)? > MAX_MULTIPLICATIONS {
            return Err(ProbeError::Image(format!(
                "{width} × {height} pixels are too many for a pass; make it smaller"
            )));
        }
        if !pixels.f_isfinite()?.f_all()?.f_int64_value(&[]).map(|all| all == 1)? {
            return Err(ProbeError::Image("it holds values that are not finite".to_owned()));
        }
        Ok(batch)
    }

    /// Multiplications with additions of one pass over one image.
    ///
    /// # Errors
    /// If the image is too small.
    pub fn multiplications(&self, height: i64, width: i64) -> Result<u64> {
        let sizes = self.spatial(height, width)?;
        let parts = self.nodes.iter().zip(sizes);
        Ok(parts.map(|(node, (height, width))| node.op.multiplications((node.extent.channels(), height, width))).sum())
    }

    /// Logits `[batch, classes]` as f32, without a tap.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn logits(&self, pixels: &Tensor) -> Result<Tensor> {
        let logits = self.forward(pixels, &mut crate::tap::NoTap, true)?;
        let logits = logits.ok_or_else(|| ProbeError::NoLogits(format!("this {} network", self.family)))?;
        Ok(logits.f_to_kind(Kind::Float)?)
    }
}
