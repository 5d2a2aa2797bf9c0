//! Rules in words.

use golgi_data::atlas::{LabelValue, Page};

use super::passage::Evidence;
use super::prompts::{clean, steers};
use super::rule::{Atom, Rule};

/// Tokens that are listed.
const MOST_TOKENS: usize = 6;
/// Promoted tokens that are listed.
const MOST_PROMOTED: usize = 4;
/// A language or genre is mentioned if the unit is active this many times as often in it as over all,
const TIMES: f32 = 3.0;
/// and in it at this share of tokens at least.
const RATE: f32 = 0.01;

/// Names of languages that corpora label by two letters.
const LANGUAGES: [(&str, &str); 31] = [
    ("ar", "Arabic"),
    ("bg", "Bulgarian"),
    ("cs", "Czech"),
    ("da", "Danish"),
    ("de", "German"),
    ("el", "Greek"),
    ("en", "English"),
    ("es", "Spanish"),
    ("fa", "Persian"),
    ("fi", "Finnish"),
    ("fr", "French"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("hu", "Hungarian"),
    ("id", "Indonesian"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("ko", "Korean"),
    ("la", "Latin"),
    ("nl", "Dutch"),
    ("no", "Norwegian"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("ro", "Romanian"),
    ("ru", "Russian"),
    ("sv", "Swedish"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
    ("vi", "Vietnamese"),
    ("zh", "Chinese"),
    ("code", "program code"),
];

/// A label as people say it.
fn language(label: &str) -> String {
    LANGUAGES.iter().find(|(code, _)| *code == label).map_or_else(|| clean(label), |(_, name)| (*name).to_owned())
}

/// A token in quotation marks, its spaces kept, what does not print made visible.
fn quoted(token: &str) -> String {
    let shown: String = token
        .chars()
        .take(40)
        .map(|c| match c {
            '\n' => '⏎',
            '\t' => '⇥',
            c if steers(c) => '␦',
            c => c,
        })
        .collect();
    format!("“{shown}”")
}

fn listed(items: &[String], and: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

/// The rule as a sentence, with what the profiles add to it and the tokens that the unit promotes.
pub(super) fn sentence(page: &Page, evidence: &Evidence, rule: &Rule) -> String {
    let mut out = match (evidence.fires(), rule.clauses.is_empty()) {
        (false, _) => "Never fires in the texts of the atlas".to_owned(),
        (true, true) => "Fires without a pattern that stands up to a test".to_owned(),
        (true, false) => format!("Fires {}{}", if rule.negative { "below 0 " } else { "" }, conditions(rule)),
    };
    let by_text = rule.clauses.iter().any(|one| matches!(one.atom, Atom::Language { .. } | Atom::Genre { .. }));
    if evidence.fires() && !by_text {
        out += &match (mostly(&page.languages), mostly(&page.genres)) {
            (None, None) => String::new(),
            (Some(label), Some(genre)) if label != genre => format!(", mostly in {} ({genre})", language(&label)),
            (Some(label), _) => format!(", mostly in {}", language(&label)),
            (None, Some(genre)) => format!(", mostly in texts of the genre “{genre}”"),
        };
    }
    out.push('.');
    // What lowers a logit when positive raises it when negative.
    let promoted = if rule.negative { &page.suppressed } else { &page.promoted };
    let promoted: Vec<String> = promoted.iter().take(MOST_PROMOTED).map(|one| quoted(&one.text)).collect();
    if !promoted.is_empty() {
        out += &format!(" Raises the odds of {}.", listed(&promoted, "and"));
    }
    out
}

fn conditions(rule: &Rule) -> String {
    let pick = |of: &dyn Fn(&Atom) -> Option<String>| -> Vec<String> {
        rule.clauses.iter().filter_map(|clause| of(&clause.atom)).take(MOST_TOKENS).collect()
    };
    let tokens = pick(&|atom| if let Atom::Token { token } = atom { Some(quoted(token)) } else { None });
    let ends = pick(&|atom| if let Atom::Ngram { tokens } = atom { Some(quoted(&tokens.concat())) } else { None });
    let after = pick(&|atom| if let Atom::After { token } = atom { Some(quoted(token)) } else { None });
    let languages = pick(&|atom| if let Atom::Language { label } = atom { Some(language(label)) } else { None });
    let genres = pick(&|atom| if let Atom::Genre { label } = atom { Some(quoted(label)) } else { None });
    let positions = pick(&|atom| match atom {
        Atom::Position { from: 0, to } => Some(format!("the first {} tokens", to + 1)),
        Atom::Position { from, to } => Some(format!("tokens {} to {}", from + 1, to + 1)),
        _ => None,
    });
    let near = pick(&|atom| if let Atom::Near { word, .. } = atom { Some(quoted(word)) } else { None });
    let some = |list: &[String], words: &str| (!list.is_empty()).then(|| format!("{words} {}", listed(list, "or")));
    let text = |list: &[String], words: &str| (!list.is_empty()).then(|| format!("in {} {words}", listed(list, "or")));
    let parts: Vec<String> = [
        some(&tokens, "on"),
        some(&ends, "at the end of"),
        some(&after, "right behind"),
        text(&languages, "text").map(|words| words.replace("program code text", "program code")),
        text(&genres, "texts"),
        some(&positions, "at"),
        some(&near, "soon after the words")
            .map(|words| if near.len() == 1 { words.replace("words", "word") } else { words }),
    ]
    .into_iter()
    .flatten()
    .collect();
    let whole = parts.join(", and ");
    if positions.is_empty() { whole } else { format!("{whole} of a text") }
}

/// The label in which the unit is active far more often than over all, if there is one.
fn mostly(labels: &[LabelValue]) -> Option<String> {
    let tokens: u64 = labels.iter().map(|one| one.tokens).sum();
    let active: f64 = labels.iter().map(|one| f64::from(one.rate) * one.tokens as f64).sum();
    let over_all = (active / tokens.max(1) as f64) as f32;
    let best = labels.iter().filter(|one| one.tokens > 0).max_by(|a, b| a.rate.total_cmp(&b.rate))?;
    (best.rate >= RATE && best.rate >= TIMES * over_all).then(|| clean(&best.label))
}

#[cfg(test)]
mod tests {
    use super::super::rule::Clause;
    use super::*;

    fn words(atoms: impl IntoIterator<Item = Atom>) -> String {
        let clauses = atoms.into_iter().map(|atom| Clause { atom, strength: 1.0, fired: 1, occurs: 1 }).collect();
        conditions(&Rule { clauses, base: 0.0, negative: false })
    }

    #[test]
    fn rules_are_put_into_words() {
        let token = |token: &str| Atom::Token { token: token.into() };
        assert_eq!(words([token(" a"), token("\n"), token("c")]), "on “ a”, “⏎” or “c”");
        assert_eq!(words([Atom::Position { from: 0, to: 9 }]), "at the first 10 tokens of a text");
        let both = [Atom::After { token: " of".into() }, Atom::Language { label: "fr".into() }];
        assert_eq!(words(both), "right behind “ of”, and in French text");
        assert_eq!(words([Atom::Language { label: "code".into() }]), "in program code");
        assert_eq!(words([Atom::Near { word: "king".into(), within: 10 }]), "soon after the word “king”");
    }

    #[test]
    fn only_what_stands_out_is_called_mostly() {
        let label = |label: &str, tokens, rate| LabelValue { label: label.into(), tokens, mean: 0.0, rate };
        assert_eq!(mostly(&[label("en", 1000, 0.01), label("fr", 100, 0.2)]), Some("fr".into()));
        assert_eq!(mostly(&[label("en", 1000, 0.1), label("fr", 100, 0.2)]), None);
        assert_eq!(mostly(&[label("en", 1000, 0.0), label("fr", 100, 0.001)]), None);
        assert_eq!(mostly(&[]), None);
    }
}
