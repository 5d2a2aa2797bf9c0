//! The operations that vision transformers add to those of convolutional networks.
//!
//! A map of patches becomes tokens, `[batch, tokens, d_model]`: first the leading ones (class token, registers), then the patches row by row.

use tch::{Kind, Tensor};

use super::op::{Shuffle, permuted};
use crate::error::Result;
use crate::layers::{Activation, Linear, Norm};

/// What a node of a vision transformer does.
#[derive(Debug)]
pub enum TokenOp {
    /// A map of patches as tokens behind the leading ones, `[leading, d_model]`.
    Tokens(Tensor),
    /// The embeddings of the positions, for a map of patches.
    Positions(Positions),
    /// `√(var + ε)` of each token, `[batch, tokens, 1]`.
    NormScale(Norm),
    /// A token and its scale: `(x − mean) / scale · gain + bias`.
    Normalize(Norm),
    /// What each head reads of a token, `[batch, tokens, heads, d_head]`.
    Read {
        /// `[heads · d_head, d_model]`.
        linear: Linear,
        /// How many heads.
        heads: i64,
    },
    /// Queries and keys: `q kᵀ · scale`, `[batch, heads, query, key]`.
    Scores {
        /// `1 / √d_head`.
        scale: f64,
        /// Width of a head.
        d_head: i64,
    },
    /// Softmax over the keys.
    Softmax,
    /// Pattern and values: what each head mixes, `[batch, tokens, heads, d_head]`.
    Mix,
    /// What heads or neurons write into the residual stream, `[batch, tokens, d_model]`.
    Write {
        /// `[d_model, heads · d_head]` or `[d_model, d_mlp]`.
        linear: Linear,
        /// What each coordinate is multiplied with, `[d_model]` (layer scale).
        gain: Option<Tensor>,
    },
    /// The function of the first input times the second: a gated MLP.
    Gate(Activation),
    /// The mean of the tokens behind so many leading ones, `[batch, d_model]`.
    MeanBehind(i64),
    /// One token, `[batch, d_model]`.
    Select(i64),
    /// The same value under another name.
    Same,
}

/// Learned positions of a square of patches.
#[derive(Debug)]
pub struct Positions {
    /// Those of the leading tokens, `[leading, d_model]`; zero for tokens without one.
    pub leading: Tensor,
    /// Those of the patches, `[side, side, d_model]`; for a map of another size they are resampled (bicubic).
    pub patches: Tensor,
}

impl Positions {
    fn of(&self, map: &Tensor) -> Result<Tensor> {
        let (size, side) = (map.size(), self.patches.size()[0]);
        let mut patches = self.patches.shallow_clone();
        if (size[2], size[3]) != (side, side) {
            let map = patches.f_permute([2, 0, 1])?.f_unsqueeze(0)?.f_to_kind(Kind::Float)?;
            let map = map.f_upsample_bicubic2d([size[2], size[3]], false, None::<f64>, None::<f64>)?;
            patches = map.f_squeeze_dim(0)?.f_permute([1, 2, 0])?.f_to_kind(self.patches.kind())?;
        }
        let all = Tensor::f_cat(&[&self.leading, &patches.f_flatten(0, 1)?], 0)?;
        Ok(all.f_unsqueeze(0)?.f_expand([size[0], -1, -1], false)?)
    }
}

fn kept(tensor: &Option<Tensor>) -> Option<Tensor> {
    tensor.as_ref().map(Tensor::shallow_clone)
}

fn kept_norm(norm: &Norm) -> Norm {
    Norm { gain: norm.gain.shallow_clone(), bias: kept(&norm.bias), kind: norm.kind, eps: norm.eps }
}

fn copied(linear: &Linear, shuffle: Shuffle) -> Result<Linear> {
    Ok(Linear { weight: permuted(&linear.weight, shuffle)?, bias: kept(&linear.bias) })
}

impl TokenOp {
    pub(super) fn apply(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        let x = inputs[0];
        Ok(match self {
            TokenOp::Tokens(leading) => {
                let patches = x.f_flatten(2, -1)?.f_transpose(1, 2)?;
                let leading = leading.f_unsqueeze(0)?.f_expand([x.size()[0], -1, -1], false)?;
                Tensor::f_cat(&[leading, patches], 1)?
            }
            TokenOp::Positions(positions) => positions.of(x)?,
            TokenOp::NormScale(norm) => norm.scale(&norm.center(x)?)?,
            TokenOp::Normalize(norm) => norm.normalize(&norm.center(x)?, inputs[1], x.kind())?,
            TokenOp::Read { linear, heads } => {
                let read = linear.forward(x)?;
                let size = read.size();
                read.f_view([size[0], size[1], *heads, size[2] / heads])?
            }
            TokenOp::Scores { scale, .. } => {
                let (q, k) = (x.f_permute([0, 2, 1, 3])?, inputs[1].f_permute([0, 2, 3, 1])?);
                q.f_matmul(&k)?.f_mul_scalar(*scale)?
            }
            TokenOp::Softmax => x.f_softmax(-1, Kind::Float)?.f_to_kind(x.kind())?,
            TokenOp::Mix => x.f_matmul(&inputs[1].f_permute([0, 2, 1, 3])?)?.f_permute([0, 2, 1, 3])?,
            TokenOp::Write { linear, gain } => {
                let out = linear.forward(&x.f_flatten(2, -1)?)?;
                match gain {
                    Some(gain) => out.f_mul(gain)?,
                    None => out,
                }
            }
            TokenOp::Gate(activation) => activation.apply(x)?.f_mul(inputs[1])?,
            TokenOp::MeanBehind(leading) => {
                let patches = x.f_narrow(1, *leading, x.size()[1] - leading)?;
                patches.f_mean_dim(1i64, false, None::<Kind>)?
            }
            TokenOp::Select(token) => x.f_select(1, *token)?,
            TokenOp::Same => x.shallow_clone(),
        })
    }

    /// What [`super::Op::spatial`] says; tokens count as rows.
    pub(super) fn spatial(&self, (height, width): (i64, i64)) -> (i64, i64) {
        match self {
            TokenOp::Tokens(leading) => (leading.size()[0] + height * width, 1),
            TokenOp::Positions(positions) => (positions.leading.size()[0] + height * width, 1),
            TokenOp::Select(_) | TokenOp::MeanBehind(_) => (1, 1),
            _ => (height, width),
        }
    }

    /// Whether it has weights that are shuffled.
    pub(super) fn is_weighted(&self) -> bool {
        use TokenOp as T;
        matches!(self, T::Tokens(_) | T::Positions(_) | T::Read { .. } | T::Write { .. })
    }

    pub(super) fn parameters(&self) -> Vec<&Tensor> {
        match self {
            TokenOp::Tokens(leading) => vec![leading],
            TokenOp::Positions(positions) => vec![&positions.leading, &positions.patches],
            TokenOp::Normalize(norm) => std::iter::once(&norm.gain).chain(&norm.bias).collect(),
            TokenOp::Read { linear, .. } => std::iter::once(&linear.weight).chain(&linear.bias).collect(),
            TokenOp::Write { linear, gain } => {
                std::iter::once(&linear.weight).chain(&linear.bias).chain(gain).collect()
            }
            _ => Vec::new(),
        }
    }

    /// For one image of `tokens`; `channels` as what comes out has them.
    pub(super) fn multiplications(&self, channels: u64, tokens: u64) -> u64 {
        match self {
            TokenOp::Read { linear, .. } | TokenOp::Write { linear, .. } => {
                channels * tokens * linear.weight.size()[1] as u64
            }
            TokenOp::Scores { d_head, .. } => channels * tokens * tokens * *d_head as u64,
            TokenOp::Mix => channels * tokens * tokens,
            _ => 0,
        }
    }

    /// What [`super::Op::copied`] says; leading tokens and positions are weights too.
    pub(super) fn copied(&self, mut shuffle: Shuffle) -> Result<TokenOp> {
        Ok(match self {
            TokenOp::Tokens(leading) => TokenOp::Tokens(permuted(leading, shuffle)?),
            TokenOp::Positions(positions) => TokenOp::Positions(Positions {
                leading: permuted(&positions.leading, shuffle.as_deref_mut())?,
                patches: permuted(&positions.patches, shuffle)?,
            }),
            TokenOp::NormScale(norm) => TokenOp::NormScale(kept_norm(norm)),
            TokenOp::Normalize(norm) => TokenOp::Normalize(kept_norm(norm)),
            TokenOp::Read { linear, heads } => TokenOp::Read { linear: copied(linear, shuffle)?, heads: *heads },
            TokenOp::Write { linear, gain } => TokenOp::Write { linear: copied(linear, shuffle)?, gain: kept(gain) },
            TokenOp::Gate(activation) => TokenOp::Gate(*activation),
            TokenOp::MeanBehind(leading) => TokenOp::MeanBehind(*leading),
            TokenOp::Scores { scale, d_head } => TokenOp::Scores { scale: *scale, d_head: *d_head },
            TokenOp::Softmax => TokenOp::Softmax,
            TokenOp::Mix => TokenOp::Mix,
            TokenOp::Select(token) => TokenOp::Select(*token),
            TokenOp::Same => TokenOp::Same,
        })
    }

    pub(super) fn description(&self) -> String {
        match self {
            TokenOp::Tokens(leading) => format!("patches as tokens behind {} leading", leading.size()[0]),
            TokenOp::Positions(_) => "learned positions".to_owned(),
            TokenOp::NormScale(_) => "scale of the layer norm".to_owned(),
            TokenOp::Normalize(_) => "layer norm".to_owned(),
            TokenOp::Read { heads, .. } => format!("linear, for {heads} heads"),
            TokenOp::Write { gain: None, .. } => "linear, into the residual stream".to_owned(),
            TokenOp::Write { gain: Some(_), .. } => "linear, scaled, into the residual stream".to_owned(),
            TokenOp::Gate(activation) => format!("{} times the linear branch", activation.name()),
            TokenOp::MeanBehind(_) => "mean of the patches".to_owned(),
            TokenOp::Scores { .. } => "queries times keys".to_owned(),
            TokenOp::Softmax => "softmax over keys".to_owned(),
            TokenOp::Mix => "values mixed by the pattern".to_owned(),
            TokenOp::Select(token) => format!("token {token}"),
            TokenOp::Same => "the same, as the next part reads it".to_owned(),
        }
    }
}
