//! How well an explanation stands up to tests. Every score has its null: the same examination with explanations of other units.

mod detection;
mod embedding;
mod fuzzing;
mod intervention;
mod observational;
mod simulation;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::embed::Embedder;
use super::exam::Exam;
use super::explanation::Account;
use super::judge::Judge;
use super::passage::{Evidence, Passage};
use super::statistics::mean;
use crate::error::Result;

pub(super) use intervention::{Experiment, PAIRS, PASSES};

/// The parts of a score by name; `score` is the main one, `null` what explanations of other units get.
pub type Measures = BTreeMap<String, Option<f64>>;

/// A test of explanations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Which passages does the unit fire in?
    Detection,
    /// Which tokens does it fire at?
    Fuzzing,
    /// How strongly?
    Simulation,
    /// Are the passages near the explanation in the space of an embedder?
    Embedding,
    /// Precision and recall of the predicted set.
    Observational,
    /// Does the model behave as if the unit carried what the explanation says?
    Intervention,
}

impl Score {
    /// All of them.
    pub const ALL: [Score; 6] = [
        Score::Detection,
        Score::Fuzzing,
        Score::Simulation,
        Score::Embedding,
        Score::Observational,
        Score::Intervention,
    ];

    /// The name in records and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Score::Detection => "detection",
            Score::Fuzzing => "fuzzing",
            Score::Simulation => "simulation",
            Score::Embedding => "embedding",
            Score::Observational => "observational",
            Score::Intervention => "intervention",
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Score {
    type Err = String;

    fn from_str(text: &str) -> Result<Score, String> {
        let known = Score::ALL.map(Score::name).join(", ");
        Score::ALL
            .into_iter()
            .find(|score| score.name() == text)
            .ok_or(format!("`{text}` is no score; there are {known}"))
    }
}

/// One unit under examination.
pub(super) struct Candidate<'a> {
    pub evidence: &'a Evidence,
    pub exam: &'a Exam<'a>,
    pub account: &'a Account,
    /// Explanations of other units, for the nulls.
    pub others: &'a [&'a Account],
    /// The most passages of each sort that are simulated.
    pub simulated: usize,
    pub seed: u64,
}

/// The judge and what it has said already: detection is not asked twice.
pub(super) struct Bench<'j> {
    pub judge: &'j mut dyn Judge,
    said: HashMap<(*const Account, *const Passage), Option<bool>>,
}

impl<'j> Bench<'j> {
    /// For one unit: what was said is told apart by where account and passage lie.
    pub fn new(judge: &'j mut dyn Judge) -> Bench<'j> {
        Bench { judge, said: HashMap::new() }
    }

    fn detect(&mut self, account: &Account, passages: &[&Passage]) -> Result<Vec<Option<bool>>> {
        let key = |passage: &Passage| (std::ptr::from_ref(account), std::ptr::from_ref(passage));
        let fresh: Vec<&Passage> =
            passages.iter().copied().filter(|passage| !self.said.contains_key(&key(passage))).collect();
        if !fresh.is_empty() {
            let verdicts = self.judge.detect(account, &fresh)?;
            self.said.extend(fresh.iter().map(|passage| key(passage)).zip(verdicts));
        }
        Ok(passages.iter().map(|passage| self.said.get(&key(passage)).copied().flatten()).collect())
    }
}

/// Computes one score; `None` where it cannot be defined, since the unit never fires or always does.
///
/// # Errors
/// If the judge cannot be asked, or a model fails.
pub(super) fn measure(
    score: Score,
    candidate: &Candidate,
    bench: &mut Bench,
    embedder: Option<&mut Embedder>,
    experiment: Option<&Experiment>,
) -> Result<Option<Measures>> {
    if !candidate.exam.is_possible() {
        return Ok(None);
    }
    let measures = match score {
        Score::Detection => detection::measure(candidate, bench)?,
        Score::Fuzzing => fuzzing::measure(candidate, bench)?,
        Score::Simulation => simulation::measure(candidate, bench)?,
        Score::Observational => observational::measure(candidate, bench)?,
        Score::Embedding => match embedder {
            Some(embedder) => embedding::measure(candidate, embedder)?,
            None => return Ok(None),
        },
        Score::Intervention => match experiment {
            Some(experiment) => experiment.measure(candidate, bench)?,
            None => return Ok(None),
        },
    };
    // Six digits are more than any of them carries, and are read back as they were written.
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    Ok(Some(measures.into_iter().map(|(name, value)| (name.to_owned(), value.map(rounded))).collect()))
}

/// The mean of what other units' explanations get.
fn null(values: Vec<Option<f64>>) -> Option<f64> {
    mean(values.into_iter().flatten())
}

/// The share of questions that got a verdict.
fn answered(verdicts: &[Vec<Option<bool>>]) -> Option<f64> {
    mean(verdicts.iter().flatten().map(|verdict| f64::from(u8::from(verdict.is_some()))))
}

/// Verdicts with what is true, those that were not given left out.
fn judged(verdicts: &[Option<bool>], truth: bool) -> impl Iterator<Item = (bool, bool)> + '_ {
    verdicts.iter().flatten().map(move |verdict| (*verdict, truth))
}
