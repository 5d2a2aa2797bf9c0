//! Runs cargo and what it builds, with the environment right.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};

use crate::host::Host;

/// The checkout this runs in.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Its top folder.
    pub root: PathBuf,
    cargo: OsString,
}

/// Cargo with libtorch.
#[derive(Debug)]
pub struct Cargo {
    workspace: Workspace,
    libtorch: PathBuf,
    home: PathBuf,
    mac: bool,
}

impl Workspace {
    /// The checkout of the running program: cargo names its folder, and another checkout may have built the file.
    ///
    /// # Errors
    /// Not started by cargo.
    pub fn find() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").context("start this program with `cargo xtask`")?;
        let root = Path::new(&package).ancestors().nth(2).context("xtask does not lie in app/xtask")?.to_path_buf();
        Ok(Self { root, cargo: std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()) })
    }

    /// A cargo command at the top of the checkout.
    pub fn cargo(&self) -> Command {
        self.command(&self.cargo)
    }

    /// Any command at the top of the checkout. What cargo told *this* program about itself is taken out: build
    /// scripts that watch such variables would otherwise run again and again.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_about_this_program) {
                command.env_remove(name);
            }
        }
        command
    }

    /// Adds libtorch.
    pub fn with_libtorch(self, host: &Host, libtorch: PathBuf) -> Cargo {
        Cargo { workspace: self, libtorch, home: host.home.clone(), mac: host.os == "macos" }
    }
}

fn is_about_this_program(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_")
        || matches!(variable, "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH" | "CARGO_BIN_NAME" | "CARGO_CRATE_NAME")
}

impl Cargo {
    /// Any program at the top of the checkout, with the variables of set-up.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.workspace.command(program);
        command.env("LIBTORCH", &self.libtorch).env("GOLGI_HOME", &self.home);
        command
    }

    /// Cargo with the variables of set-up.
    pub fn cargo(&self) -> Command {
        self.command(&self.workspace.cargo)
    }

    /// Builds the application as users run it and returns the program's path.
    ///
    /// # Errors
    /// It does not build.
    pub fn build_release(&self) -> Result<PathBuf> {
        eprintln!("Building Golgi (the first time takes many minutes)");
        self.build(&["build", "--release", "--package", "golgi", "--bin", "golgi"], "release")
    }

    /// Builds the application as the tests do, so that they can use what was compiled.
    ///
    /// # Errors
    /// It does not build.
    pub fn build_debug(&self) -> Result<PathBuf> {
        eprintln!("Building Golgi for its tests (the first time takes many minutes)");
        self.build(&["build", "--workspace", "--bins"], "debug")
    }

    fn build(&self, arguments: &[&str], profile: &str) -> Result<PathBuf> {
        let status = self.cargo().args(arguments).status().context("cannot start cargo")?;
        if !status.success() {
            bail!("Golgi does not build; the compiler's messages above say why");
        }
        Ok(self.target_folder()?.join(profile).join(format!("golgi{}", std::env::consts::EXE_SUFFIX)))
    }

    fn target_folder(&self) -> Result<PathBuf> {
        let metadata = crate::direction::metadata(&self.workspace)?;
        Ok(metadata["target_directory"].as_str().context("cargo metadata names no target folder")?.into())
    }

    /// Runs the program in place of this one: signals and the exit code are its own.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn become_program(&self, program: &Path, args: &[OsString]) -> Result<ExitCode> {
        let mut command = self.command(program);
        // Paths among the arguments are meant from where the user stands.
        command.current_dir(std::env::current_dir().context("the current folder does not exist any more")?);
        command.args(args);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            let error = command.exec();
            Err(error).with_context(|| format!("cannot start {}", program.display()))
        }
        #[cfg(not(unix))]
        {
            Ok(exit_code(command.status().with_context(|| format!("cannot start {}", program.display()))?))
        }
    }

    /// `cargo test`: first the tests that are programs of their own and find libtorch as the application does, then
    /// the examples in the documentation, which are linked without our build scripts and need to be told.
    ///
    /// # Errors
    /// Cargo cannot be started.
    pub fn test(&self, args: &[OsString]) -> Result<ExitCode> {
        if chooses_targets(args) {
            return self.run(&["test"], args, true);
        }
        let tests = self.run(&["test", "--workspace", "--no-fail-fast", "--tests"], args, false)?;
        let examples = self.run(&["test", "--workspace", "--no-fail-fast", "--doc"], args, true)?;
        Ok(if tests == ExitCode::SUCCESS { examples } else { tests })
    }

    /// `cargo bench` on the benchmarks.
    ///
    /// # Errors
    /// Cargo cannot be started.
    pub fn bench(&self, args: &[OsString]) -> Result<ExitCode> {
        self.run(&["bench", "--package", "golgi-tests", "--bench", "*", "--"], args, false)
    }

    /// The benchmark beside other programs, which `python` has.
    ///
    /// # Errors
    /// Cargo cannot be started.
    pub fn bench_peers(&self, python: &Path) -> Result<ExitCode> {
        let mut command = self.cargo();
        command.args(["bench", "--package", "golgi-tests", "--bench", "sae_peers"]).env("GOLGI_PEERS_PYTHON", python);
        Ok(exit_code(command.status().context("cannot start cargo")?))
    }

    fn run(&self, arguments: &[&str], args: &[OsString], library_path: bool) -> Result<ExitCode> {
        let mut command = self.cargo();
        command.args(arguments).args(args);
        if library_path {
            let name = if self.mac { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
            let mut folders = vec![self.libtorch.join("lib")];
            folders.extend(std::env::var_os(name).iter().flat_map(std::env::split_paths));
            command.env(name, std::env::join_paths(folders).context("a library folder has a colon in its name")?);
        }
        Ok(exit_code(command.status().context("cannot start cargo")?))
    }
}

/// Whether the user says which packages or targets to test, so that ours must not be added.
fn chooses_targets(args: &[OsString]) -> bool {
    let ours = args.iter().take_while(|arg| *arg != "--").filter_map(|arg| arg.to_str());
    let flags = ["--package", "--workspace", "--lib", "--bin", "--test", "--doc", "--example", "--bench", "--all"];
    ours.into_iter().any(|arg| {
        arg.starts_with("-p")
            || flags.iter().any(|flag| {
                arg.strip_prefix(flag).is_some_and(|rest| matches!(rest.chars().next(), None | Some('s' | '=' | '-')))
            })
    })
}

fn exit_code(status: ExitStatus) -> ExitCode {
    match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(2)),
        None => ExitCode::from(2), // Ended by a signal.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_leave_the_choice_of_targets_to_us() {
        let chooses = |line: &str| chooses_targets(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        for line in [
            "-p golgi-data",
            "-pgolgi-data",
            "--package=golgi",
            "--lib",
            "--bins",
            "--test it x",
            "--all-targets",
            "--doc",
        ] {
            assert!(chooses(line), "{line}");
        }
        for line in ["", "induction", "--no-fail-fast", "--release gguf", "name -- --nocapture --test-threads=1 -p"] {
            assert!(!chooses(line), "{line}");
        }
    }

    #[test]
    fn only_what_describes_xtask_is_hidden_from_children() {
        for hidden in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert!(is_about_this_program(hidden));
        }
        for kept in ["CARGO_TARGET_DIR", "CARGO_HOME", "CARGO", "RUSTFLAGS", "CARGO_BUILD_JOBS"] {
            assert!(!is_about_this_program(kept));
        }
    }
}
