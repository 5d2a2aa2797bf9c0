//! The building blocks that the families share. Each visits its own sites, in the order of `golgi_data::site`.

mod attention;
mod linear;
mod loader;
mod mlp;
mod norm;
mod rotary;

pub(crate) use attention::AttendTo;
pub use attention::{Attention, AttentionShape, HeadNorms};
pub use linear::Linear;
pub use loader::Loader;
pub use mlp::{Activation, Mlp};
pub(crate) use norm::NormSites;
pub use norm::{Norm, NormKind};
pub use rotary::{Rotary, RotaryTable};
