//! What the channels of a site do: their maps over one picture, and the pictures of a set that excite each of them most.
//!
//! ```no_run
//! use golgi_analysis::channels::channel_maps;
//! use golgi_data::{context::RunContext, images::Picture, models::Resolver};
//! use golgi_probes::{OpenOptions, vision};
//!
//! let open = vision::open("efficientnet-lite0", &Resolver::default(), &OpenOptions::default(), &RunContext::new(0))?;
//! let picture = Picture::new(300, 200, vec![200; 300 * 200 * 3])?;
//! let maps = channel_maps(&open, &open.pixels(&picture)?, &"_conv_head".parse()?)?;
//! println!("{} channels of {} × {}", maps.channels, maps.rows, maps.columns); // 1280 channels of 7 × 7
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod best;
mod maps;
#[cfg(test)]
mod tests;

pub use best::{Best, BestPictures, best_pictures};
pub use maps::{ChannelMaps, Strength, channel_maps};
