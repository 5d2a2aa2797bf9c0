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
            floats(&weight.f_norm_scalaropt_dim_dtype(2.0, axis, false, Kind::Float)?)
        };
        for block in &model.blocks {
            norms.read.extend(lengths(&block.mlp.pre.weight, 1)?);
            norms.write.extend(lengths(&block.mlp.down.weight, 0)?);
        }
        Ok(norms)
    }
}
