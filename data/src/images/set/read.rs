//! Reading pictures in batches: in order, on all cores, few in memory.

use std::fmt;

use rayon::prelude::*;

use super::ImageSet;
use crate::context::RunContext;
use crate::corpus::Split;
use crate::images::picture::read_file;
use crate::images::{ImageError, Picture};

/// Failures that are kept in full.
const NAMED: usize = 5;

/// A picture that was read.
#[derive(Debug)]
pub struct Loaded {
    /// Its place in the set.
    pub index: usize,
    /// The picture.
    pub picture: Picture,
    /// BLAKE3 of its file.
    pub hash: blake3::Hash,
    /// Its split.
    pub split: Split,
}

/// How many pictures were read, and which could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Pictures that were read.
    pub read: usize,
    /// Pictures that were left out because they cannot be read.
    pub bad: usize,
    /// The first five of those: the id and what is wrong.
    pub first: Vec<(String, String)>,
}

impl fmt::Display for ReadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bad == 0 {
            return write!(f, "{} pictures were read", self.read);
        }
        write!(f, "{} of {} pictures were left out because they cannot be read: ", self.bad, self.bad + self.read)?;
        for (i, (id, cause)) in self.first.iter().enumerate() {
            write!(f, "{}`{id}`: {cause}", if i > 0 { "; " } else { "" })?;
        }
        if self.bad > self.first.len() { write!(f, "; and {} more", self.bad - self.first.len()) } else { Ok(()) }
    }
}

/// An iterator over batches, see [`ImageSet::read_batches`].
pub struct Batches<'a, F> {
    set: &'a ImageSet,
    indices: &'a [usize],
    size: usize,
    ctx: &'a RunContext,
    each: F,
    report: ReadReport,
    ended: bool,
}

impl ImageSet {
    /// Reads one picture.
    ///
    /// # Errors
    /// As [`Picture::read`]; [`ImageError::NotFound`] if there is none of this index.
    pub fn load(&self, index: usize) -> Result<Loaded, ImageError> {
        let spec = || format!("{} of {}", index, self.name);
        let entry = self.entries.get(index).ok_or_else(|| ImageError::NotFound { spec: spec() })?;
        let bytes = read_file(&entry.path)?;
        let hash = blake3::hash(&bytes);
        let picture = Picture::decode(&bytes, &entry.path.display().to_string())?;
        Ok(Loaded { index, picture, hash, split: Split::of_hash(&hash) })
    }

    /// Reads the pictures of `indices` in batches of `size`, in order, decoding on all cores, and calls `each` with every one
    /// there, so that no more pictures are in memory than cores; a batch holds what `each` made, beside the index. A picture
    /// that cannot be read is left out and reported ([`Batches::report`]), so that a batch may be smaller than `size`.
    ///
    /// The iterator ends with an error if not one picture could be read, or once the work is cancelled.
    pub fn read_batches<'a, T, F>(
        &'a self,
        indices: &'a [usize],
        size: usize,
        ctx: &'a RunContext,
        each: F,
    ) -> Batches<'a, F>
    where
        T: Send,
        F: Fn(Loaded) -> T + Sync,
    {
        Batches { set: self, indices, size: size.max(1), ctx, each, report: ReadReport::default(), ended: false }
    }
}

impl<F> Batches<'_, F> {
    /// What was read so far.
    pub fn report(&self) -> &ReadReport {
        &self.report
    }
}

impl<T: Send, F: Fn(Loaded) -> T + Sync> Iterator for Batches<'_, F> {
    type Item = Result<Vec<(usize, T)>, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended && !self.indices.is_empty() {
            if let Err(cancelled) = self.ctx.check() {
                self.ended = true;
                return Some(Err(cancelled.into()));
            }
            let (now, later) = self.indices.split_at(self.size.min(self.indices.len()));
            self.indices = later;
            let (set, each) = (self.set, &self.each);
            let read: Vec<_> = now.par_iter().map(|index| (*index, set.load(*index).map(each))).collect();
            let mut batch = Vec::with_capacity(read.len());
            for (index, result) in read {
                match result {
                    Ok(value) => batch.push((index, value)),
                    Err(error) => self.note(index, &error),
                }
            }
            self.report.read += batch.len();
            if !batch.is_empty() {
                return Some(Ok(batch));
            }
        }
        let none = !self.ended && self.report.read == 0 && self.report.bad > 0;
        self.ended = true;
        none.then(|| Err(ImageError::NoneLeft { name: self.set.name.clone(), report: self.report.to_string() }))
    }
}

impl<F> Batches<'_, F> {
    fn note(&mut self, index: usize, error: &ImageError) {
        self.report.bad += 1;
        if self.report.first.len() < NAMED {
            let id = self.set.entries.get(index).map_or_else(|| index.to_string(), |entry| entry.id.clone());
            self.report.first.push((id, error.to_string()));
        }
    }
}
