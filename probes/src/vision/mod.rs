//! Networks for images, convolutional ones and transformers: every operation is a site, under the name that its reference implementation gives it.
//!
//! A [`Network`] is a list of operations. The same taps as for transformers look into its pass and change it; only what the wanted
//! sites depend on is computed.
//!
//! ```no_run
//! use golgi_data::{context::RunContext, models::Resolver, site::Site};
//! use golgi_probes::{Capture, OpenOptions, Tensor, vision};
//!
//! let ctx = RunContext::new(0);
//! let open = vision::open("efficientnet-lite0", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let pixels = Tensor::zeros([1, 3, 224, 224], (open.network.kind, open.network.device));
//! let head: Site = "_conv_head".parse()?;
//! let mut capture = Capture::sites([&head]);
//! open.network.forward(&pixels, &mut capture, false)?;
//! println!("{:?}", capture.into_trace(Vec::new())?.get(&head)?.size()); // [1, 1280, 7, 7]
//! # Ok::<(), golgi_probes::ProbeError>(())
//! ```

pub mod arch;
mod backward;
mod build;
mod field;
mod graph;
mod op;
mod open;
mod run;
mod token;

pub use backward::{Record, Rule};
pub use build::{Builder, Value};
pub use field::{Crop, Field, Span};
pub use graph::{Extent, Network, Node, Output};
pub use op::{BatchNorm, ChannelNorm, Conv, Op, Padding, Window};
pub use open::{ClassScore, OpenVision, is_vision, open};
pub use token::{Positions, TokenOp};
