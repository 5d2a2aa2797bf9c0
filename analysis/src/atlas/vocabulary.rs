//! The mean activation at each of the most frequent vocabulary tokens of the run.

use super::batch::Batch;
use super::channel::Channel;
use super::lanes::{LANES, Row};

/// Means per tracked token of a block's units. How often each token was seen is the same for all units and kept elsewhere.
#[derive(Debug, Clone)]
pub(super) struct TokenMeans {
    /// One row per tracked token. f32 holds a running mean (unlike a sum) without drift: each batch is summed in f64.
    means: Vec<Row>,
}

impl TokenMeans {
    pub fn new(tracked: usize) -> TokenMeans {
        TokenMeans { means: vec![[0.0; LANES]; tracked] }
    }

    /// Adds a batch; `seen[token]` is how often each tracked token was met before it.
    #[inline(always)]
    pub fn add(&mut self, rows: &[Row], batch: &Batch, seen: &[u64]) {
        for group in &batch.groups {
            let slots = &batch.group_slots[group.first as usize..][..group.count as usize];
            let mut sum = [0.0f64; LANES];
            for slot in slots {
                let row = &rows[*slot as usize];
                for lane in 0..LANES {
                    sum[lane] += f64::from(row[lane]);
                }
            }
            let n = f64::from(group.count);
            let share = 1.0 / (seen[group.token as usize] as f64 + n);
            let mean = &mut self.means[group.token as usize];
            for lane in 0..LANES {
                let old = f64::from(mean[lane]);
                mean[lane] = (old + (sum[lane] - n * old) * share) as f32;
            }
        }
    }

    /// The mean of one unit at a tracked token.
    pub fn mean(&self, token: usize, lane: usize) -> f32 {
        self.means[token][lane]
    }

    pub fn bytes(tracked: usize) -> u64 {
        (tracked * LANES * 4) as u64
    }

    pub fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        channel.rows(&mut self.means)
    }
}
