//! Turns stored weights into tensors, checking every shape against the configuration.

use golgi_data::context::RunContext;
use golgi_data::weights::Weights;
use tch::{Device, Kind, Tensor};

use crate::error::{ProbeError, Result};
use crate::layers::{Linear, Norm, NormKind};

/// A place in a checkpoint. `at` descends by one path segment, so that code mirrors the names in the file.
#[derive(Clone)]
pub struct Loader<'a> {
    weights: &'a Weights,
    ctx: &'a RunContext,
    prefix: String,
    kind: Kind,
    device: Device,
}

impl<'a> Loader<'a> {
    /// The root of `weights`. Tensors are converted to `kind` and put on `device`.
    pub fn new(weights: &'a Weights, ctx: &'a RunContext, kind: Kind, device: Device) -> Loader<'a> {
        Loader { weights, ctx, prefix: String::new(), kind, device }
    }

    /// The element type of what is loaded.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where what is loaded goes.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The loader one segment (or several, with dots) further down.
    pub fn at(&self, segment: impl std::fmt::Display) -> Loader<'a> {
        Loader { prefix: format!("{}{segment}.", self.prefix), ..self.clone() }
    }

    /// The first of `prefixes` under which `probe` exists. Base models are stored without the prefix that the model
    /// with a head has; both are common.
    pub fn first_of(&self, prefixes: &[&str], probe: &str) -> Loader<'a> {
        let found =
            prefixes.iter().find(|prefix| self.weights.info(&format!("{}{prefix}{probe}", self.prefix)).is_some());
        Loader { prefix: format!("{}{}", self.prefix, found.or(prefixes.first()).unwrap_or(&"")), ..self.clone() }
    }

    /// Whether the file has this tensor.
    pub fn has(&self, name: &str) -> bool {
        self.weights.info(&format!("{}{name}", self.prefix)).is_some()
    }

    /// The shape that a tensor has in the file.
    ///
    /// # Errors
    /// If it is missing.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>> {
        let name = format!("{}{name}", self.prefix);
        Ok(self.weights.shape(&name)?.to_vec())
    }

    /// A tensor of exactly this shape.
    ///
    /// # Errors
    /// If it is missing, has another shape, or cannot be read.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.ctx.check()?;
        let name = format!("{}{name}", self.prefix);
        if let Some(info) = self.weights.info(&name)
            && info.shape != shape
        {
            return Err(ProbeError::WeightShape { name, expected: shape.to_vec(), found: info.shape.clone() });
        }
        let size: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
        let mut tensor = Tensor::f_empty(&size, (Kind::Float, Device::Cpu))?;
        // Decoding straight into the tensor's memory keeps a second copy of the model out of RAM.
        // SAFETY: `tensor` was just made: contiguous, f32, on the CPU, `numel` elements long, and nobody else holds it
        // while the slice lives. The slice is only written to.
        let out = unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<f32>(), tensor.numel()) };
        self.weights.read_f32_into(&name, out)?;
        if self.kind != Kind::Float || self.device != Device::Cpu {
            tensor = tensor.f_to_device(self.device)?.f_to_kind(self.kind)?;
        }
        self.ctx.advance(1);
        Ok(tensor)
    }

    /// `name.weight` `[out, in]` and, if asked for, `name.bias` `[out]`.
    ///
    /// # Errors
    /// As [`Loader::tensor`].
    pub fn linear(&self, name: &str, d_in: usize, d_out: usize, bias: bool) -> Result<Linear> {
        let here = self.at(name);
        let weight = here.tensor("weight", &[d_out, d_in])?;
        Ok(Linear { weight, bias: if bias { Some(here.tensor("bias", &[d_out])?) } else { None } })
    }

    /// The `Conv1D` of GPT-2, whose `name.weight` is stored as `[in, out]`.
    ///
    /// # Errors
    /// As [`Loader::tensor`].
    pub fn conv1d(&self, name: &str, d_in: usize, d_out: usize) -> Result<Linear> {
        let here = self.at(name);
        let weight = here.tensor("weight", &[d_in, d_out])?.f_transpose(0, 1)?.f_contiguous()?;
        Ok(Linear { weight, bias: Some(here.tensor("bias", &[d_out])?) })
    }

    /// A norm over `size` numbers: `name.weight`, and `name.bias` for a layer norm that has one.
    ///
    /// # Errors
    /// As [`Loader::tensor`].
    pub fn norm(&self, name: &str, size: usize, kind: NormKind, eps: f64) -> Result<Norm> {
        let here = self.at(name);
        let mut gain = here.tensor("weight", &[size])?;
        if kind == NormKind::RmsPlusOne {
            gain = (gain.f_to_kind(Kind::Float)?.f_add_scalar(1.0))?;
        }
        let bias = if kind == NormKind::Layer && here.has("bias") { Some(here.tensor("bias", &[size])?) } else { None };
        Ok(Norm { gain, bias, kind, eps })
    }
}

impl Linear {
    /// Splits the output axis: the rows of `[out, in]` are cut into pieces of these sizes.
    ///
    /// # Errors
    /// If the sizes do not add up to `out`.
    pub fn split(self, sizes: &[usize]) -> Result<Vec<Linear>> {
        let sizes: Vec<i64> = sizes.iter().map(|size| *size as i64).collect();
        let weights = self.weight.f_split_with_sizes(&sizes, 0)?;
        let biases = match self.bias {
            Some(bias) => bias.f_split_with_sizes(&sizes, 0)?.into_iter().map(Some).collect(),
            None => sizes.iter().map(|_| None).collect::<Vec<_>>(),
        };
        weights
            .into_iter()
            .zip(biases)
            .map(|(weight, bias)| {
                Ok(Linear { weight: weight.f_contiguous()?, bias: bias.map(|b| b.f_contiguous()).transpose()? })
            })
            .collect()
    }
}
