//! Totals of every unit: by context (hence by language and genre), by position, and over all.

use super::batch::{Batch, Labels};
use super::channel::Channel;
use super::lanes::{LANES, Row, SKIP_FIRST, Tally, Wide, is_active, masked};

/// Sums and counts of activity in parts of a stream.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub sums: Vec<Wide>,
    pub active: Vec<Tally>,
}

impl Parts {
    pub fn new(parts: usize) -> Parts {
        Parts { sums: vec![[0.0; LANES]; parts], active: vec![[0; LANES]; parts] }
    }

    #[inline(always)]
    fn add(&mut self, part: usize, totals: &Totals) {
        for lane in 0..LANES {
            self.sums[part][lane] += totals.sum[lane];
            self.active[part][lane] += totals.active[lane];
        }
    }

    /// Mean and share of active tokens in `part`, of which `count` tokens were seen; NaN if none was.
    pub fn of(&self, part: usize, lane: usize, count: u64) -> (f32, f32) {
        let n = count as f64;
        ((self.sums[part][lane] / n) as f32, (f64::from(self.active[part][lane]) / n) as f32)
    }

    fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        channel.rows(&mut self.sums)?;
        channel.rows(&mut self.active)
    }
}

/// Totals over the rows of one context that count.
pub(super) struct Totals {
    pub sum: Wide,
    pub active: Tally,
    /// The sum over active tokens.
    pub active_sum: Wide,
    pub max: Row,
    pub min: Row,
}

impl Totals {
    #[inline(always)]
    pub fn of(context: &[Row], threshold: &Row, magnitude: u32) -> Totals {
        let mut totals = Totals {
            sum: [0.0; LANES],
            active: [0; LANES],
            active_sum: [0.0; LANES],
            max: [f32::NEG_INFINITY; LANES],
            min: [f32::INFINITY; LANES],
        };
        for row in &context[SKIP_FIRST..] {
            for lane in 0..LANES {
                let x = row[lane];
                let active = is_active(x, threshold[lane], magnitude);
                totals.sum[lane] += f64::from(x);
                totals.active[lane] += u32::from(active);
                totals.active_sum[lane] += f64::from(if active { x } else { 0.0 });
                totals.max[lane] = if x > totals.max[lane] { x } else { totals.max[lane] };
                totals.min[lane] = if x < totals.min[lane] { x } else { totals.min[lane] };
            }
        }
        totals
    }
}

impl Totals {
    /// The greatest strength of a unit in the context: its largest value, or its largest magnitude where the sign does not count.
    #[inline(always)]
    pub fn strength(&self, lane: usize, magnitude: u32) -> f32 {
        let (max, min) = (masked(self.max[lane], magnitude), masked(self.min[lane], magnitude));
        // Where the sign counts the smallest value is never larger.
        if min > max { min } else { max }
    }
}

/// How positions are gathered: up to 256 entries, each of equally many positions.
pub(super) fn positions_per_bin(context_len: usize) -> usize {
    context_len.div_ceil(256).max(1)
}

/// The totals of a block's units.
#[derive(Debug, Clone)]
pub(super) struct Profiles {
    pub active: Tally,
    pub active_sum: Wide,
    pub max: Row,
    pub min: Row,
    pub positions: Parts,
    pub languages: Parts,
    pub genres: Parts,
}

impl Profiles {
    pub fn new(position_bins: usize, labels: &Labels) -> Profiles {
        Profiles {
            active: [0; LANES],
            active_sum: [0.0; LANES],
            max: [f32::NEG_INFINITY; LANES],
            min: [f32::INFINITY; LANES],
            positions: Parts::new(position_bins),
            languages: Parts::new(labels.languages.len()),
            genres: Parts::new(labels.genres.len()),
        }
    }

    /// Adds the totals of one context, whose language and genre have these profiles.
    #[inline(always)]
    pub fn add_context(&mut self, totals: &Totals, language: Option<usize>, genre: Option<usize>) {
        for lane in 0..LANES {
            self.active[lane] += totals.active[lane];
            self.active_sum[lane] += totals.active_sum[lane];
            self.max[lane] = self.max[lane].max(totals.max[lane]);
            self.min[lane] = self.min[lane].min(totals.min[lane]);
        }
        if let Some(part) = language {
            self.languages.add(part, totals);
        }
        if let Some(part) = genre {
            self.genres.add(part, totals);
        }
    }

    /// Adds a batch to the position profile, first positions included.
    #[inline(always)]
    pub fn add_positions(&mut self, rows: &[Row], batch: &Batch, threshold: &Row, magnitude: u32) {
        for position in 0..batch.len {
            let (mut sum, mut active) = ([0.0; LANES], [0u32; LANES]);
            for row in rows[position..].iter().step_by(batch.len) {
                for lane in 0..LANES {
                    sum[lane] += f64::from(row[lane]);
                    active[lane] += u32::from(is_active(row[lane], threshold[lane], magnitude));
                }
            }
            let part = position / batch.positions_per_bin;
            for lane in 0..LANES {
                self.positions.sums[part][lane] += sum[lane];
                self.positions.active[part][lane] += active[lane];
            }
        }
    }

    pub fn bytes(position_bins: usize, labels: &Labels) -> u64 {
        ((position_bins + labels.languages.len() + labels.genres.len() + 1) * LANES * 12) as u64
    }

    pub fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        channel.numbers(&mut self.active)?;
        channel.numbers(&mut self.active_sum)?;
        channel.numbers(&mut self.max)?;
        channel.numbers(&mut self.min)?;
        [&mut self.positions, &mut self.languages, &mut self.genres].into_iter().try_for_each(|x| x.transfer(channel))
    }
}

/// Mutual information, in nats, between position and activity, from the rates at each position and how many tokens were seen
/// there: `Σ_p w_p [f ln(f/f̄) + (1−f) ln((1−f)/(1−f̄))]`, `w_p` the share of tokens at `p`.
pub(super) fn position_information(rates: &[f32], counts: &[u64]) -> f32 {
    let total: f64 = counts.iter().map(|count| *count as f64).sum();
    if total == 0.0 {
        return 0.0;
    }
    let parts = || rates.iter().zip(counts).filter(|(_, count)| **count > 0);
    let mean = parts().map(|(rate, count)| f64::from(*rate) * *count as f64).sum::<f64>() / total;
    let term = |p: f64, q: f64| if p > 0.0 && q > 0.0 { p * (p / q).ln() } else { 0.0 };
    let information = parts().map(|(rate, count)| {
        let rate = f64::from(*rate);
        (term(rate, mean) + term(1.0 - rate, 1.0 - mean)) * *count as f64 / total
    });
    information.sum::<f64>().max(0.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn information_of_planted_profiles() {
        // Handbook §3: 0 for a constant rate, ln 2 for a unit that is on in one half and off in the other.
        assert_eq!(position_information(&[0.3; 40], &[7; 40]), 0.0);
        let step: Vec<f32> = (0..40).map(|p| if p < 20 { 1.0 } else { 0.0 }).collect();
        assert!((position_information(&step, &[7; 40]) - std::f32::consts::LN_2).abs() < 1e-6);
        assert_eq!(position_information(&[f32::NAN, 1.0], &[0, 4]), 0.0);
        assert_eq!(position_information(&[], &[]), 0.0);
    }

    #[test]
    fn long_contexts_share_entries() {
        assert_eq!([1, 128, 256, 257, 512, 1000].map(positions_per_bin), [1, 1, 1, 2, 2, 4]);
    }
}
