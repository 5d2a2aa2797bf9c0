//! Colours of the terminal, and when there are any.

use clap::ValueEnum;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Nothing special.
    #[default]
    Plain,
    /// A heading.
    Bold,
    /// Less important.
    Dim,
    /// A name that can be typed.
    Name,
    /// All is well; a positive number.
    Good,
    /// It is not.
    Bad,
    /// A negative number.
    Cool,
}

impl Style {
    /// The numbers of the escape sequence. Only the sixteen colours of the user's own theme are used.
    fn code(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Name => "36",
            Style::Good => "32",
            Style::Bad => "1;31",
            Style::Cool => "34",
        }
    }
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// With escape sequences.
    Always,
    /// Plain text.
    Never,
}

impl Paint {
    /// The text, coloured if at all.
    pub fn style(self, text: &str, style: Style) -> String {
        match (self, style.code()) {
            (Paint::Never, _) | (_, "") => text.to_owned(),
            (Paint::Always, code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// The user's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum When {
    /// On terminals, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl When {
    /// What that means for a stream that is a terminal or not.
    pub fn paint(self, terminal: bool) -> Paint {
        let wanted = match self {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        if wanted { Paint::Always } else { Paint::Never }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_where_it_is_wanted() {
        assert_eq!(Paint::Never.style("a", Style::Bad), "a");
        assert_eq!(Paint::Always.style("a", Style::Bold), "\u{1b}[1ma\u{1b}[0m");
        assert_eq!(Paint::Always.style("a", Style::Plain), "a");
        assert_eq!(When::Auto.paint(false), Paint::Never);
        assert_eq!(When::Always.paint(false), Paint::Always);
        assert_eq!(When::Never.paint(true), Paint::Never);
    }
}
