//! Arithmetic that touches only what is active. With `k` of `m` latents active in each of `n` rows, everything but the
//! encoder's product costs `n·k·d` in place of `n·m·d`.

pub mod adam;
mod by_latent;
mod largest;
pub mod matmul;
mod sparse;
pub mod vector;

pub use by_latent::ByLatent;
pub use largest::{above, largest};
pub use sparse::{add_decoder_gradient, add_encoder_gradient, decode, pull};
