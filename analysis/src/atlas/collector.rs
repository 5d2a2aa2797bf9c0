//! The tap that hands activations over to the units.

use golgi_data::atlas::UnitKind;
use golgi_data::site::Site;
use golgi_probes::{ProbeError, Result, Tap, Tensor};

use super::batch::{Batch, Counts};
use super::plan::Plan;
use super::units::Units;
use crate::error::AnalysisError;

/// What is done with a batch.
pub(super) enum Purpose<'a> {
    /// Thresholds and bands are looked for.
    Calibrate,
    /// It is added to the statistics, behind these.
    Add(&'a Counts),
}

/// A tap for one batch.
pub(super) struct Collector<'a> {
    pub units: &'a mut Units,
    pub plan: &'a Plan<'a>,
    pub batch: &'a Batch,
    pub purpose: Purpose<'a>,
    /// The first site whose activations are not numbers.
    pub not_finite: Option<Site>,
    /// Time spent here and not in the model,
    pub seconds: f64,
    /// of it for latents.
    pub latent_seconds: f64,
}

impl<'a> Collector<'a> {
    pub fn new(units: &'a mut Units, plan: &'a Plan<'a>, batch: &'a Batch, purpose: Purpose<'a>) -> Collector<'a> {
        Collector { units, plan, batch, purpose, not_finite: None, seconds: 0.0, latent_seconds: 0.0 }
    }
}

impl Tap for Collector<'_> {
    fn wants(&self, site: &Site) -> bool {
        self.units.groups.iter().any(|group| group.read_at == *site)
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> Result<Tensor> {
        for group in self.units.groups.iter_mut().filter(|group| group.read_at == *site) {
            let start = std::time::Instant::now();
            let finite = match self.purpose {
                Purpose::Calibrate => group.calibrate(&activation, self.batch.len).map(|()| true),
                Purpose::Add(before) => group.add(&activation, self.batch, before, self.plan),
            };
            let seconds = start.elapsed().as_secs_f64();
            self.seconds += seconds;
            if group.about.kind == UnitKind::Latent {
                self.latent_seconds += seconds;
            }
            if !finite.map_err(probe)? && self.not_finite.is_none() {
                self.not_finite = Some(site.clone());
            }
        }
        Ok(activation)
    }
}

fn probe(error: AnalysisError) -> ProbeError {
    match error {
        AnalysisError::Probe(error) => error,
        other => ProbeError::Trace(other.to_string()),
    }
}
