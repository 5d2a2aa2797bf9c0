//! Standard output: text for people, or one JSON document for programs.

use std::io::{self, IsTerminal, Write};

use serde_json::{Map, Value};

use super::style::{Paint, Style, When};
use super::table::Table;

/// Where a command writes its result.
#[derive(Debug)]
pub struct Output {
    /// One JSON document and nothing else.
    pub json: bool,
    /// No remarks on standard error.
    pub quiet: bool,
    /// Colours of standard output.
    pub paint: Paint,
    /// Columns of the terminal; `None` in a pipe, where nothing is cut.
    pub width: Option<usize>,
}

impl Output {
    /// Finds out what standard output and standard error are.
    pub fn new(json: bool, quiet: bool, color: When) -> Output {
        let terminal = io::stdout().is_terminal();
        let width = if terminal { terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)) } else { None };
        Output { json, quiet, paint: color.paint(terminal), width }
    }

    /// Writes text as it is.
    ///
    /// # Errors
    /// If standard output cannot be written to.
    pub fn text(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes a line.
    ///
    /// # Errors
    /// If standard output cannot be written to.
    pub fn line(&self, text: &str) -> io::Result<()> {
        self.text(&format!("{text}\n"))
    }

    /// Writes a heading, set off from what stands above it.
    ///
    /// # Errors
    /// If standard output cannot be written to.
    pub fn heading(&self, text: &str) -> io::Result<()> {
        self.text(&format!("\n{}\n", self.paint.style(text, Style::Bold)))
    }

    /// Writes a table.
    ///
    /// # Errors
    /// If standard output cannot be written to.
    pub fn table(&self, table: &Table) -> io::Result<()> {
        self.text(&table.render(self.paint, self.width))
    }

    /// Writes the JSON document of `command`: its schema first, then the fields.
    ///
    /// # Errors
    /// If standard output cannot be written to.
    pub fn document(&self, command: &str, fields: Value) -> io::Result<()> {
        let mut document = Map::new();
        document.insert("schema".to_owned(), Value::String(format!("golgi.{command}/1")));
        if let Value::Object(fields) = fields {
            document.extend(fields.into_iter().filter(|(name, _)| name != "schema"));
        }
        self.line(&format!("{:#}", Value::Object(document)))
    }

    /// A remark on standard error, unless the user wants quiet.
    pub fn remark(&self, text: &str) {
        if !self.quiet {
            // Nothing can be done about a standard error that is closed.
            let _ = writeln!(io::stderr(), "{}", crate::report::token(text));
        }
    }

    /// Warnings on standard error.
    pub fn warnings(&self, warnings: &[String]) {
        for warning in warnings {
            self.remark(&format!("warning: {warning}"));
        }
    }
}
