//! Embedding: are the passages where the unit fires nearer to its explanation than others, in the space of a sentence embedder?

use super::{Candidate, null};
use crate::error::Result;
use crate::explain::embed::{Embedder, cosine};
use crate::explain::explanation::Account;
use crate::explain::passage::Passage;
use crate::explain::statistics::{auc, mean};

/// `score`: area under the curve of the cosine of explanation and passage, passages where the unit fires against random ones where it
/// does not; `hard`: against those that come nearest; `separation`: the difference of the mean cosines; `null`: the area of other
/// units' explanations. By chance 0.5.
pub(super) fn measure(candidate: &Candidate, embedder: &mut Embedder) -> Result<Vec<(&'static str, Option<f64>)>> {
    let exam = candidate.exam;
    let mut vectors = |passages: &[&Passage]| -> Result<Vec<Vec<f32>>> {
        let texts: Vec<String> = passages.iter().map(|passage| passage.text()).collect();
        embedder.embed(&texts)
    };
    let (positives, random, hard) = (vectors(&exam.positives)?, vectors(&exam.random)?, vectors(&exam.hard)?);
    let texts: Vec<String> =
        std::iter::once(&candidate.account).chain(candidate.others).map(|one: &&Account| one.text.clone()).collect();
    let explanations = embedder.embed(&texts)?;
    let near = |explanation: &[f32], list: &[Vec<f32>]| -> Vec<f32> {
        list.iter().map(|vector| cosine(explanation, vector)).collect()
    };
    let (own, others) = explanations.split_first().map_or((&[][..], &[][..]), |(own, others)| (own.as_slice(), others));
    let (inside, outside) = (near(own, &positives), near(own, &random));
    let level = |list: &[f32]| mean(list.iter().map(|value| f64::from(*value)));
    let others = others.iter().map(|other| auc(&near(other, &positives), &near(other, &random))).collect();
    Ok(vec![
        ("score", auc(&inside, &outside)),
        ("hard", auc(&inside, &near(own, &hard))),
        ("separation", level(&inside).zip(level(&outside)).map(|(inside, outside)| inside - outside)),
        ("null", null(others)),
        ("passages", Some((positives.len() + random.len() + hard.len()) as f64)),
    ])
}
