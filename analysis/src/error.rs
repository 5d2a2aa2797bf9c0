//! What can go wrong in an analysis.

use golgi_data::context::Cancelled;
use golgi_probes::ProbeError;

/// Every failure of this crate. Each message is one sentence with its cause and, where there is one, the next step.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The model, a capture or an intervention failed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// An atlas cannot be read, or its families cannot be written.
    #[error(transparent)]
    Atlas(#[from] golgi_data::atlas::AtlasError),
    /// A dictionary cannot be used.
    #[error(transparent)]
    Sae(#[from] golgi_sae::SaeError),
    /// An atlas could not be built.
    #[error(transparent)]
    Build(#[from] crate::atlas::BuildError),
    /// An endpoint that explains or judges cannot be used.
    #[error(transparent)]
    Endpoint(#[from] golgi_data::endpoint::EndpointError),
    /// No analysis has this name.
    #[error("there is no analysis `{name}`; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The registered names.
        known: String,
    },
    /// Parameters that cannot be read.
    #[error("the parameters of `{analysis}` cannot be used: {cause}; known are {known}")]
    Params {
        /// The analysis.
        analysis: &'static str,
        /// What is wrong.
        cause: String,
        /// The names of its parameters.
        known: String,
    },
    /// A parameter with an impossible value.
    #[error("`{name}` of `{analysis}` is {found}, but {expected}")]
    Param {
        /// The analysis.
        analysis: &'static str,
        /// The parameter.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it must be, as the end of the sentence.
        expected: String,
    },
    /// A position outside the prompt.
    #[error("there is no position {position} in a prompt of {len} tokens; positions go from 0 to {}, or from -{len} to -1", .len - 1)]
    Position {
        /// What was asked for.
        position: i64,
        /// Tokens of the prompt, at least 1.
        len: usize,
    },
    /// The model is not of a kind that the analysis can work on.
    #[error("{analysis} cannot be computed for {model}: {cause}")]
    Unsuitable {
        /// The analysis.
        analysis: &'static str,
        /// The model's name.
        model: String,
        /// Why not.
        cause: String,
    },
    /// Two runs that do not belong together.
    #[error("the two runs have different tokens ({before} and {after} of them); compare runs of the same prompt")]
    DifferentPrompts {
        /// Tokens of the first run.
        before: usize,
        /// Tokens of the second run.
        after: usize,
    },
    /// Infinite or undefined numbers where logits belong.
    #[error("the model's logits are not numbers; an intervention may be too strong")]
    NotFinite,
}

impl AnalysisError {
    /// Whether the work ended only because somebody asked for it.
    pub fn is_cancelled(&self) -> bool {
        use golgi_data::endpoint::EndpointError;
        matches!(
            self,
            AnalysisError::Probe(ProbeError::Cancelled(_)) | AnalysisError::Endpoint(EndpointError::Cancelled(_))
        )
    }
}

impl From<Cancelled> for AnalysisError {
    fn from(cancelled: Cancelled) -> AnalysisError {
        AnalysisError::Probe(cancelled.into())
    }
}

impl From<tch::TchError> for AnalysisError {
    fn from(error: tch::TchError) -> AnalysisError {
        AnalysisError::Probe(error.into())
    }
}

/// The result of this crate's functions.
pub type Result<T, E = AnalysisError> = std::result::Result<T, E>;

/// Why a method that looks into networks for images found nothing.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// The network refused.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Pictures could not be read.
    #[error(transparent)]
    Image(#[from] golgi_data::images::ImageError),
    /// The tensor library failed.
    #[error("the tensor library failed: {}", .0.to_string().lines().next().unwrap_or_default())]
    Tensor(#[from] tch::TchError),
    /// Impossible settings.
    #[error("the settings are not usable: {0}")]
    Settings(String),
    /// Somebody asked the work to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
