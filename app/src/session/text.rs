//! Text from model files is untrusted: what cannot be seen is made visible before it is drawn.

/// The text with control, format and private-use characters shown as what they are: a line break as `↵`, a tab as `→`, a
/// right-to-left override as `‹U+202E›`. Spaces stay.
///
/// ```
/// assert_eq!(golgi::session::text::visible("a\nb\u{202e}"), "a↵b‹U+202E›");
/// ```
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('↵'),
            '\t' => out.push('→'),
            c if is_hidden(c) => out.push_str(&format!("‹U+{:04X}›", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// A token's text for lists and chips: as [`visible`], with leading and trailing spaces shown as `·` and an empty text as `∅`.
pub fn token_label(text: &str) -> String {
    if text.is_empty() {
        return "∅".to_owned();
    }
    let body = text.trim_matches(' ');
    let before = text.len() - text.trim_start_matches(' ').len();
    let after = if body.is_empty() { 0 } else { text.len() - text.trim_end_matches(' ').len() };
    format!("{}{}{}", "·".repeat(before), visible(body), "·".repeat(after))
}

/// The first `max` characters, with `…` where some are missing.
pub fn shortened(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

fn is_hidden(c: char) -> bool {
    // Joiners shape emoji and Indic text, variation selectors choose a glyph: alone they do no harm.
    let joins = matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
    c.is_control()
        || !joins
            && matches!(c,
                '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}'
                | '\u{f0000}'..='\u{10ffff}')
}

/// A number with thin spaces between groups of three digits: `1 234 567`.
///
/// ```
/// assert_eq!(golgi::session::text::grouped(1234567), "1\u{2009}234\u{2009}567");
/// ```
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

/// A number of parameters for people: `134.5 M`.
pub fn count_text(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1} k", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", number as f64 / 1e6),
        _ => format!("{:.2} B", number as f64 / 1e9),
    }
}

/// A probability as a percentage with few digits: `87.3 %`, `0.04 %`.
pub fn percent(prob: f32) -> String {
    let value = f64::from(prob) * 100.0;
    match value {
        v if !v.is_finite() => "–".to_owned(),
        v if v >= 9.995 => format!("{v:.1} %"),
        v if v >= 0.01 => format!("{v:.2} %"),
        v if v >= 0.000_1 => format!("{v:.4} %"),
        v if v > 0.0 => "<0.0001 %".to_owned(),
        _ => "0 %".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_hidden_and_scripts_stay_whole() {
        assert_eq!(visible("\u{0}\u{feff}"), "‹U+0000›‹U+FEFF›");
        assert_eq!(visible("👩\u{200d}🔬 日本語 क्\u{200d}ष"), "👩\u{200d}🔬 日本語 क्\u{200d}ष");
        assert_eq!(token_label("  a b "), "··a b·");
        assert_eq!(token_label("   "), "···");
        assert_eq!(token_label(""), "∅");
        assert_eq!(shortened("abcdef", 4), "abc…");
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(count_text(134_515_008), "134.5 M");
        assert_eq!(percent(0.873), "87.3 %");
        assert_eq!(percent(0.000_42), "0.04 %");
        assert_eq!(percent(f32::NAN), "–");
    }
}
