//! The command line: one file per subcommand, and what they share.
//!
//! Every command prints text for people, or with `--json` one document whose schema [`schema`] describes. It ends with 0, with 1
//! when an expectation of a probe script is not met, or with 2 and one chain of causes on standard error.

mod args;
mod change;
mod dissect;
mod error;
mod exit;
mod interrupt;
mod output;
mod progress;
mod schema;
mod show;
mod style;
mod suggest;
mod table;
mod work;

mod analyse;
mod atlas;
mod attribute;
mod capture;
mod classify;
mod corpora;
mod explain;
mod find;
mod generate;
mod harvest;
mod inspect;
mod models;
mod prompt;
mod report;
mod run;
mod sae;
mod superposition;
mod vis;

use std::any::Any;
use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Parser;

use args::{Cli, Command, Global};
use exit::Exit;
use output::Output;
use work::Work;

/// Where the last panic happened; the hook writes it, [`main`] reads it.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are printed here too, and end with 0. A closed output is nobody's loss.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let color = cli.global.color;
    let code = match catch_unwind(AssertUnwindSafe(|| dispatch(cli))) {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) if error::is_broken_pipe(&error) => Exit::Success,
        Ok(Err(error)) => {
            let text = error::render(&error, color.paint(io::stderr().is_terminal()));
            let _ = io::stderr().write_all(text.as_bytes());
            Exit::Error
        }
        Err(payload) => {
            let place = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
            let what = crate::report::token(&message(payload.as_ref()));
            let _ = writeln!(
                io::stderr(),
                "error: internal error{place}: {what}\n  help: This is a fault of Golgi; please report it with the command \
                 that you ran"
            );
            Exit::Error
        }
    };
    code.into()
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.and_then(|text| text.lines().next()).unwrap_or("no message").to_owned()
}

/// Keeps panics from printing by themselves; a developer who sets RUST_BACKTRACE sees them as usual.
fn quiet_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            before(info);
        }
    }));
}

fn dispatch(Cli { global, command }: Cli) -> anyhow::Result<Exit> {
    let Some(command) = command else {
        return window(&global);
    };
    quiet_panics();
    global.check_dtype(matches!(command, Command::Harvest(_)))?;
    let out = Output::new(global.json, global.quiet, global.color);
    let work = Work::new(global, out);
    let exit = match command {
        Command::Models(args) => models::run(&work, &args),
        Command::Corpora(args) => corpora::run(&work, &args),
        Command::Inspect(args) => inspect::run(&work, &args),
        Command::Capture(args) => capture::run(&work, args),
        Command::Harvest(args) => harvest::run(&work, args),
        Command::Prompt(args) => prompt::run(&work, args),
        Command::Generate(args) => generate::run(&work, &args),
        Command::Report(args) => report::run(&work, args),
        Command::Run(args) => run::run(&work, &args),
        Command::Analyse(args) => analyse::run(&work, args),
        Command::Atlas(args) => atlas::run(&work, args),
        Command::Find(args) => find::run(&work, args),
        Command::Explain(args) => explain::run(&work, *args),
        Command::Sae(args) => sae::run(&work, args),
        Command::Superposition(args) => superposition::run(&work, &args),
        Command::Classify(args) => classify::run(&work, &args),
        Command::Vis(args) => vis::run(&work, &args),
        Command::Attribute(args) => attribute::run(&work, &args),
        Command::Dissect(args) => dissect::run(&work, &args),
        Command::Schema => schema::run(&work),
    };
    if exit.is_ok() && !work.out.json {
        work.out.warnings(&work.ctx.warnings());
    }
    exit
}

#[cfg(feature = "desktop")]
fn window(global: &Global) -> anyhow::Result<Exit> {
    use crate::desktop::WindowOptions;
    use crate::session::backend::BackendOptions;

    let resolver = global.resolver();
    let home = resolver.home.clone();
    let backend = BackendOptions { resolver, home, open: global.open_options(), budget_bytes: None };
    crate::desktop::run(WindowOptions { backend, model: None, text: None })?;
    Ok(Exit::Success)
}

#[cfg(not(feature = "desktop"))]
fn window(_: &Global) -> anyhow::Result<Exit> {
    Err(error::failure("this build of Golgi has no window; name a command, or see `golgi --help`"))
}
