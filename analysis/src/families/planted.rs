//! Models and texts with planted truth.

use golgi_data::context::RunContext;
use golgi_probes::layers::{Activation, Attention, AttentionShape, Linear, Mlp, Norm, NormKind};
use golgi_probes::transformer::{Block, Embedding, Head, Layout, PositionEmbedding};
use golgi_probes::{Device, Dims, Kind, OpenModel, Tensor, Transformer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::input::Context;
use crate::testing::Weights;

/// Sizes of a planted model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub layers: usize,
    pub width: i64,
    pub heads: i64,
    pub mlp: i64,
    pub vocabulary: i64,
    pub context: i64,
}

pub(super) fn zeros(size: &[i64]) -> Tensor {
    Tensor::zeros(size, (Kind::Float, Device::Cpu))
}

/// A norm without gain: RMS.
pub(super) fn norm(width: i64) -> Norm {
    Norm { gain: Tensor::ones([width], (Kind::Float, Device::Cpu)), bias: None, kind: NormKind::Rms, eps: 1e-6 }
}

/// A model whose attention is silent and whose MLPs (ReLU, with biases) are all 0, ready to be wired by hand.
pub(super) fn blank(size: Size, tokens: Tensor, positions: Tensor, unembed: Tensor) -> OpenModel {
    let Size { layers, width, heads, mlp, vocabulary, context } = size;
    let d_head = width;
    let plain = |out: i64, inputs: i64| Linear { weight: zeros(&[out, inputs]), bias: None };
    let shape = AttentionShape { n_heads: heads, n_kv_heads: heads, d_head, scale: 1.0, softcap: None };
    let block = |_| Block {
        ln1: norm(width),
        attn: Attention {
            q: plain(heads * d_head, width),
            k: plain(heads * d_head, width),
            v: plain(heads * d_head, width),
            o: plain(width, heads * d_head),
            norms: None,
            shape,
        },
        ln2: norm(width),
        mlp: Mlp {
            pre: Linear { weight: zeros(&[mlp, width]), bias: Some(zeros(&[mlp])) },
            pre_linear: None,
            down: plain(width, mlp),
            activation: Activation::Relu,
        },
        layout: Layout::PreNorm,
        rotary: 0,
        window: None,
    };
    let model = Transformer {
        family: "planted",
        dims: Dims {
            n_layers: layers,
            d_model: width as usize,
            n_heads: heads as usize,
            n_kv_heads: heads as usize,
            d_head: d_head as usize,
            d_mlp: mlp as usize,
            d_vocab: vocabulary as usize,
            n_ctx: context as usize,
        },
        embedding: Embedding {
            tokens,
            scale: None,
            project_in: None,
            positions: Some(PositionEmbedding { weight: positions, offset: 0 }),
            token_types: None,
            norm: None,
        },
        blocks: (0..layers).map(block).collect(),
        head: Head::Lm {
            norm: Some(norm(width)),
            project_out: None,
            unembed: Linear { weight: unembed, bias: None },
            softcap: None,
        },
        rotaries: Vec::new(),
        causal: true,
        kind: Kind::Float,
        device: Device::Cpu,
    };
    OpenModel::in_memory("planted", model, None)
}

/// Fills what neurons read and write with random numbers.
fn randomise(model: &OpenModel, weights: &mut Weights) {
    for block in &model.model.blocks {
        for weight in [&block.mlp.pre.weight, &block.mlp.down.weight] {
            weight.shallow_clone().copy_(&weights.tensor(&weight.size(), 0.3));
        }
    }
}

/// Random neurons in front of 400 random rows in 128 dimensions, the first of which is +2 for half of the tokens and −2 for the
/// others.
pub(super) fn large_vocabulary(seed: u64) -> OpenModel {
    let size = Size { layers: 2, width: 128, heads: 1, mlp: 24, vocabulary: 400, context: 16 };
    let mut weights = Weights::new(seed);
    let unembed = weights.tensor(&[size.vocabulary, size.width], 1.0);
    for token in 0..size.vocabulary {
        let _ = unembed.get(token).get(0).fill_(if token % 2 == 0 { 2.0 } else { -2.0 });
    }
    let tokens = weights.tensor(&[size.vocabulary, size.width], 1.0);
    let model = blank(size, tokens, zeros(&[size.context, size.width]), unembed);
    randomise(&model, &mut weights);
    model
}

/// Random neurons in front of an unembedding that does not read the last 8 of 48 dimensions.
pub(super) fn blind_axes(seed: u64) -> OpenModel {
    let size = Size { layers: 2, width: 48, heads: 1, mlp: 20, vocabulary: 90, context: 16 };
    let mut weights = Weights::new(seed);
    let unembed = weights.tensor(&[size.vocabulary, size.width], 1.0);
    let _ = unembed.narrow(1, size.width - 8, 8).fill_(0.0);
    let tokens = weights.tensor(&[size.vocabulary, size.width], 1.0);
    let model = blank(size, tokens, zeros(&[size.context, size.width]), unembed);
    randomise(&model, &mut weights);
    model
}

/// Random contexts of `len` tokens.
pub(super) fn random_contexts(model: &OpenModel, n: usize, len: usize) -> Vec<Context> {
    let mut rng = ChaCha8Rng::seed_from_u64(RunContext::new(17).seed());
    let vocabulary = model.model.dims.d_vocab as u32;
    (0..n)
        .map(|document| Context {
            tokens: (0..len).map(|_| rng.random_range(0..vocabulary)).collect(),
            document: document as u32,
            ..Context::default()
        })
        .collect()
}

/// Two layers of two heads. Head 1.1 looks at the first token as far as the last dimension of the stream is positive; neuron 0.4
/// writes that dimension up, neuron 0.9 down, the others write at random elsewhere.
pub(super) fn resting(seed: u64, rotary: bool) -> OpenModel {
    let size = Size { layers: 2, width: 24, heads: 2, mlp: 20, vocabulary: 60, context: 16 };
    let (width, last) = (size.width, size.width - 1);
    let mut weights = Weights::new(seed);
    let tokens = weights.tensor(&[size.vocabulary, width], 1.0);
    let _ = tokens.narrow(1, last - 1, 2).fill_(0.0);
    // Position 0 has a mark of its own in the last dimension but one; with rotation, too, since the mark is all the key reads.
    let positions = zeros(&[size.context, width]);
    let _ = positions.get(0).get(last - 1).fill_(6.0);
    let mut model = blank(size, tokens, positions, weights.tensor(&[size.vocabulary, width], 1.0));
    if rotary {
        // Slow rotations of the first half of a head; the planted pair of dimensions hardly turns.
        model.model.rotaries = vec![golgi_probes::layers::Rotary::new(width as usize, 1e12)];
    }
    randomise(&model, &mut weights);
    for block in &model.model.blocks {
        let _ = block.mlp.down.weight.narrow(0, last - 1, 2).fill_(0.0);
    }
    let block = &model.model.blocks[1];
    // Dimension 20 of the head: the query reads the last dimension, the key the mark.
    let _ = block.attn.q.weight.get(width + 20).get(last).fill_(1.5);
    let _ = block.attn.k.weight.get(width + 20).get(last - 1).fill_(1.5);
    let _ = block.attn.v.weight.narrow(0, width, width).copy_(&weights.tensor(&[width, width], 0.3));
    let _ = block.attn.o.weight.narrow(1, width, width).copy_(&weights.tensor(&[width, width], 0.3));
    // Weak reading everywhere, so that random vectors have scores of their own.
    for head in 0..2 {
        let _ = block.attn.q.weight.narrow(0, head * width, width).g_add_(&weights.tensor(&[width, width], 0.01));
    }
    for (neuron, value) in [(4, 1.0), (9, -1.0)] {
        let column = model.model.blocks[0].mlp.down.weight.select(1, neuron);
        let _ = column.shallow_clone().fill_(0.0);
        let _ = column.get(last).fill_(value);
        // Fires on about half of the tokens.
        let row = model.model.blocks[0].mlp.pre.weight.get(neuron);
        row.shallow_clone().copy_(&weights.tensor(&[width], 1.0));
    }
    model
}
