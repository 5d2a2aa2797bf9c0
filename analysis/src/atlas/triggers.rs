//! The n-grams at whose end a neuron fires, for neurons that can still turn out to be detectors.
//!
//! A detector is a neuron of whose firings 95 % are covered by at most five n-grams. Firings are counted per n-gram with the
//! counters of Misra and Gries: a count is too low by at most `dropped`, never too high. Two rules take a neuron out of
//! the count without ever losing a detector, both from the number of times that the five most frequent n-grams of the run
//! occur together (`common`): the firings of a detector cannot exceed `common / 0.95`, so those that its best five n-grams
//! leave uncovered cannot exceed `0.05 · common / 0.95`.

use super::batch::Batch;
use super::channel::Channel;
use super::lanes::{LANES, Row, SKIP_FIRST, Tally, is_active};

/// The longest n-gram.
pub(super) const LONGEST: usize = 3;
/// N-grams that may make up a detector.
pub(super) const COVER: usize = 5;
/// The share of firings that they must cover.
pub(super) const SHARE: f64 = 0.95;
/// Counters per neuron and n. A detector's 5 % of stray firings cost its true n-grams at most 5 % / (16 − 5 + 1) of its firings.
pub(super) const COUNTERS: usize = 16;

/// An n-gram with how often the neuron fired at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trigger {
    pub key: u64,
    pub fired: u32,
    /// A place where it ends.
    pub context: u32,
    pub position: u16,
}

const NONE: Trigger = Trigger { key: 0, fired: 0, context: 0, position: 0 };

/// The counters of a block's neurons.
#[derive(Debug, Clone)]
pub(super) struct Triggers {
    /// `[LONGEST][LANES][COUNTERS]`.
    counters: Vec<Trigger>,
    /// What every count of a neuron may be too low by, `[LONGEST]`.
    dropped: [Tally; LONGEST],
    /// Firings that were counted, `[LONGEST]`.
    fired: [Tally; LONGEST],
    /// Which neurons are still in the count: one bit per unit, `[LONGEST]`.
    alive: [u64; LONGEST],
}

impl Triggers {
    /// For the first `used` units of a block.
    pub fn new(used: usize) -> Triggers {
        let alive = if used >= LANES { u64::MAX } else { (1 << used) - 1 };
        Triggers {
            counters: vec![NONE; LONGEST * LANES * COUNTERS],
            dropped: [[0; LANES]; LONGEST],
            fired: [[0; LANES]; LONGEST],
            alive: [alive; LONGEST],
        }
    }

    /// Adds a batch, then takes out those that cannot be detectors any more.
    #[inline(always)]
    pub fn add(&mut self, rows: &[Row], batch: &Batch, threshold: &Row, magnitude: u32, common: &[u64; LONGEST]) {
        if self.alive[0] == 0 {
            return;
        }
        for (index, context) in rows.chunks_exact(batch.len).enumerate() {
            for (position, row) in context.iter().enumerate().skip(SKIP_FIRST) {
                let mut firing = [0u8; LANES];
                for lane in 0..LANES {
                    firing[lane] = u8::from(is_active(row[lane], threshold[lane], magnitude));
                }
                let firing = bits(&firing) & self.alive[0];
                if firing != 0 {
                    let slot = index * batch.len + position;
                    self.count(firing, batch, slot, (batch.contexts[index], position as u16));
                }
            }
        }
        self.drop_hopeless(common);
    }

    #[inline(never)]
    fn count(&mut self, firing: u64, batch: &Batch, slot: usize, at: (u32, u16)) {
        for n in 0..LONGEST {
            let key = batch.ngrams[n][slot];
            let mut left = firing & self.alive[n];
            while left != 0 {
                let lane = left.trailing_zeros() as usize;
                left &= left - 1;
                self.fired[n][lane] += 1;
                // Near the start of a context there is no n-gram; such a firing is covered by none.
                if key != 0 {
                    let counters = &mut self.counters[(n * LANES + lane) * COUNTERS..][..COUNTERS];
                    self.dropped[n][lane] += u32::from(misra_gries(counters, key, at));
                }
            }
        }
    }

    fn drop_hopeless(&mut self, common: &[u64; LONGEST]) {
        for n in 0..LONGEST {
            let most = common[n] as f64 / SHARE;
            let mut left = self.alive[n];
            while left != 0 {
                let lane = left.trailing_zeros() as usize;
                left &= left - 1;
                let fired = f64::from(self.fired[n][lane]);
                let uncovered = fired - self.best_cover(n, lane) as f64;
                // A hair above the bound, so that rounding never takes out a neuron that just meets it.
                if fired > most * (1.0 + 1e-9) || uncovered > (1.0 - SHARE) * most * (1.0 + 1e-9) {
                    // A longer n-gram that covers 95 % has a last token that does.
                    self.alive[n..].iter_mut().for_each(|alive| *alive &= !(1 << lane));
                }
            }
        }
    }

    /// The most firings that five n-grams can have covered.
    fn best_cover(&self, n: usize, lane: usize) -> u64 {
        let mut counts = [0u32; COUNTERS];
        let counters = &self.counters[(n * LANES + lane) * COUNTERS..][..COUNTERS];
        counts.iter_mut().zip(counters).for_each(|(count, counter)| *count = counter.fired);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts[..COVER].iter().map(|count| u64::from(*count) + u64::from(self.dropped[n][lane])).sum()
    }

    /// The n-grams (`n` from 1) of a unit, the most frequent first, with what every count may be too low by; `None` for a
    /// unit that is no detector of n-grams of this length.
    pub fn of(&self, lane: usize, n: usize) -> Option<(Vec<Trigger>, u32)> {
        if self.alive[n - 1] >> lane & 1 == 0 {
            return None;
        }
        let counters = &self.counters[((n - 1) * LANES + lane) * COUNTERS..][..COUNTERS];
        let mut found: Vec<Trigger> = counters.iter().filter(|counter| counter.fired > 0).copied().collect();
        found.sort_by_key(|trigger| (std::cmp::Reverse(trigger.fired), trigger.context, trigger.position));
        Some((found, self.dropped[n - 1][lane]))
    }

    pub fn bytes() -> u64 {
        (LONGEST * LANES * (COUNTERS * size_of::<Trigger>() + 8)) as u64
    }

    pub fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        for counter in &mut self.counters {
            channel.number(&mut counter.key)?;
            channel.number(&mut counter.fired)?;
            channel.number(&mut counter.context)?;
            channel.number(&mut counter.position)?;
        }
        channel.rows(&mut self.dropped)?;
        channel.rows(&mut self.fired)?;
        channel.numbers(&mut self.alive)
    }
}

/// One bit per byte that is 1.
#[inline(always)]
fn bits(bytes: &[u8; LANES]) -> u64 {
    let mut mask = 0;
    for (index, eight) in bytes.as_chunks::<8>().0.iter().enumerate() {
        // Gathers the lowest bits of eight bytes into the topmost byte.
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= gathered << (8 * index);
    }
    mask
}

/// Counts one occurrence of `key`; returns whether every count, and this occurrence, was lowered instead.
fn misra_gries(counters: &mut [Trigger], key: u64, (context, position): (u32, u16)) -> bool {
    let mut free = None;
    for (index, counter) in counters.iter_mut().enumerate() {
        if counter.fired > 0 && counter.key == key {
            counter.fired += 1;
            return false;
        }
        if counter.fired == 0 && free.is_none() {
            free = Some(index);
        }
    }
    match free {
        Some(index) => {
            counters[index] = Trigger { key, fired: 1, context, position };
            false
        }
        None => {
            counters.iter_mut().for_each(|counter| counter.fired -= 1);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn bits_are_in_the_order_of_the_bytes() {
        for lane in 0..LANES {
            let mut bytes = [0; LANES];
            bytes[lane] = 1;
            assert_eq!(bits(&bytes), 1 << lane);
        }
        assert_eq!(bits(&[1; LANES]), u64::MAX);
    }

    #[test]
    fn counts_err_on_the_low_side_by_no_more_than_they_say() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let (mut counters, mut dropped, mut truth) = ([NONE; COUNTERS], 0u32, HashMap::new());
        for _ in 0..5000 {
            // Five frequent keys, many rare ones.
            let key = if rng.random_bool(0.9) { rng.random_range(1..6) } else { rng.random_range(6..400) };
            *truth.entry(key).or_insert(0u32) += 1;
            dropped += u32::from(misra_gries(&mut counters, key, (0, 0)));
        }
        assert!(dropped > 0 && dropped <= 500 / (COUNTERS - 4) as u32 + 1, "{dropped}");
        for key in 1..6 {
            let found = counters.iter().find(|counter| counter.key == key && counter.fired > 0).unwrap().fired;
            assert!(found <= truth[&key] && found + dropped >= truth[&key]);
        }
    }
}
