//! `golgi generate`: text from a model, as it is written.

use std::path::PathBuf;

use golgi_data::tokenizer::{ChatMessage, Tokenizer};
use golgi_probes::generate::{GenerateOptions, Generation, Sampling, Step, Stop, generate};
use golgi_probes::intervention::{Edits, Traces};
use golgi_probes::{Capture, OpenModel, ProbeError, Stack, preflight};
use serde_json::{Value, json};

use super::args::{Budget, Changes};
use super::capture::{Watched, patterns, write};
use super::exit::Exit;
use super::work::Work;
use super::{change, suggest};
use crate::report::OutFile;

/// Arguments of `golgi generate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name from `golgi models`, a folder, a file, or hf://org/repo
    model: String,
    #[command(flatten)]
    start: Start,
    /// At most this many new tokens
    #[arg(long, default_value_t = 100, value_name = "N")]
    max_tokens: usize,
    /// Sample: 1 is the model's own distribution, less is safer; greedy without it
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Sample among the K most probable tokens only
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Sample among the most probable tokens that reach this probability together
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f32>,
    #[command(flatten)]
    changes: Changes,
    /// Capture these sites at every step
    #[arg(long, value_name = "GLOB", num_args = 1.., requires = "out")]
    capture: Vec<String>,
    /// The file for what is captured, as `golgi capture` writes it
    #[arg(long, value_name = "FILE", requires = "capture")]
    out: Option<PathBuf>,
    #[command(flatten)]
    budget: Budget,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Start {
    /// The text to continue
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    /// A message to a chat model
    #[arg(long, value_name = "MESSAGE", allow_hyphen_values = true)]
    chat: Option<String>,
    /// Token ids to continue
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    tokens: Option<Vec<u32>>,
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let out = args.out.as_deref().map(OutFile::new).transpose()?;
    let patterns = patterns(&args.capture)?;
    let changes = change::parse(&args.changes.interventions)?;
    let model = work.open(&args.model)?;
    let prompt = prompt(work, &model, &args.start)?;
    if !model.model.has_logits() {
        return Err(ProbeError::NoLogits(format!("`{}`", model.name)).into());
    }
    let length = prompt.len().saturating_add(args.max_tokens).min(model.model.dims.n_ctx);
    preflight(&model.model, &patterns, (1, length), true, args.budget.budget)
        .map_err(|error| suggest::with_sites(error, &model.model))?;
    let options = GenerateOptions {
        max_tokens: args.max_tokens,
        sampling: sampling(args),
        stop: model.tokenizer.as_ref().map(|tokenizer| tokenizer.end_ids().to_vec()).unwrap_or_default(),
        top: 5,
        fused_attention: work.global.fused_attention,
    };
    let traces = Traces::new();
    let mut edits = Edits::new(&model.model, &changes, &traces)?;
    let mut capture = Watched::new(Capture::new(patterns), &work.ctx, false);
    let mut writer = Writer::new(work, &model, &prompt, args.start.text.clone().unwrap_or_default());
    let generation = {
        let _watch = work.out.json.then(|| work.watch());
        let mut tap = Stack::new().with(&mut edits).with(&mut capture);
        generate(&model.model, &prompt, &options, &mut tap, &work.ctx, &mut |step| writer.step(step))
    };
    // When the reader has gone, the cancelled generation is only the consequence.
    writer.end(generation.is_ok())?;
    let generation = generation?;
    if let Some(out) = &out {
        let mut tokens: Vec<u32> = prompt.iter().copied().chain(generation.tokens()).collect();
        // The last chosen token need not have gone through the model.
        tokens.truncate(capture.positions());
        write(&work.ctx, out, &capture.into_trace(vec![tokens])?)?;
    }
    if work.out.json {
        document(work, &model, &prompt, &generation, out.as_ref())?;
    } else if generation.stop == Stop::Context {
        work.out.remark("the context is full, so the text ends here");
    }
    Ok(Exit::Success)
}

fn prompt(work: &Work, model: &OpenModel, start: &Start) -> anyhow::Result<Vec<u32>> {
    let input = super::args::OptionalInput { text: start.text.clone(), tokens: start.tokens.clone() };
    match &start.chat {
        None => work.tokens(model, &input),
        Some(message) => {
            let tokenizer = model.tokenizer()?;
            let message = ChatMessage { role: "user".to_owned(), content: message.clone() };
            let tokens = tokenizer.encode_raw(&tokenizer.render_chat(&[message], true)?)?;
            model.check_length(&tokens)?;
            Ok(tokens)
        }
    }
}

fn sampling(args: &Args) -> Sampling {
    if args.temperature.is_none() && args.top_k.is_none() && args.top_p.is_none() {
        return Sampling::Greedy;
    }
    match args.temperature {
        // The limit of ever lower temperatures.
        Some(0.0) => Sampling::Greedy,
        temperature => Sampling::Random {
            temperature: temperature.unwrap_or(1.0),
            top_k: args.top_k.unwrap_or(0),
            top_p: args.top_p.unwrap_or(1.0),
        },
    }
}

/// Writes text as it comes, whole characters only.
struct Writer<'a> {
    work: &'a Work,
    tokenizer: Option<&'a Tokenizer>,
    /// What stands before the first new token, until that is there.
    lead: Option<String>,
    /// Prompt and new tokens.
    ids: Vec<u32>,
    shown: String,
    failed: Option<std::io::Error>,
}

impl<'a> Writer<'a> {
    fn new(work: &'a Work, model: &'a OpenModel, prompt: &[u32], lead: String) -> Writer<'a> {
        let tokenizer = model.tokenizer.as_ref();
        let before = tokenizer.map(|tokenizer| tokenizer.decode(prompt)).unwrap_or_default();
        Writer {
            work,
            tokenizer,
            lead: Some(lead),
            ids: prompt.to_vec(),
            shown: whole(&before).to_owned(),
            failed: None,
        }
    }

    fn step(&mut self, step: &Step) {
        self.ids.push(step.token);
        let Some(tokenizer) = self.tokenizer else {
            let space = if self.lead.is_some() { "" } else { " " };
            return self.show(&format!("{space}{}", step.token));
        };
        // The prompt is decoded again each time: some tokenizers drop the space in front of a text.
        let text = tokenizer.decode(&self.ids);
        if let Some(new) = whole(&text).strip_prefix(self.shown.as_str()).map(str::to_owned) {
            self.shown.push_str(&new);
            self.show(&new);
        }
    }

    /// Shows text, line breaks as they are, other control characters made visible.
    fn show(&mut self, text: &str) {
        if self.work.out.json || self.failed.is_some() {
            return;
        }
        let text = self.lead.take().unwrap_or_default() + text;
        let lines: Vec<String> = text.split('\n').map(plain).collect();
        if let Err(error) = self.work.out.text(&lines.join("\n")) {
            // Nobody reads any more, so there is no point in going on.
            self.work.ctx.cancel();
            self.failed = Some(error);
        }
    }

    /// Ends the line, if there is one.
    fn end(mut self, whole: bool) -> std::io::Result<()> {
        if self.lead.is_some() && !whole {
            return Ok(());
        }
        if let Some(tokenizer) = self.tokenizer {
            let text = tokenizer.decode(&self.ids);
            if let Some(rest) = text.strip_prefix(self.shown.as_str()).map(str::to_owned) {
                self.show(&rest);
            }
        }
        self.show("\n");
        self.failed.map_or(Ok(()), Err)
    }
}

/// The text without replacement characters at its end: these may be the first half of a character to come.
fn whole(text: &str) -> &str {
    text.trim_end_matches('\u{fffd}')
}

/// What the new tokens add to the text of the prompt.
fn continuation(tokenizer: &Tokenizer, prompt: &[u32], new: &[u32]) -> String {
    let all = tokenizer.decode(&[prompt, new].concat());
    all.strip_prefix(tokenizer.decode(prompt).as_str()).map_or_else(|| tokenizer.decode(new), str::to_owned)
}

/// A piece of a line: spaces stay spaces.
fn plain(text: &str) -> String {
    if text.trim_matches(' ').is_empty() { text.to_owned() } else { crate::report::token(text) }
}

fn document(
    work: &Work,
    model: &OpenModel,
    prompt: &[u32],
    found: &Generation,
    out: Option<&OutFile>,
) -> anyhow::Result<()> {
    let tokens = found.tokens();
    let text = model.tokenizer.as_ref().map(|tokenizer| continuation(tokenizer, prompt, &tokens));
    let steps: Vec<Value> = found
        .steps
        .iter()
        .map(|step| {
            let top: Vec<Value> =
                step.top.iter().map(|(id, prob)| json!({ "id": id, "text": model.piece(*id), "prob": prob })).collect();
            json!({ "id": step.token, "text": model.piece(step.token), "log_prob": step.log_prob, "top": top })
        })
        .collect();
    work.out.document(
        "generate",
        json!({
            "model": model.spec,
            "model_digest": model.digest()?,
            "seed": work.global.seed(),
            "prompt": prompt,
            "text": text,
            "steps": steps,
            "stop": found.stop,
            "out": out.map(OutFile::path),
            "warnings": work.ctx.warnings(),
        }),
    )?;
    Ok(())
}
