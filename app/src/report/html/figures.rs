//! Figures.

use golgi_analysis::report::Figure;

use super::parts::{minus, visible};
use crate::report::markdown::figure_scale;
use crate::report::number::{number, signed_number};
use crate::report::scale::Scale;
use crate::report::scatter::{COLORS, Scatter};
use crate::report::svg::{self, sign_class};
use crate::report::visible::{escape, token};

/// Heatmaps of at most this many columns, and bars of at most twice as many rows, share a row.
const HALF: usize = 20;

pub(super) fn figure(out: &mut String, figure: &Figure) {
    let scale = figure_scale(figure);
    match figure {
        Figure::Tokens { title, tokens, values, .. } => {
            strip(out, title, tokens, |at| values.get(at).copied().flatten(), |_| String::new(), &scale);
        }
        Figure::Bars { title, labels, values, .. } => {
            open(out, title, &scale, labels.len() <= 2 * HALF);
            *out += &bars(labels, values, &scale);
            *out += "</figure>\n";
        }
        Figure::Heatmap { title, rows, columns, values, labels, .. } => {
            open(out, title, &scale, labels.is_empty() && columns.len() <= HALF);
            *out += "<div class=\"scroll\">";
            if labels.is_empty() {
                *out += &svg::heatmap(rows, columns, values, &scale);
            } else {
                grid(out, rows, columns, values, labels, &scale);
            }
            *out += "</div></figure>\n";
        }
        Figure::Scatter { title, x, y, log_x, square, series, levels } => {
            let half =
                if *square || series.iter().all(|one| one.points.len() <= 2 * HALF) { " class=\"half\"" } else { "" };
            *out += &format!("<figure{half}><figcaption><h3>{}</h3>", escape(title));
            if series.len() > 1 {
                for (kind, one) in series.iter().enumerate() {
                    *out += &format!(
                        "<span class=\"legend\"><i class=\"dot c{}\"></i>{}</span>",
                        kind % COLORS,
                        escape(&token(&one.name))
                    );
                }
            }
            *out += "</figcaption>";
            *out += &Scatter::new((x, y), (*log_x, *square), series, levels).svg();
            *out += "</figure>\n";
        }
        Figure::Pictures { title, pictures } => {
            *out += &format!("<figure><figcaption><h3>{}</h3></figcaption><div class=\"pictures\">", escape(title));
            for one in pictures {
                let caption = escape(&token(&one.caption));
                // A report may have been read from a file: only what can be base64 becomes part of an address.
                let data: String =
                    one.jpeg.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')).collect();
                *out += &format!(
                    "<figure class=\"picture\"><img alt=\"{caption}\" width=\"{}\" height=\"{}\" src=\"data:image/jpeg;base64,{data}\">\
                     <figcaption><b>{caption}</b><small>{}</small></figcaption></figure>",
                    one.size[0],
                    one.size[1],
                    escape(&token(&one.detail))
                );
            }
            *out += "</div></figure>\n";
        }
    }
}

/// `half`: another figure may stand beside it.
fn open(out: &mut String, title: &str, scale: &Scale, half: bool) {
    let class = if half { " class=\"half\"" } else { "" };
    *out += &format!("<figure{class}><figcaption><h3>{}</h3>{}</figcaption>", escape(title), legend(scale));
}

fn legend(scale: &Scale) -> String {
    let show = |value: f64| minus(&number(value));
    let (low, class) = if scale.signed { (show(-scale.high), "key signed") } else { (show(scale.low), "key") };
    format!(
        "<span class=\"legend\"><span>{low}</span><i class=\"{class}\"></i><span>{}</span></span>",
        show(scale.high)
    )
}

/// A text whose tokens are coloured by a number each. `more` adds to what hovering shows.
pub(super) fn strip(
    out: &mut String,
    title: &str,
    tokens: &[String],
    value: impl Fn(usize) -> Option<f32>,
    more: impl Fn(usize) -> String,
    scale: &Scale,
) {
    open(out, title, scale, false);
    out.insert_str(
        out.len() - "</figcaption>".len(),
        "<button type=\"button\" class=\"numbers\" aria-pressed=\"false\">Numbers</button>",
    );
    let strengths = (0..tokens.len()).map(|at| value(at).map_or(0.0, |value| scale.strength(value).abs()));
    let peak = strengths.enumerate().fold((None, 0.0), |best, (at, s)| if s > best.1 { (Some(at), s) } else { best }).0;
    *out += "<p class=\"strip\">";
    for (at, text) in tokens.iter().enumerate() {
        let value = value(at).filter(|value| value.is_finite());
        let strength = value.map_or(0.0, |value| scale.strength(value));
        let shown = value.map_or_else(|| "no value".to_owned(), |value| shown(value, scale));
        let more = more(at);
        let class = if peak == Some(at) { " peak" } else { "" };
        *out += &format!(
            "<bdi class=\"t {}{class}\" style=\"--a:{:.3}\" data-n=\"{}\" data-t=\"{at} · {shown}{}\">{}</bdi>",
            sign_class(strength),
            strength.abs(),
            value.map_or_else(String::new, |_| shown.clone()),
            escape(&more),
            escape(&token(text)),
        );
        if text.contains('\n') {
            *out += "<br>";
        }
    }
    *out += "</p></figure>\n";
}

pub(super) fn shown(value: f32, scale: &Scale) -> String {
    minus(&if scale.signed { signed_number(value.into()) } else { number(value.into()) })
}

pub(super) fn bars(labels: &[String], values: &[f32], scale: &Scale) -> String {
    let class = if scale.signed { "bars signed" } else { "bars" };
    let rows = labels.iter().zip(values).map(|(label, value)| {
        let strength = scale.strength(*value);
        format!(
            "<li><span class=\"name\" dir=\"auto\">{}</span><span class=\"track\"><i class=\"{}\" style=\"--a:{:.3}\"></i></span><span class=\"val\">{}</span></li>",
            escape(&token(label)),
            sign_class(strength),
            strength.abs(),
            shown(*value, scale)
        )
    });
    format!("<ol class=\"{class}\">{}</ol>", rows.collect::<String>())
}

fn grid(
    out: &mut String,
    rows: &[String],
    columns: &[String],
    values: &[Option<f32>],
    labels: &[String],
    scale: &Scale,
) {
    *out += "<table class=\"grid\"><thead><tr><td></td>";
    for column in columns {
        *out += &format!("<th scope=\"col\"><bdi>{}</bdi></th>", escape(&visible(column)));
    }
    *out += "</tr></thead><tbody>\n";
    for (row, name) in rows.iter().enumerate() {
        *out += &format!("<tr><th scope=\"row\">{}</th>", escape(&token(name)));
        for (column, head) in columns.iter().enumerate() {
            let at = row * columns.len() + column;
            let value = values.get(at).copied().flatten();
            let strength = value.map_or(0.0, |value| scale.strength(value));
            *out += &format!(
                "<td class=\"{}\" style=\"--a:{:.3}\" data-t=\"{} · {}: {}\"><bdi>{}</bdi></td>",
                sign_class(strength),
                strength.abs(),
                escape(&token(name)),
                escape(&token(head)),
                value.map_or_else(|| "no value".to_owned(), |value| shown(value, scale)),
                escape(&labels.get(at).map(|label| visible(label)).unwrap_or_default()),
            );
        }
        *out += "</tr>\n";
    }
    *out += "</tbody></table>";
}
