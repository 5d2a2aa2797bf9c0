//! Everything of Golgi that lies on disk, and the names of things: sites and units, model files, tokenizers.
//!
//! This crate knows neither tensors that compute nor windows: it depends on no tensor library and on no GUI.

pub mod atlas;
pub mod context;
pub mod corpus;
pub mod dictionary;
pub mod endpoint;
pub mod hub;
pub mod images;
pub mod models;
pub mod site;
pub mod store;
pub mod tables;
pub mod tokenizer;
pub mod unit;
pub mod weights;
