//! `cargo xtask`: set-up and developer commands of Golgi.
//!
//! A machine needs Rust, and everything else is brought or named from here: system packages, the tensor library,
//! the starter model and corpus. All of it lies under one folder that checkouts share, and once it is there each command starts
//! at once and without a network. Messages go to the error stream, so that the output of `cargo xtask run -- …` is
//! the program's alone.

mod args;
mod browser;
mod cargo;
mod direction;
mod host;
mod libtorch;
mod lint;
mod models;
mod peers;
mod pins;
mod progress;
mod starter;
mod system;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::args::Command;
use crate::cargo::Workspace;
use crate::host::Host;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let command = match args::parse(&args) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    match execute(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn execute(command: Command) -> Result<ExitCode> {
    if matches!(command, Command::Help) {
        print!("{}", args::HELP);
        return Ok(ExitCode::SUCCESS);
    }
    let host = Host::detect()?;
    let workspace = Workspace::find()?;
    match command {
        Command::Help => Ok(ExitCode::SUCCESS),
        Command::Setup => {
            let libtorch = set_up(&host)?;
            eprintln!("Set-up is complete: {}", libtorch.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Env => {
            let libtorch =
                libtorch::installed(&host).context("libtorch is not installed yet; run `cargo xtask setup` first")?;
            println!("export LIBTORCH={}", quote(&libtorch.to_string_lossy()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Lint => {
            lint::quick(&workspace)?;
            let cargo = workspace.with_libtorch(&host, set_up(&host)?);
            lint::clippy(&cargo)?;
            eprintln!("Format, dependency direction and clippy are clean.");
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(args) => {
            let cargo = workspace.with_libtorch(&host, set_up(&host)?);
            let program = cargo.build_release()?;
            models::fetch(&cargo, &program, &host, &[models::STARTER])?;
            cargo.become_program(&program, &args)
        }
        Command::Test(args) => {
            let cargo = workspace.with_libtorch(&host, set_up_for_tests(&host)?);
            browser::ensure(&host);
            if !models::missing(&host, &models::FOR_TESTS).is_empty() {
                let program = cargo.build_debug()?;
                models::fetch(&cargo, &program, &host, &models::FOR_TESTS)?;
            }
            cargo.test(&args)
        }
        Command::Bench(args) => {
            let cargo = workspace.with_libtorch(&host, set_up(&host)?);
            if !models::missing(&host, &[models::STARTER]).is_empty() {
                let program = cargo.build_release()?;
                models::fetch(&cargo, &program, &host, &[models::STARTER])?;
            }
            cargo.bench(&args)
        }
        Command::Peers => {
            let cargo = workspace.with_libtorch(&host, set_up(&host)?);
            let python = peers::python(&host)?;
            cargo.bench_peers(&python)
        }
    }
}

/// System packages, libtorch and the starter corpus; returns the folder `LIBTORCH` must name.
fn set_up(host: &Host) -> Result<PathBuf> {
    let installed = libtorch::installed(host);
    let will_fetch = installed.is_none() || !models::missing(host, &models::FOR_TESTS).is_empty();
    provide(host, installed, will_fetch)
}

/// As [`set_up`]; the tests download from a folder of their own, so they always need what downloads.
fn set_up_for_tests(host: &Host) -> Result<PathBuf> {
    provide(host, libtorch::installed(host), true)
}

fn provide(host: &Host, installed: Option<PathBuf>, will_fetch: bool) -> Result<PathBuf> {
    system::ensure(host, will_fetch)?;
    let folder = match installed {
        Some(folder) => folder,
        None => libtorch::install(host)?,
    };
    starter::ensure(host);
    Ok(folder)
}

/// A word as a POSIX shell reads it back.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let word = "/my cache/it's \"$HOME\" `x`";
        let script = format!("printf %s {}", super::quote(word));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
    }
}
