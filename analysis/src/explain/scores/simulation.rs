//! Simulation (Bills et al. 2023): the judge says how strongly the unit fires at every token.

use super::{Bench, Candidate, null};
use crate::error::Result;
use crate::explain::explanation::Account;
use crate::explain::passage::Passage;
use crate::explain::statistics::{correlation, explained};

/// Activations and simulations of all tokens of some passages.
struct Simulated {
    truth: Vec<f32>,
    guess: Vec<f32>,
    answered: usize,
}

/// `score`: Pearson's correlation of simulated and true activations over all tokens of passages where the unit fires and random ones
/// where it does not (Bills et al.'s ev correlation where the simulation is an expected value); `hard`: the same with those that
/// come nearest in place of random ones; `explained`: `1 − Σ(a−s)²/Σ(a−ā)²`, only where simulations are activations; `null`: the
/// correlation that other units' explanations get. By chance 0.
pub(super) fn measure<'a>(candidate: &Candidate<'a>, bench: &mut Bench) -> Result<Vec<(&'static str, Option<f64>)>> {
    let exam = candidate.exam;
    let most = if bench.judge.is_free() { usize::MAX } else { candidate.simulated };
    let some = |list: &[&'a Passage]| -> Vec<&'a Passage> { list.iter().copied().take(most).collect() };
    let (positives, random, hard) = (some(&exam.positives), some(&exam.random), some(&exam.hard));
    let own = simulate(bench, candidate.account, &positives)?;
    let easy = joined(&own, &simulate(bench, candidate.account, &random)?);
    let near = joined(&own, &simulate(bench, candidate.account, &hard)?);
    let mut others = Vec::with_capacity(candidate.others.len());
    for account in candidate.others {
        let own = simulate(bench, account, &positives)?;
        let all = joined(&own, &simulate(bench, account, &random)?);
        // A simulation that is the same everywhere goes with nothing.
        others.push(Some(correlation(&all.guess, &all.truth).unwrap_or(0.0)));
    }
    let asked = positives.len() + random.len();
    let mut measures = vec![
        ("score", defined(&easy)),
        ("hard", defined(&near)),
        ("null", null(others)),
        ("passages", Some(asked as f64)),
        ("answered", (asked > 0).then(|| easy.answered as f64 / asked as f64)),
    ];
    if bench.judge.is_to_scale() {
        measures.push(("explained", explained(&easy.truth, &easy.guess)));
    }
    Ok(measures)
}

/// The correlation; 0 for a simulation that is the same everywhere, nothing where no simulation was given.
fn defined(all: &Simulated) -> Option<f64> {
    (all.answered > 0).then(|| correlation(&all.guess, &all.truth).unwrap_or(0.0))
}

fn simulate(bench: &mut Bench, account: &Account, passages: &[&Passage]) -> Result<Simulated> {
    let mut all = Simulated { truth: Vec::new(), guess: Vec::new(), answered: 0 };
    for passage in passages {
        let Some(values) = bench.judge.simulate(account, passage)? else { continue };
        all.answered += 1;
        all.truth.extend_from_slice(&passage.values);
        all.guess.extend(values);
    }
    Ok(all)
}

fn joined(a: &Simulated, b: &Simulated) -> Simulated {
    let both = |a: &[f32], b: &[f32]| [a, b].concat();
    Simulated { truth: both(&a.truth, &b.truth), guess: both(&a.guess, &b.guess), answered: a.answered + b.answered }
}
