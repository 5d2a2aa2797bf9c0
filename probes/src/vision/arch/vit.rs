//! ViT (Dosovitskiy et al., arXiv 2010.11929), with or without its classifier.

use serde_json::Value as Json;

use super::super::build::Builder;
use super::super::graph::{Network, Output};
use super::encoder::{Names, Patches, Shape, block, class_token, embedded, final_norm};
use crate::error::Result;
use crate::layers::{Activation, Loader};

const NAMES: Names = Names {
    ln1: &["layernorm_before"],
    q: &["attention.q_proj", "attention.attention.query"],
    k: &["attention.k_proj", "attention.attention.key"],
    v: &["attention.v_proj", "attention.attention.value"],
    o: &["attention.o_proj", "attention.output.dense"],
    gain1: "",
    ln2: &["layernorm_after"],
    pre: &["mlp.fc1", "intermediate.dense"],
    down: &["mlp.fc2", "output.dense"],
    gain2: "",
};

pub(super) fn build(config: &Json, root: &Loader) -> Result<Network> {
    let shape = Shape::new(config, 1e-12, Activation::Gelu)?;
    let model = root.first_of(&["vit.", ""], "embeddings.cls_token");
    let width = shape.d_model as i64;
    let positions = model.shape("embeddings.position_embeddings")?.get(1).copied().unwrap_or(0);
    let patches = Patches {
        conv: "embeddings.patch_embeddings.projection",
        leading: model.tensor("embeddings.cls_token", &[1, 1, shape.d_model])?.f_view([1, width])?,
        positions: model
            .tensor("embeddings.position_embeddings", &[1, positions, shape.d_model])?
            .f_view([positions as i64, width])?,
    };
    let (mut net, image) = Builder::new(root);
    let mut x = embedded(&mut net, &model, patches, &shape, image)?;
    let layers = model.first_of(&["layers.", "encoder.layer."], "0.layernorm_before.weight");
    for layer in 0..shape.n_layers {
        x = block(&mut net, &layers.at(layer), layer, &NAMES, &shape, x)?;
    }
    x = final_norm(&mut net, &model, "layernorm", &shape, x)?;
    x = class_token(&mut net, x, &shape)?;
    if !root.has("classifier.weight") {
        return Ok(net.finish_with("vit", Output::Features));
    }
    net.linear("classifier", x)?;
    Ok(net.finish("vit"))
}
