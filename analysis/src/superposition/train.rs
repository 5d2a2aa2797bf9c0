//! Training: many small models at once, each from its own start.

use golgi_data::context::RunContext;
use golgi_sae::kernels::adam::{Adam, apply};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{Scratch, Toy};
use super::refused;
use super::task::{Inputs, Task, random};
use crate::Result;

/// The most features of a task that is trained on its whole distribution.
pub(super) const EXACT_FEATURES: usize = 3;
/// Inputs on which the final loss of a sampled task is measured, the same for every start.
const JUDGED: usize = 1 << 15;
/// Steps that are noted together.
const GRAIN: u64 = 100;

/// How models are trained: Adam with β = (0.9, 0.999), at a constant rate and then linearly down to 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// How many steps.
    pub steps: u64,
    /// The learning rate.
    pub rate: f64,
    /// Inputs drawn for a step; models of at most 3 features see their whole distribution instead.
    pub batch: usize,
    /// The last part of the steps, over which the rate goes down to 0.
    pub decay: f64,
}

impl Default for Training {
    fn default() -> Training {
        Training { steps: 10_000, rate: 1e-3, batch: 1024, decay: 0.3 }
    }
}

/// A trained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// Its weights.
    pub toy: Toy,
    /// Its loss: for few features the expectation (but for the grid), else a mean over inputs that are the same for all starts.
    pub loss: f64,
}

impl Training {
    /// Refuses what cannot be trained.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<()> {
        if !(1..=1_000_000).contains(&self.steps) {
            return Err(refused("steps", self.steps, "there may be 1 to 1000000 steps"));
        }
        if !(self.rate.is_finite() && self.rate > 0.0 && self.rate <= 1.0) {
            return Err(refused("rate", self.rate, "the learning rate lies above 0 and at most at 1"));
        }
        if !(1..=65_536).contains(&self.batch) {
            return Err(refused("batch", self.batch, "a step may see 1 to 65536 inputs"));
        }
        if !(0.0..=1.0).contains(&self.decay) {
            return Err(refused("decay", self.decay, "it is a share of the steps, from 0 to 1"));
        }
        Ok(())
    }

    /// Trains `starts` models of each task; the result has one list per task, the lowest loss first. Progress counts steps.
    ///
    /// # Errors
    /// If the work is cancelled.
    pub fn run(&self, tasks: &[Task], starts: usize, ctx: &RunContext) -> Result<Vec<Vec<Trained>>> {
        let all: Vec<(usize, usize)> = (0..tasks.len()).flat_map(|task| (0..starts).map(move |k| (task, k))).collect();
        ctx.stage("training toy models", all.len() as u64 * self.steps);
        let trained: Result<Vec<Trained>> = all
            .par_iter()
            .with_max_len(1)
            .map(|(task, start)| self.one(&tasks[*task], (task * starts + start) as u64, ctx))
            .collect();
        let mut trained = trained?.into_iter();
        Ok(tasks
            .iter()
            .map(|_| {
                let mut list: Vec<Trained> = trained.by_ref().take(starts).collect();
                list.sort_by(|a, b| a.loss.total_cmp(&b.loss));
                list
            })
            .collect())
    }

    fn one(&self, task: &Task, stream: u64, ctx: &RunContext) -> Result<Trained> {
        let mut generator = random(ctx.seed(), stream + 1);
        let mut toy = Toy::random(task.features(), task.hidden, &mut generator);
        let exact = task.features() <= EXACT_FEATURES;
        let mut inputs = if exact { Inputs::exact(task, 25) } else { Inputs::default() };
        let adam = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
        let size = toy.parameters.len();
        let (mut gradient, mut m, mut v) = (vec![0f32; size], vec![0f32; size], vec![0f32; size]);
        let mut scratch = Scratch::default();
        for step in 0..self.steps {
            ctx.check()?;
            if !exact {
                inputs.redraw(task, self.batch, &mut generator);
            }
            gradient.fill(0.0);
            toy.loss(task, &inputs, Some(&mut gradient), &mut scratch);
            let left = (self.steps - step) as f64 / (self.decay * self.steps as f64).max(1.0);
            apply(&adam.step(step + 1, self.rate * left.min(1.0), 1.0), &mut toy.parameters, &gradient, &mut m, &mut v);
            if (step + 1) % GRAIN == 0 || step + 1 == self.steps {
                ctx.advance(step % GRAIN + 1);
            }
        }
        let judged =
            if exact { Inputs::exact(task, 4096) } else { Inputs::draw(task, JUDGED, &mut random(ctx.seed(), 0)) };
        let loss = toy.loss(task, &judged, None, &mut scratch);
        Ok(Trained { toy, loss })
    }
}
