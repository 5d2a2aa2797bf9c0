//! Lists of pairs by relation, as files: `relation`, `a` and `b` in columns that are divided by tabs, one pair a line.
//!
//! ```
//! use golgi_analysis::geometry::PairList;
//!
//! let list = PairList::parse("capital\tFrance\tParis\ncapital\tSpain\tMadrid\n# a remark\nplural\tcat\tcats\nplural\tdog\tdogs\n")?;
//! assert_eq!((list.pairs.len(), list.relations.len()), (4, 2));
//! # Ok::<(), golgi_analysis::geometry::PairError>(())
//! ```

/// The pairs that come with Golgi: eight relations between English words.
const OWN: &str = include_str!("pairs.tsv");
/// The most pairs of a list.
const MAX_PAIRS: usize = 2000;
/// The longest member, in bytes.
const MAX_MEMBER: usize = 200;

/// Why a list of pairs cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// A line of another form.
    #[error("line {line} has {found} columns, where there are relation, a and b, divided by tabs")]
    Columns {
        /// The line, from 1.
        line: usize,
        /// Its columns.
        found: usize,
    },
    /// Nothing, or too much, in a column.
    #[error("a column of line {0} is empty or longer than {MAX_MEMBER} bytes")]
    Member(usize),
    /// Too few or too many pairs.
    #[error(
        "there are {pairs} pairs in {relations} relations; at least two relations with two pairs each are needed, and at most {MAX_PAIRS} pairs"
    )]
    Number {
        /// Pairs.
        pairs: usize,
        /// Relations.
        relations: usize,
    },
    /// A relation with one pair.
    #[error("the relation `{0}` has one pair; give it another, or leave it out")]
    Alone(String),
    /// Latents and words in one list.
    #[error("the list has latents (such as #12) and words; make one list of each")]
    Mixed,
}

/// One of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A latent of the dictionary, `#12`.
    Latent(u32),
    /// A text, which the model reads.
    Text(String),
}

impl Member {
    fn parse(text: &str) -> Member {
        match text.strip_prefix('#').and_then(|number| number.parse().ok()) {
            Some(latent) => Member::Latent(latent),
            None => Member::Text(text.to_owned()),
        }
    }

    /// As in the list.
    pub fn text(&self) -> String {
        match self {
            Member::Latent(latent) => format!("#{latent}"),
            Member::Text(text) => text.clone(),
        }
    }
}

/// Pairs by relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairList {
    /// Names of the relations.
    pub relations: Vec<String>,
    /// The relation of each pair, and its members.
    pub pairs: Vec<(usize, Member, Member)>,
}

impl PairList {
    /// The list that comes with Golgi.
    pub fn own() -> PairList {
        PairList::parse(OWN).expect("a test reads it")
    }

    /// Reads a list. Empty lines and lines that begin with `# ` are left out.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn parse(text: &str) -> Result<PairList, PairError> {
        let mut list = PairList { relations: Vec::new(), pairs: Vec::new() };
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with("# ") {
                continue;
            }
            let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
            let [relation, a, b] = columns[..] else {
                return Err(PairError::Columns { line: at + 1, found: columns.len() });
            };
            if columns.iter().any(|column| column.is_empty() || column.len() > MAX_MEMBER) {
                return Err(PairError::Member(at + 1));
            }
            let known = list.relations.iter().position(|known| known == relation);
            let relation = known.unwrap_or_else(|| {
                list.relations.push(relation.to_owned());
                list.relations.len() - 1
            });
            if list.pairs.len() < MAX_PAIRS {
                list.pairs.push((relation, Member::parse(a), Member::parse(b)));
            } else {
                return Err(PairError::Number { pairs: MAX_PAIRS + 1, relations: list.relations.len() });
            }
        }
        if list.relations.len() < 2 {
            return Err(PairError::Number { pairs: list.pairs.len(), relations: list.relations.len() });
        }
        for (number, relation) in list.relations.iter().enumerate() {
            if list.pairs.iter().filter(|pair| pair.0 == number).count() < 2 {
                return Err(PairError::Alone(relation.clone()));
            }
        }
        let latents =
            list.pairs.iter().flat_map(|(_, a, b)| [a, b]).filter(|one| matches!(one, Member::Latent(_))).count();
        if latents > 0 && latents < 2 * list.pairs.len() {
            return Err(PairError::Mixed);
        }
        Ok(list)
    }

    /// Whether the members are latents.
    pub fn of_latents(&self) -> bool {
        matches!(self.pairs.first(), Some((_, Member::Latent(_), _)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_own_list_is_whole() {
        let list = PairList::own();
        assert_eq!(list.relations.len(), 8);
        for relation in 0..8 {
            assert_eq!(list.pairs.iter().filter(|pair| pair.0 == relation).count(), 10, "{}", list.relations[relation]);
        }
        assert!(!list.of_latents());
    }

    #[test]
    fn latents_are_numbers_and_other_lists_are_named() {
        let list = PairList::parse("a\t#1\t#2\na\t#3\t#4\nb\t#1\t#3\nb\t#2\t#4\n").unwrap();
        assert!(list.of_latents());
        assert_eq!(list.pairs[1].2, Member::Latent(4));
        assert_eq!(PairList::parse("a\tb\n"), Err(PairError::Columns { line: 1, found: 2 }));
        assert_eq!(PairList::parse("\n\na\t\tb\n"), Err(PairError::Member(3)));
        assert_eq!(PairList::parse("a\tb\tc\na\td\te\n"), Err(PairError::Number { pairs: 2, relations: 1 }));
        assert_eq!(PairList::parse("a\tb\tc\na\td\te\nb\td\te\n"), Err(PairError::Alone("b".into())));
        assert_eq!(PairList::parse("a\t#1\tc\na\td\te\nb\td\te\nb\tf\tg"), Err(PairError::Mixed));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "([ab]\t#?[0-9a-z]{0,3}\t[a-z]{0,2}\n?){0,12}") {
            let _ = PairList::parse(&text);
        }
    }
}
