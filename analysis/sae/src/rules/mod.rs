//! The architectures: one file each, which says how latents become active, what is minimised, and how the loss changes with
//! what is active. Each is checked against the tensor library's own differentiation of the formula in its head ([`crate::dense`]).

mod batch_top_k;
mod gated;
mod jump_relu;
mod matryoshka;
mod standard;
mod top_k;
mod work;

use golgi_data::dictionary::{Architecture, Codes};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub(crate) use work::Work;

use crate::SaeError;
use crate::kernels::largest;
use crate::layout::Layout;
use crate::parameters::Parameters;
use crate::settings::Settings;

/// The parts of a step's loss. Squared errors are summed over dimensions and averaged over rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// What is minimised.
    pub total: f64,
    /// E‖y − ŷ‖².
    pub reconstruction: f64,
    /// The sparsity term, with λ.
    pub sparsity: f64,
    /// The auxiliary term, with its weight.
    pub auxiliary: f64,
}

/// What an architecture keeps beside its weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The running mean of the smallest activation that a batch keeps; takes the batch's place after training.
    pub threshold: Option<f32>,
}

/// What a step knows beside weights and rows.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// λ now.
    pub sparsity: f32,
    /// Which latents count as dead; empty where none does.
    pub dead: &'a [u32],
    /// Who reads and writes what.
    pub layout: &'a Layout,
}

/// The latents of a batch that take part in its step.
#[derive(Debug, Default)]
pub struct Chosen {
    /// The active ones with their activations.
    pub active: Codes,
    /// JumpReLU: those whose z lies within half a bandwidth of θ, with z. Gated: those with π > 0, with π.
    pub near: Codes,
    /// Of the dead latents the largest of each row, for the auxiliary loss. JumpReLU: all that are below θ, with θ − z.
    pub dead: Codes,
    /// BatchTopK: nothing at or below it can be among the batch's largest any more.
    bar: f32,
}

impl Chosen {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.active.clear();
        self.near.clear();
        self.dead.clear();
        self.bar = 0.0;
    }
}

/// Appends what `of` finds in each row of `z`, `[rows, m]`, rows in parallel.
fn push_rows<I: IntoIterator<Item = (u32, f32)>>(
    codes: &mut Codes,
    z: &[f32],
    m: usize,
    of: impl Fn(&[f32]) -> I + Sync,
) {
    let rows: Vec<Vec<(u32, f32)>> = z.par_chunks(m).map(|row| of(row).into_iter().collect()).collect();
    rows.into_iter().for_each(|row| codes.push(row));
}

/// Appends the largest of the dead latents, for the auxiliary loss.
fn push_dead(codes: &mut Codes, z: &[f32], parameters: &Parameters, moment: &Moment<'_>) {
    let (dead, m) = (moment.dead, parameters.encoder_bias.len());
    if moment.settings.auxiliary == 0.0 || dead.is_empty() {
        return;
    }
    let k = moment.settings.auxiliary_k.map_or(parameters.decoder_bias.len() / 2, |k| k as usize);
    push_rows(codes, z, m, |row| {
        let values: Vec<f32> = dead.iter().map(|latent| row[*latent as usize]).collect();
        largest(&values, k).into_iter().map(|(index, value)| (dead[index as usize], value)).collect::<Vec<_>>()
    });
}

/// An architecture in training.
pub trait Rule: Send + Sync {
    /// Takes what it needs of some rows' pre-activations `z`, `[rows, m]`, biases included. Called tile by tile, in order.
    fn choose(&self, z: &[f32], parameters: &Parameters, moment: &Moment<'_>, chosen: &mut Chosen);

    /// Ends the choice, when all tiles were seen. `rows` of them.
    fn settle(&self, _rows: usize, _memory: &mut Memory, _chosen: &mut Chosen) {}

    /// Whether the encoder's bias is no part of what [`Work::add_to_encoder`] sums up, because the rule sees to it itself.
    fn sees_to_bias(&self) -> bool {
        false
    }

    /// Computes the loss and adds to the gradients of `work`.
    ///
    /// # Errors
    /// If the tensor library fails.
    fn learn(&self, work: &mut Work<'_>, moment: &Moment<'_>, chosen: &Chosen) -> Result<Loss, SaeError>;
}

/// The architecture's rule.
pub fn rule(architecture: &Architecture) -> Box<dyn Rule> {
    match architecture {
        Architecture::Standard => Box::new(standard::Standard),
        Architecture::Gated => Box::new(gated::Gated),
        Architecture::TopK { k } => Box::new(top_k::TopK { k: *k as usize }),
        Architecture::BatchTopK { k } => Box::new(batch_top_k::BatchTopK::new(*k as usize)),
        Architecture::JumpRelu => Box::new(jump_relu::JumpRelu),
        Architecture::Matryoshka { k, prefixes } => {
            Box::new(matryoshka::Matryoshka::new(*k as usize, prefixes.clone()))
        }
    }
}
