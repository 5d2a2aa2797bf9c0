//! The steps of one dictionary.

use golgi_data::dictionary::{Codes, Config, Dictionary, Part};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::pass::{Pass, pass};
use super::scale::Scale;
use super::{begin, resample, scale};
use crate::SaeError;
use crate::kernels::adam;
use crate::kernels::vector::{norm, sum_of_squares};
use crate::layout::{Layout, Wiring};
use crate::parameters::Parameters;
use crate::rules::{Loss, Memory, Moment, Rule, Work, rule};
use crate::settings::{DecoderNorm, Settings};

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Which, from 1.
    pub step: u64,
    /// The loss, of normalised activations.
    pub loss: Loss,
    /// The mean number of active latents.
    pub l0: f64,
    /// 1 − Σ‖y − ŷ‖² / Σ‖y − ȳ‖² over this batch, ȳ the batch's mean.
    pub explained: f64,
    /// The share of latents that count as dead.
    pub dead: f64,
    /// The learning rate.
    pub rate: f64,
    /// The norm of the gradient before clipping.
    pub gradient: f64,
}

impl StepReport {
    pub(super) fn to_bits(self) -> [u64; 10] {
        let Loss { total, reconstruction, sparsity, auxiliary } = self.loss;
        let numbers =
            [total, reconstruction, sparsity, auxiliary, self.l0, self.explained, self.dead, self.rate, self.gradient];
        let mut bits = [self.step; 10];
        bits[1..].iter_mut().zip(numbers).for_each(|(bits, number)| *bits = number.to_bits());
        bits
    }

    pub(super) fn from_bits(bits: [u64; 10]) -> StepReport {
        let [step, numbers @ ..] = bits;
        let [total, reconstruction, sparsity, auxiliary, l0, explained, dead, rate, gradient] =
            numbers.map(f64::from_bits);
        let loss = Loss { total, reconstruction, sparsity, auxiliary };
        StepReport { step, loss, l0, explained, dead, rate, gradient }
    }
}

/// What the trainer remembers beside weights and moments; everything that a resumed run needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Steps done.
    pub step: u64,
    /// The architecture's own memory.
    pub memory: Memory,
    /// The factors of inputs and of outputs.
    pub scale: Option<Scale>,
    /// Rows since each latent was last active.
    pub silent: Vec<u64>,
}

/// A dictionary in training. Rows go in, batch by batch; on a CPU the same rows give the same bits.
pub struct Trainer {
    settings: Settings,
    config: Config,
    layout: Layout,
    rule: Box<dyn Rule>,
    pub(crate) parameters: Parameters,
    pub(crate) mean: Parameters,
    pub(crate) square: Parameters,
    pub(crate) state: State,
    gradient: Parameters,
    buffers: Pass,
    input: Vec<f32>,
    target: Vec<f32>,
}

impl Trainer {
    /// A dictionary of the sites `inputs` that is to reconstruct them, or to predict `outputs` from them (a transcoder).
    ///
    /// # Errors
    /// If the settings are not possible.
    pub fn new(settings: Settings, inputs: Vec<Part>, outputs: Option<Vec<Part>>) -> Result<Trainer, SaeError> {
        Trainer::wired(settings, &Wiring { outputs, ..Wiring::of(inputs) })
    }

    /// A dictionary of any wiring: autoencoder, crosscoder, transcoder, skip transcoder, cross-layer transcoder.
    ///
    /// # Errors
    /// If settings or wiring are not possible.
    pub fn wired(settings: Settings, wiring: &Wiring) -> Result<Trainer, SaeError> {
        let config = Config {
            outputs: wiring.outputs.clone().unwrap_or_else(|| wiring.inputs.clone()),
            inputs: wiring.inputs.clone(),
            // Crosscoders and transcoders are published without.
            subtract_decoder_bias: wiring.outputs.is_none() && !wiring.is_crosscoder(),
            ..Config::autoencoder(
                settings.architecture.clone(),
                Part { site: String::new(), width: 1 },
                settings.latents,
            )
        };
        settings.check(config.d_in())?;
        config.check()?;
        wiring.check(settings.latents)?;
        let layout = Layout::new(wiring);
        let parameters = begin::weights(&settings, &layout, wiring);
        let zeros = parameters.zeros_like();
        let state = State { silent: vec![0; settings.latents as usize], ..State::default() };
        Ok(Trainer {
            rule: rule(&settings.architecture),
            mean: zeros.clone(),
            square: zeros.clone(),
            gradient: zeros,
            buffers: Pass::default(),
            input: Vec::new(),
            target: Vec::new(),
            parameters,
            state,
            settings,
            config,
            layout,
        })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the dictionary says of itself; sites, model and corpus are the caller's to fill in.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// The weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The factors of inputs and of outputs, taken from the first batch.
    pub fn scale(&self) -> Option<&Scale> {
        self.state.scale.as_ref()
    }

    /// Who reads and writes what.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.state.step
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.state.step >= self.settings.steps
    }

    /// What was active in the last step.
    pub fn active(&self) -> &Codes {
        &self.buffers.chosen.active
    }

    /// Rows since each latent was last active.
    pub fn silent(&self) -> &[u64] {
        &self.state.silent
    }

    /// The dictionary as it is now.
    pub fn dictionary(&self) -> Dictionary {
        let config = self.config.clone();
        let threshold = self.state.memory.threshold;
        match &self.state.scale {
            None => self.parameters.dictionary(config, threshold),
            Some(scale) => scale.dictionary(&self.parameters, &self.layout, config, threshold),
        }
    }

    /// One step on rows `[n, d_in]`; a transcoder takes the rows of its outputs, `[n, d_out]`, as `target`.
    ///
    /// # Errors
    /// If the rows have another width, the loss is no number, or the tensor library fails. The weights are then those before.
    pub fn step(&mut self, input: &[f32], target: Option<&[f32]>) -> Result<StepReport, SaeError> {
        self.check_rows(input, target)?;
        if self.state.scale.is_none() {
            self.begin(input, target)?;
        }
        if let Some(scale) = &self.state.scale {
            scale::fill(&mut self.input, input, &scale.inputs, self.layout.inputs());
            scale::fill(&mut self.target, target.unwrap_or(input), &scale.outputs, self.layout.outputs());
        }

        let step = self.state.step;
        let dead: Vec<u32> = self.dead().collect();
        let sparsity = self.settings.sparsity_at(step);
        let moment = Moment { settings: &self.settings, sparsity, dead: &dead, layout: &self.layout };
        self.gradient.arrays_mut().into_iter().for_each(|(_, values)| values.fill(0.0));
        let mut memory = self.state.memory;
        let loss = pass(
            &*self.rule,
            &self.parameters,
            &moment,
            self.config.subtract_decoder_bias,
            &self.input,
            &self.target,
            &mut memory,
            &mut self.gradient,
            &mut self.buffers,
        )?;
        let diverged = |what, value| SaeError::Diverged { what, value, step: step + 1 };
        if !loss.total.is_finite() {
            return Err(diverged("the loss", loss.total));
        }
        let gradient = self.clip_and_project().ok_or_else(|| diverged("the gradient", f64::NAN))?;
        let scale = match self.settings.clip {
            Some(most) if gradient > f64::from(most) => (f64::from(most) / gradient) as f32,
            _ => 1.0,
        };
        let rate = self.settings.rate * self.settings.rate_factor(step);
        self.update(rate, scale);
        self.state.memory = memory;
        self.state.step += 1;
        self.count_activity();
        let report = self.report(loss, rate, gradient);
        self.resample();
        Ok(report)
    }

    fn check_rows(&self, input: &[f32], target: Option<&[f32]>) -> Result<(), SaeError> {
        let (d_in, d_out) = (self.config.d_in(), self.config.d_out());
        let rows = input.len() / d_in;
        let wrong = |text: String| Err(SaeError::Settings(text));
        if rows == 0 || input.len() != rows * d_in {
            return wrong(format!("{} numbers are not rows of {d_in}, which the dictionary reads", input.len()));
        }
        match (target, self.config.is_autoencoder()) {
            (Some(target), false) if target.len() != rows * d_out => {
                wrong(format!("{} numbers are not {rows} rows of {d_out}, which the dictionary writes", target.len()))
            }
            (None, false) => wrong("a transcoder needs the rows of its output sites too".to_owned()),
            _ => Ok(()),
        }
    }

    /// Takes scale and bias from the first batch.
    fn begin(&mut self, input: &[f32], target: Option<&[f32]>) -> Result<(), SaeError> {
        let scale = Scale::of(input, target, &self.layout, &self.settings)?;
        if self.settings.median_bias {
            let mut rows = Vec::new();
            scale::fill(&mut rows, target.unwrap_or(input), &scale.outputs, self.layout.outputs());
            self.parameters.decoder_bias = begin::geometric_median(&rows, self.config.d_out());
        }
        self.state.scale = Some(scale);
        Ok(())
    }

    fn dead(&self) -> impl Iterator<Item = u32> {
        let after = self.settings.dead_after;
        (0u32..).zip(&self.state.silent).filter(move |(_, silent)| **silent >= after).map(|(latent, _)| latent)
    }

    /// Takes what would change decoder norms out of the gradient, where norms are kept, and measures it. `None` if it is no number.
    fn clip_and_project(&mut self) -> Option<f64> {
        let norm = self.gradient.arrays().iter().map(|(_, values)| sum_of_squares(values)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return None;
        }
        if self.settings.decoder_norm == DecoderNorm::Unit {
            Work::project(&mut self.gradient, &self.parameters);
        }
        Some(norm)
    }

    fn update(&mut self, rate: f64, scale: f32) {
        let step = self.settings.adam.step(self.state.step + 1, rate, scale);
        let weights = self.parameters.arrays_mut().into_iter().zip(self.gradient.arrays());
        let moments = self.mean.arrays_mut().into_iter().zip(self.square.arrays_mut());
        for (((_, weights), (_, gradient)), ((_, mean), (_, square))) in weights.zip(moments) {
            adam::apply(&step, weights, gradient, mean, square);
        }
        if self.settings.decoder_norm == DecoderNorm::Unit {
            self.parameters.decoder.par_chunks_mut(self.config.d_out()).for_each(|row| {
                let length = norm(row);
                if length > 0.0 {
                    row.iter_mut().for_each(|value| *value /= length);
                }
            });
        }
    }

    fn count_activity(&mut self) {
        let rows = (self.target.len() / self.config.d_out()) as u64;
        self.state.silent.iter_mut().for_each(|silent| *silent += rows);
        for latent in &self.buffers.chosen.active.latents {
            self.state.silent[*latent as usize] = 0;
        }
    }

    /// Begins silent latents anew, when it is time for it.
    fn resample(&mut self) {
        if !resample::is_due(&self.settings, self.state.step) {
            return;
        }
        let every = self.settings.resample_every.unwrap_or(0);
        let silent_for = every / 2 * self.settings.batch as u64;
        let rows = resample::Rows {
            input: &self.input,
            target: &self.target,
            reconstruction: &self.buffers.reconstruction,
            subtracts: self.config.subtract_decoder_bias,
        };
        let begun = resample::resample(
            &mut self.parameters,
            [&mut self.mean, &mut self.square],
            &self.settings,
            &self.layout,
            &self.state.silent,
            silent_for,
            &rows,
            self.state.step,
        );
        begun.into_iter().for_each(|latent| self.state.silent[latent as usize] = 0);
    }

    fn report(&self, loss: Loss, rate: f64, gradient: f64) -> StepReport {
        let d = self.config.d_out();
        let rows = self.target.len() / d;
        let mut mean = vec![0f32; d];
        for row in self.target.chunks(d) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / rows as f32);
        }
        let spread = sum_of_squares(&self.target) / rows as f64 - sum_of_squares(&mean);
        let left = self.target.par_chunks(d).zip(self.buffers.reconstruction.par_chunks(d));
        let left: f64 = left
            .map(|(y, fit)| y.iter().zip(fit).map(|(y, fit)| f64::from(y - fit).powi(2)).sum::<f64>())
            .collect::<Vec<f64>>()
            .iter()
            .sum();
        StepReport {
            step: self.state.step,
            loss,
            l0: self.buffers.chosen.active.mean_active(),
            explained: 1.0 - left / rows as f64 / spread.max(f64::MIN_POSITIVE),
            dead: self.dead().count() as f64 / self.settings.latents as f64,
            rate,
            gradient,
        }
    }
}
