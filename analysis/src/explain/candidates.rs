//! Conditions that a rule may be made of, found where a unit fires and tested against where it does not.

use std::collections::{BTreeMap, HashMap, HashSet};

use golgi_data::atlas::{Page, TokenValue, Trigger};

use super::passage::{Evidence, Passage};
use super::rule::{Atom, word_of};
use super::statistics::fisher;

/// A condition is kept if it is met as often as it is in fewer than this share of random dealings, all conditions that were tried
/// counted.
const SIGNIFICANCE: f64 = 0.01;
/// A token is known from the atlas itself if it occurs this often and the unit fires on it on average,
const OCCURS: u32 = 5;
/// or if the unit fires on this share of its occurrences.
const SHARE: f32 = 0.5;
/// The number of tokens in which a word counts as being near.
const NEAR: u32 = 10;
/// Words that set a unit's texts apart have at least this pointwise mutual information with its firing, in bits.
const PMI: f64 = 1.0;
/// The fewest passages in which a condition must be met.
const FEWEST: u32 = 3;
/// The most words that are tried.
const MOST_WORDS: usize = 40;

/// The conditions worth a clause: those that the whole atlas vouches for, and those that pass the test.
pub(super) fn candidates(page: &Page, evidence: &Evidence) -> Vec<Atom> {
    let mut known: Vec<Atom> = established(page, evidence);
    let tested = tested(evidence);
    let seen: HashSet<Atom> = known.iter().cloned().collect();
    known.extend(tested.into_iter().filter(|atom| !seen.contains(atom)));
    known
}

/// Tokens on which the unit fires on average over all their occurrences in the corpus, and those on which it mostly fires.
/// That many occurrences hardly hang on the few passages that scores are computed on.
fn established(page: &Page, evidence: &Evidence) -> Vec<Atom> {
    let (tokens, sign) = if evidence.negative { (&page.bottom_tokens, -1.0) } else { (&page.top_tokens, 1.0) };
    let strong = |one: &&TokenValue| one.count.is_some_and(|n| n >= OCCURS) && sign * one.value >= evidence.threshold;
    let means = tokens.iter().filter(strong);
    let mostly = |one: &&Trigger| one.n == 1 && one.occurs >= OCCURS && one.fired as f32 >= SHARE * one.occurs as f32;
    let firm = page.triggers.iter().filter(mostly);
    let texts = means.map(|one| &one.text).chain(firm.map(|one| &one.text));
    let mut seen = HashSet::new();
    texts.filter(|text| seen.insert(*text)).map(|text| Atom::Token { token: text.clone() }).collect()
}

/// One token of each passage: where the unit fires most in those where it fires, and one where it does not fire in each.
struct Sample<'a> {
    cases: Vec<(&'a Passage, usize)>,
    /// Tokens without firing; of passages where it fires elsewhere, too.
    controls: Vec<(&'a Passage, usize)>,
    /// Those of passages where it fires nowhere.
    silent: Vec<(&'a Passage, usize)>,
}

impl<'a> Sample<'a> {
    fn new(evidence: &'a Evidence) -> Sample<'a> {
        let mut sample = Sample { cases: Vec::new(), controls: Vec::new(), silent: Vec::new() };
        for passage in &evidence.train {
            let positive = evidence.is_positive(passage);
            if positive {
                sample.cases.push((passage, passage.peak()));
            }
            let quiet: Vec<usize> = (0..passage.pieces.len()).filter(|at| !evidence.fires_at(passage, *at)).collect();
            if quiet.is_empty() {
                continue;
            }
            let at = quiet[mix(u64::from(passage.context), passage.start as u64) as usize % quiet.len()];
            sample.controls.push((passage, at));
            if !positive {
                sample.silent.push((passage, at));
            }
        }
        sample
    }
}

/// A number that depends on both in no visible way.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b).wrapping_add(0x632b_e59b_d9b4_e019);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Conditions that are met at more of the unit's peaks than of other tokens, by Fisher's exact test of one token per passage.
/// Tokens of a text are not independent of each other; passages nearly are. What is said of whole texts is tested against texts
/// where the unit does not fire at all.
fn tested(evidence: &Evidence) -> Vec<Atom> {
    let sample = Sample::new(evidence);
    let mut tried: Vec<Atom> = Vec::new();
    for list in [local(&sample), positions(&sample), labels(&sample), words(evidence, &sample)] {
        tried.extend(list);
    }
    let bound = SIGNIFICANCE / tried.len().max(1) as f64;
    let passes = |atom: &Atom| {
        let met = |list: &[(&Passage, usize)]| list.iter().filter(|(p, at)| atom.holds(p, *at)).count() as u32;
        let controls = if atom.is_of_text() { &sample.silent } else { &sample.controls };
        let (cases, others) = (sample.cases.len() as u32, controls.len() as u32);
        let hits = met(&sample.cases);
        hits >= FEWEST.min(cases) && others > 0 && fisher(hits, cases, met(controls), others) <= bound
    };
    tried.retain(passes);
    tried
}

/// Tokens, n-grams and tokens before, each at two peaks at least.
fn local(sample: &Sample) -> Vec<Atom> {
    let mut counts: BTreeMap<Atom, u32> = BTreeMap::new();
    for (passage, at) in &sample.cases {
        let mut found = vec![Atom::Token { token: passage.pieces[*at].clone() }];
        if *at > 0 {
            found.push(Atom::After { token: passage.pieces[at - 1].clone() });
        }
        for n in 2..=3 {
            if at + 1 >= n {
                found.push(Atom::Ngram { tokens: passage.pieces[at + 1 - n..=*at].to_vec() });
            }
        }
        found.into_iter().for_each(|atom| *counts.entry(atom).or_default() += 1);
    }
    counts.into_iter().filter(|(_, count)| *count >= 2).map(|(atom, _)| atom).collect()
}

/// Stretches from the beginning and to the end that hold a half or more of the peaks.
fn positions(sample: &Sample) -> Vec<Atom> {
    let mut found: Vec<u32> = sample.cases.iter().map(|(passage, at)| (passage.start + at) as u32).collect();
    found.sort_unstable();
    let last = |list: &[(&Passage, usize)]| list.iter().map(|(passage, at)| (passage.start + at) as u32).max();
    let (Some(lowest), Some(highest)) = (found.first().copied(), found.last().copied()) else { return Vec::new() };
    let end = last(&sample.controls).unwrap_or(0).max(highest);
    let at = |share: f64| found[((share * (found.len() - 1) as f64).round() as usize).min(found.len() - 1)];
    let mut out: Vec<Atom> = [0.5, 0.75, 0.9, 1.0].map(|q| Atom::Position { from: 0, to: at(q) }).to_vec();
    out.extend([0.0, 0.1, 0.25, 0.5].map(|q| Atom::Position { from: at(q), to: end }));
    out.push(Atom::Position { from: lowest, to: highest });
    out.sort();
    out.dedup();
    out
}

fn labels(sample: &Sample) -> Vec<Atom> {
    let languages = sample.cases.iter().filter_map(|(p, _)| p.language.clone()).map(|label| Atom::Language { label });
    let genres = sample.cases.iter().filter_map(|(p, _)| p.genre.clone()).map(|label| Atom::Genre { label });
    let mut out: Vec<Atom> = languages.chain(genres).collect();
    out.sort();
    out.dedup();
    out
}

/// Words before the peaks with the largest pointwise mutual information `log₂(P(word | fires) / P(word))` over passages, one half
/// added to every count.
fn words(evidence: &Evidence, sample: &Sample) -> Vec<Atom> {
    let mut fires: HashMap<String, u32> = HashMap::new();
    let mut silent: HashMap<String, u32> = HashMap::new();
    for (passage, at) in &sample.cases {
        let before = &passage.pieces[at.saturating_sub(NEAR as usize)..*at];
        let words: HashSet<String> = before.iter().map(|piece| word_of(piece)).filter(|word| is_word(word)).collect();
        words.into_iter().for_each(|word| *fires.entry(word).or_default() += 1);
    }
    for passage in evidence.train.iter().filter(|passage| !evidence.is_positive(passage)) {
        let words: HashSet<String> = passage.pieces.iter().map(|piece| word_of(piece)).collect();
        words.into_iter().for_each(|word| *silent.entry(word).or_default() += 1);
    }
    let (cases, others) = (sample.cases.len() as f64, sample.silent.len() as f64);
    let mut found: Vec<(f64, String)> = fires
        .into_iter()
        .filter(|(_, count)| *count >= FEWEST)
        .map(|(word, count)| {
            let all = f64::from(count) + f64::from(silent.get(&word).copied().unwrap_or(0));
            let given = (f64::from(count) + 0.5) / (cases + 1.0);
            ((given / ((all + 0.5) / (cases + others + 1.0))).log2(), word)
        })
        .filter(|(pmi, _)| *pmi >= PMI)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(MOST_WORDS);
    found.into_iter().map(|(_, word)| Atom::Near { word, within: NEAR }).collect()
}

/// Three letters at least, or two of a script without spaces; no numbers, no signs.
fn is_word(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    letters == word.chars().count() && letters >= if word.is_ascii() { 3 } else { 2 }
}
