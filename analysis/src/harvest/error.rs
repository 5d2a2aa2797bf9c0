//! What can go wrong in a harvest.

use golgi_data::context::Cancelled;
use golgi_data::store::StoreError;
use golgi_probes::ProbeError;

/// A failure to plan or to run a harvest.
#[derive(Debug, thiserror::Error)]
pub enum HarvestError {
    /// The model failed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No site was asked for.
    #[error("no site was asked for; name at least one, such as 'blocks.*.hook_resid_post'")]
    NoSites,
    /// A site whose size depends on the context.
    #[error(
        "`{site}` has one number per pair of positions, which a store has no column for; use `golgi capture` for it"
    )]
    Pairs {
        /// The site.
        site: String,
    },
    /// The corpus was tokenised for another model.
    #[error(
        "the corpus `{corpus}` was tokenised with another tokenizer than that of `{model}`; open it for this model"
    )]
    Tokenizer {
        /// The corpus.
        corpus: String,
        /// The model.
        model: String,
    },
    /// There is nothing to run on.
    #[error("the corpus `{corpus}` has no tokens{split}; give another corpus, or another split")]
    NoTokens {
        /// The corpus.
        corpus: String,
        /// Such as " in the split `tune`".
        split: String,
    },
    /// The writing thread could not be started, or came to a sudden end.
    #[error("the thread that writes the store failed ({0}); go on with --resume")]
    Writer(String),
}

impl HarvestError {
    /// Whether the work ended only because somebody asked for it.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, HarvestError::Probe(ProbeError::Cancelled(_)))
    }
}

impl From<Cancelled> for HarvestError {
    fn from(cancelled: Cancelled) -> HarvestError {
        HarvestError::Probe(cancelled.into())
    }
}
