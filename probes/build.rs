//! Writes the place of libtorch into every program, test and example of a package that is linked to it, so that they
//! start without `LD_LIBRARY_PATH`. The build scripts of the packages above include this one.

use std::env;
use std::path::Path;

/// Prints cargo's instructions; public for the build scripts that include this file.
pub fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-env-changed=LIBTORCH_LIB");
    let Some(libtorch) = env::var_os("LIBTORCH_LIB").or_else(|| env::var_os("LIBTORCH")) else {
        println!(
            "cargo::warning=LIBTORCH is not set; use `cargo xtask run` or run `eval \"$(cargo xtask env)\"` first"
        );
        return;
    };
    let (mac, windows) = (target_is("macos"), target_is("windows"));
    if windows {
        return; // Its loader has no such path.
    }
    // -Xlinker takes any path as it is; -Wl, would split it at commas.
    let add = |kind: &str, path: &str| {
        for argument in ["-Xlinker", "-rpath", "-Xlinker", path] {
            println!("cargo::{kind}={argument}");
        }
    };
    add("rustc-link-arg", &Path::new(&libtorch).join("lib").to_string_lossy());
    if env::var("CARGO_PKG_NAME").is_ok_and(|name| name == "golgi") {
        // A copy that is handed on may carry its libraries in a folder beside it.
        add("rustc-link-arg-bins", if mac { "@executable_path/../lib" } else { "$ORIGIN/../lib" });
    }
}

fn target_is(os: &str) -> bool {
    env::var("CARGO_CFG_TARGET_OS").is_ok_and(|target| target == os)
}
