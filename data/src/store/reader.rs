//! Reading a store: one after the other, shuffled, or just a part.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::writer::broken_shards;
use super::{CONTEXTS, Manifest, PlannedContext, Shard, StoreError, contexts_file, shard_name};

/// A complete store.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    manifest: Manifest,
    contexts: Vec<PlannedContext>,
}

/// Rows of some sites. Buffers are reused from one batch to the next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// The context of each row.
    pub contexts: Vec<u32>,
    /// Its position there.
    pub positions: Vec<u16>,
    /// Its token.
    pub tokens: Vec<u32>,
    /// For each site that was asked for, `[rows, width]`.
    pub values: Vec<Vec<f32>>,
}

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.contexts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }

    fn clear(&mut self, sites: usize) {
        self.contexts.clear();
        self.positions.clear();
        self.tokens.clear();
        self.values.resize_with(sites, Vec::new);
        self.values.iter_mut().for_each(Vec::clear);
    }

    fn append(&mut self, shard: &Shard, sites: &[usize], rows: Range<usize>) {
        self.contexts.extend_from_slice(&shard.contexts()[rows.clone()]);
        self.positions.extend_from_slice(&shard.positions()[rows.clone()]);
        self.tokens.extend_from_slice(&shard.tokens()[rows.clone()]);
        for (site, to) in sites.iter().zip(&mut self.values) {
            shard.append(*site, rows.clone(), to);
        }
    }
}

/// A part of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only contexts of these documents (numbers in the corpus).
    pub documents: Option<Vec<u32>>,
    /// Only tokens of the document from here to there, counted in the document; BOS is left out then.
    pub tokens: Option<Range<u32>>,
}

impl Store {
    /// Opens a store and checks every file against its digest.
    ///
    /// # Errors
    /// If there is none, it is not complete, or files of it are damaged, all of which are named.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        let manifest = Store::manifest_of(folder)?;
        let mut files: Vec<String> = broken_shards(folder, &manifest).into_iter().map(shard_name).collect();
        if !contexts_file::is_whole(folder, &manifest) {
            files.push(CONTEXTS.to_owned());
        }
        if !files.is_empty() {
            return Err(StoreError::Damaged { path: folder.to_path_buf(), files });
        }
        let missing = manifest.shards.iter().filter(|shard| shard.blake3.is_none()).count();
        if missing > 0 {
            let (path, total) = (folder.to_path_buf(), manifest.shards.len());
            return Err(StoreError::Incomplete { path, missing, total });
        }
        let contexts = contexts_file::read(folder, &manifest)?;
        Ok(Store { folder: folder.to_path_buf(), manifest, contexts })
    }

    /// The manifest of a store, complete or not; nothing else is looked at.
    ///
    /// # Errors
    /// If there is none or it is unusable.
    pub fn manifest_of(folder: &Path) -> Result<Manifest, StoreError> {
        Manifest::read(folder)
    }

    /// What the store is made of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The contexts; their number is what the column `context` holds.
    pub fn contexts(&self) -> &[PlannedContext] {
        &self.contexts
    }

    /// Maps a shard.
    ///
    /// # Errors
    /// If there is no such shard, or its file has vanished since.
    pub fn shard(&self, index: usize) -> Result<Shard, StoreError> {
        let count = self.manifest.shards.len();
        if index >= count {
            return Err(StoreError::Range { what: "shard", index: index as u64, count: count as u64 });
        }
        Shard::open(&self.folder, &self.manifest, index)
    }

    fn sites(&self, sites: &[&str]) -> Result<Vec<usize>, StoreError> {
        sites.iter().map(|site| self.manifest.site(site)).collect()
    }

    /// Reads some sites in the order of the shards, `batch` rows at a time.
    ///
    /// # Errors
    /// If a site is not in the store.
    pub fn sequential(&self, sites: &[&str], batch: usize) -> Result<Sequential<'_>, StoreError> {
        let sites = self.sites(sites)?;
        Ok(Sequential { store: self, sites, batch: batch.max(1), next_shard: 0, shard: None, row: 0 })
    }

    /// Reads some sites in a random order that `seed` fixes: `buffer` shards, drawn at random, are mixed row by row; then
    /// the next ones. Every row comes once.
    ///
    /// # Errors
    /// If a site is not in the store.
    pub fn shuffled(&self, sites: &[&str], batch: usize, buffer: usize, seed: u64) -> Result<Shuffled<'_>, StoreError> {
        let sites = self.sites(sites)?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut order: Vec<usize> = (0..self.manifest.shards.len()).collect();
        order.shuffle(&mut random);
        let (shards, rows) = (Vec::new(), Vec::new());
        Ok(Shuffled { store: self, sites, batch: batch.max(1), buffer: buffer.max(1), random, order, shards, rows })
    }

    /// Reads a part of the store at once: just these sites, documents and tokens. Only the shards that hold them are read.
    ///
    /// # Errors
    /// If a site is not in the store, or a file has vanished.
    pub fn select(&self, sites: &[&str], selection: &Selection) -> Result<Rows, StoreError> {
        let sites = self.sites(sites)?;
        let mut rows = Rows::default();
        rows.clear(sites.len());
        let bos = u32::from(self.manifest.contexts.bos.is_some());
        let mut wanted: Vec<&PlannedContext> = self.contexts.iter().collect();
        if let Some(documents) = &selection.documents {
            wanted.retain(|context| documents.contains(&context.document));
        }
        wanted.sort_by_key(|context| (context.shard, context.row));
        let mut open: Option<(u32, Shard)> = None;
        for context in wanted {
            let len = u32::from(context.len);
            let part = match &selection.tokens {
                None => 0..bos + len,
                Some(tokens) => {
                    let inside = |token: u32| token.saturating_sub(context.start).min(len) + bos;
                    inside(tokens.start)..inside(tokens.end)
                }
            };
            if part.is_empty() {
                continue;
            }
            if open.as_ref().is_none_or(|(number, _)| *number != context.shard) {
                open = Some((context.shard, self.shard(context.shard as usize)?));
            }
            if let Some((_, shard)) = &open {
                let (start, end) = (context.row + part.start, context.row + part.end);
                rows.append(shard, &sites, start as usize..end as usize);
            }
        }
        Ok(rows)
    }
}

/// Rows one after the other; see [`Store::sequential`].
#[derive(Debug)]
pub struct Sequential<'a> {
    store: &'a Store,
    sites: Vec<usize>,
    batch: usize,
    next_shard: usize,
    shard: Option<Shard>,
    row: usize,
}

impl Sequential<'_> {
    /// Fills `rows` with the next ones; `false` when there are no more.
    ///
    /// # Errors
    /// If a file has vanished.
    pub fn next_into(&mut self, rows: &mut Rows) -> Result<bool, StoreError> {
        rows.clear(self.sites.len());
        while rows.len() < self.batch {
            let Some(shard) = &self.shard else {
                if self.next_shard == self.store.manifest.shards.len() {
                    break;
                }
                self.shard = Some(self.store.shard(self.next_shard)?);
                (self.next_shard, self.row) = (self.next_shard + 1, 0);
                continue;
            };
            let end = shard.rows().min(self.row + self.batch - rows.len());
            rows.append(shard, &self.sites, self.row..end);
            self.row = end;
            if end == shard.rows() {
                self.shard = None;
            }
        }
        Ok(!rows.is_empty())
    }
}

/// Rows in a random order; see [`Store::shuffled`].
#[derive(Debug)]
pub struct Shuffled<'a> {
    store: &'a Store,
    sites: Vec<usize>,
    batch: usize,
    buffer: usize,
    random: ChaCha8Rng,
    /// Shards still to come, the next one last.
    order: Vec<usize>,
    shards: Vec<Shard>,
    /// Rows of `shards` still to come, the next one last.
    rows: Vec<(u32, u32)>,
}

impl Shuffled<'_> {
    /// Fills `rows` with the next ones; `false` when there are no more. Only the last batch is smaller than the others.
    ///
    /// # Errors
    /// If a file has vanished.
    pub fn next_into(&mut self, rows: &mut Rows) -> Result<bool, StoreError> {
        rows.clear(self.sites.len());
        while rows.len() < self.batch {
            let Some((shard, row)) = self.rows.pop() else {
                if self.order.is_empty() {
                    break;
                }
                self.refill()?;
                continue;
            };
            rows.append(&self.shards[shard as usize], &self.sites, row as usize..row as usize + 1);
        }
        Ok(!rows.is_empty())
    }

    fn refill(&mut self) -> Result<(), StoreError> {
        self.shards.clear();
        for shard in self.order.split_off(self.order.len().saturating_sub(self.buffer)) {
            self.shards.push(self.store.shard(shard)?);
        }
        // Shards have fewer than 2^32 rows; see the plan.
        let rows = |(number, shard): (u32, &Shard)| (0..shard.rows() as u32).map(move |row| (number, row));
        self.rows = (0..).zip(&self.shards).flat_map(rows).collect();
        self.rows.shuffle(&mut self.random);
        Ok(())
    }
}
