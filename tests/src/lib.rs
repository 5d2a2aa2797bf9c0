//! The tests of Golgi that cross crates live in `it/`, the benchmarks in `benches/`; this library is empty.
