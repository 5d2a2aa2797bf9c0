//! Manual pages to plain text: what a reader would see, without page layout.

/// The text of a page in the `man` macros; `None` for one that only points to another page, or uses other macros.
pub(super) fn plain(source: &str) -> Option<String> {
    let mut page = Page::default();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_end();
        match line.strip_prefix(['.', '\'']).map(str::trim_start) {
            None => page.text(&escapes(line)),
            Some(request) => {
                let (name, rest) = request.split_at(request.find([' ', '\t']).unwrap_or(request.len()));
                match name {
                    "so" | "Dd" => return None,
                    "de" | "de1" | "am" | "ig" => skip_to(&mut lines, |line| line.trim_end() == ".."),
                    "TS" => skip_to(&mut lines, |line| line.starts_with(".TE")),
                    "EQ" => skip_to(&mut lines, |line| line.starts_with(".EN")),
                    "if" | "ie" | "el" => skip_group(rest, &mut lines),
                    _ => page.request(name, &arguments(rest)),
                }
            }
        }
    }
    page.end_paragraph();
    Some(page.out.trim().to_owned())
}

fn skip_to<'a>(lines: &mut impl Iterator<Item = &'a str>, is_end: impl Fn(&str) -> bool) {
    lines.find(|line| is_end(line));
}

/// Layout for one kind of output or another: nothing a reader needs.
fn skip_group<'a>(rest: &str, lines: &mut impl Iterator<Item = &'a str>) {
    let depth = |line: &str| line.matches(r"\{").count() as i64 - line.matches(r"\}").count() as i64;
    let mut open = depth(rest);
    while open > 0 {
        let Some(line) = lines.next() else { return };
        open += depth(line);
    }
}

#[derive(Default)]
struct Page {
    out: String,
    paragraph: String,
    verbatim: bool,
    /// The next text is a tag, which has a line of its own.
    tag: bool,
}

impl Page {
    fn text(&mut self, text: &str) {
        if self.verbatim {
            self.out.push_str(text.trim_end());
            self.out.push('\n');
        } else if text.trim().is_empty() {
            self.end_paragraph();
        } else {
            // What was lined up with spaces is running text now.
            join(&mut self.paragraph, &text.split_whitespace().collect::<Vec<_>>().join(" "));
            if std::mem::take(&mut self.tag) {
                self.line();
            }
        }
    }

    /// Ends the line, not the paragraph.
    fn line(&mut self) {
        if !self.paragraph.is_empty() {
            self.out.push_str(&self.paragraph);
            self.out.push('\n');
            self.paragraph.clear();
        }
    }

    fn end_paragraph(&mut self) {
        self.line();
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn request(&mut self, name: &str, arguments: &[String]) {
        match name {
            "SH" | "SS" => {
                self.end_paragraph();
                self.verbatim = false;
                match arguments {
                    [] => self.tag = true,
                    words => {
                        self.out.push_str(&words.join(" "));
                        self.out.push('\n');
                    }
                }
            }
            "PP" | "P" | "LP" | "HP" | "sp" => self.end_paragraph(),
            "TP" | "TQ" => {
                self.end_paragraph();
                self.tag = true;
            }
            "IP" => {
                self.end_paragraph();
                // Often a mere bullet.
                if let Some(mark) = arguments.first().filter(|mark| mark.chars().any(char::is_alphanumeric)) {
                    self.paragraph.push_str(mark);
                    self.line();
                }
            }
            "br" => self.line(),
            "nf" | "EX" => {
                self.end_paragraph();
                self.verbatim = true;
            }
            "fi" | "EE" => {
                self.verbatim = false;
                self.end_paragraph();
            }
            "B" | "I" | "SM" | "SB" => self.text(&arguments.join(" ")),
            "BR" | "RB" | "IR" | "RI" | "BI" | "IB" => self.text(&arguments.concat()),
            // What follows a link, such as a full stop.
            "UE" | "ME" => self.paragraph.extend(arguments.iter().map(String::as_str)),
            _ => {}
        }
    }
}

/// Lines are joined with a space, except in scripts that have none.
fn join(paragraph: &mut String, text: &str) {
    let wide = |c: Option<char>| c.is_some_and(|c| ('\u{2e80}'..='\u{9fff}').contains(&c) || c >= '\u{f900}');
    let together = wide(paragraph.chars().last()) && wide(text.chars().next());
    if !(paragraph.is_empty() || together) {
        paragraph.push(' ');
    }
    paragraph.push_str(text);
}

/// The arguments of a request: words, or text in quotes where `""` is a quote.
fn arguments(rest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() && !rest.starts_with("\\\"") {
        let mut word = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let end = rest.find('"').unwrap_or(rest.len());
                word.push_str(&rest[..end]);
                rest = rest.get(end + 1..).unwrap_or_default();
                match rest.strip_prefix('"') {
                    Some(more) => {
                        word.push('"');
                        rest = more;
                    }
                    None => break,
                }
            }
        } else {
            let mut before = ' ';
            let end = rest.find(|c: char| {
                let ends = matches!(c, ' ' | '\t') && before != '\\';
                before = c;
                ends
            });
            let end = end.unwrap_or(rest.len());
            word.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        found.push(escapes(&word));
        rest = rest.trim_start();
    }
    found
}

/// Text without escape sequences.
fn escapes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(kind) = chars.next() else { break };
        match kind {
            '"' | '#' => break,
            '-' => out.push('-'),
            'e' | '\\' => out.push('\\'),
            ' ' | '~' | '0' => out.push(' '),
            't' => out.push('\t'),
            '\'' => out.push('\''),
            '`' => out.push('`'),
            '.' => out.push('.'),
            '&' | '|' | '^' | ',' | '/' | ':' | '%' | ')' | 'c' | 'u' | 'd' | 'p' | 'r' | '!' | '{' | '}' | 'a'
            | 'z' => {}
            '(' => out.push_str(special(&take(&mut chars, 2))),
            '[' => out.push_str(special(&until(&mut chars, ']'))),
            'f' | 'n' | 'm' | 'M' | 'g' | 'F' | 'k' => {
                name(&mut chars);
            }
            '*' => out.push_str(special(&name(&mut chars))),
            's' => size(&mut chars),
            'h' | 'v' | 'w' | 'l' | 'L' | 'b' | 'o' | 'D' | 'N' | 'x' | 'X' | 'Z' | 'S' | 'H' | 'A' | 'B' | 'C'
            | 'R' => {
                if let Some(quote) = chars.next() {
                    until(&mut chars, quote);
                }
            }
            other => out.push(other),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn take(chars: &mut Chars<'_>, n: usize) -> String {
    chars.by_ref().take(n).collect()
}

fn until(chars: &mut Chars<'_>, end: char) -> String {
    chars.by_ref().take_while(|c| *c != end).collect()
}

/// The name of a font, register or string: one character, `(` and two, or anything in brackets.
fn name(chars: &mut Chars<'_>) -> String {
    match chars.next() {
        Some('(') => take(chars, 2),
        Some('[') => until(chars, ']'),
        Some(c) => c.to_string(),
        None => String::new(),
    }
}

/// A change of the type size.
fn size(chars: &mut Chars<'_>) {
    if chars.next_if(|c| matches!(c, '+' | '-')).is_some() || chars.peek().is_some_and(char::is_ascii_digit) {
        chars.next_if(char::is_ascii_digit);
    } else {
        name(chars);
    }
}

/// Characters by name; others are left out.
fn special(name: &str) -> &'static str {
    match name {
        "lq" => "“",
        "rq" => "”",
        "oq" => "‘",
        "cq" => "’",
        "aq" => "'",
        "dq" => "\"",
        "Bq" | "bq" => "„",
        "Fo" => "«",
        "Fc" => "»",
        "em" => "—",
        "en" => "–",
        "hy" | "mi" => "-",
        "bu" => "•",
        "co" => "©",
        "rg" => "®",
        "tm" => "™",
        "de" => "°",
        "mu" => "×",
        "+-" => "±",
        "->" => "→",
        "<-" => "←",
        "<=" => "≤",
        ">=" => "≥",
        "!=" => "≠",
        "ha" => "^",
        "ti" => "~",
        "rs" => "\\",
        "at" => "@",
        "sh" => "#",
        "Do" => "$",
        "ga" => "`",
        "aa" => "´",
        "lB" => "[",
        "rB" => "]",
        "ba" | "or" => "|",
        "ss" => "ß",
        ":a" => "ä",
        ":o" => "ö",
        ":u" => "ü",
        ":A" => "Ä",
        ":O" => "Ö",
        ":U" => "Ü",
        "'e" => "é",
        "`e" => "è",
        "^e" => "ê",
        "'a" => "á",
        "`a" => "à",
        "'o" => "ó",
        "'i" => "í",
        "'u" => "ú",
        "~n" => "ñ",
        ",c" => "ç",
        "R" => "®",
        "Tm" => "™",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#".\" A comment
.TH LS 1 "2022" "coreutils"
.SH BEZEICHNUNG
ls \- Verzeichnisinhalte auflisten
.SH "ZWEI WÖRTER"
\fBls\fP [\fI\,OPTION\/\fP]…
.PP
Auflistung
von Dateien, siehe
.BR cut (1)
und \(lqmehr\(rq.
.de XX
never
..
.if n never
.ie t \{\
never
.\}
.TP
\fB\-a\fR, \fB\-\-all\fR
alles
.nf
int  x;
  y\en
.fi
.TS
never
.TE
.IP \(bu 2
Ende\s-1 klein\s0.\" und Schluss
"#;

    #[test]
    fn a_page_reads_as_on_paper() {
        let expected = "BEZEICHNUNG\nls - Verzeichnisinhalte auflisten\n\nZWEI WÖRTER\nls [OPTION]…\n\nAuflistung von Dateien, \
                        siehe cut(1) und “mehr”.\n\n-a, --all\nalles\n\nint  x;\n  y\\n\n\nEnde klein.";
        assert_eq!(plain(PAGE).unwrap(), expected);
    }

    #[test]
    fn pages_that_are_none() {
        assert_eq!(plain(".so man1/ls.1"), None);
        assert_eq!(plain(".Dd May 1\n.Nm x"), None);
    }

    #[test]
    fn scripts_without_spaces_stay_without() {
        assert_eq!(plain("選択した\n部分だけ\nLIST を").unwrap(), "選択した部分だけ LIST を");
    }

    #[test]
    fn arguments_are_split_as_roff_does() {
        assert_eq!(arguments(r#" "a ""b""" c\ d \-e"#), ["a \"b\"", "c d", "-e"]);
        assert_eq!(arguments(r#" "open"#), ["open"]);
    }

    #[test]
    fn broken_escapes_do_no_harm() {
        for line in ["\\", "\\f", "\\f(", "\\[", "\\h'", "\\*", "\\s", "\\s+", "\\(a"] {
            assert_eq!(escapes(line), "", "{line}");
        }
    }
}
