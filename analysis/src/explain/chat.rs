//! Language models that can be asked: one that runs here, or one at an endpoint.

use golgi_data::context::RunContext;
use golgi_data::endpoint::{Endpoint, Question};
use golgi_data::tokenizer::ChatMessage;
use golgi_probes::generate::{GenerateOptions, Sampling, generate};
use golgi_probes::{Batch, ForwardOptions, Kind, NoTap, OpenModel, ProbeError, Tensor};

use super::prompts::Prompt;
use crate::error::{AnalysisError, Result};

/// What a model was asked and what it answered, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Questions.
    pub calls: u64,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
}

/// A language model that can be asked.
pub trait Chat {
    /// Its name in the records.
    fn name(&self) -> String;

    /// Its answer to a question, at temperature 0.
    ///
    /// # Errors
    /// If it cannot be asked.
    fn ask(&mut self, prompt: &Prompt) -> Result<String>;

    /// How much likelier its answer begins with `Yes` than with `No`, as `P(Yes) / (P(Yes) + P(No))`; `None` if that cannot be
    /// measured.
    ///
    /// # Errors
    /// If it cannot be asked.
    fn inclination(&mut self, prompt: &Prompt) -> Result<Option<f64>> {
        let _ = prompt;
        Ok(None)
    }

    /// The activation that it expects at each of `pieces` behind `before`, from 0 to 9: `Σ d·P(d) / Σ P(d)` over the digits, all
    /// tokens in one pass. `None` if probabilities are not known.
    ///
    /// # Errors
    /// If it cannot be asked.
    fn expected(&mut self, before: &str, pieces: &[String]) -> Result<Option<Vec<f32>>> {
        let _ = (before, pieces);
        Ok(None)
    }

    /// What it was asked so far.
    fn usage(&self) -> Usage;
}

/// A model at an endpoint.
#[derive(Debug)]
pub struct Remote<'a> {
    endpoint: &'a Endpoint,
    ctx: &'a RunContext,
    usage: Usage,
}

impl<'a> Remote<'a> {
    /// Asks `endpoint`.
    pub fn new(endpoint: &'a Endpoint, ctx: &'a RunContext) -> Remote<'a> {
        Remote { endpoint, ctx, usage: Usage::default() }
    }
}

impl Chat for Remote<'_> {
    fn name(&self) -> String {
        format!("endpoint:{}", self.endpoint.model())
    }

    fn ask(&mut self, prompt: &Prompt) -> Result<String> {
        let Prompt { system, user, max_tokens } = prompt;
        let question = Question { system, user, max_tokens: *max_tokens, seed: self.ctx.seed() };
        let reply = self.endpoint.ask(&question, self.ctx).map_err(AnalysisError::from)?;
        self.usage.calls += 1;
        self.usage.tokens_in += reply.tokens_in;
        self.usage.tokens_out += reply.tokens_out;
        Ok(reply.text)
    }

    fn usage(&self) -> Usage {
        self.usage
    }
}

/// A model that runs here.
#[derive(Debug)]
pub struct Local<'a> {
    model: &'a OpenModel,
    ctx: &'a RunContext,
    usage: Usage,
}

impl<'a> Local<'a> {
    /// Asks `model`.
    ///
    /// # Errors
    /// If it does not generate text.
    pub fn new(model: &'a OpenModel, ctx: &'a RunContext) -> Result<Local<'a>> {
        model.tokenizer()?;
        if !model.model.has_logits() || !model.model.causal {
            return Err(ProbeError::NoLogits(format!("`{}`", model.name)).into());
        }
        Ok(Local { model, ctx, usage: Usage::default() })
    }

    fn tokens(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        let tokenizer = self.model.tokenizer()?;
        let text = |separator: &str| [prompt.system.as_str(), &prompt.user].join(separator).trim_start().to_owned();
        let tokens = if tokenizer.has_chat_template() {
            let message = |role: &str, content: &str| ChatMessage { role: role.into(), content: content.into() };
            let mut messages = vec![message("user", &prompt.user)];
            if !prompt.system.is_empty() {
                messages.insert(0, message("system", &prompt.system));
            }
            // Some templates know no system message.
            let rendered = tokenizer
                .render_chat(&messages, true)
                .or_else(|_| tokenizer.render_chat(&[message("user", &text("\n\n"))], true))
                .map_err(ProbeError::from)?;
            tokenizer.encode_raw(&rendered).map_err(ProbeError::from)?
        } else {
            tokenizer.encode(&(text("\n\n") + "\nAnswer:")).map_err(ProbeError::from)?
        };
        self.model.check_length(&tokens)?;
        Ok(tokens)
    }

    fn logits(&mut self, tokens: &[u32]) -> Result<Tensor> {
        self.ctx.check()?;
        self.usage.calls += 1;
        self.usage.tokens_in += tokens.len() as u64;
        let logits = self.model.model.forward(&Batch::single(tokens)?, &mut NoTap, ForwardOptions::logits())?;
        let logits = logits.ok_or_else(|| ProbeError::NoLogits(format!("`{}`", self.model.name)))?;
        Ok(logits.f_select(0, 0)?.f_log_softmax(-1, Kind::Float)?.f_to_device(golgi_probes::Device::Cpu)?)
    }

    /// The tokens that an answer beginning with one of `texts` can begin with.
    fn beginnings(&self, texts: &[&str]) -> Result<Vec<u32>> {
        let tokenizer = self.model.tokenizer()?;
        let mut ids = Vec::new();
        for text in texts {
            ids.extend(tokenizer.encode_raw(text).map_err(ProbeError::from)?.first().copied());
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

fn probability(log_probs: &[f32], ids: &[u32]) -> f64 {
    ids.iter().filter_map(|id| log_probs.get(*id as usize)).map(|p| f64::from(*p).exp()).sum()
}

impl Chat for Local<'_> {
    fn name(&self) -> String {
        format!("local:{}", self.model.spec)
    }

    fn ask(&mut self, prompt: &Prompt) -> Result<String> {
        let (tokens, tokenizer) = (self.tokens(prompt)?, self.model.tokenizer()?);
        let options = GenerateOptions {
            max_tokens: prompt.max_tokens as usize,
            sampling: Sampling::Greedy,
            stop: tokenizer.end_ids().to_vec(),
            top: 1,
            fused_attention: false,
        };
        let generation = generate(&self.model.model, &tokens, &options, &mut NoTap, &self.ctx.silent(), &mut |_| {})?;
        self.usage.calls += 1;
        self.usage.tokens_in += tokens.len() as u64;
        self.usage.tokens_out += generation.steps.len() as u64;
        Ok(tokenizer.decode(&generation.tokens()))
    }

    fn inclination(&mut self, prompt: &Prompt) -> Result<Option<f64>> {
        let tokens = self.tokens(prompt)?;
        let last = self.logits(&tokens)?.f_select(0, -1)?;
        let last = Vec::<f32>::try_from(&last)?;
        let (yes, no) = (self.beginnings(&["Yes", " Yes"])?, self.beginnings(&["No", " No"])?);
        let (yes, no) = (probability(&last, &yes), probability(&last, &no));
        Ok((yes + no > 0.0 && (yes + no).is_finite()).then(|| yes / (yes + no)))
    }

    fn expected(&mut self, before: &str, pieces: &[String]) -> Result<Option<Vec<f32>>> {
        let tokenizer = self.model.tokenizer()?;
        let digits: Vec<Vec<u32>> =
            (0..10).map(|digit| self.beginnings(&[&digit.to_string()])).collect::<Result<_>>()?;
        let distinct: std::collections::HashSet<&Vec<u32>> = digits.iter().collect();
        if distinct.len() < 10 {
            return Ok(None);
        }
        let raw = |text: &str| tokenizer.encode_raw(text).map_err(ProbeError::from);
        let mut tokens = tokenizer.encode(before).map_err(ProbeError::from)?;
        let mut places = Vec::with_capacity(pieces.len());
        for piece in pieces {
            tokens.extend(raw(piece)?);
            tokens.extend(raw("\t")?);
            places.push(tokens.len() as i64 - 1);
            tokens.extend(raw("unknown\n")?);
        }
        self.model.check_length(&tokens)?;
        let rows = self.logits(&tokens)?.f_index_select(0, &Tensor::f_from_slice(&places)?)?;
        let mut out = Vec::with_capacity(pieces.len());
        for row in 0..places.len() as i64 {
            let log_probs = Vec::<f32>::try_from(&rows.f_select(0, row)?)?;
            let weights: Vec<f64> = digits.iter().map(|ids| probability(&log_probs, ids)).collect();
            let total: f64 = weights.iter().sum();
            if !(total > 0.0 && total.is_finite()) {
                return Ok(None);
            }
            let sum: f64 = weights.iter().enumerate().map(|(digit, weight)| digit as f64 * weight).sum();
            out.push((sum / total) as f32);
        }
        Ok(Some(out))
    }

    fn usage(&self) -> Usage {
        self.usage
    }
}
