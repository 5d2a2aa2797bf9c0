//! The statistical describer: a rule and a sentence from an atlas alone, without any network.

use golgi_data::atlas::Page;

use super::candidates::candidates;
use super::explanation::{Account, Explainer, Subject};
use super::passage::{Evidence, Passage};
use super::rule::{Atom, Clause, Rule};
use super::wording::sentence;
use crate::error::Result;

/// The most clauses of a rule.
const MOST: usize = 8;
/// A clause must make the rule's F1 larger by this.
const GAIN: f64 = 0.02;
/// A rule that does no better than this, by covering a ninth of the firing without any false alarm, says too little.
const LEAST: f64 = 0.2;

/// The describer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Describer;

impl Explainer for Describer {
    fn name(&self) -> String {
        "describer".to_owned()
    }

    fn explain(&mut self, subject: &Subject) -> Result<Account> {
        let rule = rule(subject.page, subject.evidence);
        let text = sentence(subject.page, subject.evidence, &rule);
        Ok(Account { text, rule: Some(rule) })
    }

    fn is_free(&self) -> bool {
        true
    }
}

/// A condition with the tokens of the evidence where it holds.
struct Choice {
    atom: Atom,
    holds: Vec<u32>,
}

/// The tokens that rules are made from, each with its activation.
struct Tokens<'a> {
    passages: &'a [Passage],
    at: Vec<(usize, usize)>,
    values: Vec<f32>,
    fires: Vec<bool>,
    /// The activations of firing tokens add up to this.
    mass: f64,
    /// How many tokens do not fire.
    quiet: f64,
}

impl<'a> Tokens<'a> {
    fn new(evidence: &'a Evidence) -> Tokens<'a> {
        let passages = &evidence.train;
        let mut tokens = Tokens { passages, at: vec![], values: vec![], fires: vec![], mass: 0.0, quiet: 0.0 };
        for (number, passage) in passages.iter().enumerate() {
            for at in 0..passage.pieces.len() {
                let (value, fires) = (passage.values[at], evidence.fires_at(passage, at));
                tokens.at.push((number, at));
                tokens.values.push(value);
                tokens.fires.push(fires);
                if fires {
                    tokens.mass += f64::from(value);
                } else {
                    tokens.quiet += 1.0;
                }
            }
        }
        tokens
    }

    fn holds(&self, atom: &Atom) -> Vec<u32> {
        let holds = |(number, at): &(usize, usize)| atom.holds(&self.passages[*number], *at);
        (0..self.at.len() as u32).filter(|token| holds(&self.at[*token as usize])).collect()
    }

    /// How well it predicts firing to say that the tokens marked in `said` fire: `F1 = 2·R / (1 + R + A)`, where `R` is the share
    /// of the firing tokens' activation that is covered and `A` the share of the other tokens that is covered too. It is the F1
    /// of a sample in which both sorts are equally frequent.
    fn f1(&self, said: &[bool]) -> f64 {
        let (mut covered, mut wrong) = (0.0, 0.0);
        for (token, said) in said.iter().enumerate() {
            match (said, self.fires[token]) {
                (true, true) => covered += f64::from(self.values[token]),
                (true, false) => wrong += 1.0,
                _ => {}
            }
        }
        if self.mass <= 0.0 {
            return 0.0;
        }
        let (recall, alarm) = (covered / self.mass, if self.quiet > 0.0 { wrong / self.quiet } else { 0.0 });
        2.0 * recall / (1.0 + recall + alarm)
    }

    fn clause(&self, atom: Atom, holds: &[u32]) -> Clause {
        let fired = holds.iter().filter(|token| self.fires[**token as usize]).count() as u32;
        let sum: f64 = holds.iter().map(|token| f64::from(self.values[*token as usize])).sum();
        Clause { atom, strength: (sum / holds.len().max(1) as f64) as f32, fired, occurs: holds.len() as u32 }
    }
}

/// The rule that predicts best where the unit fires in the passages for explaining, built condition by condition: in each step the
/// one that improves F1 most, simpler ones first where they are equal; then those are dropped that the others make superfluous.
pub fn rule(page: &Page, evidence: &Evidence) -> Rule {
    let tokens = Tokens::new(evidence);
    let everywhere = |except: &[bool]| {
        let rest =
            (0..tokens.values.len()).filter(|token| !except[*token]).map(|token| f64::from(tokens.values[token]));
        super::statistics::mean(rest).unwrap_or(0.0) as f32
    };
    let mut said = vec![false; tokens.values.len()];
    if !evidence.fires() {
        return Rule { clauses: Vec::new(), base: everywhere(&said), negative: evidence.negative };
    }
    let mut open: Vec<Choice> = candidates(page, evidence)
        .into_iter()
        .map(|atom| Choice { holds: tokens.holds(&atom), atom })
        .filter(|option| !option.holds.is_empty())
        .collect();
    open.sort_by_key(|option| complexity(&option.atom));
    let (mut chosen, mut best): (Vec<Choice>, f64) = (Vec::new(), 0.0);
    let marked = |chosen: &[&Choice]| {
        let mut said = vec![false; tokens.values.len()];
        chosen.iter().flat_map(|option| &option.holds).for_each(|token| said[*token as usize] = true);
        said
    };
    while chosen.len() < MOST {
        let mut found: Option<(f64, usize)> = None;
        for (at, option) in open.iter().enumerate() {
            let mut with = said.clone();
            option.holds.iter().for_each(|token| with[*token as usize] = true);
            let f1 = tokens.f1(&with);
            // A hair of difference is none.
            if f1 >= best + GAIN && found.is_none_or(|(other, _)| f1 > other + 1e-9) {
                found = Some((f1, at));
            }
        }
        let Some((f1, at)) = found else { break };
        let option = open.remove(at);
        option.holds.iter().for_each(|token| said[*token as usize] = true);
        chosen.push(option);
        best = f1;
    }
    // What was taken first may be covered by what came later.
    let mut at = 0;
    while chosen.len() > 1 && at < chosen.len() {
        let others: Vec<&Choice> = (0..chosen.len()).filter(|other| *other != at).map(|other| &chosen[other]).collect();
        let without = marked(&others);
        if tokens.f1(&without) >= best - 1e-9 {
            said = without;
            chosen.remove(at);
        } else {
            at += 1;
        }
    }
    if best < LEAST {
        chosen.clear();
        said.fill(false);
    }
    let clauses = chosen.into_iter().map(|option| tokens.clause(option.atom, &option.holds)).collect();
    Rule { clauses, base: everywhere(&said), negative: evidence.negative }
}

/// Which of two conditions that explain the same is preferred.
fn complexity(atom: &Atom) -> usize {
    match atom {
        Atom::Token { .. } => 0,
        Atom::After { .. } => 1,
        Atom::Ngram { tokens } => tokens.len(),
        Atom::Language { .. } => 4,
        Atom::Genre { .. } => 5,
        Atom::Position { .. } => 6,
        Atom::Near { .. } => 7,
    }
}
