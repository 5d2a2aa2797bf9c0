//! The window's panels, driven by mouse and keyboard without a window.

mod attention;
mod given;
mod interventions;
mod jobs;
mod lens;
mod model;
mod neurons;
mod prompt;
mod shell;
mod stage;
mod unit;
