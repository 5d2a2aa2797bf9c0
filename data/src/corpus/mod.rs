//! Text to study models on: documents with labels, their tokens, and the contexts cut from them.
//!
//! A corpus specification (`starter`, a file, a folder) becomes a [`Corpus`] of [`Document`]s, a tokenizer turns that
//! into a [`PackedCorpus`], and [`contexts`] cuts it into what a model is run on. Every document belongs to one
//! [`Split`] for good, by the hash of its text, so that what is selected on one split can be confirmed on another.
//!
//! ```
//! use golgi_data::corpus::{ContextOptions, PackedCorpus, PackedDocument, Split, batches, contexts};
//!
//! let document = PackedDocument { id: "a".into(), start: 0, len: 10, language: 0, genre: u16::MAX, split: Split::Explore };
//! let corpus = PackedCorpus::in_memory("planted", vec![(document, (0..10).collect())], vec!["en".into()], vec![]);
//! let options = ContextOptions { len: 8, tokens: 100, split: None, bos: None };
//! let contexts = contexts(&corpus, &options);
//! assert_eq!(corpus.context_tokens(&contexts[0]), [0, 1, 2, 3, 4, 5, 6, 7]);
//! assert_eq!(batches(&contexts, 1024), [[0]]);
//! ```

mod cache;
mod contexts;
mod error;
mod open;
mod packed;
mod read;
mod starter;

use serde::{Deserialize, Serialize};

pub use cache::digest;
pub use contexts::{Context, ContextOptions, TAIL_STEP, batches, contexts};
pub use error::CorpusError;
pub use open::{Corpus, CorpusOptions};
pub use packed::{NO_LABEL, PackedCorpus, PackedDocument};
pub use starter::{StarterPart, starter_folder, starter_parts};

/// One text with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is called in its corpus.
    pub id: String,
    /// The text.
    pub text: String,
    /// Its language, such as `de`; for programs `code`.
    pub language: Option<String>,
    /// Its kind, such as `manual`.
    pub genre: Option<String>,
}

/// Which of three fixed parts of a corpus a document belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// 60 % of the documents: to look around in and to select on.
    Explore,
    /// 20 %: to choose thresholds and settings on.
    Tune,
    /// 20 %: to confirm on, once.
    Confirm,
}

impl Split {
    /// Every split.
    pub const ALL: [Split; 3] = [Split::Explore, Split::Tune, Split::Confirm];

    /// The split of a text: by the first 8 bytes of its BLAKE3, little endian, modulo 100. It depends on nothing else, so a
    /// text stays where it is when its corpus grows, is renamed or is joined to another.
    ///
    /// ```
    /// use golgi_data::corpus::Split;
    /// assert_eq!(Split::of("the same text"), Split::of("the same text"));
    /// ```
    pub fn of(text: &str) -> Split {
        Split::of_hash(&blake3::hash(text.as_bytes()))
    }

    /// The split of any content, by its BLAKE3 as in [`Split::of`].
    pub fn of_hash(hash: &blake3::Hash) -> Split {
        let first = hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        match first % 100 {
            0..60 => Split::Explore,
            60..80 => Split::Tune,
            _ => Split::Confirm,
        }
    }

    /// `explore`, `tune` or `confirm`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Explore => "explore",
            Split::Tune => "tune",
            Split::Confirm => "confirm",
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod reading_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_have_their_shares() {
        let mut counts = [0; 3];
        for i in 0..10_000 {
            counts[Split::of(&format!("document {i}")) as usize] += 1;
        }
        for (count, expected) in counts.into_iter().zip([6000, 2000, 2000]) {
            assert!(i32::abs(count - expected) < 200, "{counts:?}");
        }
    }

    #[test]
    fn the_split_of_a_text_never_changes() {
        // Results of different versions of Golgi must stay comparable.
        let splits: Vec<&str> = (0..6).map(|i| Split::of(&format!("document {i}")).name()).collect();
        assert_eq!(splits, ["tune", "explore", "confirm", "explore", "explore", "explore"]);
    }
}
