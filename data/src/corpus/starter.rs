//! What the starter corpus is made of, as its `SOURCES.json` says.

use std::fs;
use std::path::{Path, PathBuf};

use golgi_fetch::starter;
use serde::{Deserialize, Serialize};

use super::CorpusError;
use super::error::io;

/// A part of the starter corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarterPart {
    /// The Debian package it was made of.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Label of its documents.
    pub language: String,
    /// Label of its documents.
    pub genre: String,
    /// The licence of what was taken from it.
    pub licence: String,
    /// How many documents it gave.
    pub documents: u64,
    /// Bytes of text.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct Sources {
    parts: Vec<StarterPart>,
}

/// Where the starter corpus lies under `home`.
pub fn starter_folder(home: &Path) -> PathBuf {
    starter::folder(home)
}

/// The starter corpus under `home`: its size and digest, and its parts.
///
/// # Errors
/// [`CorpusError::NoStarter`] if it was not made or is damaged.
pub fn starter_parts(home: &Path) -> Result<(starter::Summary, Vec<StarterPart>), CorpusError> {
    let folder = starter::folder(home);
    let Some(summary) = starter::installed(home) else { return Err(CorpusError::NoStarter { folder }) };
    let path = folder.join(starter::SOURCES);
    let text = fs::read_to_string(&path).map_err(io("read", &path))?;
    let sources: Sources = serde_json::from_str(&text).map_err(|error| CorpusError::Format {
        path,
        kind: "a list of sources",
        cause: error.to_string(),
    })?;
    Ok((summary, sources.parts))
}
