//! Fuzzing (Delphi, arXiv 2410.13928): the judge says for each passage whether the right tokens are marked.

use super::{Bench, Candidate, answered, judged, null};
use crate::error::Result;
use crate::explain::candidates::mix;
use crate::explain::explanation::Account;
use crate::explain::passage::Passage;
use crate::explain::statistics::Confusion;

/// A passage with the tokens that are marked in it.
type Marked<'a> = (&'a Passage, Vec<usize>);

/// `score`: balanced accuracy over passages with the firing tokens marked and random passages without firing in which as many
/// tokens, the mean number rounded up, are marked at random; `hard`: the same against the very passages where the unit fires, with
/// wrong tokens marked; `null`: other units' explanations against random ones. By chance 0.5.
pub(super) fn measure(candidate: &Candidate, bench: &mut Bench) -> Result<Vec<(&'static str, Option<f64>)>> {
    let (exam, evidence) = (candidate.exam, candidate.evidence);
    let firing = |passage: &Passage| (0..passage.pieces.len()).filter(|at| evidence.fires_at(passage, *at)).collect();
    let right: Vec<Marked> = exam.positives.iter().map(|passage| (*passage, firing(passage))).collect();
    let marks: usize = right.iter().map(|(_, marks)| marks.len()).sum();
    let each = marks.div_ceil(right.len().max(1));
    let drawn = |passage: &Passage, from: Vec<usize>, n: usize| {
        let mut from = from;
        let order = |at: &usize| mix(mix(candidate.seed, u64::from(passage.context)), (passage.start + at) as u64);
        from.sort_by_key(order);
        from.truncate(n);
        from.sort_unstable();
        from
    };
    let random: Vec<Marked> = exam
        .random
        .iter()
        .map(|passage| (*passage, drawn(passage, (0..passage.pieces.len()).collect(), each)))
        .collect();
    let wrong: Vec<Marked> = right
        .iter()
        .map(|(passage, marks)| {
            let quiet = (0..passage.pieces.len()).filter(|at| !marks.contains(at)).collect();
            (*passage, drawn(passage, quiet, marks.len()))
        })
        .filter(|(_, marks)| !marks.is_empty())
        .collect();
    let ask = |bench: &mut Bench, account: &Account, list: &[Marked]| bench.judge.fuzz(account, list);
    let balanced = |positives: &[Option<bool>], negatives: &[Option<bool>]| {
        Confusion::of(judged(positives, true).chain(judged(negatives, false))).balanced()
    };
    let positives = ask(bench, candidate.account, &right)?;
    let negatives = ask(bench, candidate.account, &random)?;
    let hard = ask(bench, candidate.account, &wrong)?;
    let mut others = Vec::with_capacity(candidate.others.len());
    for account in candidate.others {
        others.push(balanced(&ask(bench, account, &right)?, &ask(bench, account, &random)?));
    }
    Ok(vec![
        ("score", balanced(&positives, &negatives)),
        ("hard", balanced(&positives, &hard)),
        ("null", null(others)),
        ("passages", Some((positives.len() + negatives.len() + hard.len()) as f64)),
        ("answered", answered(&[positives, negatives, hard])),
    ])
}
