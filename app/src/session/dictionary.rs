//! The sparse dictionary that is open, what the prompt makes active in it, and what a change of its latents does.

use std::path::PathBuf;
use std::sync::Arc;

use golgi_analysis::sae::{PromptFeatures, Steered};
use golgi_data::site::Site;
use golgi_data::unit::Unit;
use golgi_sae::{Coder, LatentEdit};

use super::loadable::Loadable;

/// A dictionary that was read and checked.
#[derive(Debug)]
pub struct OpenDictionary {
    /// Where it lies.
    pub folder: PathBuf,
    /// The dictionary in use.
    pub coder: Coder,
    /// The site that it reads, where it reads one.
    pub site: Option<Site>,
}

impl OpenDictionary {
    /// Takes a dictionary into use.
    pub fn new(folder: PathBuf, coder: Coder) -> OpenDictionary {
        let site = match coder.dictionary().config.inputs.as_slice() {
            [part] => part.site.parse().ok(),
            _ => None,
        };
        OpenDictionary { folder, coder, site }
    }

    /// How many latents it has.
    pub fn latents(&self) -> u32 {
        self.coder.dictionary().config.latents
    }

    /// A latent as a unit; `None` where it has no address.
    pub fn unit(&self, latent: u32) -> Option<Unit> {
        Some(Unit::new(self.site.as_ref()?.latents(), latent))
    }

    /// The latent that a unit is, if it is one of this dictionary.
    pub fn latent(&self, unit: &Unit) -> Option<u32> {
        let own = self.site.as_ref().is_some_and(|site| unit.site == site.latents());
        (own && unit.index < self.latents()).then_some(unit.index)
    }
}

/// A generation with changed latents that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct SteerRequest {
    /// Which latents, and what is done to each.
    pub edits: Vec<(u32, LatentEdit)>,
    /// At most this many tokens.
    pub max_tokens: usize,
    /// 0 chooses the most probable token; above, tokens are drawn.
    pub temperature: f32,
    /// Seed of the draws and of the control's latents.
    pub seed: u64,
}

/// The open dictionary with what is known of it.
#[derive(Debug, Default)]
pub struct DictionaryState {
    /// Its folder, also while it is read or when it cannot be.
    pub folder: Option<PathBuf>,
    /// It.
    pub open: Loadable<OpenDictionary>,
    /// The latents of the prompt.
    pub features: Loadable<PromptFeatures>,
    /// What was asked for last.
    pub request: Option<SteerRequest>,
    /// What came of it.
    pub steered: Loadable<Steered>,
}

impl DictionaryState {
    /// The dictionary, once it is there.
    pub fn get(&self) -> Option<&Arc<OpenDictionary>> {
        self.open.get()
    }
}
