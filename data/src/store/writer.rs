//! Writing a store, shard by shard, in any order.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, RecordBatch, UInt16Array, UInt32Array};
use arrow_array::{Float16Array, Float32Array};
use half::f16;
use rayon::prelude::*;

use super::error::failed;
use super::{CONTEXTS, MANIFEST, Manifest, SHARDS, StoreError, StorePlan, contexts_file, layout, shard_name};

/// Activations of one site in the rows of one shard.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// For stores of f32.
    F32(Vec<f32>),
    /// For stores of f16.
    F16(Vec<f16>),
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Column::F32(values) => values.len(),
            Column::F16(values) => values.len(),
        }
    }
}

/// Everything that goes into one shard; [`StorePlan::rows`] gives the first three.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardRows {
    /// The context of each row.
    pub contexts: Vec<u32>,
    /// Its position in that context, BOS included.
    pub positions: Vec<u16>,
    /// Its token.
    pub tokens: Vec<u32>,
    /// For each site, row after row.
    pub columns: Vec<Column>,
}

/// Writes a store. Only one process at a time can.
#[derive(Debug)]
pub struct StoreWriter {
    folder: PathBuf,
    manifest: Manifest,
    damaged: Vec<String>,
    todo: Vec<usize>,
    /// Held as long as the writer lives; falls when the process dies.
    _lock: File,
}

impl StoreWriter {
    /// Begins a store in a folder that does not exist yet, is empty, or holds what a run left behind that was killed at its
    /// very beginning.
    ///
    /// # Errors
    /// If there is a store already or anything else, or the folder cannot be written to.
    pub fn create(folder: &Path, plan: &StorePlan) -> Result<StoreWriter, StoreError> {
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
        let lock = lock(folder)?;
        if folder.join(MANIFEST).exists() {
            return Err(StoreError::Exists(folder.to_path_buf()));
        }
        for entry in fs::read_dir(folder).map_err(failed("list", folder))? {
            let entry = entry.map_err(failed("list", folder))?;
            let name = entry.file_name();
            let ours = name == CONTEXTS || name == "contexts.part" || name == "manifest.part" || name == SHARDS;
            if !ours {
                return Err(StoreError::NotEmpty(folder.to_path_buf()));
            }
        }
        let shards = folder.join(SHARDS);
        fs::create_dir_all(&shards).map_err(failed("create", &shards))?;
        let mut manifest = plan.manifest.clone();
        manifest.contexts_blake3 = contexts_file::write(folder, plan.contexts())?;
        manifest.write(folder)?;
        let todo = (0..manifest.shards.len()).collect();
        Ok(StoreWriter { folder: folder.to_path_buf(), manifest, damaged: vec![], todo, _lock: lock })
    }

    /// Goes on with a store that was begun by the same plan. Every shard that is there is checked against its digest.
    ///
    /// # Errors
    /// If there is none, it was made of another model, corpus or with other settings, or it cannot be read.
    pub fn resume(folder: &Path, plan: &StorePlan) -> Result<StoreWriter, StoreError> {
        let manifest = Manifest::read(folder)?;
        let lock = lock(folder)?;
        same(folder, &manifest, plan)?;
        let mut damaged = Vec::new();
        if !contexts_file::is_whole(folder, &manifest) {
            damaged.push(CONTEXTS.to_owned());
            if contexts_file::write(folder, plan.contexts())? != manifest.contexts_blake3 {
                return Err(StoreError::Different { path: folder.to_path_buf(), file: CONTEXTS.to_owned() });
            }
        }
        let broken = broken_shards(folder, &manifest);
        damaged.extend(broken.iter().map(|shard| shard_name(*shard)));
        let missing = |shard: &usize| manifest.shards[*shard].blake3.is_none() || broken.contains(shard);
        let todo = (0..manifest.shards.len()).filter(missing).collect();
        Ok(StoreWriter { folder: folder.to_path_buf(), manifest, damaged, todo, _lock: lock })
    }

    /// The shards still to be written, in order.
    pub fn todo(&self) -> Vec<usize> {
        self.todo.clone()
    }

    /// Files that were found damaged when the work was taken up again, and are made anew.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// The manifest as it is on disk.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Writes a shard; when this returns it is on the disk and in the manifest.
    ///
    /// # Errors
    /// If the rows are not those of the plan, the disk is full, or a shard that is made again differs from what it was.
    /// The store is then as it was before.
    pub fn write(&mut self, shard: usize, rows: ShardRows) -> Result<(), StoreError> {
        let batch = self.batch(shard, rows)?;
        let name = shard_name(shard);
        let path = self.folder.join(&name);
        let part = path.with_extension("part");
        let written = layout::write_file(&part, &batch).map_err(failed("write", &path)).and_then(|(bytes, digest)| {
            if self.manifest.shards[shard].blake3.as_ref().is_some_and(|known| *known != digest) {
                return Err(StoreError::Different { path: self.folder.clone(), file: name });
            }
            fs::rename(&part, &path).map_err(failed("write", &path))?;
            Ok((bytes, digest))
        });
        let (bytes, digest) = written.inspect_err(|_| {
            // On a full disk every byte counts; the next run would overwrite it in any case.
            let _ = fs::remove_file(&part);
        })?;
        let planned = &mut self.manifest.shards[shard];
        (planned.bytes, planned.blake3) = (bytes, Some(digest));
        self.manifest.write(&self.folder)?;
        self.todo.retain(|other| *other != shard);
        Ok(())
    }

    fn batch(&self, shard: usize, rows: ShardRows) -> Result<RecordBatch, StoreError> {
        let count = self.manifest.shards.len() as u64;
        let planned = self.manifest.shards.get(shard);
        let planned = planned.ok_or(StoreError::Range { what: "shard", index: shard as u64, count })?;
        let expected = planned.rows as usize;
        let refuse = |what: &str, expected: usize, found: usize| match expected == found {
            true => Ok(()),
            false => Err(StoreError::Rows { shard, what: what.to_owned(), expected, found }),
        };
        refuse("contexts", expected, rows.contexts.len())?;
        refuse("positions", expected, rows.positions.len())?;
        refuse("tokens", expected, rows.tokens.len())?;
        refuse("sites", self.manifest.sites.len(), rows.columns.len())?;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(rows.contexts)),
            Arc::new(UInt16Array::from(rows.positions)),
            Arc::new(UInt32Array::from(rows.tokens)),
        ];
        for (site, column) in self.manifest.sites.iter().zip(rows.columns) {
            refuse(&site.site, expected * site.width as usize, column.len())?;
            let values: ArrayRef = match column {
                Column::F32(values) => Arc::new(Float32Array::from(values)),
                Column::F16(values) => Arc::new(Float16Array::from(values)),
            };
            let item = layout::item(self.manifest.dtype);
            let list = FixedSizeListArray::try_new(item, site.width as i32, values, None);
            // Only the element type can be another one: the length was checked.
            let list = list.map_err(|_| StoreError::Rows { shard, what: site.site.clone(), expected, found: 0 })?;
            columns.push(Arc::new(list));
        }
        RecordBatch::try_new(layout::schema(&self.manifest), columns).map_err(|error| StoreError::Rows {
            shard,
            what: error.to_string(),
            expected,
            found: 0,
        })
    }
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let file = File::open(folder).map_err(failed("open", folder))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy(folder.to_path_buf())),
        // A file system without locks: two writers at once waste work, and digests still guard the result.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Shards that the manifest has and whose files are not as it says.
pub(super) fn broken_shards(folder: &Path, manifest: &Manifest) -> Vec<usize> {
    let broken = |index: &usize| {
        let shard = &manifest.shards[*index];
        shard.blake3.as_ref().is_some_and(|digest| {
            let map = layout::map(&folder.join(shard_name(*index)));
            !map.is_ok_and(|map| map.len() as u64 == shard.bytes && blake3::hash(&map).to_hex().as_str() == digest)
        })
    };
    (0..manifest.shards.len()).into_par_iter().filter(broken).collect()
}

/// Refuses a plan that is not the one the store was begun by.
fn same(folder: &Path, manifest: &Manifest, plan: &StorePlan) -> Result<(), StoreError> {
    let (now, then) = (&plan.manifest, manifest);
    let contexts = |manifest: &Manifest| {
        let contexts = &manifest.contexts;
        let split = contexts.split.map_or("all splits", crate::corpus::Split::name);
        format!("{} tokens of {split} in contexts of {}", contexts.tokens, contexts.len)
    };
    let sites =
        |manifest: &Manifest| manifest.sites.iter().map(|site| site.site.as_str()).collect::<Vec<_>>().join(" ");
    let text = |text: &str| text.to_owned();
    let pairs = [
        ("model", text(&now.origin.model_digest), text(&then.origin.model_digest)),
        ("tokenizer", text(&now.origin.tokenizer_digest), text(&then.origin.tokenizer_digest)),
        ("corpus", text(&now.origin.corpus_digest), text(&then.origin.corpus_digest)),
        ("precision of the model", text(&now.origin.model_dtype), text(&then.origin.model_dtype)),
        ("kind of attention", text(&now.origin.attention), text(&then.origin.attention)),
        ("seed", now.origin.seed.to_string(), then.origin.seed.to_string()),
        ("version of Golgi", text(&now.origin.version), text(&then.origin.version)),
        ("choice of sites", sites(now), sites(then)),
        ("element type", now.dtype.to_string(), then.dtype.to_string()),
        ("choice of contexts", contexts(now), contexts(then)),
    ];
    let brief = |text: String| if text.len() > 80 { text.chars().take(77).collect::<String>() + "…" } else { text };
    for (what, expected, found) in pairs {
        if expected != found {
            let (expected, found) = (brief(expected), brief(found));
            return Err(StoreError::Changed { path: folder.to_path_buf(), what, expected, found });
        }
    }
    let sizes = |manifest: &Manifest| manifest.shards.iter().map(|s| (s.rows, s.contexts)).collect::<Vec<_>>();
    let rest = (&now.contexts, &now.sites, sizes(now)) == (&then.contexts, &then.sites, sizes(then));
    if !rest {
        let (expected, found) = (now.shards.len().to_string(), then.shards.len().to_string());
        return Err(StoreError::Changed { path: folder.to_path_buf(), what: "division into shards", expected, found });
    }
    Ok(())
}
