//! What can be wrong with a dictionary.

use std::io;
use std::path::PathBuf;

use crate::weights::WeightsError;

/// A dictionary that cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// There is none in a folder.
    #[error("{} is no dictionary: it has no `{file}`", path.display())]
    NoDictionary {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        file: &'static str,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration is no JSON of its form.
    #[error("{} does not describe a dictionary: {why}", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// What the parser says.
        why: String,
    },
    /// The configuration is impossible.
    #[error("the dictionary is not usable: {what}")]
    Config {
        /// Why.
        what: String,
    },
    /// The file of weights is damaged or lacks something.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A tensor has another shape than the configuration says.
    #[error("{name} has {actual} numbers, but the configuration asks for {expected}")]
    Size {
        /// Which tensor.
        name: &'static str,
        /// How many numbers it should have.
        expected: usize,
        /// How many it has.
        actual: usize,
    },
    /// A tensor has another shape than the configuration says.
    #[error("`{name}` has the shape {actual:?}, expected {expected:?}")]
    Shape {
        /// Which tensor.
        name: String,
        /// What the configuration asks for.
        expected: Vec<usize>,
        /// What the file has.
        actual: Vec<usize>,
    },
    /// A number is NaN or infinite.
    #[error("{name} holds {value} at {at}; a dictionary with such numbers cannot be used")]
    NotFinite {
        /// Which tensor.
        name: &'static str,
        /// Where, in row-major order.
        at: usize,
        /// The number.
        value: f32,
    },
    /// A tensor that the architecture needs is not there.
    #[error("{name} is missing, which the architecture `{architecture}` needs")]
    Missing {
        /// Which tensor.
        name: &'static str,
        /// The architecture.
        architecture: &'static str,
    },
    /// Rows of another width than the dictionary's.
    #[error("{actual} numbers are not rows of {width}, which the dictionary {does}")]
    Rows {
        /// The width of a row.
        width: usize,
        /// How many numbers there are.
        actual: usize,
        /// `reads` or `writes`.
        does: &'static str,
    },
    /// Codes of another dictionary.
    #[error("the codes name latent {latent}, but the dictionary has {latents}")]
    Latent {
        /// The latent.
        latent: u32,
        /// How many there are.
        latents: u32,
    },
}
