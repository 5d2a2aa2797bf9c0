//! Every cross-crate test, in one binary: linking the tensor library once is quicker than many times.

mod cli;
mod desktop;
mod models;
mod parity;
mod real_models;
mod scripts;
mod taps;
mod vision;
