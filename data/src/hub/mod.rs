//! The hub's cache folder, used as it is, and downloads into the very same layout.
//!
//! `models--org--name/blobs/<digest>` holds contents, `snapshots/<commit>/…` links to them under their names,
//! `refs/<revision>` holds the commit a branch stood at. What other programs have downloaded is used without a copy,
//! and they use what Golgi downloads. `HF_HUB_CACHE`, `HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` count.
//!
//! ```no_run
//! use golgi_data::context::RunContext;
//! use golgi_data::hub::{Address, Hub};
//!
//! let hub = Hub::from_env();
//! let address = Address::parse("hf://openai-community/gpt2")?;
//! let snapshot = match hub.snapshot(&address)? {
//!     Some(snapshot) => snapshot,
//!     None => hub.fetch(&address, &RunContext::new(0))?,
//! };
//! println!("{} at {}", snapshot.path.display(), snapshot.revision);
//! # Ok::<(), golgi_data::hub::HubError>(())
//! ```

mod address;
mod error;
mod layout;
mod remote;
mod select;

use std::path::PathBuf;
use std::time::Duration;

pub use address::Address;
pub use error::HubError;
pub(crate) use select::{Choice, choose_weights};

use crate::context::RunContext;

/// Where a hub's models lie and where they come from.
#[derive(Clone)]
pub struct Hub {
    /// The folder with the `models--…` folders.
    pub cache: PathBuf,
    /// The address that repositories are under, without a slash at the end.
    pub endpoint: String,
    /// Sent to the endpoint, and to nobody else.
    pub token: Option<String>,
    /// Whether no socket may be opened.
    pub offline: bool,
    /// Wait before the first retry of a broken transfer; doubles with each.
    pub(crate) pause: Duration,
}

/// A model in the cache at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The folder with its files.
    pub path: PathBuf,
    /// The commit.
    pub revision: String,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out of logs.
        f.debug_struct("Hub").field("cache", &self.cache).field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Hub {
    /// The hub as the environment describes it.
    pub fn from_env() -> Hub {
        Self::from_variables(|name| std::env::var(name).ok(), dirs::home_dir())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>, user: Option<PathBuf>) -> Hub {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let user = user.unwrap_or_default();
        let base = variable("HF_HOME").map(PathBuf::from).unwrap_or_else(|| match variable("XDG_CACHE_HOME") {
            Some(cache) => PathBuf::from(cache).join("huggingface"),
            None => user.join(".cache/huggingface"),
        });
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let yes = |value: String| matches!(value.to_ascii_lowercase().as_str(), "1" | "on" | "yes" | "true");
        Hub {
            cache: variable("HF_HUB_CACHE").map_or_else(|| base.join("hub"), PathBuf::from),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: variable("HF_TOKEN").map(|token| token.trim().to_owned()),
            offline: variable("HF_HUB_OFFLINE").is_some_and(yes),
            pause: Duration::from_secs(1),
        }
    }

    /// What the cache holds of a model, if anything. Opens no socket.
    ///
    /// The files may be incomplete: other programs fetch single ones.
    ///
    /// # Errors
    /// If the cache cannot be read.
    pub fn snapshot(&self, address: &Address) -> Result<Option<Snapshot>, HubError> {
        layout::find(&self.cache, address)
    }

    /// Downloads what is missing of a model: configuration, tokenizer, weights (safetensors where there are any). Each
    /// file is resumed where an earlier download stopped, checked, and appears whole.
    ///
    /// # Errors
    /// If the hub may not or cannot be reached, refuses, has no weights, or sends something else than it promised.
    pub fn fetch(&self, address: &Address, ctx: &RunContext) -> Result<Snapshot, HubError> {
        if self.offline {
            return Err(HubError::Offline { repo: address.repo.clone() });
        }
        remote::fetch(self, address, ctx)
    }
}

#[cfg(test)]
mod tests;
