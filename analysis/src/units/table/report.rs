//! All neurons at one position, column by column.

use serde::{Deserialize, Serialize};

/// A table of every MLP neuron of a model at one position of a prompt. Row `i` is neuron `i % d_mlp` of layer `i / d_mlp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeuronTable {
    /// The position.
    pub position: usize,
    /// The token whose logit the attribution explains: the model's own first choice there, unless another was asked for.
    pub target: u32,
    /// Its text, for display.
    pub target_text: String,
    /// Layers.
    pub n_layers: usize,
    /// Neurons per layer.
    pub d_mlp: usize,
    /// Activation (`mlp.hook_post`).
    pub activation: Vec<f32>,
    /// Direct attribution to the target's logit: activation × write direction · unembedding behind the frozen final norm.
    pub attribution: Vec<f32>,
    /// Length of the read vector (of the gate, in a gated MLP).
    pub read_norm: Vec<f32>,
    /// Length of the write vector.
    pub write_norm: Vec<f32>,
}
