//! Sparse dictionaries: architectures, sparse kernels, training and evaluation.
//!
//! A [`Trainer`] takes rows of activations and makes a [`Dictionary`](golgi_data::dictionary::Dictionary) of them. Everything behind the
//! encoder's product touches only what is active ([`kernels`]), and each architecture ([`rules`]) is checked against the tensor library's
//! own differentiation of its published loss.
//!
//! ```
//! use golgi_data::dictionary::{Architecture, Part};
//! use golgi_sae::{Settings, Trainer};
//! use golgi_sae::planted::Planted;
//!
//! // Rows made of few of 16 known directions.
//! let planted = Planted::new(8, 16, 2.0, 0);
//! let mut settings = Settings::published(Architecture::TopK { k: 2 }, 16, 200);
//! settings.batch = 256;
//! settings.rate = 3e-3;
//! let site = Part { site: "planted".into(), width: 8 };
//! let mut trainer = Trainer::new(settings, vec![site], None)?;
//! for step in 0..200 {
//!     trainer.step(&planted.rows(256, step), None)?;
//! }
//! let dictionary = trainer.dictionary();
//! let codes = dictionary.encode(&planted.rows(100, 9999))?;
//! assert!(codes.mean_active() <= 2.0);
//! # Ok::<(), golgi_sae::SaeError>(())
//! ```

mod coder;
pub mod dense;
mod error;
pub mod evaluate;
pub mod kernels;
pub mod layout;
pub mod parameters;
pub mod planted;
pub mod rules;
mod settings;
mod splice;
pub mod train;

pub use coder::Coder;
pub use error::SaeError;
pub use layout::{Layout, Wiring};
pub use settings::{DEFAULT_K, DecoderNorm, Penalty, Settings};
pub use splice::{LatentEdit, Replacement, Splice};
pub use train::Trainer;
