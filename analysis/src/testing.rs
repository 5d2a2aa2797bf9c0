//! Tiny transformers, random or wired by hand.

use golgi_data::context::RunContext;
use golgi_data::tokenizer::Tokenizer;
use golgi_probes::intervention::{Intervention, Traces};
use golgi_probes::layers::{Activation, Attention, AttentionShape, Linear, Mlp, Norm, NormKind, Rotary};
use golgi_probes::transformer::{Block, Embedding, Head, Layout, PositionEmbedding};
use golgi_probes::{Batch, Device, Dims, ForwardOptions, Kind, NoTap, OpenModel, Tensor, Transformer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::prompt::{Needs, PromptInput, PromptRun};

/// Families of random models, by what makes them differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// RMS norm, grouped keys, gate, rotation.
    Llama,
    /// Layer norm with biases, learned positions, no gate.
    Gpt2,
    /// Attention and MLP side by side, biases.
    NeoX,
    /// Norms on both sides, scaled embeddings, soft cap.
    Gemma,
    /// Projected embeddings, before and behind.
    Projected,
    /// Norms behind attention and MLP.
    PostNorm,
    /// The same without a head, seeing both directions.
    Bert,
}

impl Family {
    /// Those with a linear path to the logits.
    pub const LINEAR: [Family; 5] = [Family::Llama, Family::Gpt2, Family::NeoX, Family::Gemma, Family::Projected];
}

/// Random weights, the same for the same seed.
pub(crate) struct Weights(ChaCha8Rng);

impl Weights {
    pub fn new(seed: u64) -> Weights {
        Weights(ChaCha8Rng::seed_from_u64(seed))
    }

    pub fn tensor(&mut self, size: &[i64], scale: f32) -> Tensor {
        let n = size.iter().product::<i64>() as usize;
        let values: Vec<f32> = (0..n).map(|_| (self.0.random::<f32>() - 0.5) * 2.0 * scale).collect();
        Tensor::from_slice(&values).view(size)
    }

    pub fn linear(&mut self, inputs: i64, outputs: i64, bias: bool) -> Linear {
        let weight = self.tensor(&[outputs, inputs], 1.5 / (inputs as f32).sqrt());
        Linear { weight, bias: bias.then(|| self.tensor(&[outputs], 0.3)) }
    }

    pub fn norm(&mut self, size: i64, kind: NormKind) -> Norm {
        let gain = self.tensor(&[size], 0.4) + 1.0;
        let bias = (kind == NormKind::Layer).then(|| self.tensor(&[size], 0.2));
        Norm { gain, bias, kind, eps: 1e-5 }
    }
}

pub(crate) const VOCAB: usize = 23;

/// A tokenizer of the tiny vocabulary: three names, the rest of them words of the prompts, everything else unknown.
pub(crate) fn tokenizer() -> Tokenizer {
    let mut words = vec!["[UNK]", " Mary", " John", " Emma", " to", "When", " gave", " the", " and", " store", " a"];
    words.extend(["Then", "After", "While", " drink", " ring", " house", " went", " at", ",", ".", " book", " office"]);
    assert_eq!(words.len(), VOCAB);
    let vocab: serde_json::Map<String, serde_json::Value> =
        words.iter().enumerate().map(|(id, word)| ((*word).to_owned(), id.into())).collect();
    let json = serde_json::json!({
        "version": "1.0",
        "added_tokens": [{
            "id": 0, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
        }],
        // A space belongs to the word behind it.
        "pre_tokenizer": { "type": "Split", "pattern": { "Regex": " ?\\w+|[^\\s\\w]" }, "behavior": "Isolated", "invert": false },
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" },
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    Tokenizer::from_folder(folder.path()).unwrap()
}

/// A random model that reads text.
pub(crate) fn reading(family: Family, seed: u64) -> OpenModel {
    let OpenModel { model, .. } = random(family, seed);
    OpenModel::in_memory("tiny", model, Some(tokenizer()))
}

pub(crate) fn random(family: Family, seed: u64) -> OpenModel {
    let mut w = Weights::new(seed);
    let (d_model, n_heads, d_head, d_mlp, vocab) = (12, 4, 5, 9, VOCAB as i64);
    let n_kv_heads = if family == Family::Llama { 2 } else { 4 };
    let (kind, gated, bias) = match family {
        Family::Llama => (NormKind::Rms, true, false),
        Family::Gemma => (NormKind::RmsPlusOne, true, false),
        _ => (NormKind::Layer, false, true),
    };
    let rotates = matches!(family, Family::Llama | Family::Gemma | Family::NeoX);
    let d_embed = if family == Family::Projected { 7 } else { d_model };
    let shape =
        AttentionShape { n_heads, n_kv_heads, d_head, scale: 0.4, softcap: (family == Family::Gemma).then_some(5.0) };
    let blocks = (0..3).map(|_| Block {
        ln1: w.norm(d_model, kind),
        attn: Attention {
            q: w.linear(d_model, n_heads * d_head, bias),
            k: w.linear(d_model, n_kv_heads * d_head, bias),
            v: w.linear(d_model, n_kv_heads * d_head, bias),
            o: w.linear(n_heads * d_head, d_model, bias),
            norms: None,
            shape,
        },
        ln2: w.norm(d_model, kind),
        mlp: Mlp {
            pre: w.linear(d_model, d_mlp, bias),
            pre_linear: gated.then(|| w.linear(d_model, d_mlp, false)),
            down: w.linear(d_mlp, d_model, bias),
            activation: Activation::Gelu,
        },
        layout: match family {
            Family::NeoX => Layout::Parallel,
            Family::PostNorm | Family::Bert => Layout::PostNorm,
            Family::Gemma => Layout::Sandwich { ln1_post: w.norm(d_model, kind), ln2_post: w.norm(d_model, kind) },
            _ => Layout::PreNorm,
        },
        rotary: 0,
        window: None,
    });
    let blocks: Vec<Block> = blocks.collect();
    let tokens = w.tensor(&[vocab, d_embed], 1.0);
    let embedding = Embedding {
        tokens,
        scale: (family == Family::Gemma).then_some(3.0),
        project_in: (family == Family::Projected).then(|| w.linear(d_embed, d_model, false)),
        positions: (!rotates).then(|| PositionEmbedding { weight: w.tensor(&[34, d_model], 0.5), offset: 2 }),
        token_types: (family == Family::Bert).then(|| w.tensor(&[2, d_model], 0.5)),
        norm: (family == Family::Bert).then(|| w.norm(d_model, kind)),
    };
    let head = match family {
        Family::Bert => Head::None,
        _ => Head::Lm {
            norm: (family != Family::PostNorm).then(|| w.norm(d_model, kind)),
            project_out: (family == Family::Projected).then(|| w.linear(d_model, d_embed, true)),
            unembed: w.linear(d_embed, vocab, family == Family::NeoX),
            softcap: (family == Family::Gemma).then_some(8.0),
        },
    };
    let rotaries = if rotates { vec![Rotary::new(4, 100.0)] } else { Vec::new() };
    let dims = dims(blocks.len(), d_model, (n_heads, n_kv_heads, d_head), d_mlp, (vocab, 32));
    open(Transformer {
        family: "test",
        dims,
        embedding,
        blocks,
        head,
        rotaries,
        causal: family != Family::Bert,
        kind: Kind::Float,
        device: Device::Cpu,
    })
}

fn dims(n_layers: usize, d_model: i64, heads: (i64, i64, i64), d_mlp: i64, (vocab, n_ctx): (i64, usize)) -> Dims {
    Dims {
        n_layers,
        d_model: d_model as usize,
        n_heads: heads.0 as usize,
        n_kv_heads: heads.1 as usize,
        d_head: heads.2 as usize,
        d_mlp: d_mlp as usize,
        d_vocab: vocab as usize,
        n_ctx,
    }
}

fn open(model: Transformer) -> OpenModel {
    OpenModel::in_memory("tiny", model, None)
}

/// Sizes of the hand-wired model.
pub(crate) const WIRED_VOCAB: i64 = 24;
const WIRED_CTX: i64 = 40;

/// Two layers of two heads. Head 0.1 attends to the previous token and writes which token that was; head 1.0 finds positions
/// whose previous token was the query's, and writes the token there towards the logits: an induction head. Heads 0.0 and 1.1
/// attend evenly and write nothing; MLPs write nothing.
///
/// The stream holds the token (`WIRED_VOCAB` dimensions), the position (`WIRED_CTX`) and the previous token, one-hot each.
pub(crate) fn wired() -> OpenModel {
    let (vocab, ctx) = (WIRED_VOCAB, WIRED_CTX);
    let d_model = 2 * vocab + ctx;
    let d_head = ctx;
    let (token, position, previous) = (0, vocab, vocab + ctx);
    let zeros = |rows: i64, columns: i64| Tensor::zeros([rows, columns], (Kind::Float, Device::Cpu));
    // Writes `value` at (row + i, column + i) for i < n.
    let diagonal = |into: &Tensor, (row, column): (i64, i64), n: i64, value: f64| {
        for i in 0..n {
            let _ = into.get(row + i).get(column + i).fill_(value);
        }
    };
    let linear = |weight: Tensor| Linear { weight, bias: None };
    let norm = || Norm {
        gain: Tensor::ones([d_model], (Kind::Float, Device::Cpu)),
        bias: None,
        kind: NormKind::Rms,
        eps: 1e-6,
    };
    let shape = AttentionShape { n_heads: 2, n_kv_heads: 2, d_head, scale: 1.0, softcap: None };
    let sharp = 4.0;
    let block = |layer: usize| {
        let [q, k, v] = [(); 3].map(|()| zeros(2 * d_head, d_model));
        let o = zeros(d_model, 2 * d_head);
        if layer == 0 {
            let head = d_head;
            // Query at position p looks for p − 1.
            diagonal(&q, (head, position + 1), ctx - 1, sharp);
            diagonal(&k, (head, position), ctx, sharp);
            diagonal(&v, (head, token), vocab, 1.0);
            diagonal(&o, (previous, head), vocab, 1.0);
        } else {
            diagonal(&q, (0, token), vocab, sharp);
            diagonal(&k, (0, previous), vocab, sharp);
            diagonal(&v, (0, token), vocab, 1.0);
            diagonal(&o, (token, 0), vocab, 5.0);
        }
        Block {
            ln1: norm(),
            attn: Attention { q: linear(q), k: linear(k), v: linear(v), o: linear(o), norms: None, shape },
            ln2: norm(),
            mlp: Mlp {
                pre: linear(zeros(3, d_model)),
                pre_linear: None,
                down: linear(zeros(d_model, 3)),
                activation: Activation::Relu,
            },
            layout: Layout::PreNorm,
            rotary: 0,
            window: None,
        }
    };
    let (tokens, positions, unembed) = (zeros(vocab, d_model), zeros(ctx, d_model), zeros(vocab, d_model));
    diagonal(&tokens, (0, token), vocab, 1.0);
    diagonal(&positions, (0, position), ctx, 1.0);
    diagonal(&unembed, (0, token), vocab, 1.0);
    let embedding = Embedding {
        tokens,
        scale: None,
        project_in: None,
        positions: Some(PositionEmbedding { weight: positions, offset: 0 }),
        token_types: None,
        norm: None,
    };
    open(Transformer {
        family: "wired",
        dims: dims(2, d_model, (2, 2, d_head), 3, (vocab, ctx as usize)),
        embedding,
        blocks: vec![block(0), block(1)],
        head: Head::Lm { norm: Some(norm()), project_out: None, unembed: linear(unembed), softcap: None },
        rotaries: Vec::new(),
        causal: true,
        kind: Kind::Float,
        device: Device::Cpu,
    })
}

/// Runs `tokens`, everything captured.
pub(crate) fn run(model: &OpenModel, tokens: &[u32]) -> PromptRun {
    run_with(model, tokens, Vec::new(), Needs::all())
}

pub(crate) fn run_with(model: &OpenModel, tokens: &[u32], interventions: Vec<Intervention>, needs: Needs) -> PromptRun {
    let input = PromptInput { tokens: tokens.to_vec(), interventions, fused_attention: false };
    PromptRun::new(model, &input, &Traces::new(), needs, None, &RunContext::new(0)).unwrap()
}

/// A prompt for the random models, with repetitions.
pub(crate) const PROMPT: [u32; 9] = [3, 17, 8, 3, 21, 8, 8, 0, 17];

/// The model's logits from a plain pass, as f64.
pub(crate) fn logits_by_hand(model: &OpenModel, tokens: &[u32]) -> Vec<Vec<f64>> {
    let batch = Batch::single(tokens).unwrap();
    let logits = model.model.forward(&batch, &mut NoTap, ForwardOptions::logits()).unwrap().unwrap();
    (0..tokens.len() as i64)
        .map(|pos| Vec::<f64>::try_from(logits.get(0).get(pos).to_kind(Kind::Double)).unwrap())
        .collect()
}
