//! The window's panels, driven by mouse and keyboard without a window.

mod attention;
mod lens;
mod neurons;
mod stage;
mod unit;
