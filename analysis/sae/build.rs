//! See `probes/build.rs`: the place of libtorch goes into every program of this package.

#[path = "../../probes/build.rs"]
mod libtorch;

fn main() {
    libtorch::main();
}
