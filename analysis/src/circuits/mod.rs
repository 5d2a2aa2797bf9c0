//! Known circuits, measured on generated prompts.

pub mod ioi;
pub mod repeats;
