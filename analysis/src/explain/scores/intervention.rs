//! The test by intervention of "Rigorously Assessing Natural Language Explanations of Neurons" (arXiv 2309.10312): if the unit carries
//! what the explanation says, a text that the explanation does not speak of must be continued like one that it does speak of once
//! the unit's activation is taken from there.

use std::collections::HashMap;

use golgi_data::context::RunContext;
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Edit, Edits, Intervention, Positions, Traces};
use golgi_probes::{Batch, Capture, ForwardOptions, Kind, NoTap, OpenModel, ProbeError, Tap, Tensor};

use super::{Bench, Candidate};
use crate::error::Result;
use crate::explain::candidates::mix;
use crate::explain::passage::Passage;
use crate::explain::statistics::mean;

/// Pairs of texts, at most.
pub(in crate::explain) const PAIRS: usize = 8;
/// Passes through the model for each.
pub(in crate::explain) const PASSES: usize = 5;
/// Tokens up to the place where texts are aligned.
const LENGTH: usize = 32;
/// The name of the source's activations.
const SOURCE: &str = "source";

/// Where interventions are made.
#[derive(Debug)]
pub(in crate::explain) struct Experiment<'a> {
    pub model: &'a OpenModel,
    /// Token ids by context.
    pub contexts: &'a HashMap<u32, Vec<u32>>,
    pub unit: Unit,
    /// How many units its site has.
    pub units: u32,
    pub ctx: &'a RunContext,
}

/// What a swap did in one pair.
#[derive(Debug, Clone, Copy)]
struct Swapped {
    /// Whether the most probable token became the source's.
    success: bool,
    /// The share of the way from the base's to the source's logits, along the difference of their two most probable tokens.
    moved: f64,
}

impl Experiment<'_> {
    /// Pairs of a base, in which the explanation says that the unit is silent, and a source, in which it says that it fires; both end
    /// where that is, with as many tokens before it. The unit's activation at the last token of the base is replaced by that of the
    /// source. `score`: the share of pairs whose most probable next token becomes that of the source (only pairs count where
    /// the two differ); `null`: the same with a random unit of the site; `layer`: with the whole site, the most that can be had
    /// there. `moved` and so on: the mean of `(d(swapped) − d(base)) / (d(source) − d(base))`, where `d` is the difference of the logits of
    /// the source's and the base's most probable tokens.
    pub fn measure(&self, candidate: &Candidate, bench: &mut Bench) -> Result<Vec<(&'static str, Option<f64>)>> {
        let exam = candidate.exam;
        let silent: Vec<&Passage> = [&exam.random[..], &exam.hard].concat();
        let spoken = bench.detect(candidate.account, &exam.positives)?;
        let unspoken = bench.detect(candidate.account, &silent)?;
        let sources: Vec<&Passage> =
            exam.positives.iter().zip(spoken).filter(|(_, said)| *said == Some(true)).map(|(one, _)| *one).collect();
        let bases: Vec<&Passage> =
            silent.iter().zip(unspoken).filter(|(_, said)| *said == Some(false)).map(|(one, _)| *one).collect();
        let (mut own, mut random, mut layer) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (source, base)) in sources.iter().zip(&bases).take(PAIRS).enumerate() {
            self.ctx.check()?;
            let place = match &candidate.account.rule {
                Some(rule) => {
                    (0..source.pieces.len()).find(|at| rule.fires(source, *at)).unwrap_or_else(|| source.peak())
                }
                None => source.peak(),
            };
            let Some((base, source)) = self.aligned((base, base.pieces.len() - 1), (source, place)) else { continue };
            let draw = mix(candidate.seed, number as u64);
            if let Some(swapped) = self.pair(&base, &source, draw)? {
                own.push(swapped[0]);
                random.push(swapped[1]);
                layer.push(swapped[2]);
            }
        }
        let rate = |list: &[Swapped]| mean(list.iter().map(|one| f64::from(u8::from(one.success))));
        let moved = |list: &[Swapped]| mean(list.iter().map(|one| one.moved));
        Ok(vec![
            ("score", rate(&own)),
            ("null", rate(&random)),
            ("layer", rate(&layer)),
            ("moved", moved(&own)),
            ("moved_null", moved(&random)),
            ("moved_layer", moved(&layer)),
            ("pairs", Some(own.len() as f64)),
        ])
    }

    /// The tokens of both up to their places, equally many; behind the token that begins every context, if there is one.
    fn aligned(&self, base: (&Passage, usize), source: (&Passage, usize)) -> Option<(Vec<u32>, Vec<u32>)> {
        let until = |(passage, at): (&Passage, usize)| {
            let tokens = self.contexts.get(&passage.context)?;
            let end = passage.start + at + 1;
            (end <= tokens.len()).then(|| &tokens[..end])
        };
        let (base, source) = (until(base)?, until(source)?);
        let begins = base.first().copied().filter(|first| source.first() == Some(first));
        let room = base.len().min(source.len()) - usize::from(begins.is_some());
        let length = room.min(LENGTH);
        if length == 0 {
            return None;
        }
        let cut = |tokens: &[u32]| begins.into_iter().chain(tokens[tokens.len() - length..].iter().copied()).collect();
        Some((cut(base), cut(source)))
    }

    fn last_logits(&self, tokens: &[u32], tap: &mut dyn Tap) -> Result<Vec<f32>> {
        let options = ForwardOptions { last_only: true, ..ForwardOptions::logits() };
        let logits = self.model.model.forward(&Batch::single(tokens)?, tap, options)?;
        let logits: Tensor = logits.ok_or_else(|| ProbeError::NoLogits(format!("`{}`", self.model.name)))?;
        Ok(Vec::<f32>::try_from(&logits.f_view([-1])?.f_to_kind(Kind::Float)?.f_to_device(golgi_probes::Device::Cpu)?)?)
    }

    /// Swaps the unit, another unit and the whole site; `None` where both texts are continued alike.
    fn pair(&self, base: &[u32], source: &[u32], draw: u64) -> Result<Option<[Swapped; 3]>> {
        let mut capture = Capture::sites([&self.unit.site]);
        let from = self.last_logits(source, &mut capture)?;
        let at_base = self.last_logits(base, &mut NoTap)?;
        let top = |logits: &[f32]| (1..logits.len()).fold(0, |top, at| if logits[at] > logits[top] { at } else { top });
        let (here, there) = (top(&at_base), top(&from));
        if here == there {
            return Ok(None);
        }
        let traces: Traces = [(SOURCE.to_owned(), capture.into_trace(vec![source.to_vec()])?)].into();
        let patch = || Edit::Patch { trace: SOURCE.to_owned() };
        let others = self.units.max(2) - 1;
        let other = (self.unit.index + 1 + (draw % u64::from(others)) as u32) % self.units.max(1);
        let swaps = [
            Intervention::of_unit(&self.unit, patch()),
            Intervention::of_unit(&Unit::new(self.unit.site.clone(), other), patch()),
            Intervention::new(&self.unit.site, patch()),
        ];
        let apart = |logits: &[f32]| f64::from(logits[there]) - f64::from(logits[here]);
        let way = apart(&from) - apart(&at_base);
        let mut out = Vec::with_capacity(swaps.len());
        for swap in swaps {
            let swap = [swap.at(Positions::These(vec![base.len() as i64 - 1]))];
            let mut edits = Edits::new(&self.model.model, &swap, &traces)?;
            let logits = self.last_logits(base, &mut edits)?;
            let moved = (apart(&logits) - apart(&at_base)) / way;
            out.push(Swapped { success: top(&logits) == there, moved: if moved.is_finite() { moved } else { 0.0 } });
        }
        Ok(out.try_into().ok())
    }
}
