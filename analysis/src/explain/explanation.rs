//! Who explains, from what, and what comes of it.

use golgi_data::atlas::Page;
use serde::{Deserialize, Serialize};

use super::chat::{Chat, Usage};
use super::passage::Evidence;
use super::prompts;
use super::rule::Rule;
use crate::error::Result;

/// A unit that is to be explained.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What the atlas knows of it.
    pub page: &'a Page,
    /// Where it fires. Explainers look at `train` alone.
    pub evidence: &'a Evidence,
}

/// What an explainer says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// In words, without line breaks and control characters.
    pub text: String,
    /// As a rule, where the explainer has one.
    pub rule: Option<Rule>,
}

/// Explains units.
pub trait Explainer {
    /// Its name in the records, such as `describer` or `local:smollm2`.
    fn name(&self) -> String;

    /// Explains one unit.
    ///
    /// # Errors
    /// If it cannot be asked, or somebody asked to stop.
    fn explain(&mut self, subject: &Subject) -> Result<Account>;

    /// What it was asked so far.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// Whether it costs nothing to ask.
    fn is_free(&self) -> bool {
        false
    }
}

/// A language model as an explainer: it is shown the passages where the unit fires with the firing tokens marked, as Bills et al.
/// (2023) and Delphi (arXiv 2410.13928) do it.
pub struct Told<'a> {
    chat: Box<dyn Chat + 'a>,
    examples: usize,
}

impl<'a> Told<'a> {
    /// Asks `chat`, showing it `examples` passages.
    pub fn new(chat: Box<dyn Chat + 'a>, examples: usize) -> Told<'a> {
        Told { chat, examples }
    }
}

impl Explainer for Told<'_> {
    fn name(&self) -> String {
        self.chat.name()
    }

    fn explain(&mut self, subject: &Subject) -> Result<Account> {
        let question = prompts::explain(subject.evidence, self.examples);
        let answer = self.chat.ask(&question)?;
        Ok(Account { text: prompts::explanation_in(&answer), rule: None })
    }

    fn usage(&self) -> Usage {
        self.chat.usage()
    }
}
