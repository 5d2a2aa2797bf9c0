//! Convolutional networks.

mod formula;
mod gradients;
mod parity;
