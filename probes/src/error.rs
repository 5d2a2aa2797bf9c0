//! What can go wrong between a model file and an activation.

use golgi_data::context::Cancelled;
use golgi_data::site::{Site, SiteError};
use golgi_data::unit::{Unit, UnitError};
use golgi_data::weights::WeightsError;

/// Every failure of this crate. Each message is one sentence with its cause and, where there is one, the next step.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The tensor library refused an operation.
    #[error("the tensor library failed: {}", first_line(.0))]
    Tensor(#[from] tch::TchError),
    /// Reading weights failed.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A configuration lacks a field, or holds one that makes no sense.
    #[error("the model's configuration is unusable: {0}")]
    Config(String),
    /// A way of choosing tokens that cannot be.
    #[error("the next token cannot be chosen so: {0}")]
    Sampling(String),
    /// No family recognises the configuration.
    #[error("no model family here is called `{found}`; supported are {supported}")]
    UnknownFamily {
        /// The `model_type` of the configuration.
        found: String,
        /// The registered families.
        supported: String,
    },
    /// There is no configuration to recognise.
    #[error("`{0}` holds weights but no configuration; put its config.json beside it, or open its folder")]
    NoConfig(String),
    /// It is a network for images, where a language model is asked for.
    #[error(
        "`{0}` is a network for images, which `golgi inspect`, `classify`, `vis` and `attribute` look into; open a language model"
    )]
    Vision(String),
    /// It is a language model, where a network for images is asked for.
    #[error(
        "`{0}` is a language model; this looks at networks for images, such as efficientnet-lite0, and `golgi prompt` at language models"
    )]
    Language(String),
    /// The network tells no classes apart.
    #[error("{0} tells no classes apart; its last layer describes an image, and any of its units can be looked at")]
    NoClasses(String),
    /// A weight has another shape than the configuration says.
    #[error("the weight `{name}` has shape {found:?}, but the configuration asks for {expected:?}")]
    WeightShape {
        /// The weight's name.
        name: String,
        /// The shape that the configuration implies.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// The model has no such site.
    #[error("the model has no site `{site}`{hint}; `golgi inspect MODEL` lists its sites")]
    UnknownSite {
        /// What was asked for.
        site: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// The unit's index is out of range.
    #[error("the unit `{unit}` does not exist: `{}` has {size} units, counted from 0", .unit.site)]
    UnknownUnit {
        /// What was asked for.
        unit: Unit,
        /// How many units the site has.
        size: usize,
    },
    /// A tap answered with a tensor of another shape.
    #[error("at `{site}` a tap returned shape {found:?} in place of {expected:?}")]
    TapShape {
        /// Where.
        site: Site,
        /// The shape that went in.
        expected: Vec<i64>,
        /// The shape that came back.
        found: Vec<i64>,
    },
    /// A token id is outside the vocabulary.
    #[error("token {token} is outside the vocabulary of {d_vocab} tokens")]
    UnknownToken {
        /// The id.
        token: i64,
        /// The size of the vocabulary.
        d_vocab: usize,
    },
    /// More tokens than the model can take.
    #[error("the text has {tokens} tokens, but the model's context holds {context}; shorten the text")]
    ContextOverflow {
        /// How many tokens were given.
        tokens: usize,
        /// The model's context length.
        context: usize,
    },
    /// No tokens at all.
    #[error("there are no tokens to run on; give a text or token ids")]
    NoTokens,
    /// The model comes without a tokenizer.
    #[error("`{0}` has no tokenizer, so it cannot read text; give token ids, or put its tokenizer.json beside it")]
    NoTokenizer(String),
    /// The model computes no logits.
    #[error("{0} has no unembedding, so it predicts no tokens; its activations can still be captured")]
    NoLogits(String),
    /// An intervention cannot be applied.
    #[error("the intervention `{label}` cannot be applied: {cause}")]
    Intervention {
        /// Its label or site.
        label: String,
        /// Why.
        cause: String,
    },
    /// The capture would not fit into the memory budget.
    #[error(
        "this needs about {needed}, more than the budget of {budget}; name fewer sites, shorten the text or raise the budget"
    )]
    Budget {
        /// The estimate, readable.
        needed: String,
        /// The budget, readable.
        budget: String,
    },
    /// A device that is not there.
    #[error("the device `{device}` is not usable here: {cause}")]
    Device {
        /// What was asked for.
        device: String,
        /// Why not.
        cause: String,
    },
    /// A probe script says something impossible.
    #[error("the probe script is not usable: {0}")]
    Script(String),
    /// An image that the network cannot be shown.
    #[error("the image cannot be shown to the network: {0}")]
    Image(String),
    /// A picture could not be read or prepared.
    #[error(transparent)]
    Picture(#[from] golgi_data::images::ImageError),
    /// Reading or writing a file failed.
    #[error("`{path}` could not be {action}: {cause}")]
    File {
        /// Which file.
        path: String,
        /// "read" or "written".
        action: &'static str,
        /// The system's words.
        cause: String,
    },
    /// A stored trace is unusable.
    #[error("the trace is unusable: {0}")]
    Trace(String),
    /// A site name or pattern is malformed.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// A unit address is malformed.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// The tokenizer failed.
    #[error(transparent)]
    Tokenizer(#[from] golgi_data::tokenizer::TokenizerError),
    /// The model could not be found or read.
    #[error(transparent)]
    Resolve(#[from] golgi_data::models::ResolveError),
    /// Somebody asked the work to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// PyTorch appends its C++ stack to its messages; the first line says what happened.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The result of this crate's functions.
pub type Result<T, E = ProbeError> = std::result::Result<T, E>;
