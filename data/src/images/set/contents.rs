//! What depends on the contents of a set's files: splits and the digest.

use std::fs::File;
use std::path::Path;

use rayon::prelude::*;

use super::ImageSet;
use crate::context::RunContext;
use crate::corpus::Split;
use crate::images::ImageError;

/// Files hashed between two looks at whether the work is to stop.
const CHUNK: usize = 256;

/// The BLAKE3 of every file of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    hashes: Vec<Option<blake3::Hash>>,
    digest: String,
}

impl Contents {
    /// The BLAKE3 of a picture's file; `None` if it cannot be read.
    pub fn hash(&self, index: usize) -> Option<blake3::Hash> {
        self.hashes.get(index).copied().flatten()
    }

    /// The split of a picture, by its file's content alone: it stays where it is when the set grows or is renamed.
    pub fn split(&self, index: usize) -> Option<Split> {
        self.hash(index).map(|hash| Split::of_hash(&hash))
    }

    /// The pictures of a split.
    pub fn of_split(&self, split: Split) -> Vec<usize> {
        (0..self.hashes.len()).filter(|index| self.split(*index) == Some(split)).collect()
    }

    /// BLAKE3 over every picture's id, size, class and content, in order.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl ImageSet {
    /// Hashes every file once, on all cores and in pieces; asked again it answers from memory. A file that cannot be read has
    /// no hash and no split.
    ///
    /// # Errors
    /// [`ImageError::Cancelled`].
    pub fn contents(&self, ctx: &RunContext) -> Result<&Contents, ImageError> {
        if let Some(contents) = self.contents.get() {
            return Ok(contents);
        }
        ctx.stage("reading the pictures", self.bytes());
        let mut hashes = Vec::with_capacity(self.len());
        for chunk in self.entries.chunks(CHUNK) {
            ctx.check()?;
            let hash = |path: &Path| {
                let mut hasher = blake3::Hasher::new();
                hasher.update_reader(File::open(path)?).map(|hasher| hasher.finalize())
            };
            hashes.par_extend(chunk.par_iter().map(|entry| hash(&entry.path).ok()));
            ctx.advance(chunk.iter().map(|entry| entry.bytes).sum());
        }
        let mut hasher = blake3::Hasher::new();
        for (entry, hash) in self.entries.iter().zip(&hashes) {
            let class = entry.label.and_then(|label| self.classes.get(label as usize)).map_or("", String::as_str);
            for text in [&entry.id, class] {
                hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
            }
            hasher.update(&[u8::from(entry.label.is_some())]).update(&entry.bytes.to_le_bytes());
            hasher.update(hash.map_or([0; 32], |hash| *hash.as_bytes()).as_slice());
        }
        let digest = hasher.finalize().to_hex().to_string();
        Ok(self.contents.get_or_init(|| Contents { hashes, digest }))
    }
}
