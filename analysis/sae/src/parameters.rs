//! The numbers that are trained, and everything that has their shape: gradients and moments.

use golgi_data::dictionary::{Config, Dictionary, Magnitude};

/// Arrays with the shapes of a dictionary's weights; empty where the architecture has none. One row per latent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// `[m, d_in]`.
    pub encoder: Vec<f32>,
    /// `[m]`.
    pub encoder_bias: Vec<f32>,
    /// `[m, d_out]`.
    pub decoder: Vec<f32>,
    /// `[d_out]`.
    pub decoder_bias: Vec<f32>,
    /// log θ of JumpReLU, `[m]`: the logarithm keeps θ positive.
    pub log_threshold: Vec<f32>,
    /// r of a gated dictionary, `[m]`.
    pub log_scale: Vec<f32>,
    /// b_mag of a gated dictionary, `[m]`.
    pub magnitude_bias: Vec<f32>,
    /// W_skip, `[d_out, d_in]`.
    pub skip: Vec<f32>,
}

impl Parameters {
    /// Zeros in the same shapes.
    pub fn zeros_like(&self) -> Parameters {
        let mut zeros = self.clone();
        zeros.arrays_mut().into_iter().for_each(|(_, values)| values.fill(0.0));
        zeros
    }

    /// All arrays with their names, in one order.
    pub fn arrays(&self) -> [(&'static str, &Vec<f32>); 8] {
        [
            ("encoder", &self.encoder),
            ("encoder_bias", &self.encoder_bias),
            ("decoder", &self.decoder),
            ("decoder_bias", &self.decoder_bias),
            ("log_threshold", &self.log_threshold),
            ("log_scale", &self.log_scale),
            ("magnitude_bias", &self.magnitude_bias),
            ("skip", &self.skip),
        ]
    }

    /// All arrays with their names, in the order of [`Parameters::arrays`].
    pub fn arrays_mut(&mut self) -> [(&'static str, &mut Vec<f32>); 8] {
        [
            ("encoder", &mut self.encoder),
            ("encoder_bias", &mut self.encoder_bias),
            ("decoder", &mut self.decoder),
            ("decoder_bias", &mut self.decoder_bias),
            ("log_threshold", &mut self.log_threshold),
            ("log_scale", &mut self.log_scale),
            ("magnitude_bias", &mut self.magnitude_bias),
            ("skip", &mut self.skip),
        ]
    }

    /// A dictionary with these weights. `threshold` is the one number that BatchTopK and Matryoshka end with.
    pub fn dictionary(&self, config: Config, threshold: Option<f32>) -> Dictionary {
        let jumps = || self.log_threshold.iter().map(|log| log.exp()).collect();
        let constant = || vec![threshold.unwrap_or(0.0); config.latents as usize];
        let threshold = match (config.architecture.has_threshold(), self.log_threshold.is_empty()) {
            (false, _) => None,
            (true, false) => Some(jumps()),
            (true, true) => Some(constant()),
        };
        let magnitude = Magnitude { log_scale: self.log_scale.clone(), bias: self.magnitude_bias.clone() };
        Dictionary {
            encoder: self.encoder.clone(),
            encoder_bias: self.encoder_bias.clone(),
            decoder: self.decoder.clone(),
            decoder_bias: self.decoder_bias.clone(),
            threshold,
            magnitude: (!self.log_scale.is_empty()).then_some(magnitude),
            skip: (!self.skip.is_empty()).then(|| self.skip.clone()),
            ..Dictionary::empty(config)
        }
    }
}
