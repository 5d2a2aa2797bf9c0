//! What explanations are examined on: passages where the unit fires, and passages where it does not, drawn at random or chosen
//! because they come near.

use std::collections::HashSet;

use super::candidates::mix;
use super::passage::{Evidence, Passage};
use super::rule::word_of;

/// The passages of an examination, all of them from the side that explainers never see.
#[derive(Debug)]
pub struct Exam<'a> {
    /// The unit fires in these.
    pub positives: Vec<&'a Passage>,
    /// It does not fire in these, drawn at random.
    pub random: Vec<&'a Passage>,
    /// Nor in these, which come nearest to those where it does.
    pub hard: Vec<&'a Passage>,
    /// The tokens at the unit's peaks, as far as explainers may know them.
    pub peaks: HashSet<&'a str>,
}

impl<'a> Exam<'a> {
    /// Draws at most `most` passages of each sort. Positives come evenly from the whole range of strengths. Half of the
    /// passages without firing go to the random ones, of the rest those that come nearest to the hard ones.
    ///
    /// How near a passage comes: 2 if it holds a token at which the unit peaks elsewhere, but not here, 1 if a unit near this one
    /// fires in it (where that is known), and the share of its words that occur where the unit fires.
    pub fn new(evidence: &'a Evidence, most: usize, seed: u64) -> Exam<'a> {
        let (mut positives, mut negatives): (Vec<&Passage>, Vec<&Passage>) =
            evidence.test.iter().partition(|passage| evidence.is_positive(passage));
        positives.sort_by(|a, b| b.max().total_cmp(&a.max()).then((a.context, a.start).cmp(&(b.context, b.start))));
        if positives.len() > most {
            positives = (0..most).map(|at| positives[at * positives.len() / most]).collect();
        }
        negatives.sort_by_key(|passage| mix(mix(seed, u64::from(passage.context)), passage.start as u64));
        let half = negatives.len().div_ceil(2).min(most);
        let rest = negatives.split_off(half);
        let firing = || evidence.train.iter().filter(|passage| evidence.is_positive(passage));
        let peaks: HashSet<&str> = firing().map(|passage| passage.pieces[passage.peak()].as_str()).collect();
        let known: HashSet<String> = firing().flat_map(|passage| passage.pieces.iter().map(|p| word_of(p))).collect();
        let nearness = |passage: &Passage| {
            let same = passage.pieces.iter().any(|piece| peaks.contains(piece.as_str()));
            let shared = passage.pieces.iter().filter(|piece| known.contains(&word_of(piece))).count();
            f64::from(u8::from(same)) * 2.0
                + f64::from(u8::from(passage.rival))
                + shared as f64 / passage.pieces.len().max(1) as f64
        };
        let mut near: Vec<(f64, &Passage)> = rest.into_iter().map(|passage| (nearness(passage), passage)).collect();
        // The sort is stable, so that equals stay in their random order.
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        let hard = near.into_iter().take(most).map(|(_, passage)| passage).collect();
        Exam { positives, random: negatives, hard, peaks }
    }

    /// Whether there is enough of both sorts for any score.
    pub fn is_possible(&self) -> bool {
        !self.positives.is_empty() && !self.random.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(context: u32, words: &str, values: &[f32]) -> Passage {
        Passage {
            context,
            start: 0,
            pieces: words.split(' ').map(String::from).collect(),
            values: values.to_vec(),
            language: None,
            genre: None,
            rival: context == 9,
        }
    }

    #[test]
    fn hard_ones_come_nearest() {
        let train = vec![passage(0, "the river was deep", &[0.0, 5.0, 0.0, 0.0])];
        let firing = (20..26).map(|n| passage(n, "a river", &[0.0, n as f32]));
        let silent = (0..8).map(|n| passage(n, "x y z", &[0.0; 3]));
        let near = [
            passage(8, "was deep x y", &[0.0; 4]),
            passage(9, "x y z", &[0.0; 3]),
            passage(10, "river x y z", &[0.0; 4]),
        ];
        let test: Vec<Passage> = firing.chain(silent).chain(near).collect();
        let evidence = Evidence { negative: false, scale: 5.0, threshold: 1.5, train, test };
        let all: Vec<Exam> = (0..20).map(|seed| Exam::new(&evidence, 4, seed)).collect();
        for exam in &all {
            let contexts = |list: &[&Passage]| list.iter().map(|one| one.context).collect::<Vec<_>>();
            assert_eq!(contexts(&exam.positives), [25, 24, 22, 21]);
            assert_eq!((exam.random.len(), exam.hard.len()), (4, 4));
            assert!(contexts(&exam.random).iter().all(|one| !contexts(&exam.hard).contains(one)));
            // Those that come near stand first, nearest first, unless the dice took them before.
            let left: Vec<u32> = [10, 9, 8].into_iter().filter(|one| !contexts(&exam.random).contains(one)).collect();
            assert_eq!(contexts(&exam.hard)[..left.len()], left[..]);
        }
        assert!(all.iter().any(|exam| exam.hard[0].context == 10) && all.iter().any(|exam| exam.hard[0].context != 10));
        assert!(!Exam::new(&Evidence { test: vec![], ..evidence }, 4, 0).is_possible());
    }
}
