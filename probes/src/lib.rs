//! Running models and looking inside them: load, capture, intervene.
//!
//! ```no_run
//! use golgi_data::{context::RunContext, models::Resolver, site::SitePattern, unit::Unit};
//! use golgi_probes::intervention::{Edit, Edits, Intervention, Traces};
//! use golgi_probes::{Batch, Capture, ForwardOptions, OpenOptions, Stack, open};
//!
//! let ctx = RunContext::new(0);
//! let smollm = open("smollm2", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let batch = Batch::single(&smollm.encode("When Mary and John went to the store, John gave a drink to")?)?;
//!
//! // Capture: every attention pattern, and nothing else is kept.
//! let mut capture = Capture::new(vec![SitePattern::new("*.attn.hook_pattern")?]);
//! // Intervene: silence head 18.6, in front of the capture, so that the capture sees the changed model.
//! let (changes, traces) = (vec![Intervention::of_unit(&"L18H6".parse::<Unit>()?, Edit::Zero)], Traces::new());
//! let mut edits = Edits::new(&smollm.model, &changes, &traces)?;
//! let logits = smollm.model.forward(&batch, &mut Stack::new().with(&mut edits).with(&mut capture), ForwardOptions::logits())?;
//! println!("{:?}, {} patterns", logits.map(|l| l.size()), capture.into_trace(vec![batch.row(0)?])?.sites.len());
//! # Ok::<(), golgi_probes::ProbeError>(())
//! ```
//!
//! A model is a [`Transformer`]; each family of [`arch`] builds one. Everything that looks into a pass or changes it is a
//! [`Tap`](tap::Tap): [`Capture`], [`intervention::Edits`], [`GradientTap`], or your own.

pub mod arch;
mod batch;
pub mod device;
mod error;
pub mod generate;
mod gradient;
pub mod host;
pub mod intervention;
pub mod layers;
mod open;
mod origin;
mod pass;
pub mod script;
pub mod tap;
mod trace;
pub mod transformer;
pub mod vision;

pub use batch::Batch;
pub use device::DeviceChoice;
pub use error::{ProbeError, Result};
pub use gradient::GradientTap;
pub use open::{DType, OpenModel, OpenOptions, open};
pub use tap::{NoTap, PassInfo, Stack, Tap};
pub use tch::{Device, Kind, Tensor, no_grad};
pub use trace::{Capture, Trace, preflight};
pub use transformer::{Dims, ForwardOptions, MemoryEstimate, SiteAxes, SiteSpec, Transformer};
