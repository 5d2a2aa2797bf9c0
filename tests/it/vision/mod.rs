//! Convolutional networks.

mod formula;
mod gradients;
mod parity;
mod real;
