//! Explaining many units: each gets one line in the atlas's `explanations.jsonl` as soon as it is done.

use std::collections::{BTreeMap, HashMap};

use golgi_data::atlas::{Atlas, Explanation, ExplanationWriter, Page, explanations};
use golgi_data::context::RunContext;
use golgi_probes::OpenModel;
use serde::{Deserialize, Serialize};

use super::chat::Usage;
use super::embed::Embedder;
use super::exam::Exam;
use super::explanation::{Account, Explainer, Subject};
use super::gather::{self, Pool};
use super::judge::Judge;
use super::passage::{Evidence, Passage};
use super::scores::{Bench, Candidate, Experiment, Measures, Score, measure};
use crate::error::{AnalysisError, Result};

/// Units whose activations are kept at once, and among which explanations are shuffled.
pub(super) const TOGETHER: usize = 128;
/// Explanations of other units in a null where they cost nothing.
const FREE_NULLS: usize = 8;

/// What is explained and how it is scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Which scores.
    pub scores: Vec<Score>,
    /// Passages of each sort that a judge sees, at most.
    pub passages: usize,
    /// Passages of each sort that are simulated by a judge who must be asked.
    pub simulated: usize,
    /// Passages that a language model sees when it explains.
    pub examples: usize,
    /// Contexts of the atlas that are run through the model once more for true activations; 0: the examples of the pages alone.
    pub contexts: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            scores: vec![Score::Detection, Score::Fuzzing, Score::Simulation, Score::Observational],
            passages: 50,
            simulated: 10,
            examples: 20,
            contexts: 0,
        }
    }
}

/// Who takes part.
pub struct Parties<'a> {
    /// Explains.
    pub explainer: &'a mut dyn Explainer,
    /// Judges.
    pub judge: &'a mut dyn Judge,
    /// Embeds, for [`Score::Embedding`].
    pub embedder: Option<Embedder<'a>>,
    /// The model of the atlas, for [`Score::Intervention`] and [`Options::contexts`].
    pub model: Option<&'a OpenModel>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// One record per unit, in the order asked for.
    pub records: Vec<Explanation>,
    /// How many of them an earlier run had made.
    pub resumed: usize,
    /// Whether somebody stopped it before its end; it can be gone on with.
    pub stopped: bool,
    /// Questions asked and answered.
    pub calls: u64,
    /// Tokens read by language models.
    pub tokens_in: u64,
    /// Tokens written by them.
    pub tokens_out: u64,
}

/// Explains and scores the units `ids`, adding a line per unit to the atlas's file. Lines about the same units by the same explainer
/// are replaced; with `resume` those stay that were made with the same settings, and the run goes on behind them. A run that was
/// stopped and resumed leaves the same file as one that was not, as far as explainer and judge are deterministic.
///
/// # Errors
/// If the atlas or its file cannot be used, a party is missing or cannot be asked. What is done by then is in the file. Being
/// stopped is no error.
pub fn explain(
    atlas: &Atlas,
    ids: &[u32],
    options: &Options,
    parties: &mut Parties,
    resume: bool,
    ctx: &RunContext,
) -> Result<Outcome> {
    check(options, parties)?;
    let (by, settings) = (parties.explainer.name(), settings(atlas, ids, options, parties, ctx));
    let wanted: HashMap<u32, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let same = |one: &Explanation| one.by == by && wanted.contains_key(&one.id);
    let mut done: BTreeMap<usize, Explanation> = BTreeMap::new();
    if resume {
        for one in explanations(atlas.folder())?.into_iter().filter(|one| same(one) && one.settings == settings) {
            done.insert(wanted[&one.id], one);
        }
    }
    let resumed = done.len();
    // Opened for the first record, so that nothing is replaced by a run that fails before.
    let mut writer: Option<ExplanationWriter> = None;
    let keep = |one: &Explanation| !same(one) || (resume && one.settings == settings);
    let contexts = match (options.scores.contains(&Score::Intervention), parties.model) {
        (true, Some(_)) => Some(gather::tokens(atlas)?),
        _ => None,
    };
    let mut stopped = false;
    'all: for (number, group) in ids.chunks(TOGETHER).enumerate() {
        let first = number * TOGETHER;
        if (first..first + group.len()).all(|at| done.contains_key(&at)) {
            continue;
        }
        let mut team = match Team::new(atlas, group, options, parties, ctx) {
            Ok(team) => team,
            Err(error) if error.is_cancelled() => {
                stopped = true;
                break;
            }
            Err(error) => return Err(error),
        };
        for at in 0..group.len() {
            if let Some(one) = done.get(&(first + at)) {
                team.recall(at, one);
            }
        }
        let before = (first..first + group.len()).filter(|at| done.contains_key(at)).count() as u64;
        ctx.stage_from("explaining units", first as u64 + before, ids.len() as u64, std::time::Duration::ZERO);
        for at in 0..group.len() {
            if done.contains_key(&(first + at)) {
                continue;
            }
            let record = ctx.check().map_err(AnalysisError::from).and_then(|()| team.record(at, contexts.as_ref()));
            let mut record = match record {
                Ok(record) => record,
                Err(error) if error.is_cancelled() => {
                    stopped = true;
                    break 'all;
                }
                Err(error) => return Err(error),
            };
            record.settings.clone_from(&settings);
            let writer = match &mut writer {
                Some(writer) => writer,
                none => none.insert(ExplanationWriter::open(atlas.folder(), keep)?),
            };
            writer.append(&record)?;
            done.insert(first + at, record);
            ctx.advance(1);
        }
    }
    let (told, judged) = (parties.explainer.usage(), parties.judge.usage());
    let sum = |of: fn(&Usage) -> u64| of(&told) + of(&judged);
    Ok(Outcome {
        records: done.into_values().collect(),
        resumed,
        stopped,
        calls: sum(|usage| usage.calls),
        tokens_in: sum(|usage| usage.tokens_in),
        tokens_out: sum(|usage| usage.tokens_out),
    })
}

fn check(options: &Options, parties: &Parties) -> Result<()> {
    let missing = |name: &'static str, expected: &str| {
        Err(AnalysisError::Param { analysis: "explain", name, found: "missing".into(), expected: expected.to_owned() })
    };
    let wants = |score| options.scores.contains(&score);
    if parties.model.is_none() && (wants(Score::Intervention) || options.contexts > 0) {
        return missing("model", "the score `intervention` and more contexts need the model of the atlas");
    }
    if parties.embedder.is_none() && wants(Score::Embedding) {
        return missing("embedder", "the score `embedding` needs one, such as minilm");
    }
    let judged = [Score::Detection, Score::Fuzzing, Score::Simulation, Score::Observational, Score::Intervention];
    if parties.judge.is_free() && !parties.explainer.is_free() && judged.into_iter().any(wants) {
        return missing("judge", "explanations in words need a judge that can read: a local model or an endpoint");
    }
    if options.passages == 0 || options.examples == 0 {
        let expected = "it must be 1 at least".to_owned();
        return Err(AnalysisError::Param { analysis: "explain", name: "passages", found: "0".into(), expected });
    }
    Ok(())
}

/// Digest of all that decides what the records hold.
fn settings(atlas: &Atlas, ids: &[u32], options: &Options, parties: &Parties, ctx: &RunContext) -> String {
    let everything = serde_json::json!({
        "version": 1,
        "model": atlas.manifest().model_digest,
        "files": atlas.manifest().files,
        "tokens": atlas.manifest().tokens,
        "ids": ids,
        "options": options,
        "by": parties.explainer.name(),
        "judge": parties.judge.name(),
        "embedder": parties.embedder.is_some(),
        "seed": ctx.seed(),
    });
    blake3::hash(everything.to_string().as_bytes()).to_hex()[..16].to_owned()
}

/// Units that are explained together, each explanation made once, when it is first wanted.
struct Team<'t, 'a> {
    atlas: &'t Atlas,
    ids: &'t [u32],
    options: &'t Options,
    parties: &'t mut Parties<'a>,
    pool: Option<Pool>,
    accounts: Vec<Option<Account>>,
    ctx: &'t RunContext,
}

impl<'t, 'a> Team<'t, 'a> {
    fn new(
        atlas: &'t Atlas,
        ids: &'t [u32],
        options: &'t Options,
        parties: &'t mut Parties<'a>,
        ctx: &'t RunContext,
    ) -> Result<Team<'t, 'a>> {
        let pool = match (options.contexts, parties.model) {
            (0, _) | (_, None) => None,
            (contexts, Some(model)) => {
                let mut all = ids.to_vec();
                for id in ids {
                    all.extend(gather::neighbours(&atlas.page(*id)?));
                }
                Some(Pool::new(atlas, model, &all, contexts, ctx)?)
            }
        };
        Ok(Team { atlas, ids, options, parties, pool, accounts: vec![None; ids.len()], ctx })
    }

    /// Takes an explanation from a record of an earlier run.
    fn recall(&mut self, at: usize, record: &Explanation) {
        let rule = record.rule.clone().and_then(|rule| serde_json::from_value(rule).ok());
        // A describer without its rule cannot be judged; it is asked again.
        if rule.is_some() || !self.parties.explainer.is_free() {
            self.accounts[at] = Some(Account { text: record.text.clone(), rule });
        }
    }

    fn read(&self, at: usize) -> Result<(Page, Evidence)> {
        let page = self.atlas.page(self.ids[at])?;
        let evidence = gather::evidence(self.atlas.manifest(), &page, self.pool.as_ref());
        Ok((page, evidence))
    }

    fn account(&mut self, at: usize) -> Result<Account> {
        if let Some(account) = &self.accounts[at] {
            return Ok(account.clone());
        }
        let (page, evidence) = self.read(at)?;
        let account = self.parties.explainer.explain(&Subject { page: &page, evidence: &evidence })?;
        self.accounts[at] = Some(account.clone());
        Ok(account)
    }

    /// The units whose explanations are tried on unit `at` in its place.
    fn strangers(&self, at: usize) -> Vec<usize> {
        let free = self.parties.explainer.is_free() && self.parties.judge.is_free();
        let most = if free { FREE_NULLS } else { 1 }.min(self.ids.len() - 1);
        let step = ((self.ids.len() - 1) / most.max(1)).max(1);
        (0..most).map(|number| (at + 1 + number * step) % self.ids.len()).collect()
    }

    fn record(&mut self, at: usize, contexts: Option<&HashMap<u32, Vec<u32>>>) -> Result<Explanation> {
        let (page, evidence) = self.read(at)?;
        let account = self.account(at)?;
        let others: Vec<Account> = self.strangers(at).into_iter().map(|at| self.account(at)).collect::<Result<_>>()?;
        let others: Vec<&Account> = others.iter().collect();
        let seed = self.ctx.seed();
        let exam = Exam::new(&evidence, self.options.passages, seed);
        let candidate = Candidate {
            evidence: &evidence,
            exam: &exam,
            account: &account,
            others: &others,
            simulated: self.options.simulated,
            seed,
        };
        let group = self.atlas.manifest().group_of(page.id);
        let experiment = match (self.parties.model, contexts, group) {
            (Some(model), Some(contexts), Some(group)) if gather::is_of_model(group.kind) => {
                let (unit, units) = (page.unit.clone(), group.count);
                Some(Experiment { model, contexts, unit, units, ctx: self.ctx })
            }
            _ => None,
        };
        let mut bench = Bench::new(&mut *self.parties.judge);
        let mut scores: BTreeMap<String, Measures> = BTreeMap::new();
        for score in &self.options.scores {
            let measured =
                measure(*score, &candidate, &mut bench, self.parties.embedder.as_mut(), experiment.as_ref())?;
            scores.insert(score.name().to_owned(), measured.unwrap_or_default());
        }
        // By way of text, so that numbers keep the digits that they are written with.
        let rule = account.rule.as_ref().and_then(|rule| serde_json::from_str(&serde_json::to_string(rule).ok()?).ok());
        Ok(Explanation {
            id: page.id,
            unit: page.short.clone(),
            by: self.parties.explainer.name(),
            text: account.text.clone(),
            rule,
            judge: self.parties.judge.name(),
            scores,
            evidence: in_words(&evidence, self.pool.is_some()),
            settings: String::new(),
        })
    }
}

/// What an explanation and its scores rest on.
fn in_words(evidence: &Evidence, more: bool) -> String {
    let firing = |side: &[Passage]| side.iter().filter(|passage| evidence.is_positive(passage)).count();
    let from = if more { "the atlas's examples and more contexts" } else { "the atlas's examples" };
    let (shown, hidden) = (&evidence.train, &evidence.test);
    format!(
        "{} passages of {from} to explain by ({} with firing), {} others to score by ({} with firing); firing from {:.3} on{}",
        shown.len(),
        firing(shown),
        hidden.len(),
        firing(hidden),
        evidence.threshold,
        if evidence.negative { ", signs turned" } else { "" }
    )
}
