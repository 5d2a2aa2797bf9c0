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
pub(crate) struct Size {
    pub layers: usize,
    pub width: i64,
    pub heads: i64,
    pub mlp: i64,
    pub vocabulary: i64,
    pub context: i64,
}

pub(crate) fn zeros(size: &[i64]) -> Tensor {
    Tensor::zeros(size, (Kind::Float, Device::Cpu))
}

/// A norm without gain: RMS.
pub(super) fn norm(width: i64) -> Norm {
    Norm { gain: Tensor::ones([width], (Kind::Float, Device::Cpu)), bias: None, kind: NormKind::Rms, eps: 1e-6 }
}

/// A model whose attention is silent and whose MLPs (ReLU, with biases) are all 0, ready to be wired by hand.
pub(crate) fn blank(size: Size, tokens: Tensor, positions: Tensor, unembed: Tensor) -> OpenModel {
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
    block.attn.v.weight.narrow(0, width, width).copy_(&weights.tensor(&[width, width], 0.3));
    block.attn.o.weight.narrow(1, width, width).copy_(&weights.tensor(&[width, width], 0.3));
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

/// Tokens of the wired model, in two languages: 1–59 and 60–118.
pub(super) const WIRED_VOCABULARY: i64 = 120;
/// Tokens of its contexts.
pub(super) const WIRED_CONTEXT: i64 = 24;
/// Neurons per layer.
pub(super) const WIRED_MLP: u32 = 24;

/// Two layers with one member of every family, everything else firing on half of the tokens of both languages.
///
/// The stream holds the token, the position and the previous token one-hot, 128 dimensions that the unembedding reads, 64 that it
/// does not, and one that a head's query reads.
pub(super) struct Wired {
    pub model: OpenModel,
    pub contexts: Vec<Context>,
}

/// Where the parts of the stream begin.
const TOKEN: i64 = 0;
const POSITION: i64 = WIRED_VOCABULARY;
const PREVIOUS: i64 = POSITION + WIRED_CONTEXT;
const OUT: i64 = PREVIOUS + WIRED_VOCABULARY;
const READ: i64 = 128;
const BLIND: i64 = OUT + READ;
const CONTROL: i64 = BLIND + 64;
const WIDTH: i64 = CONTROL + 1;

impl Wired {
    pub fn new(seed: u64, documents: usize) -> Wired {
        let size = Size {
            layers: 2,
            width: WIDTH,
            heads: 2,
            mlp: i64::from(WIRED_MLP),
            vocabulary: WIRED_VOCABULARY,
            context: WIRED_CONTEXT,
        };
        let mut weights = Weights::new(seed);
        let (tokens, positions) = (zeros(&[WIRED_VOCABULARY, WIDTH]), zeros(&[WIRED_CONTEXT, WIDTH]));
        let unembed = zeros(&[WIRED_VOCABULARY, WIDTH]);
        tokens.narrow(1, OUT, READ).copy_(&weights.tensor(&[WIRED_VOCABULARY, READ], 0.2));
        unembed.narrow(1, OUT, READ).copy_(&weights.tensor(&[WIRED_VOCABULARY, READ], 1.0));
        for token in 0..WIRED_VOCABULARY {
            let _ = tokens.get(token).get(TOKEN + token).fill_(1.0);
            // The first dimension parts the vocabulary in two.
            let _ = unembed.get(token).get(OUT).fill_(if token % 2 == 0 { 1.2 } else { -1.2 });
        }
        for position in 0..WIRED_CONTEXT {
            let _ = positions.get(position).get(POSITION + position).fill_(1.0);
        }
        let wired = Wired { model: blank(size, tokens, positions, unembed), contexts: corpus(documents) };
        wired.attention(&mut weights);
        wired.neurons(&mut weights);
        wired
    }

    /// Head 0.1 writes the previous token; head 1.1 looks at the first token as far as the control is positive.
    fn attention(&self, weights: &mut Weights) {
        let set = |matrix: &Tensor, row: i64, column: i64, value: f64| {
            let _ = matrix.get(row).get(column).fill_(value);
        };
        let (first, second) = (&self.model.model.blocks[0].attn, &self.model.model.blocks[1].attn);
        for position in 1..WIRED_CONTEXT {
            set(&first.q.weight, WIDTH + position - 1, POSITION + position, 0.7);
            set(&first.k.weight, WIDTH + position - 1, POSITION + position - 1, 0.7);
        }
        for token in 0..WIRED_VOCABULARY {
            // The stream's numbers are about ten times larger behind the norm.
            set(&first.v.weight, WIDTH + token, TOKEN + token, 0.1);
            set(&first.o.weight, PREVIOUS + token, WIDTH + token, 1.0);
        }
        second.q.weight.shallow_clone().copy_(&weights.tensor(&[2 * WIDTH, WIDTH], 0.001));
        set(&second.q.weight, WIDTH, CONTROL, 0.4);
        set(&second.k.weight, WIDTH, POSITION, 0.4);
        second.v.weight.narrow(0, WIDTH, WIDTH).copy_(&weights.tensor(&[WIDTH, WIDTH], 0.01));
        second.o.weight.narrow(1, WIDTH, WIDTH).copy_(&weights.tensor(&[WIDTH, WIDTH], 0.01));
    }

    fn neurons(&self, weights: &mut Weights) {
        let Head::Lm { unembed, .. } = &self.model.model.head else { panic!("no head") };
        let mean = unembed.weight.mean_dim(0, false, Kind::Float);
        let row = |token: i64| unembed.weight.get(token) - &mean;
        let mut rng = ChaCha8Rng::seed_from_u64(99);
        for layer in 0..2 {
            for neuron in 0..i64::from(WIRED_MLP) {
                let half: Vec<i64> = [1..60, 60..119].into_iter().flat_map(|all| half(all, &mut rng)).collect();
                self.read(layer, neuron, TOKEN, &half, 0.5);
                let random = zeros(&[WIDTH]);
                random.narrow(0, OUT, READ).copy_(&weights.tensor(&[READ], 0.1));
                self.write(layer, neuron, &random);
            }
        }
        let fires = |layer, neuron, from, which: Vec<i64>| self.read(layer, neuron, from, &which, 0.5);
        // Dead.
        self.read(0, 0, TOKEN, &[], 1.0);
        self.read(0, 1, TOKEN, &[], 0.0);
        // Detectors: of one token, which it promotes; of two, which it suppresses among other things.
        fires(0, 2, TOKEN, vec![5]);
        self.write(0, 2, &(row(5) * 0.05));
        fires(0, 3, TOKEN, vec![7, 8]);
        let other = zeros(&[WIDTH]);
        other.narrow(0, OUT, READ).copy_(&weights.tensor(&[READ], 0.1));
        self.write(0, 3, &(other - (row(7) + row(8)) * 0.05));
        // Positions.
        fires(0, 4, POSITION, (0..12).collect());
        fires(0, 5, POSITION, (0..WIRED_CONTEXT).filter(|p| (p / 4) % 2 == 0).collect());
        // The control, up and down.
        for (neuron, parity, value) in [(6, 0, 1.0), (7, 1, -1.0)] {
            fires(0, neuron, TOKEN, (1..119).filter(|token| token % 2 == parity).collect());
            let control = zeros(&[WIDTH]);
            control.narrow(0, OUT, READ).copy_(&weights.tensor(&[READ], 0.1));
            let _ = control.get(CONTROL).fill_(value);
            self.write(0, neuron, &control);
        }
        // Token 5 behind token 6.
        self.read(0, 8, TOKEN, &[5, PREVIOUS + 6], 1.5);
        // Words.
        self.write(1, 0, &row(11));
        self.write(1, 1, &(row(12) * -1.0));
        let axis = zeros(&[WIDTH]);
        axis.narrow(0, OUT, READ).copy_(&weights.tensor(&[READ], 0.3));
        let _ = axis.get(OUT).fill_(4.0);
        self.write(1, 2, &axis);
        let blind = zeros(&[WIDTH]);
        let _ = blind.narrow(0, BLIND, 64).fill_(2.0);
        self.write(1, 3, &blind);
        // The second language.
        fires(1, 4, TOKEN, (60..119).collect());
    }

    /// The neuron adds up these dimensions and fires above `bias`.
    fn read(&self, layer: usize, neuron: i64, from: i64, which: &[i64], bias: f64) {
        let mlp = &self.model.model.blocks[layer].mlp;
        let row = mlp.pre.weight.get(neuron);
        let _ = row.shallow_clone().fill_(0.0);
        for dimension in which {
            // One over what the norm makes of a one, about.
            let _ = row.get(from + dimension).fill_(0.11);
        }
        if let Some(biases) = &mlp.pre.bias {
            let _ = biases.get(neuron).fill_(-bias);
        }
    }

    /// The same with gates: what a neuron did is multiplied by 1, and for neuron 1.0 by −1.
    pub fn gated(mut self) -> Wired {
        for (layer, block) in self.model.model.blocks.iter_mut().enumerate() {
            let bias = Tensor::ones([i64::from(WIRED_MLP)], (Kind::Float, Device::Cpu));
            let _ = bias.get(0).fill_(if layer == 1 { -1.0 } else { 1.0 });
            block.mlp.pre_linear = Some(Linear { weight: zeros(&[i64::from(WIRED_MLP), WIDTH]), bias: Some(bias) });
        }
        self
    }

    fn write(&self, layer: usize, neuron: i64, vector: &Tensor) {
        self.model.model.blocks[layer].mlp.down.weight.select(1, neuron).copy_(vector);
    }
}

/// Half of some tokens.
fn half(tokens: std::ops::Range<i64>, rng: &mut ChaCha8Rng) -> Vec<i64> {
    let all: Vec<i64> = tokens.collect();
    super::statistics::draw(all.len(), all.len() / 2, rng).into_iter().map(|at| all[at]).collect()
}

/// Documents of one context each, in two languages; token 5 often follows token 6.
fn corpus(documents: usize) -> Vec<Context> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    (0..documents)
        .map(|document| {
            let second = document % 2 == 1;
            let mut tokens: Vec<u32> = Vec::new();
            while tokens.len() < WIRED_CONTEXT as usize {
                let after_six = tokens.last() == Some(&6) && rng.random_bool(0.5);
                tokens.push(match (after_six, second) {
                    (true, _) => 5,
                    (false, false) => rng.random_range(1..60),
                    (false, true) => rng.random_range(60..119),
                });
            }
            let language = Some(if second { "two" } else { "one" }.to_owned());
            Context { tokens, document: document as u32, language, genre: None, split: "explore".to_owned() }
        })
        .collect()
}
