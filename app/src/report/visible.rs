//! Tokens and other foreign text, made visible and harmless.

/// A token for display on one line: a newline shows as `⏎`, a tab as `⇥`, a control character as its picture, and marks that
/// reverse or hide text as their code point. A token of nothing but spaces shows as `·`s; other spaces stay.
///
/// ```
/// # use golgi::report::token;
/// assert_eq!(token(" the"), " the");
/// assert_eq!(token("\n\n"), "⏎⏎");
/// assert_eq!(token("  "), "··");
/// assert_eq!(token("a\u{202e}b\u{a0}"), "a‹U+202E›b‹U+00A0›");
/// ```
pub fn token(text: &str) -> String {
    if !text.is_empty() && text.chars().all(|c| c == ' ') {
        return "·".repeat(text.len());
    }
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut out, c));
    out
}

/// The same for a cell of a table in a terminal, where an edge of spaces could not be seen: leading and trailing spaces show as
/// `·`.
///
/// ```
/// # use golgi::report::one_line;
/// assert_eq!(one_line(" Mary"), "·Mary");
/// ```
pub fn one_line(text: &str) -> String {
    let inner = text.trim_matches(' ');
    if inner.is_empty() {
        return "·".repeat(text.len());
    }
    let before = text.len() - text.trim_start_matches(' ').len();
    let after = text.len() - text.trim_end_matches(' ').len();
    format!("{}{}{}", "·".repeat(before), token(inner), "·".repeat(after))
}

fn push(out: &mut String, c: char) {
    match c {
        '\n' => out.push('⏎'),
        '\t' => out.push('⇥'),
        '\r' => out.push('␍'),
        '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('␀')),
        '\u{7f}' => out.push('␡'),
        // Spaces other than the ordinary one cannot be told from it.
        c if is_hidden(c) || c != ' ' && c.is_whitespace() => out.push_str(&format!("‹U+{:04X}›", c as u32)),
        c => out.push(c),
    }
}

/// Marks that hide themselves or turn the text around them; the joiners that scripts and emoji need are not among them.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Text for HTML, in elements and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c => push(&mut out, c),
        }
    }
    out
}

/// Text for Markdown, in paragraphs and in cells of tables.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '$' => out.extend(['\\', c]),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => push(&mut out, c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_is_text() {
        assert_eq!(escape(r#"<script>"a" & 'b'"#), "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;");
        assert_eq!(markdown("a|b_<i>"), "a\\|b\\_&lt;i&gt;");
        assert_eq!(escape("\u{1b}[31m"), "␛[31m");
    }

    #[test]
    fn scripts_and_emoji_stay_whole() {
        for text in ["שלום", "日本", "👩‍👩‍👧", "naïve", "क्‍ष"] {
            assert_eq!(token(text), text);
        }
    }

    proptest! {
        #[test]
        fn nothing_escapes(text in any::<String>()) {
            let html = escape(&text);
            prop_assert!(!html.contains(['<', '>', '"', '\'']));
            prop_assert!(!html.contains(|c: char| c.is_control() && c != '\n'));
            prop_assert!(!one_line(&text).contains(char::is_control));
            prop_assert!(!markdown(&text).contains(char::is_control));
        }
    }
}
