//! Explanations that a machine can read: a rule that says at which tokens a unit fires, and how strongly.

use serde::{Deserialize, Serialize};

use super::passage::Passage;

/// A condition on a token of a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Atom {
    /// It is this token.
    Token {
        /// Its text.
        token: String,
    },
    /// It ends this n-gram.
    Ngram {
        /// Texts of the tokens, this one last.
        tokens: Vec<String>,
    },
    /// It stands right behind this token.
    After {
        /// Text of the token before.
        token: String,
    },
    /// It stands at one of these positions of its context, counted from 0.
    Position {
        /// From,
        from: u32,
        /// to, inclusive.
        to: u32,
    },
    /// It belongs to a text in this language.
    Language {
        /// As the corpus labels it.
        label: String,
    },
    /// It belongs to a text of this genre.
    Genre {
        /// As the corpus labels it.
        label: String,
    },
    /// This word stands among the tokens before it.
    Near {
        /// In lower case, without spaces.
        word: String,
        /// How many tokens back.
        within: u32,
    },
}

impl Atom {
    /// Whether it holds at token `at` of `passage`. What stands before the passage is not known.
    pub fn holds(&self, passage: &Passage, at: usize) -> bool {
        match self {
            Atom::Token { token } => passage.pieces[at] == *token,
            Atom::Ngram { tokens } => {
                at + 1 >= tokens.len() && passage.pieces[at + 1 - tokens.len()..=at] == tokens[..]
            }
            Atom::After { token } => at > 0 && passage.pieces[at - 1] == *token,
            Atom::Position { from, to } => {
                let position = passage.start + at;
                (*from as usize..=*to as usize).contains(&position)
            }
            Atom::Language { label } => passage.language.as_ref() == Some(label),
            Atom::Genre { label } => passage.genre.as_ref() == Some(label),
            Atom::Near { word, within } => {
                passage.pieces[at.saturating_sub(*within as usize)..at].iter().any(|piece| word_of(piece) == *word)
            }
        }
    }

    /// Whether it speaks of the text as a whole, not of single tokens.
    pub fn is_of_text(&self) -> bool {
        matches!(self, Atom::Language { .. } | Atom::Genre { .. } | Atom::Near { .. })
    }
}

/// A token as a word: lower case, without spaces around it.
pub(super) fn word_of(piece: &str) -> String {
    piece.trim().to_lowercase()
}

/// A condition under which the unit fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clause {
    /// The condition.
    #[serde(flatten)]
    pub atom: Atom,
    /// The mean activation where it holds, in what the rule was made from.
    pub strength: f32,
    /// At how many of these tokens the unit fires.
    pub fired: u32,
    /// At how many tokens it holds.
    pub occurs: u32,
}

/// A rule: the unit fires where any of the clauses holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rule {
    /// The conditions.
    pub clauses: Vec<Clause>,
    /// The mean activation where none of them holds.
    pub base: f32,
    /// Whether all activations here have the opposite sign.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub negative: bool,
}

impl Rule {
    /// Whether the unit is predicted to fire at token `at`.
    pub fn fires(&self, passage: &Passage, at: usize) -> bool {
        self.clauses.iter().any(|clause| clause.atom.holds(passage, at))
    }

    /// The predicted activation at token `at`: the largest strength of the clauses that hold there, else the base.
    pub fn strength(&self, passage: &Passage, at: usize) -> f32 {
        let holding = self.clauses.iter().filter(|clause| clause.atom.holds(passage, at));
        holding.map(|clause| clause.strength).reduce(f32::max).unwrap_or(self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage() -> Passage {
        Passage {
            context: 0,
            start: 4,
            pieces: ["The", " old", " River", " was", " old"].map(String::from).to_vec(),
            values: vec![0.0; 5],
            language: Some("en".into()),
            genre: None,
            rival: false,
        }
    }

    fn places(atom: Atom) -> Vec<usize> {
        (0..5).filter(|at| atom.holds(&passage(), *at)).collect()
    }

    #[test]
    fn conditions_hold_where_they_say() {
        assert_eq!(places(Atom::Token { token: " old".into() }), [1, 4]);
        assert_eq!(places(Atom::After { token: " old".into() }), [2]);
        let tokens = ["The", " old"].map(String::from).to_vec();
        assert_eq!(places(Atom::Ngram { tokens }), [1]);
        assert_eq!(places(Atom::Position { from: 5, to: 6 }), [1, 2]);
        assert_eq!(places(Atom::Language { label: "en".into() }).len(), 5);
        assert_eq!(places(Atom::Genre { label: "en".into() }), [0usize; 0]);
        assert_eq!(places(Atom::Near { word: "river".into(), within: 1 }), [3]);
    }

    #[test]
    fn the_strongest_clause_counts_and_rules_are_read_back() {
        let clause = |atom, strength| Clause { atom, strength, fired: 1, occurs: 2 };
        let rule = Rule {
            clauses: vec![
                clause(Atom::Language { label: "en".into() }, 1.0),
                clause(Atom::Token { token: " old".into() }, 3.0),
            ],
            base: -0.5,
            negative: false,
        };
        assert_eq!((rule.strength(&passage(), 0), rule.strength(&passage(), 1)), (1.0, 3.0));
        assert_eq!(Rule { clauses: Vec::new(), base: -0.5, negative: false }.strength(&passage(), 0), -0.5);
        let text = serde_json::to_string(&rule).unwrap();
        assert!(text.contains(r#"{"kind":"token","token":" old","strength":3.0,"fired":1,"occurs":2}"#), "{text}");
        assert_eq!(serde_json::from_str::<Rule>(&text).unwrap(), rule);
    }
}
