//! What a build will go through, settled before it begins: contexts, batches, tracked tokens, sampled tokens.
//!
//! All of it follows from the corpus and the options, so a build that is resumed finds the same plan again.

use std::collections::HashMap;

use golgi_data::corpus::{Context, ContextOptions, PackedCorpus, batches, contexts};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::batch::{Labels, ngram_key};
use super::lanes::{LANES, SKIP_FIRST};
use super::profiles::positions_per_bin;
use super::triggers::{COVER, LONGEST};
use super::{BuildError, BuildOptions};

/// Languages, and genres, that get profiles: the most frequent ones.
const MAX_LABELS: usize = 64;
/// N-grams counted at once while looking for the most frequent ones.
const COUNTED_NGRAMS: usize = 1 << 17;

/// A build before it begins.
pub(super) struct Plan<'a> {
    pub corpus: &'a PackedCorpus,
    pub contexts: Vec<Context>,
    /// Numbers of contexts, all of one length each.
    pub batches: Vec<Vec<u32>>,
    pub bos: Option<u32>,
    pub seed: u64,
    pub positions_per_bin: usize,
    /// The longest context, start token included.
    pub longest: usize,
    pub labels: Labels,
    /// The tracked tokens, the most frequent first.
    pub tracked: Vec<u32>,
    /// The share of the counted tokens that they make up.
    pub coverage: f64,
    /// Tokens that count.
    pub counted: u64,
    /// How often the five most frequent n-grams occur together, by n: never too low.
    pub common: [u64; LONGEST],
    /// Index among the tracked tokens, by token id.
    index: Vec<u32>,
    /// Sampled places, ascending; the column of the sample is the index.
    sample: Vec<(u32, u16)>,
}

impl<'a> Plan<'a> {
    /// Plans a build over `corpus` for a model with a vocabulary of `d_vocab` tokens and `blocks` blocks of units.
    pub fn new(
        corpus: &'a PackedCorpus,
        options: &BuildOptions,
        (d_vocab, blocks): (usize, usize),
        bos: Option<u32>,
    ) -> Result<Plan<'a>, BuildError> {
        let wanted = ContextOptions { len: options.context_len, tokens: options.tokens, split: options.split, bos };
        let mut contexts = contexts(corpus, &wanted);
        // A context without a token behind the skipped one says nothing.
        contexts.retain(|context| usize::from(context.len) + usize::from(bos.is_some()) > SKIP_FIRST);
        if contexts.is_empty() {
            return Err(BuildError::NoTokens { corpus: corpus.name().to_owned() });
        }
        // The lengths of a batch count without the start token.
        let batches = batches(&contexts, options.batch_tokens);
        let longest = contexts.iter().map(|context| usize::from(context.len)).max().unwrap_or(0);
        let longest = longest + usize::from(bos.is_some());
        let mut plan = Plan {
            corpus,
            contexts,
            batches,
            bos,
            seed: options.seed,
            positions_per_bin: positions_per_bin(longest),
            longest,
            labels: Labels::default(),
            tracked: Vec::new(),
            coverage: 0.0,
            counted: 0,
            common: [0; LONGEST],
            index: vec![u32::MAX; d_vocab],
            sample: Vec::new(),
        };
        plan.look_through(d_vocab, options.vocab_budget_bytes / (blocks.max(1) * LANES * 4) as u64)?;
        plan.choose_sample(options.correlation_slots);
        Ok(plan)
    }

    /// Counts tokens, n-grams and labels.
    fn look_through(&mut self, d_vocab: usize, room: u64) -> Result<(), BuildError> {
        let mut counts = vec![0u64; d_vocab];
        let mut languages = vec![0u64; self.corpus.languages().len()];
        let mut genres = vec![0u64; self.corpus.genres().len()];
        let mut ngrams: [Frequent; LONGEST] = std::array::from_fn(|_| Frequent::default());
        let mut tokens = Vec::new();
        for number in 0..self.contexts.len() as u32 {
            tokens.clear();
            self.push_tokens(number, &mut tokens);
            let counted = (tokens.len() - SKIP_FIRST) as u64;
            self.counted += counted;
            let document = &self.corpus.documents()[self.contexts[number as usize].document as usize];
            if let Some(count) = languages.get_mut(usize::from(document.language)) {
                *count += counted;
            }
            if let Some(count) = genres.get_mut(usize::from(document.genre)) {
                *count += counted;
            }
            for position in SKIP_FIRST..tokens.len() {
                let token = tokens[position];
                *counts.get_mut(token as usize).ok_or(BuildError::UnknownToken { token, d_vocab })? += 1;
                for (n, frequent) in ngrams.iter_mut().enumerate().filter(|(n, _)| position >= *n) {
                    frequent.add(ngram_key(&tokens[position - n..=position]));
                }
            }
        }
        self.labels = Labels { languages: most_frequent(&languages), genres: most_frequent(&genres) };
        self.common = ngrams.map(|frequent| frequent.top(COVER));
        let mut order: Vec<u32> = (0..d_vocab as u32).filter(|token| counts[*token as usize] > 0).collect();
        order.sort_by_key(|token| (std::cmp::Reverse(counts[*token as usize]), *token));
        order.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        let covered: u64 = order.iter().map(|token| counts[*token as usize]).sum();
        self.coverage = covered as f64 / self.counted.max(1) as f64;
        order.iter().zip(0..).for_each(|(token, index)| self.index[*token as usize] = index);
        self.tracked = order;
        Ok(())
    }

    /// Chooses `slots` of the counted tokens, each set of them equally likely.
    fn choose_sample(&mut self, slots: usize) {
        let total = usize::try_from(self.counted).unwrap_or(usize::MAX);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut chosen = rand::seq::index::sample(&mut rng, total, slots.min(total)).into_vec();
        chosen.sort_unstable();
        let mut chosen = chosen.into_iter().peekable();
        let mut first = 0;
        for number in 0..self.contexts.len() as u32 {
            let counted = self.len(number) - SKIP_FIRST;
            while let Some(index) = chosen.next_if(|index| *index < first + counted) {
                self.sample.push((number, (index - first + SKIP_FIRST) as u16));
            }
            first += counted;
        }
    }

    /// Positions of context `number`, the start token included.
    pub fn len(&self, number: u32) -> usize {
        usize::from(self.contexts[number as usize].len) + usize::from(self.bos.is_some())
    }

    /// Appends the tokens of context `number` as the model gets them.
    pub fn push_tokens(&self, number: u32, to: &mut Vec<u32>) {
        to.extend(self.bos);
        to.extend_from_slice(self.corpus.context_tokens(&self.contexts[number as usize]));
    }

    /// Which profile the context's language has.
    pub fn language(&self, number: u32) -> Option<usize> {
        let document = &self.corpus.documents()[self.contexts[number as usize].document as usize];
        self.labels.languages.iter().position(|label| *label == document.language)
    }

    /// Which profile the context's genre has.
    pub fn genre(&self, number: u32) -> Option<usize> {
        let document = &self.corpus.documents()[self.contexts[number as usize].document as usize];
        self.labels.genres.iter().position(|label| *label == document.genre)
    }

    /// Where `token` stands among the tracked ones.
    pub fn tracked_index(&self, token: u32) -> Option<u32> {
        self.index.get(token as usize).copied().filter(|index| *index != u32::MAX)
    }

    /// Columns of the sample and positions of context `number`.
    pub fn sampled(&self, number: u32) -> impl Iterator<Item = (u32, usize)> {
        let first = self.sample.partition_point(|(context, _)| *context < number);
        let own =
            self.sample[first..].iter().zip(first as u32..).take_while(move |((context, _), _)| *context == number);
        own.map(|((_, position), column)| (column, usize::from(*position)))
    }

    /// Tokens of the sample.
    pub fn sample_len(&self) -> usize {
        self.sample.len()
    }

    /// Entries of the position profile.
    pub fn position_bins(&self) -> usize {
        self.longest.div_ceil(self.positions_per_bin)
    }

    /// Tokens that the model is run on.
    pub fn run_tokens(&self) -> u64 {
        (0..self.contexts.len() as u32).map(|number| self.len(number) as u64).sum()
    }
}

/// The labels with the most tokens, in the corpus's order.
fn most_frequent(counts: &[u64]) -> Vec<u16> {
    let mut order: Vec<u16> = (0..counts.len().min(usize::from(u16::MAX)) as u16).collect();
    order.retain(|label| counts[usize::from(*label)] > 0);
    order.sort_by_key(|label| std::cmp::Reverse(counts[usize::from(*label)]));
    order.truncate(MAX_LABELS);
    order.sort_unstable();
    order
}

/// Counts of the most frequent keys of a stream in bounded memory: when there are too many keys, all counts are lowered
/// together (Misra and Gries), and what was taken off is added again in the end.
#[derive(Default)]
struct Frequent {
    counts: HashMap<u64, u64>,
    lowered: u64,
}

impl Frequent {
    fn add(&mut self, key: u64) {
        *self.counts.entry(key).or_default() += 1;
        if self.counts.len() >= 2 * COUNTED_NGRAMS {
            let mut values: Vec<u64> = self.counts.values().copied().collect();
            let (_, median, _) = values.select_nth_unstable(COUNTED_NGRAMS);
            let by = *median;
            self.counts.retain(|_, count| {
                *count -= by.min(*count);
                *count > 0
            });
            self.lowered += by;
        }
    }

    /// The sum of the `n` largest counts; too high, if anything.
    fn top(self, n: usize) -> u64 {
        let mut values: Vec<u64> = self.counts.into_values().collect();
        values.sort_unstable_by(|a, b| b.cmp(a));
        values.truncate(n);
        values.iter().sum::<u64>() + self.lowered * n as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_keys_are_never_counted_too_low() {
        let mut frequent = Frequent::default();
        for i in 0..600_000u64 {
            frequent.add(if i % 10 == 0 { 1 } else { 1000 + i });
        }
        let found = frequent.top(1);
        assert!((60_000..60_020).contains(&found), "{found}");
    }
}
