//! A Llama forward pass with nothing but the arithmetic: what taps are measured against.

use golgi_probes::transformer::Head;
use golgi_probes::{Device, Kind, Tensor, Transformer};

fn linear(x: &Tensor, weight: &Tensor) -> Tensor {
    x.linear::<&Tensor>(weight, None)
}

fn rms(x: &Tensor, gain: &Tensor, eps: f64) -> Tensor {
    x / (x.square().mean_dim(-1, true, None) + eps).sqrt() * gain
}

fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Tensor {
    let half = x.size()[3] / 2;
    let turned = Tensor::cat(&[-x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1);
    x * cos + turned * sin
}

/// Logits `[batch, pos, d_vocab]` of a Llama without biases.
pub fn forward(model: &Transformer, tokens: &Tensor) -> Tensor {
    let dims = &model.dims;
    let (batch, pos) = (tokens.size()[0], tokens.size()[1]);
    let (heads, kv, d) = (dims.n_heads as i64, dims.n_kv_heads as i64, dims.d_head as i64);
    let group = heads / kv;
    let options = (Kind::Float, Device::Cpu);
    let inverse = (Tensor::arange_start_step(0, d, 2, options) / -(d as f64) * 100_000f64.ln()).exp();
    let angles = Tensor::arange(pos, options).unsqueeze(1) * inverse;
    let angles = Tensor::cat(&[&angles, &angles], -1).view([1, pos, 1, d]);
    let (cos, sin) = (angles.cos(), angles.sin());
    let mask = Tensor::full([pos, pos], f64::NEG_INFINITY, options).triu(1);
    let mut x = Tensor::embedding(&model.embedding.tokens, tokens, -1, false, false);
    for block in &model.blocks {
        let read = rms(&x, &block.ln1.gain, block.ln1.eps);
        let split = |y: Tensor, n: i64| y.view([batch, pos, n, d]);
        let q = rotate(&split(linear(&read, &block.attn.q.weight), heads), &cos, &sin);
        let k = rotate(&split(linear(&read, &block.attn.k.weight), kv), &cos, &sin);
        let v = split(linear(&read, &block.attn.v.weight), kv);
        let q = q.view([batch, pos, kv, group, d]).permute([0, 2, 3, 1, 4]).reshape([batch, kv, group * pos, d]);
        let scores = q.matmul(&k.permute([0, 2, 3, 1])) * (d as f64).powf(-0.5);
        let pattern = (scores.view([batch, heads, pos, pos]) + &mask).softmax(-1, Kind::Float);
        let z = pattern.view([batch, kv, group * pos, pos]).matmul(&v.permute([0, 2, 1, 3]));
        let z = z.view([batch, kv, group, pos, d]).permute([0, 3, 1, 2, 4]).reshape([batch, pos, heads * d]);
        x += linear(&z, &block.attn.o.weight);
        let read = rms(&x, &block.ln2.gain, block.ln2.eps);
        let linear_branch = block.mlp.pre_linear.as_ref().map(|branch| linear(&read, &branch.weight));
        let gate = linear(&read, &block.mlp.pre.weight).silu();
        let post = match linear_branch {
            Some(branch) => gate * branch,
            None => gate,
        };
        x += linear(&post, &block.mlp.down.weight);
    }
    match &model.head {
        Head::Lm { norm: Some(norm), unembed, .. } => linear(&rms(&x, &norm.gain, norm.eps), &unembed.weight),
        _ => panic!("the starter model has a final norm and an unembedding"),
    }
}
