//! The window's panels, driven by mouse and keyboard without a window.

mod atlas;
mod attention;
mod features;
mod given;
mod interventions;
mod jobs;
mod lens;
mod live;
mod model;
mod neurons;
mod pictures;
mod prompt;
mod runs;
mod shell;
mod stage;
mod toys;
mod unit;
mod vision;
