//! The scale of activations: taken from the first batch, undone in what comes out.

use golgi_data::dictionary::{Config, Dictionary, Normalisation};
use serde::{Deserialize, Serialize};

use crate::SaeError;
use crate::layout::{Layout, columns};
use crate::parameters::Parameters;
use crate::settings::Settings;

/// What each site's activations are multiplied by, inputs and outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Of each input site.
    pub inputs: Vec<f32>,
    /// Of each output site.
    pub outputs: Vec<f32>,
}

impl Scale {
    /// `1/√E‖x‖²`, or `√(d/E‖x‖²)`, of each site over these rows; 1 where activations are not normalised.
    pub(super) fn of(
        input: &[f32],
        target: Option<&[f32]>,
        layout: &Layout,
        settings: &Settings,
    ) -> Result<Scale, SaeError> {
        let factors = |rows: &[f32], widths: &[usize]| -> Result<Vec<f32>, SaeError> {
            let d: usize = widths.iter().sum();
            let factor = |part: std::ops::Range<usize>| {
                let size = if settings.unit_coordinates { part.len() as f64 } else { 1.0 };
                let squares =
                    |row: &[f32]| row[part.clone()].iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
                let mean = rows.chunks(d).map(squares).sum::<f64>() / (rows.len() / d) as f64;
                (size.sqrt() / mean.sqrt()) as f32
            };
            let factors: Vec<f32> = columns(widths).map(factor).collect();
            match factors.iter().find(|factor| !factor.is_normal()) {
                Some(factor) => Err(SaeError::Diverged {
                    what: "one over the size of activations",
                    value: f64::from(*factor),
                    step: 1,
                }),
                None if settings.normalise => Ok(factors),
                None => Ok(vec![1.0; factors.len()]),
            }
        };
        let inputs = factors(input, layout.inputs())?;
        let outputs = match target {
            Some(target) => factors(target, layout.outputs())?,
            None => inputs.clone(),
        };
        Ok(Scale { inputs, outputs })
    }

    /// The dictionary of these weights, for activations as the model has them. A single factor is stated; those of several sites are
    /// folded into the weights, and latents keep their units.
    pub(super) fn dictionary(
        &self,
        parameters: &Parameters,
        layout: &Layout,
        mut config: Config,
        threshold: Option<f32>,
    ) -> Dictionary {
        if let ([input], [output]) = (self.inputs.as_slice(), self.outputs.as_slice()) {
            config.normalisation = Normalisation::Scale { input: *input, output: *output };
            return parameters.dictionary(config, threshold);
        }
        config.output_scales.clone_from(&self.outputs);
        let mut folded = parameters.clone();
        let (inputs, outputs) = (layout.inputs(), layout.outputs());
        let (d_in, d_out): (usize, usize) = (inputs.iter().sum(), outputs.iter().sum());
        let undone: Vec<f32> = self.outputs.iter().map(|factor| 1.0 / factor).collect();
        multiply(&mut folded.encoder, d_in, inputs, &self.inputs);
        multiply(&mut folded.decoder, d_out, outputs, &undone);
        multiply(&mut folded.decoder_bias, d_out, outputs, &undone);
        if !folded.skip.is_empty() {
            multiply(&mut folded.skip, d_in, inputs, &self.inputs);
            for (rows, factor) in columns(outputs).zip(&undone) {
                let values = &mut folded.skip[rows.start * d_in..rows.end * d_in];
                values.iter_mut().for_each(|value| *value *= factor);
            }
        }
        folded.dictionary(config, threshold)
    }
}

/// Multiplies the columns of each part of rows `[n, d]` by its factor.
fn multiply(rows: &mut [f32], d: usize, widths: &[usize], factors: &[f32]) {
    for row in rows.chunks_mut(d) {
        for (part, factor) in columns(widths).zip(factors) {
            row[part].iter_mut().for_each(|value| *value *= factor);
        }
    }
}

/// Copies rows with each part multiplied by its factor.
pub(super) fn fill(to: &mut Vec<f32>, from: &[f32], factors: &[f32], widths: &[usize]) {
    to.clear();
    if let [factor] = factors {
        to.extend(from.iter().map(|value| value * factor));
        return;
    }
    to.extend_from_slice(from);
    multiply(to, widths.iter().sum(), widths, factors);
}

#[cfg(test)]
mod tests {
    use golgi_data::dictionary::{Architecture, Part};

    use super::*;
    use crate::layout::Wiring;

    #[test]
    fn a_folded_dictionary_computes_what_training_saw() {
        let wave = |n: usize, phase: f32| (0..n).map(|at| ((at as f32 + phase) * 1.3).sin()).collect::<Vec<f32>>();
        let parts = |widths: [u32; 2], name: &str| widths.map(|width| Part { site: format!("{name}{width}"), width });
        let wiring = Wiring {
            outputs: Some(parts([4, 1], "out").to_vec()),
            skips: true,
            ..Wiring::of(parts([2, 3], "in").to_vec())
        };
        let layout = Layout::new(&wiring);
        let parameters = Parameters {
            encoder: wave(7 * 5, 0.1),
            encoder_bias: wave(7, 0.2),
            decoder: wave(7 * 5, 0.3),
            decoder_bias: wave(5, 0.4),
            skip: wave(5 * 5, 0.5),
            ..Parameters::default()
        };
        let (x, mut y) = (wave(20 * 5, 0.7), wave(20 * 5, 0.8));
        y.chunks_mut(5).for_each(|row| row[4] *= 100.0);
        let mut settings = Settings::published(Architecture::Standard, 7, 10);
        settings.unit_coordinates = true;
        let scale = Scale::of(&x, Some(&y), &layout, &settings).unwrap();
        assert!(scale.outputs[1] < 0.1 * scale.outputs[0], "{scale:?}");
        let config = Config {
            inputs: wiring.inputs.clone(),
            outputs: wiring.outputs.clone().unwrap(),
            subtract_decoder_bias: false,
            ..Config::autoencoder(Architecture::Standard, wiring.inputs[0].clone(), 7)
        };
        let plain = parameters.dictionary(config.clone(), None);
        let folded = scale.dictionary(&parameters, &layout, config, None);
        folded.check().unwrap();
        let mut scaled = Vec::new();
        fill(&mut scaled, &x, &scale.inputs, layout.inputs());
        let size: f32 = scaled.chunks(5).map(|row| row[2..].iter().map(|value| value * value).sum::<f32>()).sum();
        assert!((size / 20.0 - 3.0).abs() < 1e-4, "{size}");
        let (expected, found) = (plain.encode(&scaled).unwrap(), folded.encode(&x).unwrap());
        assert_eq!(expected.latents, found.latents);
        assert!(expected.values.iter().zip(&found.values).all(|(a, b)| (a - b).abs() < 1e-5));
        let inside = plain.decode(&expected, &scaled).unwrap();
        let mut outside = Vec::new();
        fill(&mut outside, &folded.decode(&found, &x).unwrap(), &scale.outputs, layout.outputs());
        assert!(inside.iter().zip(&outside).all(|(a, b)| (a - b).abs() < 1e-4), "{inside:?} {outside:?}");
    }
}
