//! Pieces that panels are made of. None of them knows a model: they draw plain numbers and texts.

pub mod accessible;
pub mod bar;
pub mod bar_chart;
pub mod colormap;
pub mod heatmap;
pub mod highlight;
pub mod number;
pub mod picture;
pub mod placeholder;
pub mod scatter;
pub mod scroll;
pub mod texture;
pub mod token_strip;
pub mod virtual_table;
