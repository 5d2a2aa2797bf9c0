//! Format, dependency direction and clippy.

use anyhow::{Context, Result, bail};

use crate::cargo::{Cargo, Workspace};
use crate::direction;

/// The checks that need no compilation.
///
/// # Errors
/// A tool is missing or finds something.
pub fn quick(workspace: &Workspace) -> Result<()> {
    for tool in ["fmt", "clippy"] {
        let output = workspace.cargo().args([tool, "--version"]).output().context("cannot start cargo")?;
        if !output.status.success() {
            bail!("cargo {tool} is not installed; run `rustup component add rustfmt clippy`");
        }
    }
    eprintln!("Checking the format");
    if !workspace.cargo().args(["fmt", "--all", "--check"]).status()?.success() {
        bail!("some files are not formatted; run `cargo fmt --all`");
    }
    eprintln!("Checking the dependency direction");
    direction::check(workspace)
}

/// Clippy over everything, warnings as errors.
///
/// # Errors
/// Clippy finds something.
pub fn clippy(cargo: &Cargo) -> Result<()> {
    eprintln!("Running clippy (the first time takes many minutes)");
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    if !cargo.cargo().args(arguments).status().context("cannot start cargo")?.success() {
        bail!("clippy has found something; its messages are above");
    }
    Ok(())
}
