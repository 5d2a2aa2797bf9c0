//! What it will take to explain units, found out before any model is asked: the very same work on a few units with a stand-in
//! that counts the questions.

use std::time::Instant;

use golgi_data::atlas::Atlas;
use golgi_data::context::RunContext;
use golgi_probes::{Batch, ForwardOptions, NoTap, OpenModel};
use serde::{Deserialize, Serialize};

use super::chat::{Chat, Usage};
use super::describe::Describer;
use super::exam::Exam;
use super::explanation::{Account, Explainer, Subject, Told};
use super::gather;
use super::judge::{ByRule, Judge, Reader};
use super::prompts::Prompt;
use super::run::{Options, TOGETHER};
use super::scores::{Bench, Candidate, PAIRS, PASSES, Score, measure};
use crate::error::Result;

/// Units that are tried.
const TRIED: usize = 4;
/// What an explanation is taken to look like.
const TYPICAL: &str =
    "Words for places where people live, such as houses and towns, mostly in descriptions of journeys";
/// An endpoint is taken to need so many seconds for each answer,
const SECONDS_PER_ANSWER: f64 = 1.0;
/// and to write so many tokens per second.
const REMOTE_TOKENS_PER_SECOND: f64 = 50.0;

/// What a language model that takes part can do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Party {
    /// None: the describer, or a rule.
    Free,
    /// One that runs here.
    Local {
        /// Tokens read per second.
        reads: f64,
        /// Tokens written per second.
        writes: f64,
    },
    /// One at an endpoint, whose speed is not known.
    Remote,
}

impl Party {
    /// Measures how fast a model is here.
    ///
    /// # Errors
    /// If it does not run.
    pub fn local(model: &OpenModel) -> Result<Party> {
        let length = 64.min(model.model.dims.n_ctx);
        let time = |n: usize| -> Result<f64> {
            let batch = Batch::single(&vec![0; n])?;
            let start = Instant::now();
            model.model.forward(&batch, &mut NoTap, ForwardOptions { last_only: true, ..ForwardOptions::logits() })?;
            Ok(start.elapsed().as_secs_f64().max(1e-6))
        };
        // The first pass sets things up.
        time(length)?;
        Ok(Party::Local { reads: length as f64 / time(length)?, writes: 1.0 / time(1)? })
    }

    fn seconds(self, usage: Usage) -> f64 {
        match self {
            Party::Free => 0.0,
            Party::Local { reads, writes } => usage.tokens_in as f64 / reads + usage.tokens_out as f64 / writes,
            Party::Remote => {
                usage.calls as f64 * SECONDS_PER_ANSWER + usage.tokens_out as f64 / REMOTE_TOKENS_PER_SECOND
            }
        }
    }
}

/// What explaining is expected to take. Questions and tokens are upper bounds where passages are still to be found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Units to explain.
    pub units: u64,
    /// Questions to language models.
    pub calls: u64,
    /// Tokens that they read, at four characters each.
    pub tokens_in: u64,
    /// Tokens that they write.
    pub tokens_out: u64,
    /// Tokens that the atlas's model runs over.
    pub model_tokens: u64,
    /// Seconds.
    pub seconds: f64,
}

/// Counts questions in place of answering them.
#[derive(Debug, Default)]
struct Counter {
    local: bool,
    usage: std::rc::Rc<std::cell::Cell<Usage>>,
}

impl Counter {
    fn add(&self, tokens_in: u64, tokens_out: u64) {
        let Usage { calls, tokens_in: read, tokens_out: written } = self.usage.get();
        self.usage.set(Usage { calls: calls + 1, tokens_in: read + tokens_in, tokens_out: written + tokens_out });
    }
}

impl Chat for Counter {
    fn name(&self) -> String {
        "counter".to_owned()
    }

    fn ask(&mut self, prompt: &Prompt) -> Result<String> {
        self.add(prompt.tokens(), u64::from(prompt.max_tokens) / 2);
        Ok(String::new())
    }

    fn inclination(&mut self, prompt: &Prompt) -> Result<Option<f64>> {
        if self.local {
            self.add(prompt.tokens(), 0);
        }
        Ok(self.local.then_some(1.0))
    }

    fn expected(&mut self, before: &str, pieces: &[String]) -> Result<Option<Vec<f32>>> {
        if self.local {
            self.add(before.len().div_ceil(4) as u64 + 4 * pieces.len() as u64, 0);
        }
        Ok(self.local.then(|| vec![0.0; pieces.len()]))
    }

    fn usage(&self) -> Usage {
        self.usage.get()
    }
}

/// Estimates what `ids` will take with an explainer and a judge of these kinds. `model` is the speed of the atlas's own model, if
/// it is needed.
///
/// # Errors
/// If a page cannot be read.
pub fn estimate(
    atlas: &Atlas,
    ids: &[u32],
    options: &Options,
    (explainer, judge): (Party, Party),
    model: Option<Party>,
    ctx: &RunContext,
) -> Result<Estimate> {
    let mut estimate = Estimate { units: ids.len() as u64, ..Estimate::default() };
    if ids.is_empty() {
        return Ok(estimate);
    }
    let tried: Vec<u32> = (0..TRIED.min(ids.len())).map(|at| ids[at * ids.len() / TRIED.min(ids.len())]).collect();
    let counter = |party: Party| Counter { local: matches!(party, Party::Local { .. }), ..Counter::default() };
    let (told, read) = (counter(explainer), counter(judge));
    let (told_usage, read_usage) = (std::rc::Rc::clone(&told.usage), std::rc::Rc::clone(&read.usage));
    let mut who: Box<dyn Explainer> = match explainer {
        Party::Free => Box::new(Describer),
        _ => Box::new(Told::new(Box::new(told), options.examples)),
    };
    let mut bench_judge: Box<dyn Judge> = match judge {
        Party::Free => Box::new(ByRule),
        _ => Box::new(Reader::new(Box::new(read))),
    };
    let (start, mut seen, mut most) = (Instant::now(), 0usize, 0usize);
    for id in &tried {
        ctx.check()?;
        let page = atlas.page(*id)?;
        let evidence = gather::evidence(atlas.manifest(), &page, None);
        let account = who.explain(&Subject { page: &page, evidence: &evidence })?;
        let account = Account { text: TYPICAL.to_owned(), ..account };
        let stranger = account.clone();
        let exam = Exam::new(&evidence, options.passages, ctx.seed());
        seen += exam.positives.len() + exam.random.len() + exam.hard.len();
        most += 3 * options.passages;
        let others = if ids.len() > 1 { vec![&stranger] } else { Vec::new() };
        let candidate = Candidate {
            evidence: &evidence,
            exam: &exam,
            account: &account,
            others: &others,
            simulated: options.simulated,
            seed: ctx.seed(),
        };
        let mut bench = Bench::new(bench_judge.as_mut());
        for score in &options.scores {
            measure(*score, &candidate, &mut bench, None, None)?;
        }
    }
    let own = start.elapsed().as_secs_f64();
    // With more contexts more passages are found, up to what was allowed.
    let growth = if options.contexts > 0 && seen > 0 { most as f64 / seen as f64 } else { 1.0 };
    let times = ids.len() as f64 / tried.len() as f64;
    let scaled = |usage: Usage, by: f64| Usage {
        calls: (usage.calls as f64 * by).ceil() as u64,
        tokens_in: (usage.tokens_in as f64 * by).ceil() as u64,
        tokens_out: (usage.tokens_out as f64 * by).ceil() as u64,
    };
    let told = scaled(told_usage.get(), times);
    let read = scaled(read_usage.get(), times * growth);
    estimate.calls = told.calls + read.calls;
    estimate.tokens_in = told.tokens_in + read.tokens_in;
    estimate.tokens_out = told.tokens_out + read.tokens_out;
    if let Some(party) = model {
        let manifest = atlas.manifest();
        let contexts = options.contexts.min(manifest.contexts as usize) * ids.len().div_ceil(TOGETHER);
        estimate.model_tokens = (contexts * manifest.context_len as usize) as u64;
        if options.scores.contains(&Score::Intervention) {
            estimate.model_tokens += (ids.len() * PAIRS * PASSES * 32) as u64;
        }
        estimate.seconds += party.seconds(Usage { tokens_in: estimate.model_tokens, ..Usage::default() });
    }
    estimate.seconds += own * times * growth + explainer.seconds(told) + judge.seconds(read);
    Ok(estimate)
}
