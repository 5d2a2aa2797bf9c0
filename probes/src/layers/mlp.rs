//! The MLP, plain or gated.

use golgi_data::site::BlockPoint;
use serde_json::Value;
use tch::Tensor;

use crate::error::{ProbeError, Result};
use crate::layers::Linear;
use crate::pass::{Flow, Pass};

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x σ(x)`.
    Silu,
    /// `x Φ(x)`.
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
    /// `x σ(1.702 x)`.
    QuickGelu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `σ(x)`.
    Sigmoid,
}

impl Activation {
    /// The function that a configuration's `key` names; `default` where the key is absent.
    ///
    /// # Errors
    /// [`ProbeError::Config`] for a name that is not known.
    pub fn from_config(config: &Value, keys: &[&str], default: Activation) -> Result<Activation> {
        let Some(name) = keys.iter().find_map(|key| config.get(*key).and_then(Value::as_str)) else {
            return Ok(default);
        };
        match name {
            "relu" => Ok(Activation::Relu),
            "silu" | "swish" => Ok(Activation::Silu),
            "gelu" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
            "quick_gelu" => Ok(Activation::QuickGelu),
            "relu6" => Ok(Activation::Relu6),
            other => Err(ProbeError::Config(format!(
                "the activation function `{other}` is not supported; relu, relu6, silu, gelu, gelu_new and quick_gelu are"
            ))),
        }
    }

    /// Its name, as shown to users.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Silu => "silu",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu (tanh)",
            Activation::QuickGelu => "quick gelu",
            Activation::Relu6 => "relu6",
            Activation::Sigmoid => "sigmoid",
        }
    }

    /// Applies it to every element.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Activation::Relu => x.f_relu()?,
            Activation::Silu => x.f_silu()?,
            Activation::Gelu => x.f_gelu("none")?,
            Activation::GeluTanh => x.f_gelu("tanh")?,
            Activation::QuickGelu => x.f_mul(&x.f_mul_scalar(1.702)?.f_sigmoid()?)?,
            Activation::Relu6 => x.f_clamp(0.0, 6.0)?,
            Activation::Sigmoid => x.f_sigmoid()?,
        })
    }
}

/// `down(act(pre(x)))`, or with a gate `down(act(pre(x)) ⊙ linear(x))`.
#[derive(Debug)]
pub struct Mlp {
    /// `[d_mlp, d_model]`: what each neuron reads (the gate, in a gated MLP).
    pub pre: Linear,
    /// `[d_mlp, d_model]`: the linear branch of a gated MLP.
    pub pre_linear: Option<Linear>,
    /// `[d_model, d_mlp]`: column `n` is what neuron `n` writes.
    pub down: Linear,
    /// The nonlinearity.
    pub activation: Activation,
}

impl Mlp {
    pub(crate) fn tapped(&self, pass: &mut Pass, layer: u32, x: &Tensor) -> Flow<Tensor> {
        let pre = pass.block(layer, BlockPoint::MlpPre, self.pre.forward(x)?)?;
        let mut post = self.activation.apply(&pre)?;
        drop(pre);
        if let Some(linear) = &self.pre_linear {
            let linear = pass.block(layer, BlockPoint::MlpPreLinear, linear.forward(x)?)?;
            post = post.f_mul(&linear)?;
        }
        let post = pass.block(layer, BlockPoint::MlpPost, post)?;
        Ok(self.down.forward(&post)?)
    }
}
