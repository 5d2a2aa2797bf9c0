//! The architectures once more, as the formulas of the papers in the tensor library, differentiated by it: the oracle of
//! [`rules`](crate::rules), and the plain implementation that benchmarks compare with.

use golgi_data::dictionary::Architecture;
use tch::{Kind, Tensor};

use crate::SaeError;
use crate::layout::Layout;
use crate::parameters::Parameters;
use crate::settings::{DecoderNorm, Penalty, Settings};

/// A dictionary's weights as tensors that are differentiated.
#[derive(Debug)]
pub struct Dense {
    /// `[m, d_in]`.
    pub encoder: Tensor,
    /// `[m]`.
    pub encoder_bias: Tensor,
    /// `[m, d_out]`.
    pub decoder: Tensor,
    /// `[d_out]`.
    pub decoder_bias: Tensor,
    /// `[m]`, if there is one.
    pub log_threshold: Option<Tensor>,
    /// r and b_mag, `[m]`.
    pub magnitude: Option<(Tensor, Tensor)>,
    /// `[d_out, d_in]`.
    pub skip: Option<Tensor>,
}

fn top_k(z: &Tensor, k: i64) -> Result<Tensor, SaeError> {
    let (values, indices) = z.f_relu()?.f_topk(k, -1, true, false)?;
    Ok(z.f_zeros_like()?.f_scatter(-1, &indices, &values)?)
}

/// `E‖a − b‖²`: summed over dimensions, averaged over rows.
fn squared_error(a: &Tensor, b: &Tensor) -> Result<Tensor, SaeError> {
    Ok((a - b).f_square()?.f_sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>)?.f_mean(None::<Kind>)?)
}

impl Dense {
    /// The same weights, to be differentiated.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn new(parameters: &Parameters) -> Result<Dense, SaeError> {
        let m = parameters.encoder_bias.len() as i64;
        let leaf = |values: &[f32], shape: &[i64]| -> Result<Tensor, SaeError> {
            Ok(Tensor::f_from_slice(values)?.f_view(shape)?.f_set_requires_grad(true)?)
        };
        let optional = |values: &[f32], shape: &[i64]| -> Result<Option<Tensor>, SaeError> {
            (!values.is_empty()).then(|| leaf(values, shape)).transpose()
        };
        let magnitude = optional(&parameters.log_scale, &[m])?.zip(optional(&parameters.magnitude_bias, &[m])?);
        Ok(Dense {
            encoder: leaf(&parameters.encoder, &[m, -1])?,
            encoder_bias: leaf(&parameters.encoder_bias, &[m])?,
            decoder: leaf(&parameters.decoder, &[m, -1])?,
            decoder_bias: leaf(&parameters.decoder_bias, &[-1])?,
            log_threshold: optional(&parameters.log_threshold, &[m])?,
            magnitude,
            skip: optional(&parameters.skip, &[parameters.decoder_bias.len() as i64, -1])?,
        })
    }

    /// Every tensor that is differentiated, encoder first.
    pub fn leaves_mut(&mut self) -> Vec<&mut Tensor> {
        let mut all = vec![&mut self.encoder, &mut self.encoder_bias, &mut self.decoder, &mut self.decoder_bias];
        all.extend(&mut self.log_threshold);
        all.extend(self.magnitude.iter_mut().flat_map(|(scale, bias)| [scale, bias]));
        all.extend(&mut self.skip);
        all
    }

    fn decode(&self, f: &Tensor, x: &Tensor) -> Result<Tensor, SaeError> {
        let out = f.f_matmul(&self.decoder)? + &self.decoder_bias;
        Ok(match &self.skip {
            Some(skip) => out + x.f_matmul(&skip.f_transpose(0, 1)?)?,
            None => out,
        })
    }

    /// The loss of a batch, `x` `[n, d_in]`, `y` `[n, d_out]`, as the architecture's paper defines it. What a latent of `layout`
    /// does not read or write takes no part.
    ///
    /// # Errors
    /// If the tensor library fails.
    #[expect(clippy::too_many_arguments, reason = "what a step is given")]
    pub fn loss(
        &self,
        settings: &Settings,
        layout: &Layout,
        subtracts: bool,
        sparsity: f32,
        dead: &[u32],
        x: &Tensor,
        y: &Tensor,
    ) -> Result<Tensor, SaeError> {
        if layout.is_cross_layer() {
            let whole = Layout::plain(x.size()[1] as usize, y.size()[1] as usize);
            return self.masked(layout)?.loss(settings, &whole, subtracts, sparsity, dead, x, y);
        }
        let n = x.size()[0];
        let seen = if subtracts { x - &self.decoder_bias } else { x.shallow_clone() };
        let projection = seen.f_matmul(&self.encoder.f_transpose(0, 1)?)?;
        let z = &projection + &self.encoder_bias;
        let parts: Vec<i64> = layout.penalised().iter().map(|width| *width as i64).collect();
        let norms = match settings.decoder_norm {
            DecoderNorm::Unit if parts.len() == 1 => self.encoder_bias.f_ones_like()?,
            _ => {
                let parts = self.decoder.f_split_with_sizes(parts.as_slice(), -1)?;
                let norm = |part: &Tensor| part.f_norm_scalaropt_dim(2.0, [-1i64].as_slice(), false);
                parts.iter().map(norm).sum::<Result<Tensor, _>>()?
            }
        };
        let l1 = |f: &Tensor| -> Result<Tensor, SaeError> {
            Ok((f * &norms).f_sum(None::<Kind>)? / n as f64 * f64::from(sparsity))
        };
        Ok(match &settings.architecture {
            Architecture::Standard => {
                let f = z.f_relu()?;
                squared_error(&self.decode(&f, x)?, y)? + l1(&f)?
            }
            Architecture::Gated => {
                let (log_scale, bias) = self.magnitude.as_ref().map_or_else(
                    || Err(SaeError::Settings("a gated dictionary has two paths".to_owned())),
                    |(scale, bias)| Ok((scale, bias)),
                )?;
                let open = z.f_gt(0.0)?.f_to_kind(Kind::Float)?.f_detach()?;
                let f = open * (log_scale.f_exp()? * &projection + bias).f_relu()?;
                let gates = z.f_relu()?;
                let fixed = Dense {
                    decoder: self.decoder.f_detach()?,
                    decoder_bias: self.decoder_bias.f_detach()?,
                    skip: self.skip.as_ref().map(Tensor::f_detach).transpose()?,
                    ..self.shallow()
                };
                squared_error(&self.decode(&f, x)?, y)? + l1(&gates)? + squared_error(&fixed.decode(&gates, x)?, y)?
            }
            Architecture::TopK { k } => {
                let fit = self.decode(&top_k(&z, i64::from(*k))?, x)?;
                squared_error(&fit, y)? + self.auxiliary(settings, dead, &z, &fit, y)?
            }
            Architecture::BatchTopK { k } => {
                let f = top_k(&z.f_flatten(0, -1)?, i64::from(*k) * n)?.f_view_as(&z)?;
                let fit = self.decode(&f, x)?;
                squared_error(&fit, y)? + self.auxiliary(settings, dead, &z, &fit, y)?
            }
            Architecture::Matryoshka { k, prefixes } => {
                let f = top_k(&z.f_flatten(0, -1)?, i64::from(*k) * n)?.f_view_as(&z)?;
                let mut sum = Tensor::f_zeros([], (Kind::Float, x.device()))?;
                for prefix in prefixes {
                    let mask = Tensor::f_arange(i64::from(settings.latents), (Kind::Int64, x.device()))?
                        .f_lt(i64::from(*prefix))?
                        .f_to_kind(Kind::Float)?;
                    sum += squared_error(&self.decode(&(&f * mask), x)?, y)? / prefixes.len() as f64;
                }
                let fit = self.decode(&f, x)?;
                sum + self.auxiliary(settings, dead, &z, &fit, y)?
            }
            Architecture::JumpRelu => self.jump_relu(settings, sparsity, dead, &norms, &z, x, y)?,
        })
    }

    /// With everything that no latent of `layout` reads or writes multiplied by 0.
    fn masked(&self, layout: &Layout) -> Result<Dense, SaeError> {
        let mut mask = Parameters {
            encoder: vec![1.0; self.encoder.numel()],
            encoder_bias: vec![1.0; self.encoder_bias.numel()],
            decoder: vec![1.0; self.decoder.numel()],
            decoder_bias: vec![1.0; self.decoder_bias.numel()],
            ..Parameters::default()
        };
        layout.mask(&mut mask);
        let times = |tensor: &Tensor, mask: &[f32]| -> Result<Tensor, SaeError> {
            Ok(tensor * Tensor::f_from_slice(mask)?.f_view_as(tensor)?.f_to_device(tensor.device())?)
        };
        let (encoder, decoder) = (times(&self.encoder, &mask.encoder)?, times(&self.decoder, &mask.decoder)?);
        Ok(Dense { encoder, decoder, ..self.shallow() })
    }

    /// Without a function of its own for the backward pass: what is detached has the value, the rest has the derivative.
    #[expect(clippy::too_many_arguments, reason = "one call site")]
    fn jump_relu(
        &self,
        settings: &Settings,
        sparsity: f32,
        dead: &[u32],
        norms: &Tensor,
        z: &Tensor,
        x: &Tensor,
        y: &Tensor,
    ) -> Result<Tensor, SaeError> {
        let Some(log_threshold) = &self.log_threshold else {
            return Err(SaeError::Settings("JumpReLU has thresholds".to_owned()));
        };
        let epsilon = f64::from(settings.bandwidth);
        let threshold = log_threshold.f_exp()?;
        let above = z.f_gt_tensor(&threshold)?.f_to_kind(Kind::Float)?.f_detach()?;
        let near = ((z - &threshold).f_abs()?.f_lt(epsilon / 2.0)?).f_to_kind(Kind::Float)?.f_detach()?;
        let slope = (&near * &threshold / -epsilon).f_detach()?;
        let kick = &slope * &threshold;
        let f = z * &above + (&kick - kick.f_detach()?);
        let kick = (&near / -epsilon).f_detach()? * &threshold;
        let step = &above + (&kick - kick.f_detach()?);
        let l0 = step.f_sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>)?.f_mean(None::<Kind>)?;
        let penalty = match settings.penalty {
            Penalty::Target => {
                let excess: Tensor = l0 / f64::from(settings.target_l0) - 1.0;
                excess.f_square()?
            }
            Penalty::L0 => l0,
            Penalty::Tanh { c } => {
                let each = (&f * norms * f64::from(c)).f_tanh()?;
                each.f_sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>)?.f_mean(None::<Kind>)?
            }
        };
        let loss = squared_error(&self.decode(&f, x)?, y)? + penalty * f64::from(sparsity);
        if settings.pre_activation == 0.0 || dead.is_empty() {
            return Ok(loss);
        }
        let indices: Vec<i64> = dead.iter().map(|latent| i64::from(*latent)).collect();
        let indices = Tensor::f_from_slice(&indices)?.f_to_device(z.device())?;
        let gap = ((&threshold - z).f_relu()? * norms).f_index_select(-1, &indices)?;
        let gap = gap.f_sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>)?.f_mean(None::<Kind>)?;
        Ok(loss + gap * f64::from(settings.pre_activation))
    }

    fn auxiliary(
        &self,
        settings: &Settings,
        dead: &[u32],
        z: &Tensor,
        fit: &Tensor,
        y: &Tensor,
    ) -> Result<Tensor, SaeError> {
        if dead.is_empty() || settings.auxiliary == 0.0 {
            return Ok(Tensor::f_zeros([], (Kind::Float, z.device()))?);
        }
        let indices: Vec<i64> = dead.iter().map(|latent| i64::from(*latent)).collect();
        let indices = Tensor::f_from_slice(&indices)?.f_to_device(z.device())?;
        let z = z.f_index_select(-1, &indices)?;
        let k = settings.auxiliary_k.map_or(y.size()[1] / 2, i64::from).min(dead.len() as i64);
        let left = (y - fit).f_detach()?;
        let spread = &left - left.f_mean_dim([0i64].as_slice(), true, None::<Kind>)?;
        let variance =
            spread.f_square()?.f_sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>)?.f_mean(None::<Kind>)?;
        let again = top_k(&z, k)?.f_matmul(&self.decoder.f_index_select(0, &indices)?)?;
        Ok(squared_error(&again, &left)? / variance * f64::from(settings.auxiliary))
    }

    fn shallow(&self) -> Dense {
        let clone = |tensor: &Option<Tensor>| tensor.as_ref().map(Tensor::shallow_clone);
        Dense {
            encoder: self.encoder.shallow_clone(),
            encoder_bias: self.encoder_bias.shallow_clone(),
            decoder: self.decoder.shallow_clone(),
            decoder_bias: self.decoder_bias.shallow_clone(),
            log_threshold: clone(&self.log_threshold),
            magnitude: self.magnitude.as_ref().map(|(a, b)| (a.shallow_clone(), b.shallow_clone())),
            skip: clone(&self.skip),
        }
    }

    /// The gradients after [`Tensor::backward`] on the loss.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn gradient(&self) -> Result<Parameters, SaeError> {
        let read = |tensor: &Tensor| -> Result<Vec<f32>, SaeError> {
            let gradient = tensor.grad();
            match gradient.defined() {
                true => Ok(Vec::<f32>::try_from(gradient.f_flatten(0, -1)?.f_contiguous()?)?),
                false => Ok(vec![0.0; tensor.numel()]),
            }
        };
        let optional = |tensor: Option<&Tensor>| tensor.map_or_else(|| Ok(Vec::new()), read);
        Ok(Parameters {
            encoder: read(&self.encoder)?,
            encoder_bias: read(&self.encoder_bias)?,
            decoder: read(&self.decoder)?,
            decoder_bias: read(&self.decoder_bias)?,
            log_threshold: optional(self.log_threshold.as_ref())?,
            log_scale: optional(self.magnitude.as_ref().map(|one| &one.0))?,
            magnitude_bias: optional(self.magnitude.as_ref().map(|one| &one.1))?,
            skip: optional(self.skip.as_ref())?,
        })
    }
}
