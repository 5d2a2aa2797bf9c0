//! The activation store: what a model computed at several sites on many tokens, on disk.
//!
//! A store is a folder. `manifest.json` ([`Manifest`], schema `golgi.store/1`) says what was run on what, and names every shard
//! with its digest; `contexts.arrow` says which stretch of which document each context is; `shards/00000.arrow` and so on
//! hold the rows, one per token position, as Arrow IPC: `context` (u32), `position` (u16), `token` (u32), and for each site
//! a fixed-size list of f32 or f16 under the site's name. Files appear under their names only when they are whole.
//!
//! What goes into which shard is fixed by the [`StorePlan`] before anything is computed, so an interrupted run goes on where
//! it was and ends with the same bytes, and a damaged shard can be made again alone.
//!
//! ```
//! use golgi_data::corpus::{ContextOptions, PackedCorpus, PackedDocument, Split};
//! use golgi_data::store::{Column, ShardRows, Store, StoreDtype, StoreOrigin, StorePlan, StoreSite, StoreWriter};
//!
//! let document = PackedDocument { id: "a".into(), start: 0, len: 0, language: 0, genre: 0, split: Split::Explore };
//! let corpus = PackedCorpus::in_memory("planted", vec![(document, vec![7, 8, 9])], vec![], vec![]);
//! let options = ContextOptions::default();
//! let sites = vec![StoreSite { site: "blocks.0.hook_resid_post".into(), width: 2 }];
//! let plan = StorePlan::new(StoreOrigin::default(), sites, StoreDtype::F32, &corpus, &options, 1024, 1 << 20);
//!
//! let folder = tempfile::tempdir()?;
//! let mut writer = StoreWriter::create(folder.path(), &plan)?;
//! for shard in writer.todo() {
//!     let (contexts, positions, tokens) = plan.rows(shard, &corpus);
//!     let columns = vec![Column::F32(vec![0.5; contexts.len() * 2])];
//!     writer.write(shard, ShardRows { contexts, positions, tokens, columns })?;
//! }
//! let store = Store::open(folder.path())?;
//! assert_eq!(store.shard(0)?.tokens(), [7, 8, 9]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod contexts_file;
mod error;
mod layout;
mod manifest;
mod plan;
mod reader;
mod shard;
#[cfg(test)]
mod tests;
mod writer;

pub use error::StoreError;
pub use manifest::{Manifest, PlannedShard, StoreContexts, StoreDtype, StoreOrigin, StoreSite};
pub use plan::{PlannedContext, StorePlan};
pub use reader::{Rows, Selection, Sequential, Shuffled, Store};
pub use shard::Shard;
pub use writer::{Column, ShardRows, StoreWriter};

/// Name of the manifest in a store's folder.
pub const MANIFEST: &str = "manifest.json";
/// Name of the table of contexts in a store's folder.
pub const CONTEXTS: &str = "contexts.arrow";
/// The folder of the shards.
pub const SHARDS: &str = "shards";

/// The file of a shard, as the manifest and messages name it.
pub fn shard_name(index: usize) -> String {
    format!("{SHARDS}/{index:05}.arrow")
}
