//! A neuron, from its weights.

use golgi_probes::transformer::{Block, Layout};
use golgi_probes::{OpenModel, Tensor};

use super::vocabulary::{before_mlp, behind, read_ends, write_ends};
use super::{Measure, TokenEnds};
use crate::direct::plain;
use crate::error::{AnalysisError, Result};

/// What neuron `index` writes, `[d_model]`, before any norm behind the MLP.
pub(super) fn written(block: &Block, index: u32) -> Result<Tensor> {
    plain(&block.mlp.down.weight.f_select(1, i64::from(index))?)
}

pub(super) fn describe(
    model: &OpenModel,
    layer: usize,
    index: u32,
    top: usize,
) -> Result<(Vec<Measure>, Vec<TokenEnds>)> {
    let block = &model.model.blocks[layer];
    let row = |weight: &Tensor| plain(&weight.f_select(0, i64::from(index))?);
    let read = row(&block.mlp.pre.weight)?;
    let linear = block.mlp.pre_linear.as_ref().map(|linear| row(&linear.weight)).transpose()?;
    let write = written(block, index)?;

    let length = |x: &Tensor| Ok::<_, AnalysisError>(x.f_norm()?.f_double_value(&[])? as f32);
    let cosine = |a: &Tensor, b: &Tensor| {
        // A dead row or column has no direction; 0 says so better than a NaN.
        let lengths = length(a)? * length(b)?;
        let product = a.f_dot(b)?.f_double_value(&[])? as f32;
        Ok::<_, AnalysisError>(if lengths > 0.0 { product / lengths } else { 0.0 })
    };
    let measure = |name: &str, value: f32, formula: &str| Measure { name: name.into(), value, formula: formula.into() };
    let gated = linear.is_some();
    let mut measures = vec![measure(if gated { "gate norm" } else { "read norm" }, length(&read)?, "‖w_in‖")];
    if let Some(linear) = &linear {
        measures.push(measure("linear norm", length(linear)?, "‖w_linear‖"));
        measures.push(measure(
            "cosine of gate and linear",
            cosine(&read, linear)?,
            "w_in · w_linear / (‖w_in‖ ‖w_linear‖)",
        ));
    }
    measures.push(measure("write norm", length(&write)?, "‖w_out‖"));
    measures.push(measure("cosine of read and write", cosine(&read, &write)?, "w_in · w_out / (‖w_in‖ ‖w_out‖)"));
    if let Some(bias) = &block.mlp.pre.bias {
        measures.push(measure(
            "bias",
            bias.f_double_value(&[i64::from(index)])? as f32,
            "added before the nonlinearity",
        ));
    }

    let norm = before_mlp(block);
    let mut ends = vec![read_ends(model, norm, &read, if gated { "reads (gate)" } else { "reads" }, top)?];
    if let Some(linear) = &linear {
        ends.push(read_ends(model, norm, linear, "reads (linear)", top)?);
    }
    let write = match &block.layout {
        Layout::Sandwich { ln2_post, .. } => behind(ln2_post, &write)?,
        _ => write,
    };
    ends.extend(write_ends(model, &write, "writes", top)?);
    Ok((measures, ends))
}
