//! Nothing but a manifest: it turns on, in crates that several parts of Golgi share, the features that the whole workspace needs.
//!
//! Cargo unifies features over the packages that a command selects. Without this crate `cargo test -p golgi-data`, `cargo test -p
//! golgi-analysis` and `cargo test --workspace` would each compile most dependencies anew, PyTorch's bindings among them.
