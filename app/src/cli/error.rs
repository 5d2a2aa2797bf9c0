//! How a failure reaches people at a terminal: one sentence, the chain of causes, the next step.

use std::io;

use super::style::{Paint, Style};
use crate::session::notice::Notice;

/// A failure of the command line itself. A next step stands behind a semicolon.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CliError(pub String);

/// Shorthand for a failure with this sentence.
pub fn failure(sentence: impl Into<String>) -> anyhow::Error {
    CliError(sentence.into()).into()
}

/// Whether the reader of our output has gone: nothing to report, nobody to report to.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// The text for standard error.
pub fn render(error: &anyhow::Error, paint: Paint) -> String {
    let Notice { causes, next_step, .. } = Notice::error("", error.as_ref());
    let mut lines = causes.into_iter();
    let first = lines.next().unwrap_or_else(|| "something failed without saying why".to_owned());
    let mut text = format!("{} {}\n", paint.style("error:", Style::Bad), harmless(&first));
    for cause in lines {
        text += &format!("  {} {}\n", paint.style("caused by:", Style::Dim), harmless(&cause));
    }
    if let Some(step) = next_step {
        text += &format!("  {} {}\n", paint.style("help:", Style::Good), harmless(&step));
    }
    text
}

/// Messages quote files and arguments of strangers; nothing in them may steer the terminal.
fn harmless(text: &str) -> String {
    text.lines().map(crate::report::token).collect::<Vec<_>>().join("\n    ")
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_chain_reads_from_the_outside_in() {
        let error = Err::<(), _>(failure("the disk is full; free some space")).context("the report was not written");
        let text = render(&error.unwrap_err(), Paint::Never);
        assert_eq!(text, "error: the report was not written\n  caused by: the disk is full\n  help: Free some space\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = render(&failure("no model `\u{1b}[31m`"), Paint::Never);
        assert_eq!(text, "error: no model `␛[31m`\n");
    }

    #[test]
    fn a_closed_pipe_is_recognised_anywhere_in_the_chain() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert!(is_broken_pipe(&error));
        assert!(!is_broken_pipe(&failure("x")));
    }
}
