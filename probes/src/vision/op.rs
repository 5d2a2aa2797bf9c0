//! The operations that networks for images consist of; those on tokens are in `token.rs`.
//!
//! Maps are `[batch, channels, height, width]` at every site, also where a reference implementation turns them for a while (ConvNeXt).

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::token::TokenOp;
use crate::error::Result;
use crate::layers::{Activation, Linear};

/// How a convolution or pooling treats the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// So many zeros on each side.
    Zeros(i64),
    /// As many zeros as make the output `⌈size / stride⌉`, the odd one at the end (TensorFlow's `SAME`).
    Same,
}

/// A convolution.
#[derive(Debug)]
pub struct Conv {
    /// `[out, in / groups, height, width]`.
    pub weight: Tensor,
    /// `[out]`.
    pub bias: Option<Tensor>,
    /// Step in both directions.
    pub stride: i64,
    /// The border.
    pub padding: Padding,
    /// Blocks of channels that do not see each other.
    pub groups: i64,
}

/// Batch normalisation with fixed statistics: `(x − mean) / √(var + ε) · gain + bias` in each channel.
#[derive(Debug)]
pub struct BatchNorm {
    /// `[channels]`.
    pub mean: Tensor,
    /// `[channels]`.
    pub var: Tensor,
    /// `[channels]`.
    pub gain: Tensor,
    /// `[channels]`.
    pub bias: Tensor,
    /// Added to the variance.
    pub eps: f64,
}

/// Layer norm over the channels at each position of a map, or over a vector.
#[derive(Debug)]
pub struct ChannelNorm {
    /// `[channels]`.
    pub gain: Tensor,
    /// `[channels]`.
    pub bias: Tensor,
    /// Added to the variance.
    pub eps: f64,
}

/// A pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its side.
    pub size: i64,
    /// Its step.
    pub stride: i64,
    /// Border on each side.
    pub padding: i64,
    /// Whether a window that reaches over the border counts.
    pub ceil: bool,
}

/// What a node does.
#[derive(Debug)]
pub enum Op {
    /// The image.
    Input,
    /// A convolution.
    Conv(Conv),
    /// Batch normalisation.
    BatchNorm(BatchNorm),
    /// Layer norm over channels.
    ChannelNorm(ChannelNorm),
    /// An affine map of the channels, at each position of a map or of a vector.
    Linear(Linear),
    /// An elementwise function.
    Activation(Activation),
    /// The largest value of each window.
    MaxPool(Window),
    /// The mean of each window.
    AvgPool(Window),
    /// Means over as many regions as give a map of this side.
    AdaptiveAvgPool(i64),
    /// A map as a vector.
    Flatten,
    /// The sum of its inputs.
    Add,
    /// The product of its inputs; a map of 1 × 1 is spread.
    Mul,
    /// Its inputs behind each other, along the channels.
    Concat,
    /// Each channel times a number `[channels]`.
    Scale(Tensor),
    /// An operation on the tokens of a vision transformer.
    Token(TokenOp),
}

/// Zeros before and behind one axis of `size`, for [`Padding::Same`].
pub(super) fn same(size: i64, kernel: i64, stride: i64) -> (i64, i64) {
    let total = ((size + stride - 1) / stride - 1) * stride + kernel - size;
    let total = total.max(0);
    (total / 2, total - total / 2)
}

/// What shuffles weights, or nothing for copies of them as they are.
pub(super) type Shuffle<'a> = Option<&'a mut ChaCha8Rng>;

/// The same entries, in another order if something shuffles.
pub(super) fn permuted(tensor: &Tensor, shuffle: Shuffle) -> Result<Tensor> {
    let Some(random) = shuffle else { return Ok(tensor.shallow_clone()) };
    let mut order: Vec<i64> = (0..tensor.numel() as i64).collect();
    order.shuffle(random);
    let order = Tensor::f_from_slice(&order)?.f_to_device(tensor.device())?;
    Ok(tensor.f_reshape([-1])?.f_index_select(0, &order)?.f_view(tensor.size().as_slice())?)
}

impl Window {
    /// As PyTorch counts: with `ceil` a window may reach over the end, but must begin inside the image or its left border.
    fn out(&self, size: i64) -> i64 {
        let span = size + 2 * self.padding - self.size;
        if !self.ceil {
            return if span < 0 { 0 } else { span / self.stride + 1 };
        }
        let out = (span + self.stride - 1).div_euclid(self.stride) + 1;
        if (out - 1) * self.stride >= size + self.padding { out - 1 } else { out }
    }
}

impl Conv {
    /// The side of the window.
    pub fn kernel(&self) -> (i64, i64) {
        let size = self.weight.size();
        (size[2], size[3])
    }

    fn out(&self, size: i64, kernel: i64) -> i64 {
        match self.padding {
            Padding::Same => (size + self.stride - 1) / self.stride,
            Padding::Zeros(border) => {
                let span = size + 2 * border - kernel;
                if span < 0 { 0 } else { span / self.stride + 1 }
            }
        }
    }

    /// # Errors
    /// If the tensor library fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (stride, one) = ([self.stride; 2], [1, 1]);
        let run = |x: &Tensor, border: i64| {
            x.f_conv2d(&self.weight, self.bias.as_ref(), stride, [border; 2], one, self.groups)
        };
        let border = match self.padding {
            Padding::Zeros(border) => border,
            Padding::Same => {
                let (size, (height, width)) = (x.size(), self.kernel());
                let (top, bottom) = same(size[2], height, self.stride);
                let (left, right) = same(size[3], width, self.stride);
                if (top, left) != (bottom, right) || top != left {
                    return Ok(run(&x.f_constant_pad_nd([left, right, top, bottom])?, 0)?);
                }
                top
            }
        };
        Ok(run(x, border)?)
    }
}

impl BatchNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (mean, var) = (Some(&self.mean), Some(&self.var));
        Ok(x.f_batch_norm(Some(&self.gain), Some(&self.bias), mean, var, false, 0.0, self.eps, false)?)
    }
}

impl ChannelNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (channels, map) = (x.size()[1], x.dim() == 4);
        let turned = if map { x.f_permute([0, 2, 3, 1])? } else { x.shallow_clone() };
        let normed = turned.f_layer_norm([channels], Some(&self.gain), Some(&self.bias), self.eps, false)?;
        Ok(if map { normed.f_permute([0, 3, 1, 2])? } else { normed })
    }
}

impl Op {
    /// The value of the node.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub(crate) fn apply(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        let x = inputs[0];
        Ok(match self {
            Op::Input => x.shallow_clone(),
            Op::Conv(conv) => conv.forward(x)?,
            Op::BatchNorm(norm) => norm.forward(x)?,
            Op::ChannelNorm(norm) => norm.forward(x)?,
            Op::Linear(linear) if x.dim() == 4 => {
                linear.forward(&x.f_permute([0, 2, 3, 1])?)?.f_permute([0, 3, 1, 2])?
            }
            Op::Linear(linear) => linear.forward(x)?,
            Op::Activation(activation) => activation.apply(x)?,
            Op::MaxPool(w) => x.f_max_pool2d([w.size; 2], [w.stride; 2], [w.padding; 2], [1, 1], w.ceil)?,
            Op::AvgPool(w) => x.f_avg_pool2d([w.size; 2], [w.stride; 2], [w.padding; 2], w.ceil, true, None::<i64>)?,
            Op::AdaptiveAvgPool(side) => x.f_adaptive_avg_pool2d([*side; 2])?,
            Op::Flatten => x.f_flatten(1, -1)?,
            Op::Add => inputs[1..].iter().try_fold(x.shallow_clone(), |sum, next| sum.f_add(next))?,
            Op::Mul => inputs[1..].iter().try_fold(x.shallow_clone(), |product, next| product.f_mul(next))?,
            Op::Concat if inputs.len() == 1 => x.shallow_clone(),
            Op::Concat => Tensor::f_cat(inputs, 1)?,
            Op::Scale(scale) => x.f_mul(&scale.f_view([1, -1, 1, 1])?)?,
            Op::Token(op) => op.apply(inputs)?,
        })
    }

    /// Height and width behind the operation, of those before it.
    pub(crate) fn spatial(&self, (height, width): (i64, i64)) -> (i64, i64) {
        match self {
            Op::Conv(conv) => {
                let kernel = conv.kernel();
                (conv.out(height, kernel.0), conv.out(width, kernel.1))
            }
            Op::MaxPool(window) | Op::AvgPool(window) => (window.out(height), window.out(width)),
            Op::AdaptiveAvgPool(side) => (*side, *side),
            Op::Flatten => (1, 1),
            Op::Token(op) => op.spatial((height, width)),
            _ => (height, width),
        }
    }

    /// How many parameters it has.
    pub(crate) fn parameters(&self) -> u64 {
        let tensors: Vec<&Tensor> = match self {
            Op::Conv(conv) => std::iter::once(&conv.weight).chain(&conv.bias).collect(),
            Op::BatchNorm(norm) => vec![&norm.gain, &norm.bias],
            Op::ChannelNorm(norm) => vec![&norm.gain, &norm.bias],
            Op::Linear(linear) => std::iter::once(&linear.weight).chain(&linear.bias).collect(),
            Op::Scale(scale) => vec![scale],
            Op::Token(op) => op.parameters(),
            _ => Vec::new(),
        };
        tensors.iter().map(|tensor| tensor.numel() as u64).sum()
    }

    /// Multiplications with additions for one image, of which `out` is the size of what comes out (channels, height, width).
    pub(crate) fn multiplications(&self, out: (usize, i64, i64)) -> u64 {
        let values = out.0 as u64 * (out.1 * out.2) as u64;
        match self {
            Op::Conv(conv) => {
                let size = conv.weight.size();
                values * (size[1] * size[2] * size[3]) as u64
            }
            Op::Linear(linear) => values * linear.weight.size()[1] as u64,
            Op::Token(op) => op.multiplications(out.0 as u64, out.1 as u64),
            _ => 0,
        }
    }

    /// The same, with `shuffle` with the entries of its weight in another order.
    pub(crate) fn copied(&self, shuffle: Shuffle) -> Result<Op> {
        let keep = |tensor: &Option<Tensor>| tensor.as_ref().map(Tensor::shallow_clone);
        Ok(match self {
            Op::Conv(conv) => {
                Op::Conv(Conv { weight: permuted(&conv.weight, shuffle)?, bias: keep(&conv.bias), ..*conv })
            }
            Op::Linear(linear) => {
                Op::Linear(Linear { weight: permuted(&linear.weight, shuffle)?, bias: keep(&linear.bias) })
            }
            Op::BatchNorm(norm) => Op::BatchNorm(BatchNorm {
                mean: norm.mean.shallow_clone(),
                var: norm.var.shallow_clone(),
                gain: norm.gain.shallow_clone(),
                bias: norm.bias.shallow_clone(),
                eps: norm.eps,
            }),
            Op::ChannelNorm(norm) => Op::ChannelNorm(ChannelNorm {
                gain: norm.gain.shallow_clone(),
                bias: norm.bias.shallow_clone(),
                eps: norm.eps,
            }),
            Op::Scale(scale) => Op::Scale(scale.shallow_clone()),
            Op::Input => Op::Input,
            Op::Activation(activation) => Op::Activation(*activation),
            Op::MaxPool(window) => Op::MaxPool(*window),
            Op::AvgPool(window) => Op::AvgPool(*window),
            Op::AdaptiveAvgPool(side) => Op::AdaptiveAvgPool(*side),
            Op::Flatten => Op::Flatten,
            Op::Add => Op::Add,
            Op::Mul => Op::Mul,
            Op::Concat => Op::Concat,
            Op::Token(op) => Op::Token(op.copied(shuffle)?),
        })
    }

    /// What it is, in a few words, for tables.
    pub fn description(&self) -> String {
        match self {
            Op::Input => "the image, as the network reads it".to_owned(),
            Op::Conv(conv) => {
                let (height, width) = conv.kernel();
                let kind = match conv.groups {
                    1 => "convolution".to_owned(),
                    groups if groups == conv.weight.size()[0] => "depthwise convolution".to_owned(),
                    groups => format!("convolution in {groups} groups"),
                };
                let stride = if conv.stride > 1 { format!(", stride {}", conv.stride) } else { String::new() };
                format!("{kind} {height} × {width}{stride}")
            }
            Op::BatchNorm(_) => "batch norm".to_owned(),
            Op::ChannelNorm(_) => "layer norm over channels".to_owned(),
            Op::Linear(_) => "linear".to_owned(),
            Op::Activation(activation) => activation.name().to_owned(),
            Op::MaxPool(window) => format!("largest of {0} × {0}", window.size),
            Op::AvgPool(window) => format!("mean of {0} × {0}", window.size),
            Op::AdaptiveAvgPool(1) => "mean of the map".to_owned(),
            Op::AdaptiveAvgPool(side) => format!("means to {side} × {side}"),
            Op::Flatten => "the map as a vector".to_owned(),
            Op::Add => "sum".to_owned(),
            Op::Mul => "product".to_owned(),
            Op::Concat => "channels of several maps".to_owned(),
            Op::Scale(_) => "each channel scaled".to_owned(),
            Op::Token(op) => op.description(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn sizes_are_those_of_the_tensor_library() {
        for size in 5..20 {
            let x = Tensor::zeros([1, 1, size, size], (Kind::Float, tch::Device::Cpu));
            for (kernel, stride, padding, ceil) in
                [(3, 2, 0, true), (3, 2, 1, false), (2, 2, 0, true), (3, 1, 1, true), (3, 2, 1, true)]
            {
                let window = Window { size: kernel, stride, padding, ceil };
                let pooled = Op::MaxPool(window).apply(&[&x]).unwrap().size();
                assert_eq!(window.out(size), pooled[2], "{size} {window:?}");
                let weight = Tensor::zeros([1, 1, kernel, kernel], (Kind::Float, tch::Device::Cpu));
                for padding in [Padding::Zeros(padding), Padding::Same] {
                    let weight = weight.shallow_clone();
                    let op = Op::Conv(Conv { weight, bias: None, stride, padding, groups: 1 });
                    let out = op.apply(&[&x]).unwrap().size();
                    assert_eq!(op.spatial((size, size)), (out[2], out[3]), "{size} {kernel} {stride} {padding:?}");
                }
            }
        }
    }
}
