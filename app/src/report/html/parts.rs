//! Facts, tables and notes.

use golgi_analysis::report::{Fact, Report, Table};
use serde_json::Value;

use super::figures;
use crate::report::number::number;
use crate::report::text::{cell, is_numeric};
use crate::report::visible::{escape, one_line};

/// Tables with more rows than this get a search field.
const SEARCH_FROM: usize = 8;

pub(super) fn report(out: &mut String, report: &Report, index: usize, headed: bool) {
    *out += &format!("<section class=\"report\" id=\"s{index}\">\n");
    if headed {
        *out += &format!("<h2 class=\"big\">{}</h2>\n", escape(&report.title));
    }
    *out += &facts(&report.summary, "facts", "");
    *out += &facts(&report.controls, "facts controls", "<h3>Compared with</h3>");
    *out += &warnings(&report.warnings);
    if !report.figures.is_empty() {
        *out += "<div class=\"figures\">\n";
        report.figures.iter().for_each(|figure| figures::figure(out, figure));
        *out += "</div>\n";
    }
    for one in &report.tables {
        table(out, one);
    }
    *out += "</section>\n";
}

fn facts(facts: &[Fact], class: &str, heading: &str) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let cards = facts.iter().map(|fact| {
        let formula = match fact.formula.as_str() {
            "" => String::new(),
            formula => format!("<small>{}</small>", escape(formula)),
        };
        let raw = fact.value.as_f64().map(|value| format!(" data-t=\"{value}\"")).unwrap_or_default();
        format!(
            "<div><dt>{}</dt><dd{raw}>{}</dd>{formula}</div>",
            escape(&fact.label),
            escape(&visible(&pretty(&fact.value)))
        )
    });
    format!("{heading}<dl class=\"{class}\">{}</dl>\n", cards.collect::<String>())
}

/// A text of its own, edges of spaces shown; nothing for nothing.
pub(super) fn visible(text: &str) -> String {
    if text.is_empty() { String::new() } else { one_line(text) }
}

/// A value as on paper: with a real minus sign.
pub(super) fn pretty(value: &Value) -> String {
    let text = cell(value);
    if value.is_number() { minus(&text) } else { text }
}

pub(super) fn minus(text: &str) -> String {
    text.replace('-', "−")
}

pub(super) fn table(out: &mut String, table: &Table) {
    let numeric: Vec<bool> = (0..table.columns.len()).map(|column| is_numeric(&table.rows, column)).collect();
    let search = if table.rows.len() > SEARCH_FROM {
        r#"<input type="search" placeholder="Filter rows" aria-label="Filter rows">"#
    } else {
        ""
    };
    *out += &format!(
        "<section class=\"table\"><div class=\"head\"><h3>{}</h3><span class=\"count\">{} rows</span>{search}<button type=\"button\" class=\"csv\">Copy CSV</button></div><div class=\"scroll\"><table class=\"sortable\"><thead><tr>",
        escape(&table.name),
        table.rows.len(),
    );
    for (column, right) in table.columns.iter().zip(&numeric) {
        let class = if *right { " class=\"num\"" } else { "" };
        *out += &format!("<th{class} scope=\"col\"><button type=\"button\">{}</button></th>", escape(column));
    }
    *out += "</tr></thead><tbody>\n";
    for row in &table.rows {
        *out += "<tr>";
        for (value, right) in row.iter().zip(&numeric) {
            match (right, value.as_f64()) {
                (true, Some(raw)) => {
                    *out += &format!("<td class=\"num\" data-v=\"{raw}\">{}</td>", minus(&number(raw)))
                }
                (true, None) => *out += "<td class=\"num\"></td>",
                (false, _) => *out += &format!("<td dir=\"auto\">{}</td>", escape(&visible(&cell(value)))),
            }
        }
        *out += "</tr>\n";
    }
    *out += "</tbody></table></div></section>\n";
}

pub(super) fn warnings(warnings: &[String]) -> String {
    warnings.iter().map(|warning| format!("<p class=\"note\">{}</p>\n", escape(warning))).collect()
}
