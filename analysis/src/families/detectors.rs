//! Token and n-gram detectors (Voita et al., arXiv 2309.04827).
//!
//! A trigger is the n-gram that ends where the neuron fires. `N95` is the smallest number of triggers that cover 95 % of the
//! firings. A detector has (1) `N95` between 1 and 5, and (2) triggers on which it fires in 95 % of their occurrences that
//! account for 95 % of its firings. A bigram detector is none for tokens, a trigram detector neither.
//!
//! Counts come from a bounded sketch that never overstates `fired`, so that sketching may lose a detector but never makes one.
//!
//! Calibration: a neuron that fires three times passes by luck. The fewest firings that count are the smallest number from
//! which on none of 2,000 neurons that fire at random places of the corpus passes.
//! Null: one impostor per neuron, firing as often at random places.

use std::collections::HashMap;

use rand::Rng;

use super::outcome::{Finding, Null, Outcome};
use super::statistics::draw;
use crate::report::{Fact, number};

/// The share of firings that triggers must cover, and of occurrences on which a trigger must fire.
pub(crate) const SHARE: f64 = 0.95;
/// The most triggers that a detector has.
pub(crate) const MOST: usize = 5;
/// Impostors per number of firings.
const DRAWS: usize = 2000;
/// Random firings beyond this number can only be covered by a handful of triggers if nearly the whole corpus consists of them.
const FEW: u64 = 128;

/// Firing counts of one n-gram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trigger {
    /// Its tokens, the one where the neuron fires last.
    pub ids: Vec<u32>,
    /// Its tokens as text.
    pub text: String,
    /// How often the neuron fired at its end, at least.
    pub fired: u32,
    /// How often it occurs in the corpus.
    pub occurs: u32,
}

/// What makes a neuron a detector.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Detector {
    /// The smallest number of triggers that cover 95 % of the firings.
    pub n95: usize,
    /// Indices of the triggers on which it fires in 95 % of their occurrences, most firings first.
    pub reliable: Vec<usize>,
    /// The share of its firings that these account for.
    pub covered: f64,
}

/// The fewest `counts` whose sum reaches `SHARE` of `firings`; `None` if all of them together do not.
fn cover(counts: impl Iterator<Item = u64>, firings: u64) -> Option<usize> {
    let mut counts: Vec<u64> = counts.collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0;
    counts
        .iter()
        .position(|count| {
            sum += count;
            sum as f64 >= SHARE * firings as f64
        })
        .map(|at| at + 1)
}

/// `N95` of a neuron that fired `firings` times.
pub(crate) fn n95(triggers: &[Trigger], firings: u64) -> Option<usize> {
    if firings == 0 { None } else { cover(triggers.iter().map(|trigger| u64::from(trigger.fired)), firings) }
}

/// Both steps of the rule.
pub(crate) fn detect(triggers: &[Trigger], firings: u64) -> Option<Detector> {
    let n95 = n95(triggers, firings).filter(|n| *n <= MOST)?;
    let fires = |at: &usize| {
        let trigger = &triggers[*at];
        trigger.occurs > 0 && f64::from(trigger.fired) >= SHARE * f64::from(trigger.occurs)
    };
    let mut reliable: Vec<usize> = (0..triggers.len()).filter(fires).collect();
    reliable.sort_by_key(|at| std::cmp::Reverse(triggers[*at].fired));
    let covered = reliable.iter().map(|at| u64::from(triggers[*at].fired)).sum::<u64>() as f64 / firings as f64;
    (covered >= SHARE).then_some(Detector { n95, reliable, covered })
}

/// The n-grams of a corpus by where they end, as numbers; what impostors fire on.
#[derive(Debug)]
pub(crate) struct Places {
    grams: Vec<u32>,
    occurs: Vec<u32>,
}

impl Places {
    /// Every n-gram of `contexts` that ends at a position from `first` on.
    pub fn new<'a>(contexts: impl Iterator<Item = &'a [u32]>, n: usize, first: usize) -> Places {
        let mut numbers: HashMap<&[u32], u32> = HashMap::new();
        let (mut grams, mut occurs) = (Vec::new(), Vec::new());
        for context in contexts {
            for end in first.max(n - 1)..context.len() {
                let fresh = numbers.len() as u32;
                let number = *numbers.entry(&context[end + 1 - n..=end]).or_insert(fresh);
                if number == fresh {
                    occurs.push(0);
                }
                occurs[number as usize] += 1;
                grams.push(number);
            }
        }
        Places { grams, occurs }
    }

    /// Whether a neuron that fires at `firings` random places passes for a detector.
    fn impostor(&self, firings: u64, rng: &mut impl Rng) -> bool {
        if firings == 0 || firings > FEW.max(self.grams.len() as u64 / 2) {
            return false;
        }
        let mut counts: HashMap<u32, u32> = HashMap::new();
        for place in draw(self.grams.len(), firings as usize, rng) {
            *counts.entry(self.grams[place]).or_default() += 1;
        }
        let triggers: Vec<Trigger> = counts
            .into_iter()
            .map(|(gram, fired)| Trigger {
                ids: Vec::new(),
                text: String::new(),
                fired,
                occurs: self.occurs[gram as usize],
            })
            .collect();
        detect(&triggers, firings).is_some()
    }

    /// The smallest number of firings from which on no impostor passes.
    pub fn fewest_firings(&self, rng: &mut impl Rng) -> u64 {
        let mut fewest = 2;
        // More than five different triggers cannot be covered by five, so that luck ends soon; the margin is for pairs.
        for firings in 2..=24 {
            if (0..DRAWS).any(|_| self.impostor(firings, rng)) {
                fewest = firings + 1;
            }
        }
        fewest
    }
}

/// A neuron as this finder sees it.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    /// Its id.
    pub unit: u32,
    /// How often it fired.
    pub firings: u64,
    /// Its triggers of length 1, 2 and 3.
    pub triggers: [&'a [Trigger]; 3],
}

const FAMILIES: [&str; 3] = ["token detector", "bigram detector", "trigram detector"];

/// The detectors among `neurons`, one outcome per length. `places` are the corpus's n-grams of each length.
pub(crate) fn find(neurons: &[Candidate], places: &[Places; 3], rng: &mut impl Rng) -> Vec<Outcome> {
    let mut taken: Vec<bool> = vec![false; neurons.len()];
    let mut outcomes = Vec::with_capacity(3);
    for (length, places) in places.iter().enumerate() {
        let mut outcome = Outcome::new(FAMILIES[length], neurons.len());
        let fewest = places.fewest_firings(rng);
        let (mut covers, mut passed) = (Vec::new(), 0);
        for (at, neuron) in neurons.iter().enumerate() {
            if neuron.firings < fewest {
                continue;
            }
            // Rarely more than a few dozen draws: busier neurons cannot pass by luck.
            passed += usize::from(neuron.firings <= FEW && places.impostor(neuron.firings, rng));
            let triggers = neuron.triggers[length];
            covers.extend(n95(triggers, neuron.firings).map(|n| n as f64));
            if taken[at] {
                continue;
            }
            let Some(found) = detect(triggers, neuron.firings) else { continue };
            taken[at] = true;
            outcome.findings.push(describe(neuron, FAMILIES[length], triggers, &found));
        }
        let about = "one impostor per neuron, firing as often at random places of the corpus".to_owned();
        outcome.null = Some(Null { about, tested: neurons.len(), passed });
        let by = format!("no neuron of that many random firings or more passed, {DRAWS} draws each");
        outcome.facts.push(Fact::new(format!("{}: fewest firings that count", FAMILIES[length]), fewest).by(by));
        if let Some(median) = super::statistics::quantile(&covers, 0.5) {
            let by = "over neurons whose listed triggers cover 95 % of their firings";
            outcome.facts.push(Fact::new(format!("{}: median N95", FAMILIES[length]), number(median as f32)).by(by));
        }
        outcomes.push(outcome);
    }
    outcomes
}

fn describe(neuron: &Candidate, family: &'static str, triggers: &[Trigger], found: &Detector) -> Finding {
    let few = found.reliable.iter().take(MOST).map(|at| {
        let trigger = &triggers[*at];
        format!("`{}` {}/{}", trigger.text, trigger.fired, trigger.occurs)
    });
    Finding {
        unit: neuron.unit,
        family,
        kind: format!("N95 = {}", found.n95),
        score: found.covered as f32,
        threshold: SHARE as f32,
        evidence: format!("{} firings; {}", neuron.firings, few.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn trigger(fired: u32, occurs: u32) -> Trigger {
        Trigger { ids: vec![fired], text: String::new(), fired, occurs }
    }

    #[test]
    fn both_steps_are_needed() {
        // Covered by two triggers, both reliable; 2 of 100 firings elsewhere.
        let good = [trigger(60, 60), trigger(38, 40), trigger(1, 500), trigger(1, 500)];
        let found = detect(&good, 100).unwrap();
        assert_eq!((found.n95, found.reliable.as_slice()), (2, [0, 1].as_slice()));
        assert!((found.covered - 0.98).abs() < 1e-12);
        // Fires on a tenth of its trigger's occurrences only.
        assert_eq!(detect(&[trigger(100, 1000)], 100), None);
        assert_eq!(n95(&[trigger(100, 1000)], 100), Some(1));
        // Six equal triggers are one too many.
        let six: Vec<Trigger> = (0..6).map(|_| trigger(10, 10)).collect();
        assert_eq!((n95(&six, 60), detect(&six, 60)), (Some(6), None));
        // What the list does not cover counts.
        assert_eq!(n95(&good, 200), None);
        assert_eq!(n95(&[], 0), None);
    }

    /// 600 contexts of 20 tokens, uniform over 60.
    fn corpus() -> Vec<Vec<u32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        (0..600).map(|_| (0..20).map(|_| rng.random_range(0..60)).collect()).collect()
    }

    /// Triggers of a neuron that fires where `fires` says so.
    fn triggers(corpus: &[Vec<u32>], n: usize, fires: impl Fn(&[u32]) -> bool) -> (Vec<Trigger>, u64) {
        let mut counts: HashMap<Vec<u32>, (u32, u32)> = HashMap::new();
        for context in corpus {
            for end in 1.max(n - 1)..context.len() {
                let entry = counts.entry(context[end + 1 - n..=end].to_vec()).or_default();
                entry.1 += 1;
                entry.0 += u32::from(fires(&context[..=end]));
            }
        }
        let firings = corpus.iter().flat_map(|c| (1..c.len()).map(|end| u64::from(fires(&c[..=end])))).sum();
        let list = counts.into_iter().filter(|(_, (fired, _))| *fired > 0);
        let list = list.map(|(ids, (fired, occurs))| Trigger { ids, text: String::new(), fired, occurs });
        (list.collect(), firings)
    }

    #[test]
    fn planted_detectors_are_found_and_nothing_else() {
        let corpus = corpus();
        let noise = |tokens: &[u32]| tokens.iter().fold(7_u32, |h, t| h.wrapping_mul(31).wrapping_add(*t)) % 50 == 0;
        type Fires = Box<dyn Fn(&[u32]) -> bool>;
        let rules: Vec<(Option<&str>, Fires)> = vec![
            (Some("token detector"), Box::new(|t| t.ends_with(&[5]))),
            (Some("token detector"), Box::new(|t| t.last().is_some_and(|last| [1, 2, 3].contains(last)))),
            (Some("bigram detector"), Box::new(|t| t.ends_with(&[5, 6]) || t.ends_with(&[9, 9]))),
            (None, Box::new(noise)),
            (None, Box::new(|t| t.last().is_some_and(|last| *last < 10))),
            (None, Box::new(|_| true)),
            (None, Box::new(|_| false)),
            // Half of the occurrences of one token.
            (None, Box::new(|t| t.ends_with(&[7]) && t.len().is_multiple_of(2))),
        ];
        let lists: Vec<[(Vec<Trigger>, u64); 3]> =
            rules.iter().map(|(_, fires)| [1, 2, 3].map(|n| triggers(&corpus, n, fires))).collect();
        let neurons: Vec<Candidate> = lists
            .iter()
            .enumerate()
            .map(|(unit, list)| Candidate {
                unit: unit as u32,
                firings: list[0].1,
                triggers: [&list[0].0, &list[1].0, &list[2].0],
            })
            .collect();
        let places = [1, 2, 3].map(|n| Places::new(corpus.iter().map(Vec::as_slice), n, 1));
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let outcomes = find(&neurons, &places, &mut rng);
        let mut found: Vec<(u32, &str)> =
            outcomes.iter().flat_map(|o| o.findings.iter().map(|f| (f.unit, f.family))).collect();
        found.sort_unstable();
        let planted: Vec<(u32, &str)> =
            rules.iter().enumerate().filter_map(|(unit, (family, _))| Some((unit as u32, (*family)?))).collect();
        assert_eq!(found, planted);
        assert!(outcomes.iter().all(|o| o.null.as_ref().is_some_and(|null| null.passed == 0)));
    }

    #[test]
    fn luck_ends_where_the_calibration_says() {
        // Every trigram occurs once or twice: three random firings always pass for a detector, six never do.
        let corpus = corpus();
        let places = Places::new(corpus.iter().map(Vec::as_slice), 3, 1);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        assert!((0..50).any(|_| places.impostor(3, &mut rng)));
        let fewest = places.fewest_firings(&mut rng);
        assert!((6..=10).contains(&fewest), "{fewest}");
    }
}
