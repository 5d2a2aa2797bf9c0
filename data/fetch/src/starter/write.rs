//! The files of the corpus. They are plain enough to be written without a JSON library, which this crate does without.

use std::fmt::Write;

use super::Summary;
use super::assemble::Made;

/// One document a line: `{"id": …, "language": …, "genre": …, "text": …}`.
pub(super) fn documents(made: &[Made]) -> String {
    let mut out = String::new();
    for part in made {
        for document in &part.documents {
            let (id, text) = (quote(&document.id), quote(&document.text));
            let (language, genre) = (quote(part.part.language), quote(part.part.genre));
            // Writing to a string cannot fail.
            let _ = writeln!(out, r#"{{"id":{id},"language":{language},"genre":{genre},"text":{text}}}"#);
        }
    }
    out
}

/// Where each part comes from, with the digest of the whole.
pub(super) fn sources(made: &[Made], summary: &Summary) -> String {
    let parts: Vec<String> = made
        .iter()
        .map(|made| {
            let part = made.part;
            let bytes: usize = made.documents.iter().map(|document| document.text.len()).sum();
            format!(
                "    {{\"package\": {}, \"version\": {}, \"language\": {}, \"genre\": {}, \"licence\": {}, \"documents\": {}, \
                 \"bytes\": {bytes}}}",
                quote(part.package),
                quote(&made.version),
                quote(part.language),
                quote(part.genre),
                quote(part.licence),
                made.documents.len(),
            )
        })
        .collect();
    format!(
        "{{\n  \"schema\": \"golgi.starter/1\",\n  \"sha256\": \"{}\",\n  \"documents\": \"{}\",\n  \"bytes\": \"{}\",\n  \
         \"about\": \"Assembled from the Debian packages below by Golgi's set-up, mark-up taken off; their copyright files are in \
         licences/.\",\n  \"parts\": [\n{}\n  ]\n}}\n",
        summary.sha256,
        summary.documents,
        summary.bytes,
        parts.join(",\n")
    )
}

/// A value of the head of what [`sources`] wrote.
pub(super) fn recorded<'a>(sources: &'a str, name: &str) -> Option<&'a str> {
    let line = sources.lines().find_map(|line| line.trim().strip_prefix(&format!("\"{name}\": \"")))?;
    line.split('"').next()
}

/// A JSON string.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || c == '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_for_json() {
        assert_eq!(quote("a\"b\\c\nd\u{1}e\u{85}ß"), "\"a\\\"b\\\\c\\nd\\u0001e\\u0085ß\"");
    }

    #[test]
    fn the_head_is_read_back() {
        let summary = Summary { documents: 3, bytes: 4, sha256: "ab".to_owned() };
        let text = sources(&[], &summary);
        assert_eq!(recorded(&text, "sha256"), Some("ab"));
        assert_eq!(recorded(&text, "documents"), Some("3"));
        assert_eq!(recorded(&text, "absent"), None);
    }
}
