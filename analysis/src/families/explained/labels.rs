//! The properties that may explain a neuron, and which tokens have them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand::Rng;
use rand::seq::SliceRandom;

use super::super::input::Context;
use super::sums::NONE;

/// Kinds of properties; a token has at most one of each.
pub(crate) const KINDS: usize = 6;
const NAMES: [&str; KINDS] = ["unigram", "previous token", "alphabet", "position", "language", "genre"];
/// The kinds that belong to a document as a whole.
const OF_DOCUMENTS: usize = 4;
/// A property that fewer tokens have on either side is not tried.
const FEWEST: u32 = 8;

/// A property of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    /// Its kind, such as `unigram`.
    pub kind: &'static str,
    /// Which, such as `` ` the` ``.
    pub name: String,
}

/// Documents to choose on, and documents to report on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The best property is chosen here.
    Select = 0,
    /// Its VR is measured here.
    Report = 1,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Token(u32),
    Before(u32),
    Letter(char),
    Position(u32),
    Language(String),
    Genre(String),
}

/// The properties, and those of every token, real and exchanged.
#[derive(Debug)]
pub(crate) struct Labels {
    classes: Vec<Class>,
    sides: Vec<Option<Side>>,
    real: Vec<Vec<[u32; KINDS]>>,
    shuffled: Vec<Vec<[u32; KINDS]>>,
}

/// The first letter of a token, small; `None` if it starts with something else.
fn letter(piece: &str) -> Option<char> {
    let first = piece.trim_start().chars().next().filter(|c| c.is_alphabetic())?;
    first.to_lowercase().next()
}

/// Which side each context is on: the tune split chooses and the confirm split reports where both are there, and otherwise every other
/// document.
fn sides(contexts: &[Context]) -> Vec<Option<Side>> {
    let has = |name: &str| contexts.iter().filter(|context| context.split == name).count() >= 4;
    if has("tune") && has("confirm") {
        let side = |context: &Context| match context.split.as_str() {
            "tune" => Some(Side::Select),
            "confirm" => Some(Side::Report),
            _ => None,
        };
        return contexts.iter().map(side).collect();
    }
    // Alternately within a language and genre, so that both sides have them all.
    let documents: BTreeSet<_> = contexts.iter().map(|c| (&c.language, &c.genre, c.document)).collect();
    let mut seen: HashMap<(&Option<String>, &Option<String>), usize> = HashMap::new();
    let mut side: HashMap<u32, Side> = HashMap::new();
    for (language, genre, document) in documents {
        let count = seen.entry((language, genre)).or_default();
        side.insert(document, if count.is_multiple_of(2) { Side::Select } else { Side::Report });
        *count += 1;
    }
    contexts.iter().map(|context| side.get(&context.document).copied()).collect()
}

impl Labels {
    /// The properties of the tokens of `contexts` from position `first` on, at most `most` of them: letters, positions, languages and
    /// genres first, then the most frequent tokens and previous tokens.
    pub fn new(
        contexts: &[Context],
        first: usize,
        most: usize,
        piece: impl Fn(u32) -> String,
        rng: &mut impl Rng,
    ) -> Labels {
        let sides = sides(contexts);
        let keys: Vec<Vec<[Option<Key>; KINDS]>> =
            contexts.iter().map(|context| keys(context, first, &piece)).collect();
        let mut counts: BTreeMap<&Key, [u32; 2]> = BTreeMap::new();
        for (context, side) in keys.iter().zip(&sides) {
            let Some(side) = side else { continue };
            for key in context.iter().flatten().flatten() {
                counts.entry(key).or_default()[*side as usize] += 1;
            }
        }
        let mut known: Vec<(&Key, u32)> = counts
            .iter()
            .filter(|(_, [select, report])| (*select).min(*report) >= FEWEST)
            .map(|(key, [select, report])| (*key, select + report))
            .collect();
        let many = |key: &Key| matches!(key, Key::Token(_) | Key::Before(_));
        known.sort_by(|a, b| many(a.0).cmp(&many(b.0)).then(b.1.cmp(&a.1)).then(a.0.cmp(b.0)));
        known.truncate(most);
        let index: HashMap<&Key, u32> = known.iter().zip(0..).map(|((key, _), at)| (*key, at)).collect();
        let classes = known.iter().map(|(key, _)| class(key, &piece)).collect();
        let number = |key: &Option<Key>| key.as_ref().and_then(|key| index.get(key)).copied().unwrap_or(NONE);
        let real: Vec<Vec<[u32; KINDS]>> =
            keys.iter().map(|context| context.iter().map(|row| row.each_ref().map(number)).collect()).collect();
        let shuffled = exchange(contexts, &sides, &real, rng);
        Labels { classes, sides, real, shuffled }
    }

    /// The properties.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The side of a context.
    pub fn side(&self, context: usize) -> Option<Side> {
        self.sides.get(context).copied().flatten()
    }

    /// The classes of every token of some contexts, real or exchanged.
    pub fn rows(&self, contexts: &[usize], shuffled: bool) -> Vec<[u32; KINDS]> {
        let from = if shuffled { &self.shuffled } else { &self.real };
        contexts.iter().flat_map(|at| from[*at].iter().copied()).collect()
    }
}

fn keys(context: &Context, first: usize, piece: &impl Fn(u32) -> String) -> Vec<[Option<Key>; KINDS]> {
    let language = context.language.clone().map(Key::Language);
    let genre = context.genre.clone().map(Key::Genre);
    (first..context.tokens.len())
        .map(|p| {
            let token = context.tokens[p];
            [
                Some(Key::Token(token)),
                // A start token in front of everything says where one is, not what came before.
                (p > first).then(|| Key::Before(context.tokens[p - 1])),
                letter(&piece(token)).map(Key::Letter),
                Some(Key::Position((p.max(1) as u32).ilog2())),
                language.clone(),
                genre.clone(),
            ]
        })
        .collect()
}

fn class(key: &Key, piece: &impl Fn(u32) -> String) -> Class {
    let shown = |token: u32| match piece(token) {
        text if text.is_empty() => format!("token {token}"),
        text => format!("`{text}`"),
    };
    let (kind, name) = match key {
        Key::Token(token) => (0, shown(*token)),
        Key::Before(token) => (1, format!("after {}", shown(*token))),
        Key::Letter(letter) => (2, format!("starts with `{letter}`")),
        Key::Position(0) => (3, "position 1".to_owned()),
        Key::Position(power) => (3, format!("positions {} to {}", 1_u64 << power, (1_u64 << (power + 1)) - 1)),
        Key::Language(name) => (4, name.clone()),
        Key::Genre(name) => (5, name.clone()),
    };
    Class { kind: NAMES[kind], name }
}

/// Labels of tokens exchanged between tokens of the same side, labels of documents between documents of the same side.
fn exchange(
    contexts: &[Context],
    sides: &[Option<Side>],
    real: &[Vec<[u32; KINDS]>],
    rng: &mut impl Rng,
) -> Vec<Vec<[u32; KINDS]>> {
    let mut made = real.to_vec();
    for side in [Side::Select, Side::Report] {
        let here: Vec<usize> = (0..contexts.len()).filter(|at| sides[*at] == Some(side)).collect();
        let mut rows: Vec<[u32; KINDS]> = here.iter().flat_map(|at| real[*at].iter().copied()).collect();
        rows.shuffle(rng);
        let mut rows = rows.into_iter();
        let mut documents: Vec<(u32, [u32; KINDS])> = Vec::new();
        for at in &here {
            if let Some(row) = real[*at].first().filter(|_| documents.iter().all(|(d, _)| *d != contexts[*at].document))
            {
                documents.push((contexts[*at].document, *row));
            }
        }
        let mut theirs: Vec<[u32; KINDS]> = documents.iter().map(|(_, row)| *row).collect();
        theirs.shuffle(rng);
        let theirs: HashMap<u32, [u32; KINDS]> = documents.iter().map(|(d, _)| *d).zip(theirs).collect();
        for at in here {
            let Some(other) = theirs.get(&contexts[at].document) else { continue };
            for row in &mut made[at] {
                let mut new = rows.next().unwrap_or(*row);
                new[OF_DOCUMENTS..].copy_from_slice(&other[OF_DOCUMENTS..]);
                *row = new;
            }
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn contexts() -> Vec<Context> {
        (0..40_u32)
            .map(|at| Context {
                tokens: (0..20).map(|p| (p * 7 + at) % 6).collect(),
                document: at / 2,
                language: Some(["en", "fr"][(at / 2) as usize % 2].to_owned()),
                genre: None,
                split: ["tune", "confirm", "explore", "tune"][(at / 2) as usize % 4].to_owned(),
            })
            .collect()
    }

    #[test]
    fn tune_chooses_and_confirm_reports() {
        let contexts = contexts();
        let labels = Labels::new(&contexts, 1, 100, |token| format!("t{token}"), &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(
            [0, 1, 2, 4, 6].map(|at| labels.side(at)),
            [Some(Side::Select), Some(Side::Select), Some(Side::Report), None, Some(Side::Select)]
        );
        // All tokens start with t, so that property is there; nothing has a genre.
        assert!(labels.classes().iter().any(|class| class.name == "starts with `t`"));
        assert!(labels.classes().iter().all(|class| class.kind != "genre"));
    }

    #[test]
    fn documents_alternate_where_there_are_no_splits() {
        let mut contexts = contexts();
        contexts.iter_mut().for_each(|context| context.split = "explore".to_owned());
        let sides = sides(&contexts);
        for language in ["en", "fr"] {
            let mine = || (0..40).filter(|at| contexts[*at].language.as_deref() == Some(language));
            let chosen = mine().filter(|at| sides[*at] == Some(Side::Select)).count();
            assert_eq!((mine().count(), chosen), (20, 10));
        }
        // A document is never on both sides.
        assert!((0..20).all(|document| sides[2 * document] == sides[2 * document + 1]));
    }

    #[test]
    fn exchanged_labels_are_the_same_ones_elsewhere() {
        let contexts = contexts();
        let labels = Labels::new(&contexts, 1, 100, |token| format!("t{token}"), &mut ChaCha8Rng::seed_from_u64(1));
        let select: Vec<usize> = (0..40).filter(|at| labels.side(*at) == Some(Side::Select)).collect();
        let sorted = |shuffled: bool, kind: usize| {
            let mut column: Vec<u32> = labels.rows(&select, shuffled).iter().map(|row| row[kind]).collect();
            column.sort_unstable();
            column
        };
        for kind in 0..KINDS {
            assert_eq!(sorted(false, kind), sorted(true, kind), "{kind}");
        }
        assert_ne!(labels.rows(&select, false), labels.rows(&select, true));
        // A document keeps one language throughout.
        for pair in select.chunks(2) {
            let rows = labels.rows(pair, true);
            assert!(rows.iter().all(|row| row[4] == rows[0][4]));
        }
    }

    #[test]
    fn letters() {
        assert_eq!(
            [" The", "Äpfel", "7up", "", "\n", " é"].map(letter),
            [Some('t'), Some('ä'), None, None, None, Some('é')]
        );
    }
}
