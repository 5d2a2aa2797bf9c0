//! What every block of units is told about one batch.

use super::lanes::{SKIP_FIRST, mix};
use super::plan::Plan;
use super::triggers::LONGEST;

/// The languages and genres that get profiles: indices into the corpus's lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    pub languages: Vec<u16>,
    pub genres: Vec<u16>,
}

/// The occurrences of one tracked token in a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// Index among the tracked tokens.
    pub token: u32,
    /// Its slots are these of [`Batch::group_slots`].
    pub first: u32,
    pub count: u32,
}

/// A batch of contexts of one length. A slot is a token of the batch: context by context.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The numbers of the contexts.
    pub contexts: Vec<u32>,
    /// Positions of each, the start token included.
    pub len: usize,
    /// Token ids, `[contexts][len]`.
    pub tokens: Vec<u32>,
    /// Index among the languages that get profiles, per context.
    pub languages: Vec<Option<usize>>,
    /// The same for genres.
    pub genres: Vec<Option<usize>>,
    /// A fixed random number per slot.
    pub hashes: Vec<u32>,
    /// Tracked tokens that occur, skipped positions left out.
    pub groups: Vec<Group>,
    pub group_slots: Vec<u32>,
    /// A key of the n-gram that ends at each slot; 0 where the context begins too late for one.
    pub ngrams: [Vec<u64>; LONGEST],
    /// Slots of the correlation sample, with their columns there.
    pub sampled: Vec<(u32, u32)>,
    pub positions_per_bin: usize,
}

/// A key of the n-gram `tokens`, never 0. Two n-grams share one with a probability of about 2⁻⁶⁴.
pub(super) fn ngram_key(tokens: &[u32]) -> u64 {
    tokens.iter().fold(tokens.len() as u64, |key, token| mix(key ^ u64::from(*token))).max(1)
}

impl Batch {
    /// The contexts `numbers` of `plan`, all of one length.
    pub fn new(plan: &Plan, numbers: &[u32]) -> Batch {
        let mut batch = Batch {
            contexts: numbers.to_vec(),
            len: numbers.first().map_or(0, |number| plan.len(*number)),
            positions_per_bin: plan.positions_per_bin,
            ..Batch::default()
        };
        let mut tracked: Vec<(u32, u32)> = Vec::new();
        for number in numbers {
            let first = batch.tokens.len();
            plan.push_tokens(*number, &mut batch.tokens);
            let tokens = &batch.tokens[first..];
            batch.languages.push(plan.language(*number));
            batch.genres.push(plan.genre(*number));
            for (position, token) in tokens.iter().enumerate() {
                let slot = (first + position) as u32;
                batch.hashes.push((mix(plan.seed ^ (u64::from(*number) << 16 | position as u64)) >> 32) as u32);
                for (n, keys) in batch.ngrams.iter_mut().enumerate() {
                    keys.push(if position >= n { ngram_key(&tokens[position - n..=position]) } else { 0 });
                }
                if position >= SKIP_FIRST
                    && let Some(index) = plan.tracked_index(*token)
                {
                    tracked.push((index, slot));
                }
            }
            let sampled = plan.sampled(*number);
            batch.sampled.extend(sampled.map(|(column, position)| (column, (first + position) as u32)));
        }
        tracked.sort_unstable();
        for run in tracked.chunk_by(|a, b| a.0 == b.0) {
            let first = batch.group_slots.len() as u32;
            batch.group_slots.extend(run.iter().map(|(_, slot)| *slot));
            batch.groups.push(Group { token: run[0].0, first, count: run.len() as u32 });
        }
        batch
    }

    /// Tokens that count.
    pub fn counted(&self) -> u64 {
        (self.contexts.len() * self.len.saturating_sub(SKIP_FIRST)) as u64
    }
}

/// How many tokens were seen so far: the same for every unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts {
    /// Batches done.
    pub batches: u64,
    /// Tokens that count.
    pub tokens: u64,
    /// Contexts.
    pub contexts: u64,
    /// Tokens per entry of the position profile, first positions included.
    pub positions: Vec<u64>,
    pub languages: Vec<u64>,
    pub genres: Vec<u64>,
    /// Occurrences of each tracked token.
    pub tracked: Vec<u64>,
}

impl Counts {
    pub fn new(plan: &Plan) -> Counts {
        Counts {
            positions: vec![0; plan.position_bins()],
            languages: vec![0; plan.labels.languages.len()],
            genres: vec![0; plan.labels.genres.len()],
            tracked: vec![0; plan.tracked.len()],
            ..Counts::default()
        }
    }

    pub fn add(&mut self, batch: &Batch) {
        self.batches += 1;
        self.tokens += batch.counted();
        self.contexts += batch.contexts.len() as u64;
        for position in 0..batch.len {
            self.positions[position / batch.positions_per_bin] += batch.contexts.len() as u64;
        }
        let counted = batch.len.saturating_sub(SKIP_FIRST) as u64;
        batch.languages.iter().flatten().for_each(|label| self.languages[*label] += counted);
        batch.genres.iter().flatten().for_each(|label| self.genres[*label] += counted);
        batch.groups.iter().for_each(|group| self.tracked[group.token as usize] += u64::from(group.count));
    }
}
