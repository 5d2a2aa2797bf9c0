//! Rotary position embeddings (Su et al., arXiv 2104.09864) in the half-split layout of the reference implementations.

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::error::{ProbeError, Result};

/// The rotation of a family: one frequency per pair of dimensions.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// Inverse frequencies, radians per position.
    inv_freq: Vec<f32>,
}

/// Cosines and sines for the positions of one pass, each `[batch or 1, pos, 1, rotated dims]`.
#[derive(Debug)]
pub struct RotaryTable {
    cos: Tensor,
    sin: Tensor,
    rotated: i64,
}

fn number(value: &Value, key: &str) -> Option<f64> {
    value.get(key).and_then(Value::as_f64)
}

impl Rotary {
    /// Plain frequencies `θ^(−2i/d)` over the first `rotated` dimensions of each head.
    pub fn new(rotated: usize, theta: f64) -> Rotary {
        let inv_freq = (0..rotated / 2).map(|i| (theta as f32).powf(-((2 * i) as f32) / rotated as f32)).collect();
        Rotary { inv_freq }
    }

    /// Reads what a configuration says: `rope_parameters` of newer files (optionally below a layer type), or
    /// `rope_theta` with `rope_scaling` of older ones.
    ///
    /// # Errors
    /// [`ProbeError::Config`] for a scaling that is not known here.
    pub fn from_config(config: &Value, layer_type: Option<&str>, d_head: usize, default_theta: f64) -> Result<Rotary> {
        let parameters = config.get("rope_parameters").filter(|value| value.is_object());
        let parameters = parameters.map(|all| layer_type.and_then(|name| all.get(name)).unwrap_or(all));
        let scaling = parameters.or_else(|| config.get("rope_scaling").filter(|value| value.is_object()));
        let theta = parameters.and_then(|p| number(p, "rope_theta")).or_else(|| number(config, "rope_theta"));
        let fraction = parameters.and_then(|p| number(p, "partial_rotary_factor"));
        let fraction =
            fraction.or_else(|| number(config, "partial_rotary_factor")).or_else(|| number(config, "rotary_pct"));
        let rotated = (d_head as f64 * fraction.unwrap_or(1.0)) as usize;
        if rotated < 2 || rotated > d_head || !rotated.is_multiple_of(2) {
            return Err(ProbeError::Config(format!("{rotated} of {d_head} head dimensions cannot be rotated")));
        }
        let mut rotary = Rotary::new(rotated, theta.unwrap_or(default_theta));
        if let Some(scaling) = scaling {
            rotary.rescale(scaling)?;
        }
        Ok(rotary)
    }

    fn rescale(&mut self, scaling: &Value) -> Result<()> {
        let kind =
            scaling.get("rope_type").or_else(|| scaling.get("type")).and_then(Value::as_str).unwrap_or("default");
        let need = |key: &str| {
            let value = number(scaling, key).filter(|value| value.is_finite() && *value > 0.0);
            value.ok_or_else(|| ProbeError::Config(format!("rotary scaling `{kind}` lacks a positive `{key}`")))
        };
        match kind {
            "default" => {}
            "linear" => {
                let factor = need("factor")? as f32;
                self.inv_freq.iter_mut().for_each(|freq| *freq /= factor);
            }
            "llama3" => {
                let (factor, low, high) = (need("factor")?, need("low_freq_factor")?, need("high_freq_factor")?);
                let context = need("original_max_position_embeddings")?;
                if high <= low {
                    return Err(ProbeError::Config(
                        "llama3 rotary scaling needs high_freq_factor > low_freq_factor".into(),
                    ));
                }
                for freq in &mut self.inv_freq {
                    *freq = llama3(f64::from(*freq), factor, low, high, context) as f32;
                }
            }
            other => {
                return Err(ProbeError::Config(format!(
                    "rotary scaling `{other}` is not supported; default, linear and llama3 are"
                )));
            }
        }
        Ok(())
    }

    /// Divides each frequency by its factor, as a GGUF's `rope_freqs` tensor asks for.
    ///
    /// # Errors
    /// [`ProbeError::Config`] if there is not one factor per frequency.
    pub fn divide(&mut self, factors: &[f32]) -> Result<()> {
        if factors.len() != self.inv_freq.len() {
            let (found, expected) = (factors.len(), self.inv_freq.len());
            return Err(ProbeError::Config(format!("{found} rotary factors for {expected} frequencies")));
        }
        self.inv_freq.iter_mut().zip(factors).for_each(|(freq, factor)| *freq /= factor);
        Ok(())
    }

    /// The table for `positions` `[batch or 1, pos]` (int64).
    pub(crate) fn table(&self, positions: &Tensor, kind: Kind, device: Device) -> Result<RotaryTable> {
        let inv_freq = Tensor::f_from_slice(&self.inv_freq)?.f_to_device(device)?;
        let angles = positions.f_to_kind(Kind::Float)?.f_unsqueeze(-1)?.f_mul(&inv_freq)?;
        let angles = Tensor::f_cat(&[&angles, &angles], -1)?.f_unsqueeze(2)?;
        let (cos, sin) = (angles.f_cos()?.f_to_kind(kind)?, angles.f_sin()?.f_to_kind(kind)?);
        Ok(RotaryTable { cos, sin, rotated: 2 * self.inv_freq.len() as i64 })
    }
}

/// Llama 3's smooth blend between unscaled high frequencies and low ones divided by `factor`.
fn llama3(freq: f64, factor: f64, low: f64, high: f64, context: f64) -> f64 {
    let wavelength = 2.0 * std::f64::consts::PI / freq;
    if wavelength < context / high {
        freq
    } else if wavelength > context / low {
        freq / factor
    } else {
        let smooth = (context / wavelength - low) / (high - low);
        (1.0 - smooth) * freq / factor + smooth * freq
    }
}

impl RotaryTable {
    /// Rotates `x` `[batch, pos, heads, d_head]`; dimensions past the rotated ones pass through.
    pub(crate) fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let d_head = x.size()[3];
        let turned = x.f_narrow(-1, 0, self.rotated)?;
        let half = self.rotated / 2;
        let (first, second) = (turned.f_narrow(-1, 0, half)?, turned.f_narrow(-1, half, half)?);
        let swapped = Tensor::f_cat(&[&second.f_neg()?, &first], -1)?;
        let turned = turned.f_mul(&self.cos)?.f_add(&swapped.f_mul(&self.sin)?)?;
        if self.rotated == d_head {
            return Ok(turned);
        }
        Ok(Tensor::f_cat(&[turned, x.f_narrow(-1, self.rotated, d_head - self.rotated)?], -1)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn old_and_new_configurations_agree() {
        let old = Rotary::from_config(&json!({"rope_theta": 5e5}), None, 16, 1e4).unwrap();
        let new = json!({"rope_parameters": {"full": {"rope_theta": 5e5, "rope_type": "default"}}});
        let new = Rotary::from_config(&new, Some("full"), 16, 1e4).unwrap();
        assert_eq!(old.inv_freq, new.inv_freq);
    }

    #[test]
    fn unknown_scaling_is_refused_by_name() {
        let config = json!({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}});
        let error = Rotary::from_config(&config, None, 16, 1e4).unwrap_err().to_string();
        assert!(error.contains("yarn") && error.contains("llama3"), "{error}");
    }

    #[test]
    fn rotation_keeps_length_and_position_zero() {
        let rotary = Rotary::new(8, 1e4);
        let positions = Tensor::from_slice(&[0i64, 5]).view([1, 2]);
        let table = rotary.table(&positions, Kind::Float, Device::Cpu).unwrap();
        let x = Tensor::arange(16, (Kind::Float, Device::Cpu)).view([1, 2, 1, 8]);
        let y = table.rotate(&x).unwrap();
        assert_eq!(
            Vec::<f32>::try_from(y.select(1, 0).view(-1)).unwrap(),
            (0..8).map(|i| i as f32).collect::<Vec<_>>()
        );
        let norms = (x.square().sum_dim_intlist(-1, false, None), y.square().sum_dim_intlist(-1, false, None));
        assert!(norms.0.allclose(&norms.1, 1e-5, 1e-5, false));
    }
}
