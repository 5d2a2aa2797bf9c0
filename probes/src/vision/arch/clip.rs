//! The image tower of CLIP (Radford et al., arXiv 2103.00020): what comes out is the embedding that is compared with a text's. The text tower is
//! a transformer of its own, `crate::arch` has it.

use golgi_data::site::Site;
use serde_json::Value as Json;

use super::super::build::Builder;
use super::super::graph::{Extent, Network, Output};
use super::super::op::Op;
use super::encoder::{Names, Patches, Shape, block, class_token, embedded, final_norm, normed};
use crate::error::Result;
use crate::layers::{Activation, Loader};

const NAMES: Names = Names {
    ln1: &["layer_norm1"],
    q: &["self_attn.q_proj"],
    k: &["self_attn.k_proj"],
    v: &["self_attn.v_proj"],
    o: &["self_attn.out_proj"],
    gain1: "",
    ln2: &["layer_norm2"],
    pre: &["mlp.fc1"],
    down: &["mlp.fc2"],
    gain2: "",
};

pub(super) fn build(config: &Json, root: &Loader) -> Result<Network> {
    let shape = Shape::new(config.get("vision_config").unwrap_or(config), 1e-5, Activation::QuickGelu)?;
    let model = root.first_of(&["vision_model.", ""], "embeddings.class_embedding");
    let width = shape.d_model as i64;
    let positions = model.shape("embeddings.position_embedding.weight")?.first().copied().unwrap_or(0);
    let patches = Patches {
        conv: "embeddings.patch_embedding",
        leading: model.tensor("embeddings.class_embedding", &[shape.d_model])?.f_view([1, width])?,
        positions: model.tensor("embeddings.position_embedding.weight", &[positions, shape.d_model])?,
    };
    let (mut net, image) = Builder::new(root);
    let mut x = embedded(&mut net, &model, patches, &shape, image)?;
    // The hub's name has lost its second `e`.
    x = normed(&mut net, &model, "pre_layrnorm", (&Site::EmbedNormScale, &Site::EmbedNormNormalized), &shape, x)?;
    let layers = model.at("encoder.layers");
    for layer in 0..shape.n_layers {
        x = block(&mut net, &layers.at(layer), layer, &NAMES, &shape, x)?;
    }
    x = class_token(&mut net, x, &shape)?;
    x = final_norm(&mut net, &model, "post_layernorm", &shape, x)?;
    if root.has("visual_projection.weight") {
        let width = root.shape("visual_projection.weight")?.first().copied().unwrap_or(0);
        let project = root.linear("visual_projection", shape.d_model, width, false)?;
        net.add("image_embeds", Op::Linear(project), &[x], Extent::Vector(width))?;
    }
    Ok(net.finish_with("clip", Output::Features))
}
