//! Reports on units as Markdown. Figures are SVG files in a folder beside it, which is what repositories' pages show.

use golgi_data::atlas::{Explanation, Family, LabelValue, Neighbour, Page, TokenValue};

use super::compact::short_line;
use super::measures::{MEASURES, Measure};
use super::strips::chosen;
use super::{UnitReport, kind_name, provenance, subtitle};
use crate::report::number::{count, number};
use crate::report::visible::{markdown as md, token};

/// Entries of a list.
const MAX_LIST: usize = 10;

/// The file of a unit's histogram and profiles.
pub(super) fn figure_name(page: &Page) -> String {
    format!("{}.svg", file_name(page))
}

/// The file of a unit's examples.
pub(super) fn strips_name(page: &Page) -> String {
    format!("{}-examples.svg", file_name(page))
}

fn file_name(page: &Page) -> String {
    page.short.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' }).collect()
}

/// `folder` is where the figures lie, seen from the file.
pub(super) fn render(report: &UnitReport, folder: &str) -> String {
    let mut out = format!("# {}\n\n{}.\n\n", md(&report.title), md(&token(&subtitle(&report.manifest))));
    if let Some(query) = &report.query {
        out += &format!("Chosen by `{}`.\n\n", token(query).replace('`', "'"));
    }
    for warning in &report.warnings {
        out += &format!("> **Note** {}\n\n", md(&token(warning)));
    }
    if report.pages.len() > 1 {
        overview(&mut out, report);
    }
    for page in &report.pages {
        unit(&mut out, page, folder);
    }
    out += "## Provenance\n\n";
    for (label, value) in provenance(&report.manifest) {
        out += &format!("- {label}: {}\n", md(&token(&value)));
    }
    out
}

fn overview(out: &mut String, report: &UnitReport) {
    let rows = report.pages.iter().map(|page| {
        let families: Vec<String> = page.families.iter().map(|family| md(&token(&family.family))).collect();
        let measure = |name: &str| super::measures::measure(name).map_or_else(String::new, |one| value(page, one));
        vec![
            format!("[{}](#{})", md(&page.short), anchor(page)),
            families.join(", "),
            measure("frac_active"),
            measure("max"),
            tokens_line(&page.top_tokens, 3),
            tokens_line(&page.promoted, 3),
        ]
    });
    let heads = ["unit", "families", "active", "maximum", "highest at", "promotes"];
    grid(out, &heads, &[false, false, true, true, false, false], rows);
}

/// As repositories' pages make it of the heading.
fn anchor(page: &Page) -> String {
    let kept = page.short.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    kept.collect::<String>().to_lowercase()
}

fn unit(out: &mut String, page: &Page, folder: &str) {
    // A folder's name is the user's own; what would end the address is written as bytes.
    let folder: String = folder
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    *out += &format!("## {}\n\n{}, layer {}. `{}`\n\n", md(&page.short), kind_name(page), page.layer, page.unit);
    page.explanations.iter().for_each(|one| *out += &explanation_line(one));
    page.families.iter().for_each(|family| *out += &family_line(family));
    if !page.families.is_empty() || !page.explanations.is_empty() {
        out.push('\n');
    }
    *out +=
        &format!("![Histogram, positions and languages of {}]({folder}/{})\n\n", md(&page.short), figure_name(page));
    if !page.examples.is_empty() {
        *out += &format!("![Where {} is active]({folder}/{})\n\n", md(&page.short), strips_name(page));
        examples(out, page);
    }
    let rows = MEASURES.iter().filter_map(|measure| {
        let statistic = page.statistics.iter().find(|one| one.name == measure.name)?;
        statistic.value?;
        let percentile = statistic.percentile.map_or_else(String::new, |p| format!("{p:.0}"));
        Some(vec![measure.label.to_owned(), value(page, measure), percentile])
    });
    grid(out, &["statistic", "value", "percentile in its layer"], &[false, true, true], rows);
    lists(out, page);
    labels(out, "genre", &page.genres);
    if !page.triggers.is_empty() {
        let rows = page.triggers.iter().take(MAX_LIST).map(|one| {
            vec![md(&short_line(&one.text)), count(one.fired.into()), count(one.occurs.into()), one.error.to_string()]
        });
        grid(
            out,
            &["fires at the end of", "fired", "occurs", "fired at most this much more"],
            &[false, true, true, true],
            rows,
        );
    }
}

fn explanation_line(one: &Explanation) -> String {
    let scores = one.scores.iter().filter_map(|(name, parts)| {
        let part = |name: &str| parts.get(name).copied().flatten();
        let null = part("null").map_or_else(String::new, |null| format!(", others {}", number(null)));
        Some(format!("{} {}{null}", md(&token(name)), number(part("score")?)))
    });
    let scores: Vec<String> = scores.take(MAX_LIST).collect();
    let scores = if scores.is_empty() { String::new() } else { format!(" ({})", scores.join("; ")) };
    format!("- {}: **{}**{scores}\n", md(&token(&one.by)), md(&token(&one.text)))
}

fn family_line(family: &Family) -> String {
    format!(
        "- **{}**, {}: {} (score {}, threshold {})\n",
        md(&token(&family.family)),
        md(&token(&family.kind)),
        md(&token(&family.evidence)),
        number(family.score.into()),
        number(family.threshold.into())
    )
}

/// The same examples as in the figure, as text that can be searched and copied.
fn examples(out: &mut String, page: &Page) {
    *out += "<details><summary>As text</summary>\n\n";
    for example in chosen(page) {
        let part = |range: std::ops::Range<usize>| -> String {
            let texts = example.tokens.get(range).unwrap_or_default();
            texts.iter().map(|text| md(&super::compact::short(text))).collect()
        };
        let labels = [example.language.as_deref(), Some(example.document.as_str())];
        let labels: Vec<String> = labels.into_iter().flatten().map(|one| md(&super::compact::short(one))).collect();
        *out += &format!(
            "- {}: <bdi>{}</bdi><ins><bdi>{}</bdi></ins><bdi>{}</bdi> ({})\n",
            number(example.value.into()),
            part(0..example.peak),
            part(example.peak..example.peak + 1),
            part(example.peak + 1..example.tokens.len()),
            labels.join(", ")
        );
    }
    *out += "\n</details>\n\n";
}

fn lists(out: &mut String, page: &Page) {
    let lines: Vec<(&str, String)> = [
        ("promoted", tokens_line(&page.promoted, MAX_LIST)),
        ("suppressed", tokens_line(&page.suppressed, MAX_LIST)),
        ("highest on average at", tokens_line(&page.top_tokens, MAX_LIST)),
        ("lowest on average at", tokens_line(&page.bottom_tokens, MAX_LIST)),
        ("nearest by output vector", neighbours_line(&page.nearest_by_weights)),
        ("nearest by activation", neighbours_line(&page.nearest_by_correlation)),
    ]
    .into_iter()
    .filter(|(_, line)| !line.is_empty())
    .collect();
    lines.iter().for_each(|(name, line)| *out += &format!("- {name}: {line}\n"));
    if !lines.is_empty() {
        out.push('\n');
    }
}

fn tokens_line(list: &[TokenValue], most: usize) -> String {
    let entries =
        list.iter().take(most).map(|one| format!("{} ({})", md(&short_line(&one.text)), number(one.value.into())));
    entries.collect::<Vec<_>>().join(", ")
}

fn neighbours_line(list: &[Neighbour]) -> String {
    let entries =
        list.iter().take(MAX_LIST).map(|one| format!("{} ({})", md(&one.unit.short()), number(one.value.into())));
    entries.collect::<Vec<_>>().join(", ")
}

fn labels(out: &mut String, what: &str, values: &[LabelValue]) {
    let mut rows: Vec<&LabelValue> = values.iter().filter(|one| one.tokens > 0).collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    let rows = rows.iter().map(|one| {
        vec![md(&short_line(&one.label)), number(one.mean.into()), crate::report::percent(one.rate), count(one.tokens)]
    });
    grid(out, &[what, "mean", "active", "tokens"], &[false, true, true, true], rows);
}

fn value(page: &Page, measure: &Measure) -> String {
    match page.statistic(measure.name) {
        Some(value) if measure.share => crate::report::percent(value as f32),
        Some(value) => number(value),
        None => String::new(),
    }
}

fn grid(out: &mut String, heads: &[&str], right: &[bool], rows: impl Iterator<Item = Vec<String>>) {
    *out += &format!("| {} |\n|", heads.join(" | "));
    right.iter().for_each(|right| *out += if *right { " ---: |" } else { " --- |" });
    out.push('\n');
    rows.for_each(|row| *out += &format!("| {} |\n", row.join(" | ")));
    out.push('\n');
}
