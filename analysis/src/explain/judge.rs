//! Who judges explanations: a rule itself, or a language model that reads them.

use super::chat::{Chat, Usage};
use super::explanation::Account;
use super::passage::Passage;
use super::prompts;
use super::rule::Rule;
use crate::error::Result;

/// Passages in one question.
const AT_ONCE: usize = 5;

/// Predicts from an explanation alone what a unit does.
pub trait Judge {
    /// Its name in the records.
    fn name(&self) -> String;

    /// For each passage, whether the explanation says that the unit fires in it; `None` where no verdict was given.
    ///
    /// # Errors
    /// If it cannot be asked.
    fn detect(&mut self, account: &Account, passages: &[&Passage]) -> Result<Vec<Option<bool>>>;

    /// For each passage, whether the marked tokens are those that the explanation speaks of.
    ///
    /// # Errors
    /// If it cannot be asked.
    fn fuzz(&mut self, account: &Account, passages: &[(&Passage, Vec<usize>)]) -> Result<Vec<Option<bool>>>;

    /// The activations at the tokens of a passage as the explanation has them, in any unit; `None` if they were not given.
    ///
    /// # Errors
    /// If it cannot be asked.
    fn simulate(&mut self, account: &Account, passage: &Passage) -> Result<Option<Vec<f32>>>;

    /// Whether its simulations are activations, so that their size may be compared.
    fn is_to_scale(&self) -> bool {
        false
    }

    /// Whether it costs nothing to ask, so that whole corpora can be judged.
    fn is_free(&self) -> bool {
        false
    }

    /// What it was asked so far.
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// The rule of an explanation judges by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByRule;

impl ByRule {
    fn rule(account: &Account) -> Option<&Rule> {
        account.rule.as_ref()
    }
}

impl Judge for ByRule {
    fn name(&self) -> String {
        "rule".to_owned()
    }

    fn detect(&mut self, account: &Account, passages: &[&Passage]) -> Result<Vec<Option<bool>>> {
        let Some(rule) = Self::rule(account) else { return Ok(vec![None; passages.len()]) };
        let fires = |passage: &&Passage| (0..passage.pieces.len()).any(|at| rule.fires(passage, at));
        Ok(passages.iter().map(|passage| Some(fires(passage))).collect())
    }

    /// Yes if the rule predicts firing at half of the marked tokens or more.
    fn fuzz(&mut self, account: &Account, passages: &[(&Passage, Vec<usize>)]) -> Result<Vec<Option<bool>>> {
        let Some(rule) = Self::rule(account) else { return Ok(vec![None; passages.len()]) };
        let fits = |(passage, marks): &(&Passage, Vec<usize>)| {
            let hits = marks.iter().filter(|at| rule.fires(passage, **at)).count();
            !marks.is_empty() && 2 * hits >= marks.len()
        };
        Ok(passages.iter().map(|marked| Some(fits(marked))).collect())
    }

    fn simulate(&mut self, account: &Account, passage: &Passage) -> Result<Option<Vec<f32>>> {
        let strengths = |rule: &Rule| (0..passage.pieces.len()).map(|at| rule.strength(passage, at)).collect();
        Ok(Self::rule(account).map(strengths))
    }

    fn is_to_scale(&self) -> bool {
        true
    }

    fn is_free(&self) -> bool {
        true
    }
}

/// A language model judges from the words.
pub struct Reader<'a> {
    chat: Box<dyn Chat + 'a>,
}

impl<'a> Reader<'a> {
    /// Asks `chat`.
    pub fn new(chat: Box<dyn Chat + 'a>) -> Reader<'a> {
        Reader { chat }
    }

    /// One by one where the model's inclination can be measured, in lists where only its words are known.
    fn verdicts<T>(
        &mut self,
        items: &[T],
        single: impl Fn(&T) -> prompts::Prompt,
        many: impl Fn(&[T]) -> prompts::Prompt,
    ) -> Result<Vec<Option<bool>>> {
        let mut out = Vec::with_capacity(items.len());
        for group in items.chunks(AT_ONCE) {
            let Some(first) = self.chat.inclination(&single(&group[0]))? else {
                let answer = self.chat.ask(&many(group))?;
                match prompts::verdicts_in(&answer, group.len()) {
                    Some(verdicts) => out.extend(verdicts.into_iter().map(Some)),
                    None => out.extend(group.iter().map(|_| None)),
                }
                continue;
            };
            out.push(Some(first > 0.5));
            for item in &group[1..] {
                out.push(self.chat.inclination(&single(item))?.map(|yes| yes > 0.5));
            }
        }
        Ok(out)
    }
}

impl Judge for Reader<'_> {
    fn name(&self) -> String {
        self.chat.name()
    }

    fn detect(&mut self, account: &Account, passages: &[&Passage]) -> Result<Vec<Option<bool>>> {
        let text = &account.text;
        self.verdicts(
            passages,
            |passage| prompts::yes_or_no(text, passage, None),
            |group| prompts::detection(text, group),
        )
    }

    fn fuzz(&mut self, account: &Account, passages: &[(&Passage, Vec<usize>)]) -> Result<Vec<Option<bool>>> {
        let text = &account.text;
        self.verdicts(
            passages,
            |(passage, marks)| prompts::yes_or_no(text, passage, Some(marks)),
            |group| prompts::fuzzing(text, group),
        )
    }

    fn simulate(&mut self, account: &Account, passage: &Passage) -> Result<Option<Vec<f32>>> {
        if let Some(values) = self.chat.expected(&prompts::all_at_once(&account.text), &passage.pieces)? {
            return Ok(Some(values));
        }
        let answer = self.chat.ask(&prompts::simulation(&account.text, passage))?;
        Ok(prompts::activations_in(&answer, passage.pieces.len()))
    }

    fn usage(&self) -> Usage {
        self.chat.usage()
    }
}
