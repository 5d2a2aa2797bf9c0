//! The observational test of "Rigorously Assessing Natural Language Explanations of Neurons" (arXiv 2309.10312): is the set of texts
//! that the explanation speaks of the set of texts that the unit fires in?

use super::{Bench, Candidate, null};
use crate::error::Result;
use crate::explain::explanation::Account;
use crate::explain::passage::Passage;
use crate::explain::statistics::Confusion;

/// `score`: `F1 = 2·TP/(2·TP+FP+FN)`, with `precision` and `recall` and the four counts; a passage is there if the unit's largest
/// activation in it reaches the firing threshold (a quantile-like bound, since above 0 means nothing for smooth activation
/// functions), and predicted if the judge says that the explanation applies. A judge that costs nothing is asked about every passage of
/// the scoring side, others about those of detection. `baseline`: F1 of the explanation "a token at which the unit peaks elsewhere".
/// `null`: F1 of other units' explanations. Recall depends on the passages at hand; accuracy, which hangs on how many of them the
/// unit is silent in, is not reported.
pub(super) fn measure(candidate: &Candidate, bench: &mut Bench) -> Result<Vec<(&'static str, Option<f64>)>> {
    let (exam, evidence) = (candidate.exam, candidate.evidence);
    let passages: Vec<&Passage> = if bench.judge.is_free() {
        evidence.test.iter().collect()
    } else {
        [&exam.positives[..], &exam.random, &exam.hard].concat()
    };
    let mut table = |account: &Account| -> Result<Confusion> {
        let verdicts = bench.detect(account, &passages)?;
        let pairs = passages.iter().zip(verdicts);
        Ok(Confusion::of(pairs.filter_map(|(passage, said)| Some((said?, evidence.is_positive(passage))))))
    };
    let own = table(candidate.account)?;
    let mut others = Vec::with_capacity(candidate.others.len());
    for account in candidate.others {
        others.push(table(account)?.f1());
    }
    let overlaps = |passage: &Passage| passage.pieces.iter().any(|piece| exam.peaks.contains(piece.as_str()));
    let baseline = Confusion::of(passages.iter().map(|passage| (overlaps(passage), evidence.is_positive(passage))));
    let count = |n: u32| Some(f64::from(n));
    Ok(vec![
        ("score", own.f1()),
        ("precision", own.precision()),
        ("recall", own.recall()),
        ("tp", count(own.tp)),
        ("fp", count(own.fp)),
        ("fn", count(own.r#fn)),
        ("tn", count(own.tn)),
        ("baseline", baseline.f1()),
        ("null", null(others)),
    ])
}
