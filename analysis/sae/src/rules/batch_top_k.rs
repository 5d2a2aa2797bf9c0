//! The k·n largest latents of a batch of n rows (Bussmann et al. 2024): as TopK, but rows share what they may use.
//!
//! A running mean of the smallest activation kept takes the batch's place after training (dictionary_learning: β 0.999).

use std::cmp::Ordering;

use golgi_data::dictionary::Codes;

use super::{Chosen, Loss, Memory, Moment, Rule, Work, push_dead, push_rows, top_k};
use crate::SaeError;
use crate::kernels::above;
use crate::parameters::Parameters;

/// β of the running threshold.
const DECAY: f32 = 0.999;

pub(super) struct BatchTopK {
    k: usize,
}

impl BatchTopK {
    pub(super) fn new(k: usize) -> BatchTopK {
        BatchTopK { k }
    }
}

impl Rule for BatchTopK {
    fn choose(&self, z: &[f32], parameters: &Parameters, moment: &Moment<'_>, chosen: &mut Chosen) {
        let bar = chosen.bar;
        push_rows(&mut chosen.active, z, parameters.encoder_bias.len(), |row| above(row, bar).collect::<Vec<_>>());
        let most = self.k * moment.settings.batch;
        if chosen.active.active() > 2 * most {
            chosen.bar = keep_largest(&mut chosen.active, most);
        }
        push_dead(&mut chosen.dead, z, parameters, moment);
    }

    fn settle(&self, rows: usize, memory: &mut Memory, chosen: &mut Chosen) {
        let smallest = keep_largest(&mut chosen.active, self.k * rows);
        if smallest > 0.0 {
            memory.threshold =
                Some(memory.threshold.map_or(smallest, |before| DECAY * before + (1.0 - DECAY) * smallest));
        }
    }

    fn learn(&self, work: &mut Work<'_>, moment: &Moment<'_>, chosen: &Chosen) -> Result<Loss, SaeError> {
        top_k::learn(work, moment, chosen)
    }
}

/// Keeps the `most` largest, of equal ones the earlier, and returns the smallest that is kept; 0 where there is none.
fn keep_largest(codes: &mut Codes, most: usize) -> f32 {
    if codes.active() <= most {
        return codes.values.iter().copied().reduce(f32::min).unwrap_or(0.0);
    }
    let mut values = codes.values.clone();
    let (_, bar, _) = values.select_nth_unstable_by(most - 1, |a, b| b.total_cmp(a));
    let bar = *bar;
    let larger = codes.values.iter().filter(|value| value.total_cmp(&bar) == Ordering::Greater).count();
    let mut equal_left = most - larger;
    let mut kept = Codes::default();
    for row in 0..codes.len() {
        let (latents, values) = codes.row(row);
        kept.push(latents.iter().copied().zip(values.iter().copied()).filter(
            |(_, value)| match value.total_cmp(&bar) {
                Ordering::Greater => true,
                Ordering::Equal if equal_left > 0 => {
                    equal_left -= 1;
                    true
                }
                _ => false,
            },
        ));
    }
    *codes = kept;
    bar
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_largest_of_a_batch_are_kept(rows in proptest::collection::vec(proptest::collection::vec(1u8..9, 0..12), 0..9), most in 1usize..40) {
            let mut codes = Codes::default();
            for row in &rows {
                codes.push((0u32..).zip(row.iter().map(|value| f32::from(*value))));
            }
            let mut all: Vec<f32> = codes.values.clone();
            all.sort_by(|a, b| b.total_cmp(a));
            all.truncate(most);
            let smallest = keep_largest(&mut codes, most);
            prop_assert_eq!(smallest, all.last().copied().unwrap_or(0.0));
            prop_assert_eq!(codes.len(), rows.len());
            let mut kept = codes.values.clone();
            kept.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(kept, all);
        }
    }
}
