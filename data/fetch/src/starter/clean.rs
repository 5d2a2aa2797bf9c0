//! From each format to plain text, and from long texts to documents.

use super::roff;

/// Documents are about this long, in bytes: several contexts of most models, so that little is lost at the ends.
const PIECE: usize = 6000;
/// Shorter ones are not worth a document, in bytes.
const LEAST: usize = 400;

/// A text as documents, cut between paragraphs (blocks with an empty line between). What is left over at the end joins
/// the document before it.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let full = pieces.last().is_some_and(|last| last.len() >= PIECE);
        if full {
            pieces.push(String::new());
        }
        if let Some(last) = pieces.last_mut() {
            if !last.is_empty() {
                last.push_str("\n\n");
            }
            last.push_str(paragraph.trim_matches('\n'));
        }
    }
    if pieces.len() > 1 && pieces.last().is_some_and(|last| last.len() < PIECE / 2) {
        let rest = pieces.pop().unwrap_or_default();
        if let Some(last) = pieces.last_mut() {
            last.push_str("\n\n");
            last.push_str(&rest);
        }
    }
    pieces.retain(|piece| piece.len() >= LEAST);
    pieces
}

/// A manual page, or nothing where it is not in the language it should be in.
pub(super) fn manual(text: &str, language: &str) -> String {
    let text = roff::plain(text).unwrap_or_default();
    if is_in(&text, language) { text } else { String::new() }
}

/// Whether enough of the letters are of the language's script, or enough of the words are its own. Pages that were never
/// translated lie among the others.
fn is_in(text: &str, language: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let share = |of: fn(char) -> bool| text.chars().filter(|c| of(*c)).count() as f64 / letters.max(1) as f64;
    let words: &[&str] = match language {
        "ru" => return share(|c| ('\u{400}'..='\u{4ff}').contains(&c)) > 0.5,
        "zh" => return share(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) > 0.3,
        "ja" => return share(|c| ('\u{3040}'..='\u{30ff}').contains(&c)) > 0.2,
        "de" => &["der", "die", "das", "und", "ist", "nicht", "wird", "eine", "mit"],
        "fr" => &["le", "la", "les", "des", "est", "une", "pour", "dans", "et"],
        "es" => &["el", "la", "los", "las", "que", "una", "para", "con", "es"],
        "it" => &["il", "la", "che", "di", "una", "per", "con", "del", "è"],
        "pl" => &["jest", "nie", "się", "do", "na", "w", "z", "że", "lub"],
        "pt" => &["o", "os", "que", "uma", "para", "com", "não", "do", "da"],
        "tr" => &["ve", "bir", "bu", "için", "ile", "olarak", "veya", "değer", "dosya"],
        _ => &["the", "of", "is", "and", "to", "a", "in", "are", "be"],
    };
    let all = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let (mut count, mut own) = (0usize, 0usize);
    for word in all {
        count += 1;
        own += usize::from(words.contains(&word.to_lowercase().as_str()));
    }
    // Running text of each of these languages has 10 % and more of such words.
    own * 25 > count
}

/// The Bible as its program prints it: verses without numbers, one paragraph a chapter.
pub(super) fn bible(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let verse = line.trim_start();
        let number = verse.find(' ').filter(|at| *at > 0 && verse[..*at].bytes().all(|b| b.is_ascii_digit()));
        match number {
            Some(at) if line.starts_with(' ') => {
                out.push_str(verse[at..].trim());
                out.push('\n');
            }
            _ if verse.is_empty() => out.push('\n'),
            // A chapter's heading is followed by an empty line, which would part it from its chapter.
            _ => {
                out.push('\n');
                out.push_str(verse);
            }
        }
    }
    out
}

/// Entries of a dictionary: no editorial marks, no pronunciation, lines of a paragraph joined.
pub(super) fn dictionary(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let (indent, line) = (line.len() - line.trim_start().len(), line.trim());
        // Such as `[1913 Webster]` or `[PJC]`, at the end of a line or alone.
        let line = match line.rfind('[') {
            Some(at) if line.ends_with(']') && is_mark(&line[at + 1..line.len() - 1]) => line[..at].trim_end(),
            _ => line,
        };
        let line = without_pronunciation(&line.replace(['{', '}'], ""));
        if line.is_empty() {
            if !out.ends_with("\n\n") {
                out.push_str("\n\n");
            }
        } else if indent == 0 {
            // A new entry.
            let end = out.trim_end().len();
            out.truncate(end);
            out.push_str("\n\n");
            out.push_str(&line);
            out.push('\n');
        } else {
            if !out.ends_with('\n') {
                out.push(' ');
            }
            out.push_str(&line);
        }
    }
    out
}

fn is_mark(text: &str) -> bool {
    ["Webster", "PJC", "WordNet", "Century", "GG", "Wordnet"].iter().any(|name| text.contains(name))
}

/// `Accrete \Ac*crete"\ (a^kkr[=e]t")` becomes `Accrete`.
fn without_pronunciation(line: &str) -> String {
    let mut line = line.to_owned();
    while let Some(begin) = line.find('\\') {
        let Some(end) = line[begin + 1..].find('\\') else { break };
        line.replace_range(begin..begin + end + 2, "");
        let rest = line[begin..].trim_start();
        let skipped = line.len() - rest.len();
        if rest.starts_with('(')
            && let Some(close) = rest.find(')')
            && rest[..close].contains(['*', '"', '[', '`'])
        {
            line.replace_range(begin..skipped + close + 1, "");
        }
    }
    line.replace(" ,", ",").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sayings, one paragraph each, without colours.
pub(super) fn sayings(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // `ESC [ 32 m`
                let _ = chars.by_ref().find(char::is_ascii_alphabetic);
            }
            '\u{8}' | '\r' => {}
            c => plain.push(c),
        }
    }
    let mut out = String::new();
    for saying in plain.split("\n%") {
        let lines = saying.lines().map(str::trim_end).filter(|line| !line.trim().is_empty() && *line != "%");
        let lines: Vec<&str> = lines.collect();
        if !lines.is_empty() {
            out.push_str(&lines.join("\n"));
            out.push_str("\n\n");
        }
    }
    out
}

/// A program as it is, with line ends of one kind.
pub(super) fn code(text: &str) -> String {
    text.replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_end_between_paragraphs() {
        let text = (0..40).map(|i| format!("{i} {}\n\n\n", "x".repeat(500))).collect::<String>();
        let pieces = pieces(&text);
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| piece.ends_with('x') && piece.len() >= 6000));
        assert!(pieces[1].starts_with("12 x"));
        assert!(super::pieces("too short").is_empty());
    }

    #[test]
    fn verses_lose_their_numbers() {
        let text = "\nGenesis 1\n\n  1 In the beginning\n  2 And the earth\n\nGenesis 2\n\n  1 Thus\n";
        assert_eq!(bible(text), "\n\nGenesis 1\nIn the beginning\nAnd the earth\n\n\nGenesis 2\nThus\n");
    }

    #[test]
    fn entries_read_as_prose() {
        let text = "Accrete \\Ac*crete\"\\ ([a^]k*kr[=e]t\"), v. i. [From\n   L. accretus. See {Accrue}.]\n   1. To grow together.\n      \
                    [1913 Webster]\n\nNext \\Next\\, a. [PJC]\n   Near.\n";
        let expected = "Accrete, v. i. [From\nL. accretus. See Accrue.] 1. To grow together.\n\nNext, a.\nNear.";
        assert_eq!(dictionary(text).trim(), expected);
    }

    #[test]
    fn sayings_become_paragraphs() {
        assert_eq!(sayings("\u{1b}[32mTitle\u{1b}[m\nA line\n%\n\nMore  \n%\n"), "Title\nA line\n\nMore\n\n");
    }

    #[test]
    fn pages_that_were_not_translated_are_left_out() {
        let page = |text: &str| format!(".SH A\n{text}");
        let german = "Die Datei wird gelesen und das Ergebnis ist nicht leer, mit der Option.";
        assert!(!manual(&page(german), "de").is_empty());
        assert!(manual(&page("The file is read and the result is not empty."), "de").is_empty());
        assert!(!manual(&page("ファイルを開く"), "ja").is_empty());
        assert!(manual(&page("open the file"), "ja").is_empty());
    }
}
