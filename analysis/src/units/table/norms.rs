//! Lengths of what every neuron reads and writes.

use golgi_probes::{Kind, Tensor, Transformer};

use crate::distribution::floats;
use crate::error::Result;

/// One length per neuron, layer by layer.
#[derive(Debug, Clone)]
pub(crate) struct NeuronNorms {
    pub read: Vec<f32>,
    pub write: Vec<f32>,
}

impl NeuronNorms {
    pub fn of(model: &Transformer) -> Result<NeuronNorms> {
        let mut norms = NeuronNorms { read: Vec::new(), write: Vec::new() };
        let lengths = |weight: &Tensor, axis: i64| -> Result<Vec<f32>> {
            let weight = weight.f_to_kind(Kind::Float)?;
            floats(&weight.f_square()?.f_sum_dim_intlist(axis, false, None::<Kind>)?.f_sqrt()?)
        };
        for block in &model.blocks {
            norms.read.extend(lengths(&block.mlp.pre.weight, 1)?);
            norms.write.extend(lengths(&block.mlp.down.weight, 0)?);
        }
        Ok(norms)
    }
}
