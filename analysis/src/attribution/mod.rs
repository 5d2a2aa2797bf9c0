//! Attribution: which pixels of a picture a unit's value rests on, and whether the answer depends on the network at all.
//!
//! A map is only worth looking at beside what the same method draws for a network that has learned nothing ([`sanity`]), and for another class: guided
//! backpropagation and deconvolution go on to draw the edges of the picture, whatever the weights (Adebayo et al., arXiv 1810.03292; Nie et
//! al., arXiv 1805.07039). Both comparisons are part of every result here.
//!
//! ```no_run
//! use golgi_analysis::attribution::{Method, Question, attribute};
//! use golgi_data::{context::RunContext, images::Picture, models::Resolver};
//! use golgi_probes::{OpenOptions, vision};
//!
//! let ctx = RunContext::new(0);
//! let open = vision::open("efficientnet-lite0", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let pixels = open.pixels(&Picture::read("cat.png".as_ref())?)?;
//! let question = Question::class(&open, 281)?;
//! let maps = attribute(&open, &question, &pixels, &Method::ALL, &ctx)?;
//! println!("{:?} {}", maps[0].method, maps[0].values.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod baseline;
mod integrated;
mod maps;
mod method;
mod render;
mod report;
mod sanity;
mod similarity;
#[cfg(test)]
mod tests;

pub use baseline::Baseline;
pub use maps::{Completeness, Map, Question, attribute};
pub use method::Method;
pub use report::{Attributed, report};
pub use sanity::{Cascade, Sensitivity, Step, cascade, sensitivity};
pub use similarity::{Similarity, spearman};
