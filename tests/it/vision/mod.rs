//! Networks for images.

mod formula;
mod gradients;
mod parity;
mod real;
mod transformers;
