//! Toy models of superposition: what was asked for, and what was found. They need no model to be open.

use golgi_analysis::superposition::{Phase, PhaseParams, SolveParams, Solved, Sweep, SweepParams};

use super::loadable::Loadable;

/// What shall be trained.
#[derive(Debug, Clone, PartialEq)]
pub enum ToyRequest {
    /// One task, from several starts.
    Solve(SolveParams),
    /// A phase diagram.
    Phase(PhaseParams),
    /// Densities from 1 down.
    Sweep(SweepParams),
}

impl ToyRequest {
    /// What the job is called.
    pub fn title(&self) -> &'static str {
        match self {
            ToyRequest::Solve(_) => "Toy model",
            ToyRequest::Phase(_) => "Phase diagram of toy models",
            ToyRequest::Sweep(_) => "Sweep of toy models",
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Toys {
    /// One task.
    pub solved: Loadable<Solved>,
    /// The phase diagram.
    pub phase: Loadable<Phase>,
    /// The sweep.
    pub sweep: Loadable<Sweep>,
}

impl Toys {
    /// Notes that something is being trained; what was there stays visible.
    pub fn begin(&mut self, request: &ToyRequest) {
        match request {
            ToyRequest::Solve(_) => self.solved.begin(),
            ToyRequest::Phase(_) => self.phase.begin(),
            ToyRequest::Sweep(_) => self.sweep.begin(),
        }
    }

    /// Whether something is being trained.
    pub fn is_busy(&self) -> bool {
        self.solved.is_loading() || self.phase.is_loading() || self.sweep.is_loading()
    }
}
