//! DINOv2 (Oquab et al., arXiv 2304.07193), with or without registers (Darcet et al., arXiv 2309.16588) and a linear classifier.

use serde_json::Value as Json;
use tch::Tensor;

use super::super::build::Builder;
use super::super::graph::{Extent, Network, Output};
use super::super::op::Op;
use super::super::token::TokenOp;
use super::encoder::{Names, Patches, Shape, block, class_token, embedded, final_norm};
use crate::error::Result;
use crate::layers::{Activation, Loader};

const NAMES: Names = Names {
    ln1: &["norm1"],
    q: &["attention.q_proj", "attention.attention.query"],
    k: &["attention.k_proj", "attention.attention.key"],
    v: &["attention.v_proj", "attention.attention.value"],
    o: &["attention.o_proj", "attention.output.dense"],
    gain1: "layer_scale1.lambda1",
    ln2: &["norm2"],
    pre: &["mlp.fc1"],
    down: &["mlp.fc2", "mlp.down_proj", "mlp.weights_out"],
    gain2: "layer_scale2.lambda1",
};

pub(super) fn build(config: &Json, root: &Loader) -> Result<Network> {
    let shape = Shape::new(config, 1e-6, Activation::Gelu)?;
    let model =
        root.first_of(&["dinov2.", "dinov2_with_registers.", ""], "embeddings.patch_embeddings.projection.weight");
    let width = shape.d_model as i64;
    let mut leading = model.tensor("embeddings.cls_token", &[1, 1, shape.d_model])?.f_view([1, width])?;
    if model.has("embeddings.register_tokens") {
        let count = model.shape("embeddings.register_tokens")?.get(1).copied().unwrap_or(0);
        let registers = model.tensor("embeddings.register_tokens", &[1, count, shape.d_model])?;
        leading = Tensor::f_cat(&[leading, registers.f_view([count as i64, width])?], 0)?;
    }
    let first = leading.size()[0];
    let positions = model.shape("embeddings.position_embeddings")?.get(1).copied().unwrap_or(0);
    let patches = Patches {
        conv: "embeddings.patch_embeddings.projection",
        leading,
        positions: model
            .tensor("embeddings.position_embeddings", &[1, positions, shape.d_model])?
            .f_view([positions as i64, width])?,
    };
    let (mut net, image) = Builder::new(root);
    let mut x = embedded(&mut net, &model, patches, &shape, image)?;
    let layers = model.at("encoder.layer");
    for layer in 0..shape.n_layers {
        x = block(&mut net, &layers.at(layer), layer, &NAMES, &shape, x)?;
    }
    x = final_norm(&mut net, &model, "layernorm", &shape, x)?;
    let class = class_token(&mut net, x, &shape)?;
    if !root.has("classifier.weight") {
        return Ok(net.finish_with("dinov2", Output::Features));
    }
    let one = Extent::Vector(shape.d_model);
    let mean = net.add("patch_mean", Op::Token(TokenOp::MeanBehind(first)), &[x], one)?;
    let both = net.add("class_and_patches", Op::Concat, &[class, mean], Extent::Vector(2 * shape.d_model))?;
    net.linear("classifier", both)?;
    Ok(net.finish("dinov2"))
}
