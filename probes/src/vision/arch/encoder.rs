//! What vision transformers have in common: patches, blocks, the final norm. Families differ in the names of their weights.

use golgi_data::site::{BlockPoint, Site};
use serde_json::Value as Json;

use super::super::build::{Builder, Value};
use super::super::graph::Extent;
use super::super::op::{Conv, Op, Padding};
use super::super::token::{Positions, TokenOp};
use crate::error::{ProbeError, Result};
use crate::layers::{Activation, Linear, Loader, Norm, NormKind};
use tch::Tensor;

/// No size in a configuration may exceed this.
const MAX_SIZE: u64 = 1 << 16;

/// The sizes of an encoder.
pub(super) struct Shape {
    pub d_model: usize,
    pub n_heads: usize,
    pub n_layers: usize,
    /// ε of its norms.
    pub eps: f64,
    pub activation: Activation,
}

impl Shape {
    /// Of a configuration in the hub's form.
    pub fn new(config: &Json, eps: f64, activation: Activation) -> Result<Shape> {
        let size = |key: &str| match config.get(key).and_then(Json::as_u64) {
            Some(n) if (1..=MAX_SIZE).contains(&n) => Ok(n as usize),
            _ => Err(ProbeError::Config(format!("`{key}` is no whole number from 1 to {MAX_SIZE}"))),
        };
        let shape = Shape {
            d_model: size("hidden_size")?,
            n_heads: size("num_attention_heads")?,
            n_layers: size("num_hidden_layers")?,
            eps: config.get("layer_norm_eps").and_then(Json::as_f64).unwrap_or(eps),
            activation: Activation::from_config(config, &["hidden_act"], activation)?,
        };
        if !shape.d_model.is_multiple_of(shape.n_heads) {
            let text = format!("{} heads do not fit a width of {}", shape.n_heads, shape.d_model);
            return Err(ProbeError::Config(text));
        }
        Ok(shape)
    }

    fn tokens(&self) -> Extent {
        Extent::Tokens(self.d_model)
    }
}

/// The names of a block's weights; of several the first that is in the file.
pub(super) struct Names {
    pub ln1: &'static [&'static str],
    pub q: &'static [&'static str],
    pub k: &'static [&'static str],
    pub v: &'static [&'static str],
    pub o: &'static [&'static str],
    /// Layer scale behind attention, where there is one.
    pub gain1: &'static str,
    pub ln2: &'static [&'static str],
    pub pre: &'static [&'static str],
    pub down: &'static [&'static str],
    /// Layer scale behind the MLP, where there is one.
    pub gain2: &'static str,
}

/// The weights of the patches and positions.
pub(super) struct Patches {
    /// Path of the convolution.
    pub conv: &'static str,
    /// The leading tokens, `[leading, d_model]`.
    pub leading: Tensor,
    /// Positions of the first token and of the patches, `[1 + patches, d_model]`; further leading tokens have none.
    pub positions: Tensor,
}

fn first<'n>(at: &Loader, names: &[&'n str]) -> &'n str {
    let found = names.iter().find(|name| at.has(&format!("{name}.weight")));
    found.or(names.first()).copied().unwrap_or_default()
}

/// The linear map under the first of `names`, whatever its width; with a bias where the file has one.
fn linear(at: &Loader, names: &[&str], d_in: usize) -> Result<Linear> {
    let name = first(at, names);
    let shape = at.shape(&format!("{name}.weight"))?;
    at.linear(name, d_in, shape.first().copied().unwrap_or(0), at.has(&format!("{name}.bias")))
}

/// One norm twice: for its scale and for its output.
fn norms(at: &Loader, name: &str, shape: &Shape) -> Result<[Norm; 2]> {
    let norm = || at.norm(name, shape.d_model, NormKind::Layer, shape.eps);
    Ok([norm()?, norm()?])
}

/// Scale and output of the norm `name`.
pub(super) fn normed(
    net: &mut Builder,
    at: &Loader,
    name: &str,
    (scale, normalized): (&Site, &Site),
    shape: &Shape,
    x: Value,
) -> Result<Value> {
    let [of_scale, of_output] = norms(at, name, shape)?;
    let vector = matches!(net.extent(x), Extent::Vector(_));
    let (one, all) =
        if vector { (Extent::Vector(1), Extent::Vector(shape.d_model)) } else { (Extent::Tokens(1), shape.tokens()) };
    let scale = net.add(&scale.to_string(), Op::Token(TokenOp::NormScale(of_scale)), &[x], one)?;
    net.add(&normalized.to_string(), Op::Token(TokenOp::Normalize(of_output)), &[x, scale], all)
}

/// From the image to the sum of patches and positions.
pub(super) fn embedded(net: &mut Builder, at: &Loader, patches: Patches, shape: &Shape, x: Value) -> Result<Value> {
    let Patches { conv, leading, positions } = patches;
    let weight = format!("{conv}.weight");
    let size = at.shape(&weight)?;
    let [d_model, 3, side, _] = size[..] else {
        return Err(ProbeError::WeightShape { name: weight, expected: vec![shape.d_model, 3, 0, 0], found: size });
    };
    let weight = at.tensor(&weight, &[shape.d_model, 3, side, side])?;
    let bias = format!("{conv}.bias");
    let bias = if at.has(&bias) { Some(at.tensor(&bias, &[d_model])?) } else { None };
    let conv_op = Conv { weight, bias, stride: side.max(1) as i64, padding: Padding::Zeros(0), groups: 1 };
    let map = net.add(conv, Op::Conv(conv_op), &[x], Extent::Map(d_model))?;

    let count = positions.size()[0] - 1;
    let grid = (count as f64).sqrt().round() as i64;
    if grid < 1 || grid * grid != count {
        return Err(ProbeError::Config(format!("{count} positions of patches do not fill a square")));
    }
    let width = shape.d_model as i64;
    let without = leading.size()[0] - 1;
    let none = Tensor::f_zeros([without, width], (leading.kind(), leading.device()))?;
    let places = Positions {
        leading: Tensor::f_cat(&[positions.f_narrow(0, 0, 1)?, none], 0)?,
        patches: positions.f_narrow(0, 1, count)?.f_reshape([grid, grid, width])?,
    };
    let tokens = net.add(&Site::Embed.to_string(), Op::Token(TokenOp::Tokens(leading)), &[map], shape.tokens())?;
    let places = net.add(&Site::PosEmbed.to_string(), Op::Token(TokenOp::Positions(places)), &[map], shape.tokens())?;
    net.add("embeddings", Op::Add, &[tokens, places], shape.tokens())
}

/// A block: `x += gain₁ · attn(ln1(x)); x += gain₂ · mlp(ln2(x))`.
pub(super) fn block(
    net: &mut Builder,
    at: &Loader,
    layer: usize,
    names: &Names,
    shape: &Shape,
    x: Value,
) -> Result<Value> {
    use BlockPoint as P;
    let site = |point: BlockPoint| Site::block(layer as u32, point);
    let name = |point: BlockPoint| site(point).to_string();
    let token = Op::Token;
    let (d_model, heads) = (shape.d_model, shape.n_heads);
    let d_head = d_model / heads;
    let by_head = Extent::Heads { heads, d_head };
    let gain = |name: &str| if at.has(name) { at.tensor(name, &[d_model]).map(Some) } else { Ok(None) };

    let x = net.add(&name(P::ResidPre), token(TokenOp::Same), &[x], shape.tokens())?;
    let read = normed(net, at, first(at, names.ln1), (&site(P::Ln1Scale), &site(P::Ln1Normalized)), shape, x)?;
    let mut of = |point: BlockPoint, names: &[&str]| -> Result<Value> {
        let name = first(at, names);
        let linear = at.linear(name, d_model, d_model, at.has(&format!("{name}.bias")))?;
        let op = TokenOp::Read { linear, heads: heads as i64 };
        net.add(&site(point).to_string(), token(op), &[read], by_head)
    };
    let (q, k, v) = (of(P::Q, names.q)?, of(P::K, names.k)?, of(P::V, names.v)?);
    let scores = TokenOp::Scores { scale: 1.0 / (d_head as f64).sqrt(), d_head: d_head as i64 };
    let scores = net.add(&name(P::AttnScores), token(scores), &[q, k], Extent::Pattern(heads))?;
    let pattern = net.add(&name(P::Pattern), token(TokenOp::Softmax), &[scores], Extent::Pattern(heads))?;
    let z = net.add(&name(P::Z), token(TokenOp::Mix), &[pattern, v], by_head)?;
    let write = TokenOp::Write { linear: linear(at, names.o, d_model)?, gain: gain(names.gain1)? };
    let attn = net.add(&name(P::AttnOut), token(write), &[z], shape.tokens())?;
    let x = net.add(&name(P::ResidMid), Op::Add, &[x, attn], shape.tokens())?;

    let read = normed(net, at, first(at, names.ln2), (&site(P::Ln2Scale), &site(P::Ln2Normalized)), shape, x)?;
    let post = if let Some(branches) = branches(at, d_model)? {
        gated(net, branches, layer, read)?
    } else {
        let pre = linear(at, names.pre, d_model)?;
        let extent = Extent::Tokens(pre.weight.size()[0] as usize);
        let pre = net.add(&name(P::MlpPre), Op::Linear(pre), &[read], extent)?;
        net.add(&name(P::MlpPost), Op::Activation(shape.activation), &[pre], extent)?
    };
    let down = linear(at, names.down, net.channels(post))?;
    let write = TokenOp::Write { linear: down, gain: gain(names.gain2)? };
    let mlp = net.add(&name(P::MlpOut), token(write), &[post], shape.tokens())?;
    net.add(&name(P::ResidPost), Op::Add, &[x, mlp], shape.tokens())
}

/// Gate and linear branch of a gated MLP (DINOv2-giant), if it is one; older files have both in one matrix.
fn branches(at: &Loader, d_model: usize) -> Result<Option<[Linear; 2]>> {
    if at.has("mlp.gate_proj.weight") {
        return Ok(Some([linear(at, &["mlp.gate_proj"], d_model)?, linear(at, &["mlp.up_proj"], d_model)?]));
    }
    if !at.has("mlp.weights_in.weight") {
        return Ok(None);
    }
    let both = linear(at, &["mlp.weights_in"], d_model)?;
    let width = both.weight.size()[0] as usize / 2;
    let parts = both.split(&[width, width])?;
    let parts = <[Linear; 2]>::try_from(parts);
    parts.map(Some).map_err(|_| ProbeError::Config("a gated MLP has two branches".to_owned()))
}

fn gated(net: &mut Builder, [gate, linear]: [Linear; 2], layer: usize, read: Value) -> Result<Value> {
    if gate.weight.size()[0] != linear.weight.size()[0] {
        return Err(ProbeError::Config("the branches of a gated MLP have different widths".to_owned()));
    }
    let width = gate.weight.size()[0] as usize;
    let name = |point: BlockPoint| Site::block(layer as u32, point).to_string();
    let extent = Extent::Tokens(width);
    let pre = net.add(&name(BlockPoint::MlpPre), Op::Linear(gate), &[read], extent)?;
    let linear = net.add(&name(BlockPoint::MlpPreLinear), Op::Linear(linear), &[read], extent)?;
    net.add(&name(BlockPoint::MlpPost), Op::Token(TokenOp::Gate(Activation::Silu)), &[pre, linear], extent)
}

/// The class token, which is the first.
pub(super) fn class_token(net: &mut Builder, x: Value, shape: &Shape) -> Result<Value> {
    net.add("class_token", Op::Token(TokenOp::Select(0)), &[x], Extent::Vector(shape.d_model))
}

/// The final norm.
pub(super) fn final_norm(net: &mut Builder, at: &Loader, name: &str, shape: &Shape, x: Value) -> Result<Value> {
    normed(net, at, name, (&Site::LnFinalScale, &Site::LnFinalNormalized), shape, x)
}
