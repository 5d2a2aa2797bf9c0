//! `manifest.json`: what a store is made of and which of its shards are there.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::failed;
use super::{MANIFEST, StoreError};
use crate::corpus::Split;

/// The schema of manifests.
pub(super) const SCHEMA: &str = "golgi.store/1";
/// Larger than any honest manifest: a million shards.
const MANIFEST_BYTES: u64 = 256 << 20;
/// The widest site: a large model's vocabulary, with room.
const WIDTH: u32 = 1 << 24;

/// How activations are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreDtype {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits: half the size, three significant digits, nothing above 65,504.
    F16,
}

impl StoreDtype {
    /// Bytes of one number.
    pub fn bytes(self) -> u64 {
        match self {
            StoreDtype::F32 => 4,
            StoreDtype::F16 => 2,
        }
    }
}

impl std::fmt::Display for StoreDtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            StoreDtype::F32 => "f32",
            StoreDtype::F16 => "f16",
        })
    }
}

impl std::str::FromStr for StoreDtype {
    type Err = String;

    fn from_str(text: &str) -> Result<StoreDtype, String> {
        match text {
            "f32" | "float32" => Ok(StoreDtype::F32),
            "f16" | "float16" => Ok(StoreDtype::F16),
            other => Err(format!("`{other}` is no element type of a store; f32 and f16 are")),
        }
    }
}

/// What was run, on what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreOrigin {
    /// The version of the program.
    pub version: String,
    /// The model, as the user named it.
    pub model: String,
    /// Digest of its weights.
    pub model_digest: String,
    /// What it computed in.
    pub model_dtype: String,
    /// Digest of its tokenizer.
    pub tokenizer_digest: String,
    /// The corpus.
    pub corpus: String,
    /// Its digest.
    pub corpus_digest: String,
    /// The seed of the run.
    pub seed: u64,
    /// `explicit` or `fused`.
    pub attention: String,
}

/// A site of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSite {
    /// Its canonical name, which is the column's.
    pub site: String,
    /// Numbers per position, heads side by side.
    pub width: u32,
}

/// How contexts were cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreContexts {
    /// Tokens that the model saw at once.
    pub len: usize,
    /// How many there are.
    pub count: u64,
    /// Tokens of the corpus in them, without BOS.
    pub tokens: u64,
    /// Only documents of this split.
    pub split: Option<Split>,
    /// The token in front of each.
    pub bos: Option<u32>,
}

/// A shard as planned, and as it is once it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedShard {
    /// Token positions.
    pub rows: u64,
    /// Contexts.
    pub contexts: u32,
    /// Size of the file; 0 until it is there.
    pub bytes: u64,
    /// BLAKE3 of the file, hexadecimal.
    pub blake3: Option<String>,
}

/// What `manifest.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `golgi.store/1`.
    pub schema: String,
    /// What was run, on what.
    pub origin: StoreOrigin,
    /// How contexts were cut.
    pub contexts: StoreContexts,
    /// Element type of the activations.
    pub dtype: StoreDtype,
    /// The sites in the order of the columns.
    pub sites: Vec<StoreSite>,
    /// Token positions in all, BOS included.
    pub rows: u64,
    /// BLAKE3 of `contexts.arrow`.
    pub contexts_blake3: String,
    /// Every shard.
    pub shards: Vec<PlannedShard>,
}

impl Manifest {
    /// Whether every shard is there.
    pub fn is_complete(&self) -> bool {
        self.shards.iter().all(|shard| shard.blake3.is_some())
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> u64 {
        10 + self.sites.iter().map(|site| u64::from(site.width)).sum::<u64>() * self.dtype.bytes()
    }

    /// Index of a site.
    ///
    /// # Errors
    /// [`StoreError::Site`] naming those that are there.
    pub fn site(&self, site: &str) -> Result<usize, StoreError> {
        self.sites.iter().position(|known| known.site == site).ok_or_else(|| {
            let known: Vec<&str> = self.sites.iter().take(12).map(|site| site.site.as_str()).collect();
            let more = if self.sites.len() > known.len() { ", …" } else { "" };
            StoreError::Site { site: site.to_owned(), known: known.join(", ") + more }
        })
    }

    pub(super) fn read(folder: &Path) -> Result<Manifest, StoreError> {
        let path = folder.join(MANIFEST);
        let unusable = |cause: String| StoreError::Manifest { path: path.clone(), cause };
        let file = match File::open(&path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Missing(folder.to_path_buf()));
            }
            other => other.map_err(failed("read", &path))?,
        };
        let mut bytes = Vec::new();
        file.take(MANIFEST_BYTES + 1).read_to_end(&mut bytes).map_err(failed("read", &path))?;
        if bytes.len() as u64 > MANIFEST_BYTES {
            return Err(unusable(format!("it is larger than {MANIFEST_BYTES} bytes")));
        }
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
        manifest.check().map_err(unusable)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            return Err(format!("its schema is `{}`, this program reads `{SCHEMA}`", self.schema));
        }
        if let Some(site) = self.sites.iter().find(|site| site.width == 0 || site.width > WIDTH) {
            return Err(format!("the width {} of `{}` is impossible", site.width, site.site));
        }
        let mut names: Vec<&str> = self.sites.iter().map(|site| site.site.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) || names.iter().any(|name| super::layout::is_reserved(name))
        {
            return Err("two of its columns have the same name".to_owned());
        }
        let rows = self.shards.iter().try_fold(0u64, |sum, shard| sum.checked_add(shard.rows));
        let contexts = self.shards.iter().try_fold(0u64, |sum, shard| sum.checked_add(u64::from(shard.contexts)));
        if rows != Some(self.rows) || contexts != Some(self.contexts.count) {
            return Err("its shards do not add up to its rows and contexts".to_owned());
        }
        // A shard's rows take place in its file, so a size that is checked against the file bounds them.
        let fits = |shard: &PlannedShard| {
            shard.blake3.is_none() || shard.rows.checked_mul(self.row_bytes()).is_some_and(|least| least <= shard.bytes)
        };
        if !self.shards.iter().all(fits) {
            return Err("a shard has more rows than its file can hold".to_owned());
        }
        Ok(())
    }

    /// Writes it under a temporary name first.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let text = serde_json::to_string_pretty(self).expect("strings and numbers always serialise") + "\n";
        replace(&folder.join(MANIFEST), text.as_bytes())
    }
}

/// Writes a file so that it is either whole or as it was.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let part = path.with_extension("part");
    let write = |mut file: File| file.write_all(bytes).and_then(|()| file.sync_all());
    File::create(&part).and_then(write).map_err(failed("write", path))?;
    fs::rename(&part, path).map_err(failed("write", path))
}
