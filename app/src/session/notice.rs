//! Notices: how everything that goes wrong, or is worth knowing, reaches people.
//!
//! Every error becomes a [`Notice`] here and nowhere else: one plain sentence, the chain of causes, the next step.

use std::error::Error;

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something is odd, the work went on.
    Warning,
    /// The work did not succeed.
    Error,
}

impl Severity {
    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "Note",
            Severity::Warning => "Warning",
            Severity::Error => "Error",
        }
    }
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// How grave.
    pub severity: Severity,
    /// What happened, in one sentence.
    pub sentence: String,
    /// Causes, the nearest first.
    pub causes: Vec<String>,
    /// What to do now.
    pub next_step: Option<String>,
}

impl Notice {
    /// Something good to know.
    pub fn info(sentence: impl Into<String>) -> Notice {
        Notice { severity: Severity::Info, sentence: sentence.into(), causes: Vec::new(), next_step: None }
    }

    /// An oddity.
    pub fn warning(sentence: impl Into<String>) -> Notice {
        Notice { severity: Severity::Warning, ..Notice::info(sentence) }
    }

    /// A failure without an underlying error.
    pub fn failure(sentence: impl Into<String>) -> Notice {
        Notice { severity: Severity::Error, ..Notice::info(sentence) }
    }

    /// A failure: what was being done, and the error with all its causes. Many of our messages end with the next step
    /// behind a semicolon; it is set apart.
    pub fn error(doing: &str, error: &(dyn Error + 'static)) -> Notice {
        let mut causes = Vec::new();
        let mut at = Some(error);
        while let Some(error) = at {
            let text = error.to_string();
            // Wrappers often repeat what they wrap.
            if causes.last().is_none_or(|last: &String| !last.ends_with(&text)) {
                causes.push(text);
            }
            at = error.source();
        }
        let next_step = causes.last_mut().and_then(|last| {
            let (cause, step) = last.rsplit_once("; ").map(|(cause, step)| (cause.to_owned(), step.to_owned()))?;
            *last = cause;
            Some(capitalised(&step))
        });
        Notice { causes, next_step, ..Notice::failure(doing) }
    }

    /// The same with a next step.
    #[must_use]
    pub fn with_next_step(mut self, step: impl Into<String>) -> Notice {
        self.next_step = Some(step.into());
        self
    }

    /// Everything as text, to be copied.
    pub fn details(&self) -> String {
        let mut text = format!("{}: {}", self.severity.name(), self.sentence);
        for cause in &self.causes {
            text.push_str("\n  caused by: ");
            text.push_str(cause);
        }
        if let Some(step) = &self.next_step {
            text.push_str("\n  next step: ");
            text.push_str(step);
        }
        text
    }
}

/// The text with its first letter in upper case.
fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the text has 9 tokens, the context holds 8; shorten it")]
    struct Inner;

    #[derive(Debug, thiserror::Error)]
    #[error("could not run the prompt")]
    struct Outer(#[source] Inner);

    #[test]
    fn errors_become_sentence_causes_and_next_step() {
        let notice = Notice::error("The prompt did not run.", &Outer(Inner));
        assert_eq!(notice.severity, Severity::Error);
        assert_eq!(notice.causes, ["could not run the prompt", "the text has 9 tokens, the context holds 8"]);
        assert_eq!(notice.next_step.as_deref(), Some("Shorten it"));
        assert!(notice.details().contains("caused by: could not run the prompt"));
    }
}
