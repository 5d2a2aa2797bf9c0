//! Gradients of any scalar with respect to any site.

use std::collections::BTreeMap;

use golgi_data::site::{Site, SitePattern};
use tch::Tensor;

use crate::error::{ProbeError, Result};
use crate::tap::Tap;

/// The tap that makes sites differentiable. Run a pass with it, compute a scalar from the logits (or from the
/// activations in [`GradientTap::activations`]), then call [`GradientTap::gradients`].
#[derive(Debug)]
pub struct GradientTap {
    patterns: Vec<SitePattern>,
    activations: BTreeMap<Site, Tensor>,
}

impl GradientTap {
    /// Tracks every site that matches one of `patterns`.
    pub fn new(patterns: Vec<SitePattern>) -> GradientTap {
        GradientTap { patterns, activations: BTreeMap::new() }
    }

    /// The tracked activations, still attached to the graph.
    pub fn activations(&self) -> &BTreeMap<Site, Tensor> {
        &self.activations
    }

    /// `∂scalar/∂activation` for each tracked site, in the activation's shape. Zero where the scalar does not depend on
    /// the site.
    ///
    /// # Errors
    /// If `scalar` is not a single number or depends on no tracked site.
    pub fn gradients(&self, scalar: &Tensor) -> Result<BTreeMap<Site, Tensor>> {
        if scalar.numel() != 1 {
            let size = scalar.size();
            return Err(ProbeError::Trace(format!("gradients need a single number, not a tensor of shape {size:?}")));
        }
        if !scalar.requires_grad() {
            return Err(ProbeError::Trace("the scalar depends on none of the tracked sites".into()));
        }
        let (sites, inputs): (Vec<&Site>, Vec<&Tensor>) = self.activations.iter().unzip();
        let gradients = Tensor::f_run_backward(&[scalar], &inputs, true, false)?;
        let mut found = BTreeMap::new();
        for ((site, input), gradient) in sites.into_iter().zip(inputs).zip(gradients) {
            found.insert(site.clone(), if gradient.defined() { gradient } else { input.f_zeros_like()?.f_detach()? });
        }
        Ok(found)
    }
}

impl Tap for GradientTap {
    fn wants(&self, site: &Site) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(site))
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> Result<Tensor> {
        // Weights need no gradients, so the first tracked site is where the graph begins.
        let tracked =
            if activation.requires_grad() { activation } else { activation.f_detach()?.f_set_requires_grad(true)? };
        self.activations.insert(site.clone(), tracked.shallow_clone());
        Ok(tracked)
    }

    fn needs_grad(&self) -> bool {
        true
    }
}
