//! From a specification to the files of a corpus, and from those to documents.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::io;
use super::read::{Kind, Source};
use super::{CorpusError, Document};
use crate::models::home;

/// Folders within folders; a deeper one is a mistake or a trap.
const DEPTH: usize = 64;
/// Files of one corpus.
const FILES: usize = 1_000_000;

/// How a corpus is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorpusOptions {
    /// Put � in place of bytes that are no UTF-8, instead of refusing them.
    pub lossy: bool,
    /// The language of documents that name none.
    pub language: Option<String>,
    /// The genre of documents that name none.
    pub genre: Option<String>,
}

/// A corpus as it lies on disk. Documents are read when asked for, one at a time.
///
/// ```
/// use golgi_data::corpus::{Corpus, CorpusOptions};
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("note.txt"), "Golgi saw whole neurons.")?;
/// std::fs::write(folder.path().join("more.jsonl"), r#"{"text": "Sah er sie?", "lang": "de"}"#)?;
/// let corpus = Corpus::open(&folder.path().to_string_lossy(), &CorpusOptions::default())?;
/// let documents = corpus.documents().collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(documents[0].language.as_deref(), Some("de"));
/// assert_eq!(documents[1].id, "note.txt");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Corpus {
    name: String,
    root: PathBuf,
    sources: Vec<Source>,
    bytes: u64,
    options: CorpusOptions,
}

impl Corpus {
    /// Finds the files of `spec`: `starter`; a file (`.jsonl`, `.parquet`, `.csv`, `.tsv`, anything else is text); or a folder,
    /// whose files are taken from all levels in the order of their names, hidden and binary ones left out. Links to folders
    /// are not followed.
    ///
    /// # Errors
    /// If there is nothing, or nothing with text, or it cannot be read.
    pub fn open(spec: &str, options: &CorpusOptions) -> Result<Corpus, CorpusError> {
        Corpus::open_in(&home(), spec, options)
    }

    /// As [`Corpus::open`], with the starter corpus under another home.
    ///
    /// # Errors
    /// As [`Corpus::open`].
    pub fn open_in(home: &Path, spec: &str, options: &CorpusOptions) -> Result<Corpus, CorpusError> {
        if spec == "starter" {
            let folder = golgi_fetch::starter::folder(home);
            let file = folder.join(golgi_fetch::starter::DOCUMENTS);
            if !file.is_file() {
                return Err(CorpusError::NoStarter { folder });
            }
            return Corpus::of(spec, file, options);
        }
        let path = PathBuf::from(spec);
        if spec.is_empty() || !path.exists() {
            return Err(CorpusError::NotFound { spec: spec.to_owned() });
        }
        let name = path.file_name().map_or_else(|| spec.to_owned(), |name| name.to_string_lossy().into_owned());
        Corpus::of(&name, path, options)
    }

    fn of(name: &str, root: PathBuf, options: &CorpusOptions) -> Result<Corpus, CorpusError> {
        let mut corpus =
            Corpus { name: name.to_owned(), root: root.clone(), sources: vec![], bytes: 0, options: options.clone() };
        if root.is_dir() {
            let mut skipped = 0;
            corpus.collect(&root, String::new(), 0, &mut skipped)?;
            if corpus.sources.is_empty() {
                let detail = match skipped {
                    0 => " (no files that are not hidden)".to_owned(),
                    n => format!(" ({n} files of it are not text)"),
                };
                return Err(CorpusError::Empty { name: root.display().to_string(), detail });
            }
        } else {
            let bytes = fs::metadata(&root).map_err(io("read", &root))?.len();
            let label = root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            corpus.bytes = bytes;
            corpus.sources.push(Source { kind: Kind::of(&root), path: root, label });
        }
        Ok(corpus)
    }

    fn collect(&mut self, folder: &Path, prefix: String, depth: usize, skipped: &mut usize) -> Result<(), CorpusError> {
        let too_large = |what: &str, limit: String| CorpusError::TooLarge {
            path: folder.to_path_buf(),
            place: what.to_owned(),
            limit,
        };
        if depth > DEPTH {
            return Err(too_large("folders within folders", format!("{DEPTH} levels")));
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(io("list", folder))? {
            entries.push(entry.map_err(io("list", folder))?);
            if entries.len() + self.sources.len() > FILES {
                return Err(too_large("number of files", FILES.to_string()));
            }
        }
        entries.sort_by_key(|entry| entry.file_name());
        for entry in entries {
            let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            if name.starts_with('.') {
                continue;
            }
            let kind = entry.file_type().map_err(io("read", &path))?;
            if kind.is_dir() {
                self.collect(&path, format!("{prefix}{name}/"), depth + 1, skipped)?;
            } else if let Ok(meta) = fs::metadata(&path)
                && meta.is_file()
            {
                let kind = Kind::of(&path);
                if kind == Kind::Text && is_binary(&path)? {
                    *skipped += 1;
                    continue;
                }
                self.bytes += meta.len();
                self.sources.push(Source { kind, path, label: format!("{prefix}{name}") });
            }
        }
        Ok(())
    }

    /// What it is called: `starter`, or the name of the file or folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// How many files it consists of.
    pub fn files(&self) -> usize {
        self.sources.len()
    }

    /// The size of its files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The documents in the order of the files. A long text file becomes several documents, cut between paragraphs. After
    /// an error nothing useful follows.
    pub fn documents(&self) -> impl Iterator<Item = Result<Document, CorpusError>> + '_ {
        let options = &self.options;
        let documents = self.sources.iter().flat_map(|source| source.read(options.lossy));
        documents.map(|document| {
            let document = document?;
            let language = document.language.or_else(|| options.language.clone());
            let genre = document.genre.or_else(|| options.genre.clone());
            Ok(Document { language, genre, ..document })
        })
    }
}

/// Text has no zero byte.
fn is_binary(path: &Path) -> Result<bool, CorpusError> {
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(8192).read_to_end(&mut start)).map_err(io("read", path))?;
    Ok(start.contains(&0))
}
