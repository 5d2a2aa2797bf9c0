//! How Golgi looks: two themes from one set of rules, a typographic scale, and a few pieces that every panel shares.

pub mod busy;
pub mod icons;
mod palette;
mod style;

pub use busy::progress_bar;
pub use palette::Palette;
pub use style::{apply, family};
