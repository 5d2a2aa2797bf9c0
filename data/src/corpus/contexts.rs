//! Cutting documents into the contexts that a model is run on, and those into batches without padding.

use super::{PackedCorpus, Split};

/// What is left of a document after its whole contexts is cut down to a multiple of this many tokens: few lengths make
/// full batches, and no padding is computed.
pub const TAIL_STEP: usize = 16;

/// Which contexts are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextOptions {
    /// Tokens that the model sees at once, BOS included. At least 2 are used, and at most 65,535.
    pub len: usize,
    /// How many tokens of the corpus are wanted in all (BOS does not count).
    pub tokens: u64,
    /// Only documents of this split; `None`: all.
    pub split: Option<Split>,
    /// A token that is put in front of every context. Contexts are then cut one token shorter.
    pub bos: Option<u32>,
}

impl Default for ContextOptions {
    fn default() -> ContextOptions {
        ContextOptions { len: 128, tokens: u64::MAX, split: None, bos: None }
    }
}

/// A stretch of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Context {
    /// Index into [`PackedCorpus::documents`].
    pub document: u32,
    /// Its first token, counted in the document.
    pub start: u32,
    /// How many tokens of the document it has, without BOS.
    pub len: u16,
}

/// The contexts of a corpus. None crosses a document's bounds. Documents come in the order of the hash of their ids, which
/// mixes languages and genres and is always the same; the last context is cut so that exactly `tokens` tokens come out where
/// the corpus has that many. A document's whole contexts are followed by what is left of it, cut down to a multiple of
/// [`TAIL_STEP`] tokens; a document shorter than one context is taken as it is.
pub fn contexts(corpus: &PackedCorpus, options: &ContextOptions) -> Vec<Context> {
    let bos = usize::from(options.bos.is_some());
    let size = (options.len.clamp(2, usize::from(u16::MAX)) - bos) as u32;
    let mut found = Vec::new();
    let mut left = options.tokens;
    for document in order(corpus, options.split) {
        let len = corpus.documents()[document as usize].len;
        let tail = len % size;
        let end = if len > size { len - tail % TAIL_STEP as u32 } else { len };
        let mut start = 0;
        while start < end && left > 0 {
            let take = u64::from(size.min(end - start)).min(left);
            // At most `size`, which fits.
            found.push(Context { document, start, len: take as u16 });
            start += take as u32;
            left -= take;
        }
        if left == 0 {
            break;
        }
    }
    found
}

/// The documents of a split in the order of the hash of their ids; of equal ids the first one first.
fn order(corpus: &PackedCorpus, split: Option<Split>) -> Vec<u32> {
    let wanted =
        corpus.documents().iter().zip(0u32..).filter(|(document, _)| split.is_none_or(|s| s == document.split));
    let mut order: Vec<([u8; 32], u32)> =
        wanted.map(|(document, index)| (*blake3::hash(document.id.as_bytes()).as_bytes(), index)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

/// Groups contexts of one length, about `tokens_per_batch` tokens (at least one context) in each group, so that nothing is
/// padded. Returns indices into `contexts`, each exactly once. A group stands where its last context stands; those that
/// stay smaller than wanted come at the end, long contexts first.
pub fn batches(contexts: &[Context], tokens_per_batch: usize) -> Vec<Vec<u32>> {
    let mut open: std::collections::BTreeMap<u16, Vec<u32>> = std::collections::BTreeMap::new();
    let mut groups = Vec::new();
    for (context, index) in contexts.iter().zip(0u32..) {
        let group = open.entry(context.len).or_default();
        group.push(index);
        if group.len() >= (tokens_per_batch / usize::from(context.len.max(1))).max(1) {
            groups.push(std::mem::take(group));
        }
    }
    groups.extend(open.into_values().rev().filter(|group| !group.is_empty()));
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::PackedDocument;
    use super::*;

    fn corpus(lengths: &[usize]) -> PackedCorpus {
        let document = |i: usize| PackedDocument {
            id: format!("d{i}"),
            start: 0,
            len: 0,
            language: 0,
            genre: 0,
            split: Split::ALL[i % 3],
        };
        let ids = |i: usize, n: usize| (0..n).map(|k| (1000 * i + k) as u32).collect();
        let documents = lengths.iter().enumerate().map(|(i, n)| (document(i), ids(i, *n))).collect();
        PackedCorpus::in_memory("planted", documents, vec!["en".into()], vec![])
    }

    fn options(len: usize, tokens: u64) -> ContextOptions {
        ContextOptions { len, tokens, split: None, bos: None }
    }

    #[test]
    fn documents_are_cut_from_their_start_and_tails_are_trimmed() {
        let corpus = corpus(&[300, 5, 0, 256]);
        let mut found = contexts(&corpus, &options(128, u64::MAX));
        found.sort_by_key(|context| (context.document, context.start));
        let seen: Vec<_> = found.iter().map(|c| (c.document, c.start, c.len)).collect();
        // 300 = 128 + 128 + 44, of which 32 stay; 5 stays whole; 256 leaves nothing over.
        assert_eq!(seen, [(0, 0, 128), (0, 128, 128), (0, 256, 32), (1, 0, 5), (3, 0, 128), (3, 128, 128)]);
        assert_eq!(corpus.context_tokens(&found[2])[0], 256);
        assert_eq!(corpus.context_tokens(&found[4])[0], 3000);
    }

    #[test]
    fn room_is_left_for_bos() {
        let found = contexts(&corpus(&[300]), &ContextOptions { bos: Some(0), ..options(128, u64::MAX) });
        assert_eq!(found.iter().map(|c| c.len).collect::<Vec<_>>(), [127, 127, 32]);
    }

    #[test]
    fn fewer_tokens_are_the_beginning_of_more() {
        let corpus = corpus(&[400; 20]);
        let (few, more) = (contexts(&corpus, &options(64, 1000)), contexts(&corpus, &options(64, 3000)));
        assert_eq!(few.iter().map(|c| u64::from(c.len)).sum::<u64>(), 1000);
        assert_eq!(few[..few.len() - 1], more[..few.len() - 1]);
    }

    #[test]
    fn only_the_split_that_was_asked_for() {
        let corpus = corpus(&[50; 9]);
        let found = contexts(&corpus, &ContextOptions { split: Some(Split::Tune), ..options(128, u64::MAX) });
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|c| c.document % 3 == 1));
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert!(contexts(&corpus(&[]), &options(128, 100)).is_empty());
        assert!(contexts(&corpus(&[10]), &options(128, 0)).is_empty());
        assert!(batches(&[], 100).is_empty());
    }

    proptest! {
        #[test]
        fn every_context_is_in_one_batch_of_its_length(
            lengths in proptest::collection::vec(0usize..300, 0..20), len in 0usize..100, tokens in 0u64..3000, per in 0usize..1000,
        ) {
            let corpus = corpus(&lengths);
            let found = contexts(&corpus, &options(len, tokens));
            let total: u64 = found.iter().map(|c| u64::from(c.len)).sum();
            prop_assert!(total <= tokens);
            prop_assert!(found.iter().all(|c| corpus.context_tokens(c).len() == usize::from(c.len) && c.len > 0));
            let groups = batches(&found, per);
            let mut seen: Vec<u32> = groups.iter().flatten().copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..found.len() as u32).collect::<Vec<_>>());
            for group in groups {
                let len = found[group[0] as usize].len;
                prop_assert!(group.iter().all(|i| found[*i as usize].len == len));
                prop_assert!(group.len() == 1 || group.len() * usize::from(len) <= per);
            }
        }
    }
}
