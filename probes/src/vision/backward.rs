//! Going back through a network node by node, with rules of one's own at its nonlinearities.
//!
//! A network is a list of operations, so that what comes back from each can be looked at and changed: guided backpropagation and
//! deconvolution replace the derivative of the rectifiers, feature visualisation lets gradients through blocked ones for its first steps.

use std::collections::HashMap;

use golgi_data::site::Site;
use tch::{Kind, Tensor};

use super::graph::Network;
use super::op::Op;
use super::token::TokenOp;
use crate::error::{ProbeError, Result};
use crate::layers::Activation;
use crate::tap::Tap;

/// What comes back from a rectifier with input `a`, when `R` comes in. For ReLU6 "open" is 0 < a < 6, for ReLU a > 0; other nonlinearities keep
/// their derivative and get the rest of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// `R` where open: the gradient.
    #[default]
    Gradient,
    /// `R` where open and R > 0 (guided backpropagation, Springenberg et al., arXiv 1412.6806).
    Guided,
    /// `R` where R > 0 (Zeiler and Fergus, arXiv 1311.2901).
    Deconvnet,
    /// The gradient, but for an image that gets none at all from this rectifier: `R` where following it opens a closed unit: R > 0 below 0, R < 0 above 6.
    /// `R` is the derivative of what is to grow.
    Redirected,
}

/// All values of one pass, kept for going back.
pub struct Record {
    /// By node; nothing where it was not needed.
    values: Vec<Option<Tensor>>,
    target: usize,
}

impl Record {
    /// The value of a node, if the target depends on it.
    pub fn value(&self, node: usize) -> Option<&Tensor> {
        self.values.get(node).and_then(Option::as_ref)
    }

    /// The value of the target.
    ///
    /// # Errors
    /// Never for a record that a pass has made.
    pub fn target(&self) -> Result<&Tensor> {
        self.value(self.target).ok_or_else(|| ProbeError::Trace("the pass kept no target".to_owned()))
    }
}

/// Keeps the values of some nodes.
struct Keep<'a> {
    nodes: HashMap<&'a Site, usize>,
    record: Record,
}

impl Tap for Keep<'_> {
    fn wants(&self, site: &Site) -> bool {
        self.nodes.contains_key(site)
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> Result<Tensor> {
        if let Some(node) = self.nodes.get(site) {
            self.record.values[*node] = Some(activation.shallow_clone());
        }
        Ok(activation)
    }
}

impl Network {
    /// Runs the network over `pixels` up to node `target` and keeps the value of every node on the way.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn record(&self, pixels: &Tensor, target: usize) -> Result<Record> {
        let readers = self.readers(|node| usize::from(node == target));
        self.keep(pixels, target, |node| readers[node] > 0)
    }

    /// Runs the network over `pixels` up to node `node`; returns its value.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn activation(&self, pixels: &Tensor, node: usize) -> Result<Tensor> {
        Ok(self.keep(pixels, node, |other| other == node)?.target()?.shallow_clone())
    }

    fn keep(&self, pixels: &Tensor, target: usize, wanted: impl Fn(usize) -> bool) -> Result<Record> {
        let nodes = self.nodes.iter().enumerate().filter(|(node, _)| wanted(*node));
        let nodes = nodes.map(|(node, of)| (&of.site, node)).collect();
        let values = std::iter::repeat_with(|| None).take(self.nodes.len()).collect();
        let mut keep = Keep { nodes, record: Record { values, target } };
        self.forward(pixels, &mut keep, false)?;
        Ok(keep.record)
    }

    /// What comes back at node `to` when `seed`, shaped like the target's value, comes in there.
    ///
    /// # Errors
    /// If the target does not depend on `to`.
    pub fn backward(&self, record: &Record, seed: &Tensor, to: usize, rule: Rule) -> Result<Tensor> {
        let mut incoming: Vec<Option<Tensor>> = std::iter::repeat_with(|| None).take(record.target + 1).collect();
        incoming[record.target] = Some(seed.shallow_clone());
        // Only what lies behind `to` matters.
        let mut behind = vec![false; self.nodes.len()];
        behind[to] = true;
        for (index, node) in self.nodes.iter().enumerate() {
            behind[index] |= node.inputs.iter().any(|input| behind[*input]);
        }
        for index in (to + 1..=record.target).rev() {
            let Some(signal) = incoming[index].take() else { continue };
            let node = &self.nodes[index];
            let inputs: Vec<&Tensor> = node.inputs.iter().filter_map(|input| record.value(*input)).collect();
            for (input, part) in node.inputs.iter().zip(back(&node.op, &inputs, &signal, rule)?) {
                if behind[*input] {
                    incoming[*input] = Some(match incoming[*input].take() {
                        Some(other) => other.f_add(&part)?,
                        None => part,
                    });
                }
            }
        }
        incoming[to].take().ok_or_else(|| {
            let (from, to) = (&self.nodes[record.target].site, &self.nodes[to].site);
            ProbeError::Trace(format!("`{from}` does not depend on `{to}`"))
        })
    }
}

/// The open units of a rectifier, 1 where open.
fn open(activation: Activation, a: &Tensor) -> Result<Option<Tensor>> {
    Ok(match activation {
        Activation::Relu => Some(a.f_gt(0.0)?),
        Activation::Relu6 => Some(a.f_gt(0.0)?.f_logical_and(&a.f_lt(6.0)?)?),
        _ => None,
    })
}

/// What comes back at each input of an operation.
fn back(op: &Op, inputs: &[&Tensor], signal: &Tensor, rule: Rule) -> Result<Vec<Tensor>> {
    let Op::Activation(activation) = op else {
        return derivative(op, inputs, signal);
    };
    let positive = || signal.f_clamp_min(0.0);
    let a = inputs[0];
    let answer = match (open(*activation, a)?, rule) {
        (None, Rule::Gradient | Rule::Redirected) => return derivative(op, inputs, signal),
        (None, Rule::Guided | Rule::Deconvnet) => return derivative(op, inputs, &positive()?),
        (Some(_), Rule::Deconvnet) => positive()?,
        (Some(open), Rule::Gradient) => signal.f_mul(&open.f_to_kind(signal.kind())?)?,
        (Some(open), Rule::Guided) => positive()?.f_mul(&open.f_to_kind(signal.kind())?)?,
        (Some(open), Rule::Redirected) => redirected(a, &open, signal)?,
    };
    Ok(vec![answer])
}

fn redirected(a: &Tensor, open: &Tensor, signal: &Tensor) -> Result<Tensor> {
    let kind = signal.kind();
    let gradient = signal.f_mul(&open.f_to_kind(kind)?)?;
    let axes: Vec<i64> = (1..signal.dim() as i64).collect();
    let blocked = gradient.f_abs()?.f_sum_dim_intlist(axes.as_slice(), true, None::<Kind>)?.f_eq(0.0)?;
    if blocked.f_any()?.f_int64_value(&[])? == 0 {
        return Ok(gradient);
    }
    let up = a.f_le(0.0)?.f_logical_and(&signal.f_gt(0.0)?)?;
    let down = a.f_ge(6.0)?.f_logical_and(&signal.f_lt(0.0)?)?;
    let helps = signal.f_mul(&up.f_logical_or(&down)?.f_to_kind(kind)?)?;
    Ok(helps.f_where_self(&blocked, &gradient)?)
}

/// `signal` times the derivative of the operation, for each of its inputs.
fn derivative(op: &Op, inputs: &[&Tensor], signal: &Tensor) -> Result<Vec<Tensor>> {
    if matches!(op, Op::Token(TokenOp::Positions(_))) {
        // They read the map's size only.
        return Ok(Vec::new());
    }
    let leaf = |input: &&Tensor| -> Result<Tensor> { Ok(input.f_detach()?.f_set_requires_grad(true)?) };
    let leaves = inputs.iter().map(leaf).collect::<Result<Vec<_>>>()?;
    tch::with_grad(|| {
        let out = op.apply(&leaves.iter().collect::<Vec<_>>())?;
        let along = out.f_mul(signal)?.f_sum(None::<Kind>)?;
        Ok(Tensor::f_run_backward(&[along], &leaves, false, false)?)
    })
}
