//! The window: a start screen, then tiled panels around one shared selection.
//!
//! [`run`] opens it. Panels are in [`panels`], what they are made of in [`widgets`], colours and type in [`theme`].

pub mod actions;
pub mod app;
pub mod build_form;
pub mod command_palette;
pub mod dialogs;
pub mod dock;
pub mod fonts;
pub mod icon;
pub mod menus;
pub mod panels;
pub mod screenshot;
pub mod shell;
pub mod start;
pub mod status;
pub mod task;
pub mod theme;
pub mod toasts;
pub mod widgets;

pub use app::{WindowOptions, run};
