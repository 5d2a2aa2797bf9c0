//! What a store will hold, fixed before anything is computed.

use std::ops::Range;

use super::manifest::SCHEMA;
use super::{Manifest, PlannedShard, StoreContexts, StoreDtype, StoreOrigin, StoreSite};
use crate::corpus::{Context, ContextOptions, PackedCorpus, batches, contexts};

/// A context of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedContext {
    /// Index of its document in the corpus.
    pub document: u32,
    /// What that document is called.
    pub document_id: String,
    /// Its first token, counted in the document.
    pub start: u32,
    /// Its tokens, without BOS.
    pub len: u16,
    /// The shard it lies in.
    pub shard: u32,
    /// Its first row in that shard.
    pub row: u32,
}

/// Which contexts go through the model together, and into which shard.
#[derive(Debug, Clone)]
pub struct StorePlan {
    pub(super) manifest: Manifest,
    contexts: Vec<PlannedContext>,
    groups: Vec<Vec<u32>>,
    /// Groups of each shard.
    shards: Vec<Range<usize>>,
}

impl StorePlan {
    /// Cuts the corpus into contexts, groups those of one length (about `tokens_per_batch` tokens a group, see
    /// [`batches`]), and puts whole groups into shards of about `shard_bytes`.
    pub fn new(
        origin: StoreOrigin,
        sites: Vec<StoreSite>,
        dtype: StoreDtype,
        corpus: &PackedCorpus,
        options: &ContextOptions,
        tokens_per_batch: usize,
        shard_bytes: u64,
    ) -> StorePlan {
        let found = contexts(corpus, options);
        let groups = batches(&found, tokens_per_batch);
        let bos = u32::from(options.bos.is_some());
        let tokens = found.iter().map(|context| u64::from(context.len)).sum();
        let mut manifest = Manifest {
            schema: SCHEMA.to_owned(),
            origin,
            contexts: StoreContexts {
                len: options.len,
                count: found.len() as u64,
                tokens,
                split: options.split,
                bos: options.bos,
            },
            dtype,
            sites,
            rows: tokens + u64::from(bos) * found.len() as u64,
            contexts_blake3: String::new(),
            shards: Vec::new(),
        };
        let planned = |context: &Context| PlannedContext {
            document: context.document,
            document_id: corpus.documents().get(context.document as usize).map_or_else(String::new, |d| d.id.clone()),
            start: context.start,
            len: context.len,
            shard: 0,
            row: 0,
        };
        let mut contexts: Vec<PlannedContext> = found.iter().map(planned).collect();
        let full = (shard_bytes / manifest.row_bytes()).clamp(1, u64::from(u32::MAX / 2));
        let mut shards: Vec<Range<usize>> = Vec::new();
        for (group, at) in groups.iter().zip(0..) {
            if manifest.shards.last().is_none_or(|shard| shard.rows >= full) {
                manifest.shards.push(PlannedShard { rows: 0, contexts: 0, bytes: 0, blake3: None });
                shards.push(at..at);
            }
            let number = shards.len() - 1;
            shards[number].end = at + 1;
            let shard = &mut manifest.shards[number];
            for index in group {
                let context = &mut contexts[*index as usize];
                context.shard = number as u32;
                // Below twice 2^31: a shard ends with the group that fills it.
                context.row = shard.rows as u32;
                shard.rows += u64::from(u32::from(context.len) + bos);
                shard.contexts += 1;
            }
        }
        StorePlan { manifest, contexts, groups, shards }
    }

    /// The manifest, without digests.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// All contexts; their number is what the column `context` holds.
    pub fn contexts(&self) -> &[PlannedContext] {
        &self.contexts
    }

    /// How many shards there will be.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The groups of a shard, in the order of its rows: numbers of contexts that have one length.
    pub fn groups(&self, shard: usize) -> &[Vec<u32>] {
        self.shards.get(shard).map_or(&[], |groups| &self.groups[groups.clone()])
    }

    /// What the model sees in a context, BOS included.
    pub fn sequence(&self, context: u32, corpus: &PackedCorpus) -> Vec<u32> {
        let Some(planned) = self.contexts.get(context as usize) else { return Vec::new() };
        let stretch = Context { document: planned.document, start: planned.start, len: planned.len };
        let tokens = corpus.context_tokens(&stretch);
        self.manifest.contexts.bos.into_iter().chain(tokens.iter().copied()).collect()
    }

    /// The first three columns of a shard: context, position, token.
    pub fn rows(&self, shard: usize, corpus: &PackedCorpus) -> (Vec<u32>, Vec<u16>, Vec<u32>) {
        let (mut contexts, mut positions, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
        for context in self.groups(shard).iter().flatten() {
            let sequence = self.sequence(*context, corpus);
            contexts.resize(contexts.len() + sequence.len(), *context);
            // A context has at most 65,535 positions.
            positions.extend((0..sequence.len()).map(|position| position as u16));
            tokens.extend(sequence);
        }
        (contexts, positions, tokens)
    }

    /// The size of the whole store, in bytes; the files' own heads add a little less than a kilobyte per shard and site.
    pub fn bytes(&self) -> u64 {
        self.manifest.rows * self.manifest.row_bytes()
    }
}
