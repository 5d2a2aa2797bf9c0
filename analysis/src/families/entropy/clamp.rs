//! The clamping experiment.

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site};
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Edit, Edits, Intervention, Traces};
use golgi_probes::{Batch, Capture, ForwardOptions, Kind, OpenModel, Tensor};

use super::super::input::{Context, by_length};
use super::super::tail::Tail;
use super::Candidate;
use crate::direct::plain;
use crate::error::Result;

/// From 0 to the candidate's reach in as many steps.
const STEPS: usize = 6;
/// Tokens run at once; their logits are held.
const TOKENS: usize = 512;

/// Means over tokens at one value of the clamp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// The activation that the neuron was clamped to.
    pub value: f64,
    /// Scale of the final norm; NaN in a model without one.
    pub scale: f64,
    /// Entropy of the prediction, nats.
    pub entropy: f64,
    /// 1/(rank + 1) of the true next token.
    pub reciprocal_rank: f64,
    /// −ln p of the true next token, nats.
    pub loss: f64,
}

/// A clamped neuron.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Clamped {
    /// One point per value, from 0 on.
    pub points: Vec<Point>,
}

impl Clamped {
    /// The last value less the first.
    pub fn change(&self, of: fn(&Point) -> f64) -> f64 {
        match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) => of(last) - of(first),
            _ => 0.0,
        }
    }

    /// How the entropy changes, nats.
    pub fn entropy_change(&self) -> f64 {
        self.change(|point| point.entropy)
    }
}

/// Streams in front of the last layers, and what comes behind them.
pub(crate) struct Bench {
    tails: Vec<(Tail, Tensor)>,
    from: usize,
    first: i64,
}

impl Bench {
    /// Captures the stream in front of layer `from` on `contexts`; positions below `first` are not measured.
    pub fn new(model: &OpenModel, contexts: &[Context], from: usize, first: usize, ctx: &RunContext) -> Result<Bench> {
        let (network, site) = (&model.model, Site::block(from as u32, BlockPoint::ResidPre));
        let mut tails = Vec::new();
        ctx.stage("running up to the last layers", contexts.len() as u64);
        for group in by_length(contexts, TOKENS).iter().filter(|group| group[0].tokens.len() > first + 1) {
            ctx.check()?;
            let sequences: Vec<Vec<u32>> = group.iter().map(|context| context.tokens.clone()).collect();
            let batch = Batch::padded(&sequences, 0)?;
            let mut capture = Capture::sites([&site]).on_device();
            network.forward(&batch, &mut capture, ForwardOptions::default())?;
            let trace = capture.into_trace(sequences)?;
            let tail = Tail::new(network, from..network.blocks.len(), trace.get(&site)?)?;
            tails.push((tail, batch.tokens.f_to_device(network.device)?));
            ctx.advance(group.len() as u64);
        }
        Ok(Bench { tails, from, first: first as i64 })
    }

    /// Clamps one neuron to every value.
    pub fn clamp(&mut self, neuron: &Candidate, ctx: &RunContext) -> Result<Clamped> {
        let mut points = Vec::with_capacity(STEPS + 1);
        for step in 0..=STEPS {
            ctx.check()?;
            points.push(self.point(neuron, neuron.reach * step as f64 / STEPS as f64)?);
            ctx.advance(1);
        }
        Ok(Clamped { points })
    }

    fn point(&self, neuron: &Candidate, value: f64) -> Result<Point> {
        let unit = Unit::neuron((neuron.layer - self.from) as u32, neuron.index);
        let changes = [Intervention::of_unit(&unit, Edit::Set { value })];
        let traces = Traces::new();
        let (mut sums, mut n) = ([0.0; 4], 0.0);
        for (tail, tokens) in &self.tails {
            let mut edits = Edits::new(tail.network(), &changes, &traces)?;
            let mut scale = Capture::sites([&Site::LnFinalScale]);
            let Some(logits) = tail.run_edited(&mut edits, &mut scale)? else { continue };
            let rows = tokens.size()[1] - 1 - self.first;
            let log_p = logits.f_narrow(1, self.first, rows)?.f_log_softmax(-1, Kind::Float)?;
            let next = tokens.f_narrow(1, self.first + 1, rows)?.f_unsqueeze(-1)?;
            let own = log_p.f_gather(-1, &next, false)?;
            let above = log_p.f_gt_tensor(&own)?.f_sum_dim_intlist(-1, false, Kind::Float)?;
            let entropy = log_p.f_exp()?.f_mul(&log_p)?.f_sum(Kind::Double)?.f_neg()?;
            let trace = scale.into_trace(Vec::new())?;
            let scale = match trace.sites.get(&Site::LnFinalScale) {
                Some(scale) => total(&plain(scale)?.f_narrow(1, self.first, rows)?)?,
                None => f64::NAN,
            };
            let reciprocal = above.f_add_scalar(1.0)?.f_reciprocal()?;
            let found = [scale, total(&entropy)?, total(&reciprocal)?, -total(&own)?];
            sums.iter_mut().zip(found).for_each(|(sum, new)| *sum += new);
            n += (rows * tokens.size()[0]) as f64;
        }
        let [scale, entropy, reciprocal_rank, loss] = sums.map(|sum| sum / n);
        Ok(Point { value, scale, entropy, reciprocal_rank, loss })
    }
}

fn total(tensor: &Tensor) -> Result<f64> {
    Ok(tensor.f_sum(Kind::Double)?.f_double_value(&[])?)
}
