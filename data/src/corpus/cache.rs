//! Tokenising a corpus once, and finding the tokens again.
//!
//! `packed/<corpus>-<tokenizer>/` holds `tokens.u32` (little endian), `documents.json` and `manifest.json` with the digests
//! of both. The folder is made under a temporary name and renamed when whole; what does not agree with its manifest is made
//! again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::io;
use super::packed::Tokens;
use super::{Corpus, CorpusError, Document, NO_LABEL, PackedCorpus, PackedDocument, Split};
use crate::context::RunContext;
use crate::models::home;
use crate::tokenizer::Tokenizer;

const SCHEMA: &str = "golgi.packed/1";
const MANIFEST: &str = "manifest.json";
const TOKENS: &str = "tokens.u32";
const DOCUMENTS: &str = "documents.json";
/// Text tokenised at once, in bytes.
const CHUNK: usize = 4 << 20;
/// A manifest is a few lines.
const MANIFEST_BYTES: u64 = 1 << 16;

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    schema: String,
    corpus: String,
    tokenizer: String,
    tokens: u64,
    tokens_blake3: String,
    documents_blake3: String,
}

#[derive(Serialize, Deserialize)]
struct Listing {
    languages: Vec<String>,
    genres: Vec<String>,
    documents: Vec<PackedDocument>,
}

impl PackedCorpus {
    /// The tokens of a corpus: found under [`home`], or made there. Tokenising uses every core.
    ///
    /// # Errors
    /// If the corpus cannot be read or holds no text, the tokenizer fails, the cache cannot be written, or the work is
    /// cancelled.
    pub fn open_or_build(
        corpus: &Corpus,
        tokenizer: &Tokenizer,
        ctx: &RunContext,
    ) -> Result<PackedCorpus, CorpusError> {
        PackedCorpus::open_or_build_in(&home(), corpus, tokenizer, ctx)
    }

    /// As [`PackedCorpus::open_or_build`], under another home.
    ///
    /// # Errors
    /// As [`PackedCorpus::open_or_build`].
    pub fn open_or_build_in(
        home: &Path,
        corpus: &Corpus,
        tokenizer: &Tokenizer,
        ctx: &RunContext,
    ) -> Result<PackedCorpus, CorpusError> {
        let digest = digest(corpus, ctx)?;
        let tokenizer_digest = tokenizer.digest();
        let parent = home.join("packed");
        let short = |digest: &str| digest.chars().take(16).collect::<String>();
        let folder = parent.join(format!("{}-{}", short(&digest), short(&tokenizer_digest)));
        if let Some(found) = find(&folder, corpus, &digest, &tokenizer_digest) {
            return Ok(found);
        }
        fs::create_dir_all(&parent).map_err(io("create", &parent))?;
        let fresh = tempfile::Builder::new().prefix(".new-").tempdir_in(&parent).map_err(io("create", &parent))?;
        build(fresh.path(), corpus, tokenizer, &digest, ctx)?;
        // Somebody else may have been faster, or what is there is damaged.
        if folder.exists() && find(&folder, corpus, &digest, &tokenizer_digest).is_none() {
            fs::remove_dir_all(&folder).map_err(io("replace", &folder))?;
        }
        let fresh = fresh.keep();
        if let Err(cause) = fs::rename(&fresh, &folder) {
            // Best effort: the folder is a leftover either way.
            let _ = fs::remove_dir_all(&fresh);
            if !folder.exists() {
                return Err(io("create", &folder)(cause));
            }
        }
        find(&folder, corpus, &digest, &tokenizer_digest).ok_or_else(|| {
            let cause = std::io::Error::other("what was written reads back differently; check the disk");
            io("read", &folder)(cause)
        })
    }
}

/// BLAKE3 over every document's id, text and labels.
///
/// # Errors
/// If a document cannot be read, there is none with text, or the work is cancelled.
pub fn digest(corpus: &Corpus, ctx: &RunContext) -> Result<String, CorpusError> {
    ctx.stage("reading the corpus", corpus.bytes());
    let mut hasher = blake3::Hasher::new();
    let mut empty = true;
    for document in corpus.documents() {
        ctx.check()?;
        let Document { id, text, language, genre } = document?;
        empty &= text.trim().is_empty();
        for part in [Some(&id), Some(&text), language.as_ref(), genre.as_ref()] {
            // The length with one added, so that no label and an empty one differ.
            hasher.update(&part.map_or(0, |part| part.len() as u64 + 1).to_le_bytes());
            hasher.update(part.map_or("", String::as_str).as_bytes());
        }
        ctx.advance(text.len() as u64);
    }
    if empty {
        return Err(CorpusError::Empty { name: corpus.path().display().to_string(), detail: String::new() });
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// What lies in `folder`, if it is whole and of this corpus and tokenizer.
fn find(folder: &Path, corpus: &Corpus, digest: &str, tokenizer: &str) -> Option<PackedCorpus> {
    let small = |name: &str, limit: u64| {
        let path = folder.join(name);
        let len = fs::metadata(&path).ok()?.len();
        if len > limit { None } else { fs::read(path).ok() }
    };
    let manifest: Manifest = serde_json::from_slice(&small(MANIFEST, MANIFEST_BYTES)?).ok()?;
    if manifest.schema != SCHEMA || manifest.corpus != digest || manifest.tokenizer != tokenizer {
        return None;
    }
    let listing = small(DOCUMENTS, u64::MAX)?;
    if blake3::hash(&listing).to_hex().as_str() != manifest.documents_blake3 {
        return None;
    }
    let listing: Listing = serde_json::from_slice(&listing).ok()?;
    let tokens = map(&folder.join(TOKENS), &manifest)?;
    Some(PackedCorpus {
        name: corpus.name().to_owned(),
        digest: digest.to_owned(),
        tokenizer: tokenizer.to_owned(),
        documents: listing.documents,
        languages: listing.languages,
        genres: listing.genres,
        tokens,
    })
}

fn map(path: &Path, manifest: &Manifest) -> Option<Tokens> {
    let file = File::open(path).ok()?;
    if file.metadata().ok()?.len() != manifest.tokens.checked_mul(4)? {
        return None;
    }
    // SAFETY: the file is ours, complete and never written again; it is replaced only as a whole folder.
    let map = unsafe { Mmap::map(&file) }.ok()?;
    if blake3::hash(&map).to_hex().as_str() != manifest.tokens_blake3 {
        return None;
    }
    if cfg!(target_endian = "big") {
        let words = map.as_chunks::<4>().0;
        return Some(Tokens::Owned(words.iter().map(|word| u32::from_le_bytes(*word)).collect()));
    }
    Some(Tokens::Mapped(map))
}

/// The names of languages or genres by their first appearance.
#[derive(Default)]
struct Labels {
    names: Vec<String>,
    known: HashMap<String, u16>,
    overflowed: bool,
}

impl Labels {
    fn number(&mut self, label: Option<String>) -> u16 {
        let Some(label) = label else { return NO_LABEL };
        if let Some(known) = self.known.get(&label) {
            return *known;
        }
        let number = u16::try_from(self.names.len()).unwrap_or(NO_LABEL);
        if number == NO_LABEL {
            self.overflowed = true;
            return NO_LABEL;
        }
        self.names.push(label.clone());
        self.known.insert(label, number);
        number
    }
}

struct Builder<'a> {
    tokenizer: &'a Tokenizer,
    path: PathBuf,
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    tokens: u64,
    documents: Vec<PackedDocument>,
    languages: Labels,
    genres: Labels,
}

impl Builder<'_> {
    fn add(&mut self, documents: Vec<Document>) -> Result<(), CorpusError> {
        let encoded: Vec<Vec<u32>> =
            documents.par_iter().map(|document| self.tokenizer.encode_raw(&document.text)).collect::<Result<_, _>>()?;
        for (document, ids) in documents.into_iter().zip(encoded) {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            self.hasher.update(&bytes);
            self.file.write_all(&bytes).map_err(io("write", &self.path))?;
            self.documents.push(PackedDocument {
                start: self.tokens,
                // A document has at most 16 MiB of text.
                len: ids.len() as u32,
                language: self.languages.number(document.language),
                genre: self.genres.number(document.genre),
                split: Split::of(&document.text),
                id: document.id,
            });
            self.tokens += ids.len() as u64;
        }
        Ok(())
    }
}

fn build(
    folder: &Path,
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    digest: &str,
    ctx: &RunContext,
) -> Result<(), CorpusError> {
    ctx.stage("tokenising the corpus", corpus.bytes());
    let path = folder.join(TOKENS);
    let file = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(io("write", &path))?);
    let hasher = blake3::Hasher::new();
    let (languages, genres) = (Labels::default(), Labels::default());
    let mut builder = Builder { tokenizer, path, file, hasher, tokens: 0, documents: vec![], languages, genres };
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    for document in corpus.documents() {
        let document = document?;
        bytes += document.text.len();
        chunk.push(document);
        if bytes >= CHUNK {
            ctx.check()?;
            builder.add(std::mem::take(&mut chunk))?;
            ctx.advance(std::mem::take(&mut bytes) as u64);
        }
    }
    builder.add(chunk)?;
    ctx.advance(bytes as u64);
    ctx.check()?;
    if builder.languages.overflowed || builder.genres.overflowed {
        ctx.warn(format!(
            "the corpus has more than {NO_LABEL} labels; documents of the later ones count as unlabelled"
        ));
    }
    let file = builder.file.into_inner().map_err(|error| io("write", &builder.path)(error.into_error()))?;
    file.sync_all().map_err(io("write", &builder.path))?;
    let Labels { names: languages, .. } = builder.languages;
    let listing = Listing { languages, genres: builder.genres.names, documents: builder.documents };
    let listing = json(&listing);
    let manifest = Manifest {
        schema: SCHEMA.to_owned(),
        corpus: digest.to_owned(),
        tokenizer: tokenizer.digest(),
        tokens: builder.tokens,
        tokens_blake3: builder.hasher.finalize().to_hex().to_string(),
        documents_blake3: blake3::hash(&listing).to_hex().to_string(),
    };
    for (name, content) in [(DOCUMENTS, listing), (MANIFEST, json(&manifest))] {
        let path = folder.join(name);
        let write = |mut file: File| file.write_all(&content).and_then(|()| file.sync_all());
        File::create(&path).and_then(write).map_err(io("write", &path))?;
    }
    Ok(())
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("numbers and strings always serialise")
}
