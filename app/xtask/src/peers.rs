//! The programs that Golgi is compared with, in a virtual environment of their own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::host::{Host, find_program};

/// What is installed, in the versions that Golgi was compared with.
const PACKAGES: [&str; 2] = ["torch==2.11.0", "sae-lens==6.54.12"];
/// Written last: the environment is whole.
const STAMP: &str = "golgi-peers.txt";

/// The Python of the environment, which is made first where it is not there.
///
/// # Errors
/// There is no Python that can make environments, or a package cannot be installed.
pub fn python(host: &Host) -> Result<PathBuf> {
    let folder = host.home.join("peers");
    let python = folder.join("bin").join("python");
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|stamp| is_current(&stamp)) {
        return Ok(python);
    }
    eprintln!("Installing {} into {} (several GB, once)", PACKAGES.join(" and "), folder.display());
    let system = ["python3", "python"].into_iter().find(|name| find_program(name).is_some());
    let system = system.context("there is no Python 3; install it, then try again")?;
    run(
        Command::new(system).args(["-m", "venv", "--clear"]).arg(&folder),
        "make a virtual environment (python3-venv)",
    )?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES), "install the packages")?;
    fs::write(folder.join(STAMP), PACKAGES.join("\n")).context("cannot write the stamp of the environment")?;
    Ok(python)
}

fn is_current(stamp: &str) -> bool {
    stamp.lines().eq(PACKAGES)
}

fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot {what}"))?;
    if !status.success() {
        bail!("cannot {what}; the messages above say why");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_of_other_versions_is_made_anew() {
        assert!(is_current(&PACKAGES.join("\n")));
        assert!(!is_current("torch==2.11.0") && !is_current("torch==1.0.0\nsae-lens==6.54.12") && !is_current(""));
    }
}
