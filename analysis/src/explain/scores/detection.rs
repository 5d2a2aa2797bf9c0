//! Detection (Delphi, arXiv 2410.13928): the judge says for each passage whether the explanation applies to it.

use super::{Bench, Candidate, answered, judged, null};
use crate::error::Result;
use crate::explain::statistics::Confusion;

/// `score`: balanced accuracy `(TPR + TNR)/2` over passages where the unit fires and random ones where it does not; `hard`: the
/// same against those that come nearest; `null`: that of other units' explanations against random ones. By chance 0.5.
pub(super) fn measure(candidate: &Candidate, bench: &mut Bench) -> Result<Vec<(&'static str, Option<f64>)>> {
    let exam = candidate.exam;
    let positives = bench.detect(candidate.account, &exam.positives)?;
    let random = bench.detect(candidate.account, &exam.random)?;
    let hard = bench.detect(candidate.account, &exam.hard)?;
    let balanced = |positives: &[Option<bool>], negatives: &[Option<bool>]| {
        Confusion::of(judged(positives, true).chain(judged(negatives, false)))
    };
    let mut others = Vec::with_capacity(candidate.others.len());
    for account in candidate.others {
        let positives = bench.detect(account, &exam.positives)?;
        let random = bench.detect(account, &exam.random)?;
        others.push(balanced(&positives, &random).balanced());
    }
    let table = balanced(&positives, &random);
    let n = positives.len() + random.len() + hard.len();
    Ok(vec![
        ("score", table.balanced()),
        ("sensitivity", table.recall()),
        ("specificity", table.specificity()),
        ("hard", balanced(&positives, &hard).balanced()),
        ("null", null(others)),
        ("passages", Some(n as f64)),
        ("answered", answered(&[positives, random, hard])),
    ])
}
