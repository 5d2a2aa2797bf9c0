//! Methods about single units.

pub mod page;
pub mod table;
