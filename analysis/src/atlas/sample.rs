//! A fixed sample of tokens at which every unit's activation is kept, for correlations between units.

use super::batch::Batch;
use super::channel::Channel;
use super::lanes::{LANES, Row};

/// The sampled activations of a block's units, rounded to 16 bits with f32's range: a correlation changes by about 1e-5.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// One row per sampled token.
    rows: Vec<[u16; LANES]>,
}

/// The upper half of an f32, rounded to the nearest.
#[inline(always)]
fn shorten(x: f32) -> u16 {
    let bits = x.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

impl Sample {
    pub fn new(slots: usize) -> Sample {
        Sample { rows: vec![[0; LANES]; slots] }
    }

    #[inline(always)]
    pub fn add(&mut self, rows: &[Row], batch: &Batch) {
        for (column, slot) in &batch.sampled {
            let (kept, row) = (&mut self.rows[*column as usize], &rows[*slot as usize]);
            for lane in 0..LANES {
                kept[lane] = shorten(row[lane]);
            }
        }
    }

    /// The activations of one unit at the sampled tokens.
    pub fn of(&self, lane: usize) -> impl Iterator<Item = f32> {
        self.rows.iter().map(move |row| f32::from_bits(u32::from(row[lane]) << 16))
    }

    pub fn bytes(slots: usize) -> u64 {
        (slots * LANES * 2) as u64
    }

    pub fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        channel.rows(&mut self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        for x in [0.0f32, 1.0, -1.0, 2.345678, -1234.567, 1e-20, 1e30] {
            let back = f32::from_bits(u32::from(shorten(x)) << 16);
            assert!((back - x).abs() <= x.abs() / 256.0, "{x} {back}");
        }
    }
}
