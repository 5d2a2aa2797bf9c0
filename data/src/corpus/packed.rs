//! A tokenised corpus: one long run of tokens with the bounds of its documents.

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use super::{Context, Split};

/// In place of a language or genre: the document has none.
pub const NO_LABEL: u16 = u16::MAX;

/// Where a document's tokens lie and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedDocument {
    /// What it is called in its corpus.
    pub id: String,
    /// Its first token in [`PackedCorpus::tokens`].
    pub start: u64,
    /// How many tokens it has.
    pub len: u32,
    /// Index into [`PackedCorpus::languages`], or [`NO_LABEL`].
    pub language: u16,
    /// Index into [`PackedCorpus::genres`], or [`NO_LABEL`].
    pub genre: u16,
    /// The part of the corpus it belongs to.
    pub split: Split,
}

/// The tokens, owned or mapped.
pub(super) enum Tokens {
    Owned(Vec<u32>),
    /// Little-endian u32, the whole file.
    Mapped(Mmap),
}

impl Tokens {
    fn as_slice(&self) -> &[u32] {
        match self {
            Tokens::Owned(tokens) => tokens,
            // SAFETY: every bit pattern is a u32. A mapping begins at a page, so there is nothing in front of the slice;
            // machines of the other byte order do not map (see `cache`).
            Tokens::Mapped(map) => unsafe { map.align_to::<u32>() }.1,
        }
    }
}

/// A corpus as one tokenizer reads it: tokens without any that the tokenizer adds by itself, documents one behind the
/// other.
pub struct PackedCorpus {
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) tokenizer: String,
    pub(super) documents: Vec<PackedDocument>,
    pub(super) languages: Vec<String>,
    pub(super) genres: Vec<String>,
    pub(super) tokens: Tokens,
}

impl std::fmt::Debug for PackedCorpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (documents, tokens) = (self.documents.len(), self.tokens().len());
        let mut f = f.debug_struct("PackedCorpus");
        f.field("name", &self.name).field("documents", &documents).field("tokens", &tokens).finish_non_exhaustive()
    }
}

impl PackedCorpus {
    /// A corpus that never was text, as tests plant it. `start` and `len` of the documents are set from the tokens;
    /// labels beyond the lists become [`NO_LABEL`].
    pub fn in_memory(
        name: &str,
        documents: Vec<(PackedDocument, Vec<u32>)>,
        languages: Vec<String>,
        genres: Vec<String>,
    ) -> PackedCorpus {
        let mut hasher = blake3::Hasher::new();
        let mut tokens = Vec::new();
        let mut packed = Vec::with_capacity(documents.len());
        let known = |label: u16, names: &[String]| if usize::from(label) < names.len() { label } else { NO_LABEL };
        for (mut document, ids) in documents {
            document.start = tokens.len() as u64;
            document.len = ids.len() as u32;
            document.language = known(document.language, &languages);
            document.genre = known(document.genre, &genres);
            let label = |label: u16, names: &[String]| names.get(usize::from(label)).cloned().unwrap_or_default();
            for text in [document.id.clone(), label(document.language, &languages), label(document.genre, &genres)] {
                hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
            }
            hasher.update(&(ids.len() as u64).to_le_bytes());
            ids.iter().for_each(|id| {
                hasher.update(&id.to_le_bytes());
            });
            tokens.extend(ids);
            packed.push(document);
        }
        PackedCorpus {
            name: name.to_owned(),
            digest: hasher.finalize().to_hex().to_string(),
            tokenizer: String::new(),
            documents: packed,
            languages,
            genres,
            tokens: Tokens::Owned(tokens),
        }
    }

    /// What the corpus is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// BLAKE3, in hexadecimal, of every document's id, text and labels (of a corpus in memory: of its tokens).
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The digest of the tokenizer; empty for a corpus in memory.
    pub fn tokenizer_digest(&self) -> &str {
        &self.tokenizer
    }

    /// All tokens, document after document.
    pub fn tokens(&self) -> &[u32] {
        self.tokens.as_slice()
    }

    /// The documents in the order of the corpus.
    pub fn documents(&self) -> &[PackedDocument] {
        &self.documents
    }

    /// Names of the languages.
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Names of the genres.
    pub fn genres(&self) -> &[String] {
        &self.genres
    }

    /// The language of a document.
    pub fn language(&self, document: &PackedDocument) -> Option<&str> {
        self.languages.get(usize::from(document.language)).map(String::as_str)
    }

    /// The genre of a document.
    pub fn genre(&self, document: &PackedDocument) -> Option<&str> {
        self.genres.get(usize::from(document.genre)).map(String::as_str)
    }

    /// The tokens of a document.
    pub fn document_tokens(&self, document: &PackedDocument) -> &[u32] {
        self.slice(document.start, document.len as usize)
    }

    /// The tokens of a context, without BOS; empty for a context of another corpus.
    pub fn context_tokens(&self, context: &Context) -> &[u32] {
        let start = self.documents.get(context.document as usize).map_or(u64::MAX, |document| document.start);
        self.slice(start.saturating_add(u64::from(context.start)), usize::from(context.len))
    }

    fn slice(&self, start: u64, len: usize) -> &[u32] {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        self.tokens().get(start..start.saturating_add(len)).unwrap_or_default()
    }
}
