//! Codes the other way round: for each latent the rows in which it is active.

use golgi_data::dictionary::Codes;

/// Where each latent is active. Rows ascend for each latent, so sums over them have one order.
#[derive(Debug)]
pub struct ByLatent {
    starts: Vec<u32>,
    /// Row and place in the codes.
    entries: Vec<(u32, u32)>,
}

impl ByLatent {
    /// Turns `codes` of `latents` latents round.
    pub fn new(codes: &Codes, latents: usize) -> ByLatent {
        let mut starts = vec![0u32; latents + 1];
        for latent in &codes.latents {
            starts[*latent as usize + 1] += 1;
        }
        for latent in 0..latents {
            starts[latent + 1] += starts[latent];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0); codes.active()];
        for row in 0..codes.len() {
            for place in codes.starts[row]..codes.starts[row + 1] {
                let slot = &mut next[codes.latents[place] as usize];
                entries[*slot as usize] = (row as u32, place as u32);
                *slot += 1;
            }
        }
        ByLatent { starts, entries }
    }

    /// Row and place in the codes wherever `latent` is active.
    pub fn of(&self, latent: usize) -> impl ExactSizeIterator<Item = (usize, usize)> {
        let entries = &self.entries[self.starts[latent] as usize..self.starts[latent + 1] as usize];
        entries.iter().map(|(row, place)| (*row as usize, *place as usize))
    }
}
