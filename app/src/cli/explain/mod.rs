//! `golgi explain`: what units do, in words, and how well that stands up to tests.

mod parties;
mod search;

use std::path::{Path, PathBuf};

use golgi_analysis::explain::{
    ByRule, Chat, Describer, Embedder, Estimate, Explainer, Judge, Local, Options, Outcome, Parties, Reader, Remote,
    Score, Told, estimate, explain,
};
use golgi_data::atlas::{Atlas, Explanation, UnitKind, explanations_file};
use serde_json::json;

use super::atlas::report::choose;
use super::error::failure;
use super::exit::Exit;
use super::style::{Paint, Style};
use super::table::{Cell, Table};
use super::work::Work;
use crate::report::{count, one_line};
use parties::{Models, Who};

/// Contexts that are run for latents if nothing else is said.
const CONTEXTS_OF_LATENTS: usize = 200;

/// Arguments of `golgi explain`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "The built-in describer needs no network. Language models are asked only if they are named:\n\n  golgi explain DIR --query \
    \"SELECT unit FROM units WHERE kind = 'neuron' ORDER BY kurtosis DESC\" --limit 20\n  golgi explain DIR --units L5N3 --by local:MODEL\n  \
    golgi explain DIR --units L5N3 --by endpoint --endpoint http://localhost:8080/v1 --endpoint-model NAME\n\nExplanations lie in \
    explanations.jsonl in the folder of the atlas, one line per unit. Ctrl-C stops; --resume goes on."
)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Find units by the meaning of their explanations
    Search(search::Args),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// The folder of the atlas
    #[arg(value_name = "ATLAS", required = true)]
    atlas: Option<PathBuf>,
    /// Addresses of units, separated by commas
    #[arg(long, value_name = "UNIT,…", value_delimiter = ',', conflicts_with = "query")]
    units: Vec<String>,
    /// A query that chooses them: its answer has a column `unit`
    #[arg(long, value_name = "SQL")]
    query: Option<String>,
    /// At most so many units of the query's answer
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// Who explains: describer, local:MODEL, endpoint
    #[arg(long, value_name = "WHO", default_value = "describer")]
    by: Who,
    /// Who judges: rule (of the describer), local:MODEL, endpoint; by default the rule, or else who explains
    #[arg(long, value_name = "WHO")]
    judge: Option<Who>,
    /// Scores: detection, fuzzing, simulation, embedding, observational, intervention
    #[arg(long, value_name = "SCORE,…", value_delimiter = ',', default_values_t = Options::default().scores)]
    score: Vec<Score>,
    /// Contexts of the atlas that are run through its model once more, for more passages; 0 by default, 200 for latents, of which an
    /// atlas holds only examples where they are active
    #[arg(long, value_name = "N", value_parser = contexts)]
    contexts: Option<usize>,
    /// Passages of each sort that a judge sees, at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    passages: u32,
    /// Passages that a language model sees when it explains
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    examples: u32,
    /// The atlas's model, if it is not to be found under the name that the atlas has for it
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The embedder of the score `embedding`
    #[arg(long, value_name = "MODEL", default_value = "minilm")]
    embedder: String,
    #[command(flatten)]
    endpoint: parties::EndpointArgs,
    /// Go on with a run that was stopped
    #[arg(long)]
    resume: bool,
    /// Print what it will take, and stop
    #[arg(long)]
    dry_run: bool,
}

fn contexts(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| *n <= 100_000);
    number.ok_or_else(|| format!("`{text}` is no number of contexts from 0 to 100000"))
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    match args.what {
        Some(What::Search(args)) => search::run(work, &args),
        None => explain_units(work, &args.run),
    }
}

fn explain_units(work: &Work, args: &Run) -> anyhow::Result<Exit> {
    let judge = args.judge.clone().unwrap_or_else(|| args.by.clone());
    let endpoint = args.endpoint.open(work, [&args.by, &judge])?;
    let folder = args.atlas.as_deref().unwrap_or(Path::new("."));
    let atlas = Atlas::open(folder)?;
    let (ids, found) = choose(&atlas, args.query.as_deref(), &args.units, args.limit as usize)?;
    let latents =
        ids.iter().any(|id| atlas.manifest().group_of(*id).is_some_and(|group| group.kind == UnitKind::Latent));
    let contexts = args.contexts.unwrap_or(if latents { CONTEXTS_OF_LATENTS } else { 0 });
    let options = Options {
        scores: args.score.clone(),
        passages: args.passages as usize,
        examples: args.examples as usize,
        contexts,
        ..Options::default()
    };
    let own = args.model.clone().unwrap_or_else(|| atlas.manifest().model.clone());
    let needs_own = contexts > 0 || args.score.contains(&Score::Intervention);
    let embeds = args.score.contains(&Score::Embedding);
    let mut models = Models::default();
    for who in [&args.by, &judge] {
        if let Who::Local(spec) = who {
            models.open(work, spec)?;
        }
    }
    if needs_own {
        models.open(work, &own)?;
    }
    if embeds {
        models.open(work, &args.embedder)?;
    }
    let watch = work.watch();
    let speed = |who: &Who| models.party(who);
    let own_speed = needs_own.then(|| models.party(&Who::Local(own.clone()))).transpose()?;
    let expected = estimate(&atlas, &ids, &options, (speed(&args.by)?, speed(&judge)?), own_speed, &work.ctx)?;
    drop(watch);
    let shown = Shown { work, args, judge: &judge, options: &options, expected: &expected, found };
    if args.dry_run {
        shown.plan(&atlas, &ids)?;
        return Ok(Exit::Success);
    }
    forecast(&expected).lines().for_each(|line| work.out.remark(line));
    let chat = |who: &Who| -> anyhow::Result<Option<Box<dyn Chat + '_>>> {
        Ok(match who {
            Who::Free => None,
            Who::Local(spec) => Some(Box::new(Local::new(models.get(spec)?, &work.ctx)?)),
            Who::Endpoint => {
                let endpoint = endpoint.as_ref().ok_or_else(|| failure("no endpoint is named; give --endpoint URL"))?;
                Some(Box::new(Remote::new(endpoint, &work.ctx)))
            }
        })
    };
    let mut explainer: Box<dyn Explainer + '_> = match chat(&args.by)? {
        None => Box::new(Describer),
        Some(chat) => Box::new(Told::new(chat, options.examples)),
    };
    let mut reader: Box<dyn Judge + '_> = match chat(&judge)? {
        None => Box::new(ByRule),
        Some(chat) => Box::new(Reader::new(chat)),
    };
    let embedder = embeds.then(|| Embedder::new(models.get(&args.embedder)?, &work.ctx).map_err(anyhow::Error::from));
    let mut parties = Parties {
        explainer: explainer.as_mut(),
        judge: reader.as_mut(),
        embedder: embedder.transpose()?,
        model: needs_own.then(|| models.get(&own)).transpose()?,
    };
    let watch = work.watch();
    let outcome = explain(&atlas, &ids, &options, &mut parties, args.resume, &work.ctx)?;
    drop(watch);
    shown.outcome(&atlas, &outcome)?;
    Ok(Exit::Success)
}

/// What is told of a run.
struct Shown<'a> {
    work: &'a Work,
    args: &'a Run,
    judge: &'a Who,
    options: &'a Options,
    expected: &'a Estimate,
    found: usize,
}

impl Shown<'_> {
    fn document(&self, units: Vec<String>, outcome: Option<&Outcome>, file: Option<&Path>) -> anyhow::Result<()> {
        let fields = json!({
            "atlas": self.args.atlas,
            "by": self.args.by.to_string(),
            "judge": self.judge.judge(),
            "options": self.options,
            "estimate": self.expected,
            "units": units,
            "found": self.found,
            "outcome": outcome,
            "file": file,
            "warnings": self.work.ctx.warnings(),
        });
        Ok(self.work.out.document("explain", fields)?)
    }

    fn plan(&self, atlas: &Atlas, ids: &[u32]) -> anyhow::Result<()> {
        if self.work.out.json {
            let units = ids.iter().filter_map(|id| atlas.manifest().unit(*id)).map(|unit| unit.short()).collect();
            return self.document(units, None, None);
        }
        Ok(self.work.out.text(&forecast(self.expected))?)
    }

    fn outcome(&self, atlas: &Atlas, outcome: &Outcome) -> anyhow::Result<()> {
        let file = explanations_file(atlas.folder());
        if self.work.out.json {
            let units = outcome.records.iter().map(|one| one.unit.clone()).collect();
            return self.document(units, Some(outcome), Some(&file));
        }
        let out = &self.work.out;
        out.table(&table(&outcome.records, &self.options.scores))?;
        let unanswered = outcome.records.iter().flat_map(|one| one.scores.values());
        let unanswered =
            unanswered.filter(|parts| parts.get("answered").copied().flatten().is_some_and(|n| n < 0.9)).count();
        if unanswered > 0 {
            out.remark(&format!("warning: {unanswered} scores rest on fewer than nine in ten questions; the judge did not answer the others as asked"));
        }
        if self.found > outcome.records.len() && !outcome.stopped {
            out.line(&format!("The query finds {} units; --limit {0} takes all of them", self.found))?;
        }
        if outcome.stopped {
            out.line("Stopped; the same command with --resume goes on.")?;
        }
        out.line(&format!("{} in {}", explanations_text(outcome.records.len()), file.display()))?;
        Ok(())
    }
}

fn explanations_text(n: usize) -> String {
    if n == 1 { "1 explanation".to_owned() } else { format!("{} explanations", count(n as u64)) }
}

/// Scores with their nulls in brackets.
fn table(records: &[Explanation], scores: &[Score]) -> Table {
    let mut table = Table::new().left("unit");
    for score in scores {
        table = table.right(score.name());
    }
    let mut table = table.flexible("explanation (a score's null in brackets)");
    for record in records {
        let cells = scores.iter().map(|score| {
            let part =
                |name: &str| record.scores.get(score.name()).and_then(|parts| parts.get(name).copied().flatten());
            match (part("score"), part("null")) {
                (None, _) => Cell::new("–", Style::Dim),
                (Some(value), None) => format!("{value:.2}").into(),
                (Some(value), Some(null)) => format!("{value:.2} ({null:.2})").into(),
            }
        });
        let text = std::iter::once(one_line(&record.text).into());
        table.row(std::iter::once(Cell::new(&record.unit, Style::Name)).chain(cells).chain(text));
    }
    table
}

/// The estimate, line by line.
fn forecast(expected: &Estimate) -> String {
    let mut table = Table::new().left("").left("");
    let mut row = |label: &str, value: String| table.row([label.into(), value.into()]);
    row("units", count(expected.units));
    if expected.calls > 0 {
        row("questions to language models", format!("about {}", count(expected.calls)));
        let (read, written) = (count(expected.tokens_in), count(expected.tokens_out));
        row("tokens", format!("about {read} read, {written} written"));
    }
    if expected.model_tokens > 0 {
        row("tokens through the atlas's model", format!("about {}", count(expected.model_tokens)));
    }
    row("time", format!("about {}", super::atlas::duration(expected.seconds)));
    table.render(Paint::Never, None)
}
