//! The command line of `cargo xtask`.

use std::ffi::{OsStr, OsString};

/// What `cargo xtask help` prints.
pub const HELP: &str = "\
Set-up and developer commands of Golgi

Usage: cargo xtask COMMAND

  run [-- ARGS]      set up, build in release mode, start Golgi (with ARGS: its command line)
  test [-- ARGS]     set up, then run every test (ARGS go to `cargo test`)
  bench [-- FILTER]  set up, then run the benchmarks
  bench --peers      set other programs up (SAELens, PyTorch), then train the same dictionary with each
  setup              system packages, libtorch and the starter corpus only
  env                print the variable that plain `cargo build` needs: eval \"$(cargo xtask env)\"
  lint               formatting, dependency direction, clippy with warnings as errors
  help               this text

Variables:
  GOLGI_HOME   folder for everything that is downloaded (default: the cache folder + /golgi)
  LIBTORCH     a libtorch 2.11.0 of your own; it is left alone and nothing is downloaded for it
  GOLGI_CUDA   1: fetch the CUDA build of libtorch; 0: do not, whatever hardware is found
";

/// One command with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Start the application.
    Run(Vec<OsString>),
    /// Run the tests.
    Test(Vec<OsString>),
    /// Run the benchmarks.
    Bench(Vec<OsString>),
    /// Run the benchmark beside other programs.
    Peers,
    /// Set up only.
    Setup,
    /// Print the environment for plain cargo.
    Env,
    /// Check format, direction and lints.
    Lint,
    /// Print [`HELP`].
    Help,
}

/// Reads the arguments after `cargo xtask`. One `--` after the command is optional and dropped.
///
/// # Errors
/// One sentence with the next step.
pub fn parse(args: &[OsString]) -> Result<Command, String> {
    let Some((name, rest)) = args.split_first() else { return Ok(Command::Help) };
    let rest = match rest.split_first() {
        Some((first, after)) if first == OsStr::new("--") => after.to_vec(),
        _ => rest.to_vec(),
    };
    let name = name.to_string_lossy();
    let command = match name.as_ref() {
        "run" => return Ok(Command::Run(rest)),
        "test" => return Ok(Command::Test(rest)),
        "bench" => match rest.iter().position(|argument| argument == "--peers") {
            None => return Ok(Command::Bench(rest)),
            Some(_) if rest.len() > 1 => return Err("`bench --peers` takes no filter".to_owned()),
            Some(_) => return Ok(Command::Peers),
        },
        "setup" => Command::Setup,
        "env" => Command::Env,
        "lint" => Command::Lint,
        "help" | "--help" | "-h" => Command::Help,
        _ => return Err(format!("there is no command `{name}`; `cargo xtask help` lists them")),
    };
    match rest.first() {
        None => Ok(command),
        Some(extra) => Err(format!("`{name}` takes no argument, but `{}` was given", extra.to_string_lossy())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn arguments_follow_with_or_without_dashes() {
        assert_eq!(parse(&words("run -- models --json")), Ok(Command::Run(words("models --json"))));
        assert_eq!(parse(&words("run models --json")), Ok(Command::Run(words("models --json"))));
        // Only the first pair of dashes is ours; cargo test has its own.
        assert_eq!(parse(&words("test -- a -- --nocapture")), Ok(Command::Test(words("a -- --nocapture"))));
        assert_eq!(parse(&words("bench forward")), Ok(Command::Bench(words("forward"))));
        assert_eq!(parse(&words("run")), Ok(Command::Run(Vec::new())));
        assert_eq!(parse(&words("bench --peers")), Ok(Command::Peers));
        assert_eq!(parse(&words("bench -- --peers")), Ok(Command::Peers));
        assert!(parse(&words("bench --peers sae")).is_err_and(|message| message.contains("no filter")));
    }

    #[test]
    fn commands_without_arguments_refuse_them() {
        assert_eq!(parse(&words("setup")), Ok(Command::Setup));
        assert_eq!(parse(&words("lint --")), Ok(Command::Lint));
        assert!(parse(&words("setup now")).is_err_and(|m| m.contains("`now`")));
        assert!(parse(&words("tset")).is_err_and(|m| m.contains("`tset`") && m.contains("help")));
    }

    #[test]
    fn every_command_is_in_the_help() {
        assert_eq!(parse(&[]), Ok(Command::Help));
        let listed = HELP.lines().filter(|l| l.starts_with("  ") && !l.contains("GOLGI_") && !l.contains("LIBTORCH "));
        let names: Vec<_> = listed.filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["run", "test", "bench", "bench", "setup", "env", "lint", "help"]);
        assert!(names.iter().all(|name| parse(&words(name)).is_ok()));
    }
}
