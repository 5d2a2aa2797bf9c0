//! From what a user types to a model's files on disk: the catalogue, hub folders, single files, hub addresses.
//!
//! ```no_run
//! use golgi_data::context::RunContext;
//! use golgi_data::models::Resolver;
//!
//! let model = Resolver::default().resolve("smollm2", &RunContext::new(0))?;
//! println!("{}: {} parameters", model.name, model.weights.parameters());
//! # Ok::<(), golgi_data::models::ResolveError>(())
//! ```

mod catalogue;
mod home;
mod install;
mod resolve;

pub use catalogue::{CatalogueEntry, catalogue};
pub use home::home;
pub use install::InstallError;
pub use resolve::{ModelFiles, ResolveError, Resolver};
