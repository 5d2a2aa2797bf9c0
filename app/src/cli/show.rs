//! Results as text for a terminal.

use golgi_analysis::report::{Fact, Figure, Report, Table as Grid};
use unicode_width::UnicodeWidthStr;

use super::output::Output;
use super::style::Style;
use super::table::{Cell, Table, truncate};
use crate::report::{Scale, Scatter, bar, cell_text, is_numeric, number, one_line, signed_number, sparkline};

/// Rows of a table that are printed; `--json` and `--out` have all of them.
const MAX_ROWS: usize = 60;
/// Width of a line where there is no terminal that has one.
const PIPE_WIDTH: usize = 120;
const BAR_WIDTH: usize = 24;

/// A whole result.
///
/// # Errors
/// If standard output cannot be written to.
pub fn report(out: &Output, report: &Report) -> std::io::Result<()> {
    out.line(&out.paint.style(&one_line(&report.title), Style::Bold))?;
    facts(out, &report.summary)?;
    if !report.controls.is_empty() {
        out.heading("Compared with")?;
        facts(out, &report.controls)?;
    }
    for one in &report.tables {
        out.heading(&one_line(&one.name))?;
        grid(out, one)?;
    }
    for one in &report.figures {
        figure(out, one)?;
    }
    out.warnings(&report.warnings);
    Ok(())
}

/// Labelled values, one a line.
///
/// # Errors
/// If standard output cannot be written to.
pub fn facts(out: &Output, facts: &[Fact]) -> std::io::Result<()> {
    let mut table = Table::new().left("").left("").flexible("");
    for fact in facts {
        let formula = Cell::new(one_line(&fact.formula), Style::Dim);
        table.row([Cell::new(one_line(&fact.label), Style::Dim), one_line(&cell_text(&fact.value)).into(), formula]);
    }
    out.table(&table)
}

fn grid(out: &Output, grid: &Grid) -> std::io::Result<()> {
    let numeric: Vec<bool> = (0..grid.columns.len()).map(|column| is_numeric(&grid.rows, column)).collect();
    let mut table = Table::new();
    for (head, right) in grid.columns.iter().zip(&numeric) {
        let head = one_line(head);
        table = if *right { table.right(&head) } else { table.flexible(&head) };
    }
    for row in grid.rows.iter().take(MAX_ROWS) {
        table.row(row.iter().map(|value| match value.as_str() {
            Some("") | None => Cell::from(cell_text(value)),
            Some(text) => one_line(text).into(),
        }));
    }
    out.table(&table)?;
    if grid.rows.len() > MAX_ROWS {
        let text = format!("  … and {} more rows; --json prints all of them", grid.rows.len() - MAX_ROWS);
        out.line(&out.paint.style(&text, Style::Dim))?;
    }
    Ok(())
}

fn figure(out: &Output, figure: &Figure) -> std::io::Result<()> {
    match figure {
        Figure::Tokens { title, tokens, values, signed } => {
            out.heading(&one_line(title))?;
            let scale = Scale::new(values.iter().flatten().copied(), *signed);
            out.table(&bars(tokens.iter().zip(values.iter().copied()), &scale))
        }
        Figure::Bars { title, labels, values, signed } => {
            out.heading(&one_line(title))?;
            let scale = Scale::new(values.iter().copied().chain([0.0]), *signed);
            out.table(&bars(labels.iter().zip(values.iter().map(|value| Some(*value))), &scale))
        }
        Figure::Heatmap { title, rows, columns, values, labels, signed } => {
            out.heading(&one_line(title))?;
            let scale = Scale::new(values.iter().flatten().copied(), *signed);
            if labels.is_empty() {
                let n = columns.len().max(1);
                let mut table = Table::new().right("").left("");
                for (name, row) in rows.iter().zip(values.chunks(n)) {
                    table.row([Cell::new(one_line(name), Style::Dim), sparkline(row.iter().copied(), &scale).into()]);
                }
                return out.table(&table);
            }
            let style =
                |at: usize| strength_style(values.get(at).copied().flatten().map_or(0.0, |v| scale.strength(v)));
            let cell =
                |at: usize| Cell::new(labels.get(at).map(|label| one_line(label)).unwrap_or_default(), style(at));
            matrix(out, rows, columns, &cell)
        }
        Figure::Scatter { title, x, y, log_x, square, series, levels } => {
            out.heading(&one_line(title))?;
            let height = if *square { 28 } else { 18 };
            out.text(&format!(
                "{}\n",
                Scatter::new((x, y), (*log_x, *square), series, levels).text(60, height).join("\n")
            ))
        }
        // A terminal shows none; the tables beside them say what they show.
        Figure::Pictures { .. } => Ok(()),
    }
}

fn bars<'a>(rows: impl Iterator<Item = (&'a String, Option<f32>)>, scale: &Scale) -> Table {
    let mut table = Table::new().flexible("").right("").left("");
    for (name, value) in rows {
        let style = if value.is_some_and(|value| value < 0.0) { Style::Cool } else { Style::Good };
        let shown = value.map_or_else(String::new, |value| value_text(value, scale.signed));
        let bar = Cell::new(value.map_or_else(String::new, |value| bar(scale.strength(value), BAR_WIDTH)), style);
        table.row([one_line(name).into(), shown.into(), bar]);
    }
    table
}

/// A number, with its sign where that means something.
pub fn value_text(value: f32, signed: bool) -> String {
    if signed { signed_number(value.into()) } else { number(value.into()) }
}

/// Weak values step back, strong ones stand out.
pub fn strength_style(strength: f32) -> Style {
    match strength {
        s if s >= 0.5 => Style::Good,
        s if s <= -0.5 => Style::Cool,
        s if s.abs() < 0.1 => Style::Dim,
        _ => Style::Plain,
    }
}

/// The widest that a cell of a matrix is shown.
const MAX_CELL: usize = 14;

/// A matrix of short texts, broken into blocks of columns that fit the terminal. `cell` takes an index `row × columns + column`.
///
/// # Errors
/// If standard output cannot be written to.
pub fn matrix(out: &Output, rows: &[String], columns: &[String], cell: &dyn Fn(usize) -> Cell) -> std::io::Result<()> {
    let n = columns.len();
    let heads: Vec<String> = columns.iter().map(|head| truncate(&one_line(head), MAX_CELL)).collect();
    let cells: Vec<Cell> = (0..rows.len() * n).map(|at| cell(at).truncated(MAX_CELL)).collect();
    let width = |column: usize| {
        let inside = (0..rows.len()).map(|row| cells[row * n + column].width());
        inside.chain([heads[column].width()]).max().unwrap_or(0) + 2
    };
    let names = rows.iter().map(|name| name.width()).max().unwrap_or(0) + 2;
    let available = out.width.unwrap_or(PIPE_WIDTH).max(names + MAX_CELL + 2);
    let mut start = 0;
    while start < n {
        let mut end = start;
        let mut taken = names;
        while end < n && (end == start || taken + width(end) <= available) {
            taken += width(end);
            end += 1;
        }
        let mut table = Table::new().right("");
        for head in &heads[start..end] {
            table = table.left(head);
        }
        for (row, name) in rows.iter().enumerate() {
            let cells = (start..end).map(|column| cells[row * n + column].clone());
            table.row(std::iter::once(Cell::new(name, Style::Dim)).chain(cells));
        }
        if start > 0 {
            out.line("")?;
        }
        out.table(&table)?;
        start = end;
    }
    Ok(())
}
