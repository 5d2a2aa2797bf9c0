//! Tables for terminals: aligned by the width that characters take on screen, shortened to fit.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::{Paint, Style};

/// One cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    text: String,
    style: Style,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: text.into(), style: Style::Plain }
    }
}

impl Cell {
    /// A cell in a style.
    pub fn new(text: impl Into<String>, style: Style) -> Cell {
        Cell { text: text.into(), style }
    }

    /// How many columns of the screen it takes.
    pub fn width(&self) -> usize {
        self.text.width()
    }

    /// The same, cut to `width` columns.
    #[must_use]
    pub fn truncated(self, width: usize) -> Cell {
        Cell { text: truncate(&self.text, width), style: self.style }
    }
}

#[derive(Debug, Clone)]
struct Column {
    head: String,
    right: bool,
    /// May lose its end when the terminal is narrow.
    flexible: bool,
}

/// A table under construction.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// The narrowest that a column is made.
const MIN_WIDTH: usize = 8;
const GAP: usize = 2;

impl Table {
    /// An empty table.
    pub fn new() -> Table {
        Table::default()
    }

    fn column(mut self, head: &str, right: bool, flexible: bool) -> Table {
        self.columns.push(Column { head: head.to_owned(), right, flexible });
        self
    }

    /// Adds a column of texts.
    #[must_use]
    pub fn left(self, head: &str) -> Table {
        self.column(head, false, false)
    }

    /// Adds a column of numbers.
    #[must_use]
    pub fn right(self, head: &str) -> Table {
        self.column(head, true, false)
    }

    /// Adds a column of texts that may be cut to fit the terminal.
    #[must_use]
    pub fn flexible(self, head: &str) -> Table {
        self.column(head, false, true)
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as lines, indented by two. `width` is that of the terminal; `None` cuts nothing.
    pub fn render(&self, paint: Paint, width: Option<usize>) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| column.head.width()).collect();
        for row in &self.rows {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(cell.text.width());
            }
        }
        if let Some(width) = width {
            self.fit(&mut widths, width);
        }
        let mut out = String::new();
        if self.columns.iter().any(|column| !column.head.is_empty()) {
            let heads: Vec<Cell> = self.columns.iter().map(|column| Cell::new(&column.head, Style::Dim)).collect();
            self.line(&mut out, &heads, &widths, paint);
        }
        self.rows.iter().for_each(|row| self.line(&mut out, row, &widths, paint));
        out
    }

    fn fit(&self, widths: &mut [usize], available: usize) {
        let taken = |widths: &[usize]| GAP + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        while taken(widths) > available {
            let flexible = (0..widths.len()).filter(|at| self.columns[*at].flexible && widths[*at] > MIN_WIDTH);
            let Some(widest) = flexible.max_by_key(|at| widths[*at]) else { return };
            widths[widest] -= 1;
        }
    }

    fn line(&self, out: &mut String, row: &[Cell], widths: &[usize], paint: Paint) {
        let mut line = " ".repeat(GAP);
        let last = row.len().saturating_sub(1);
        for (at, ((cell, column), width)) in row.iter().zip(&self.columns).zip(widths).enumerate() {
            let text = truncate(&cell.text, *width);
            let space = " ".repeat(width - text.width());
            let text = paint.style(&text, cell.style);
            match (column.right, at == last) {
                (true, _) => line += &format!("{space}{text}"),
                (false, true) => line += &text,
                (false, false) => line += &format!("{text}{space}"),
            }
            if at != last {
                line += &" ".repeat(GAP);
            }
        }
        *out += line.trim_end_matches(' ');
        out.push('\n');
    }
}

/// At most `width` columns of the text, with `…` where something is missing.
pub fn truncate(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut taken = 0;
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        if taken + next + 1 > width {
            break;
        }
        taken += next;
        out.push(c);
    }
    // A sequence that draws wider together than character by character.
    while out.width() + 1 > width && out.pop().is_some() {}
    if width > 0 {
        out.push('…');
    }
    out
}

/// The text in lines of at most `width` columns, broken between words; a longer word has a line of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_align_by_width_on_screen() {
        let mut table = Table::new().left("token").right("p");
        table.row(["東京".into(), "1".into()]);
        table.row(["a".into(), "0.25".into()]);
        assert_eq!(table.render(Paint::Never, None), "  token     p\n  東京      1\n  a      0.25\n");
    }

    #[test]
    fn flexible_columns_give_way() {
        let mut table = Table::new().left("").flexible("");
        table.row(["name".into(), "a long description of something".into()]);
        assert_eq!(table.render(Paint::Never, Some(20)), "  name  a long desc…\n");
        assert_eq!(table.render(Paint::Never, Some(1)).trim_end(), "  name  a long …");
    }

    #[test]
    fn colours_do_not_disturb_the_layout() {
        let mut table = Table::new().left("").right("");
        table.row([Cell::new("a", Style::Bold), "1".into()]);
        assert_eq!(table.render(Paint::Always, None), "  \u{1b}[1ma\u{1b}[0m  1\n");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two  three extraordinarily", 8), ["one two", "three", "extraordinarily"]);
        assert!(wrap("", 8).is_empty());
    }

    proptest! {
        #[test]
        fn truncation_never_exceeds_the_width(text in any::<String>(), width in 0usize..30) {
            prop_assert!(truncate(&text, width).width() <= width);
        }
    }
}
