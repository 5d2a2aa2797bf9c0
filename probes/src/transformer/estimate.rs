//! How much memory a pass will take, before it runs.

use golgi_data::site::Site;
use serde::Serialize;

use crate::transformer::{Dims, Transformer};

/// An estimate in bytes, by what the memory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryEstimate {
    /// The program and its libraries.
    pub program: u64,
    /// Weights, once loaded.
    pub weights: u64,
    /// What the capture keeps.
    pub captured: u64,
    /// The largest set of intermediate results that lives at once.
    pub working: u64,
}

/// What the process holds beside weights and activations: the tensor library's code and tables, buffers of its matrix products,
/// and what the allocator keeps. Measured on Linux.
const PROGRAM_BYTES: u64 = 290 << 20;

impl MemoryEstimate {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.program + self.weights + self.captured + self.working
    }
}

impl Transformer {
    /// Bytes of one number.
    pub fn element_bytes(&self) -> u64 {
        self.kind.elt_size_in_bytes() as u64
    }

    /// Estimates a pass over `batch` sequences of `pos` tokens that keeps the sites for which `wanted` is true.
    pub fn estimate(&self, batch: usize, pos: usize, wanted: impl Fn(&Site) -> bool, logits: bool) -> MemoryEstimate {
        let size = self.element_bytes();
        let (captured, working) = self.pass_elements(batch, pos, &wanted, logits);
        MemoryEstimate {
            program: PROGRAM_BYTES,
            weights: self.parameters() * size,
            captured: captured * size,
            working: working * size,
        }
    }

    fn pass_elements(&self, batch: usize, pos: usize, wanted: &dyn Fn(&Site) -> bool, logits: bool) -> (u64, u64) {
        let sites = self.sites();
        let elements = |shape: Vec<usize>| shape.iter().map(|n| *n as u64).product::<u64>();
        let kept = sites.iter().filter(|spec| wanted(&spec.site));
        let captured = kept.map(|spec| elements(spec.shape(&self.dims, batch, pos))).sum();

        let Dims { d_model, n_heads, n_kv_heads, d_head, d_mlp, d_vocab, .. } = self.dims;
        let tokens = (batch * pos) as u64;
        let resid = tokens * d_model as u64;
        let qkv = tokens * ((n_heads + 2 * n_kv_heads) * d_head) as u64;
        let scores = (batch * n_heads * pos * pos) as u64;
        let gates = if self.blocks.iter().any(|block| block.mlp.pre_linear.is_some()) { 3 } else { 2 };
        // Live at the widest moment: the residual stream, its normalised copy and one temporary; then either queries, keys
        // and values with their rotated copies and two score tensors, or the branches of the MLP.
        let attention = 3 * resid + 2 * qkv + 2 * scores;
        let results = match sites.iter().any(|spec| wanted(&spec.site) && spec.site.point().is_some_and(is_result)) {
            true => 3 * resid * n_heads as u64,
            false => 0,
        };
        let mlp = 3 * resid + gates * tokens * d_mlp as u64;
        let needs_head = logits || wanted(&Site::Logits);
        let head = if needs_head && self.has_logits() { 2 * resid + tokens * d_vocab as u64 } else { 0 };
        // Logits that are captured are already counted there.
        let head = if wanted(&Site::Logits) { 2 * resid } else { head };
        (captured, (attention + results).max(mlp).max(head))
    }
}

fn is_result(point: golgi_data::site::BlockPoint) -> bool {
    point == golgi_data::site::BlockPoint::Result
}
