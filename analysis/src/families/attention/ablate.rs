//! Path ablation: one neuron's write taken out of one head's query input.

use std::collections::BTreeSet;

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site};
use golgi_probes::transformer::Layout;
use golgi_probes::{Batch, Capture, ForwardOptions, Kind, OpenModel, Tap, Tensor, Trace};

use super::super::input::{Context, by_length};
use super::super::tail::Tail;
use super::super::weights::writes;
use super::Pair;
use crate::error::Result;

/// Tokens run at once.
const TOKENS: usize = 2048;

/// What ablation changes, as means over queries: with the path cut, less with it whole.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Ablated {
    /// Attention to the first token.
    pub attention: f64,
    /// Length of the head's output.
    pub output: f64,
    /// Attention to the first token where the neuron is active; 0 if it never is.
    pub attention_active: f64,
}

/// Activations of the neurons and streams in front of the heads, by batch.
pub(crate) struct Bench {
    traces: Vec<Trace>,
    first: i64,
}

impl Bench {
    /// Captures what the `pairs` need; queries below position `first` are not measured.
    pub fn new(
        model: &OpenModel,
        contexts: &[Context],
        pairs: &[Pair],
        first: usize,
        ctx: &RunContext,
    ) -> Result<Bench> {
        let mut sites = BTreeSet::new();
        for pair in pairs {
            sites.insert(Site::block(pair.layer as u32, BlockPoint::MlpPost));
            sites.insert(Site::block(pair.head_layer as u32, BlockPoint::ResidPre));
            if matches!(model.model.blocks[pair.layer].layout, Layout::Sandwich { .. }) {
                sites.insert(Site::block(pair.layer as u32, BlockPoint::Ln2PostScale));
            }
        }
        ctx.stage("activations for path ablation", contexts.len() as u64);
        let mut traces = Vec::new();
        let groups = if pairs.is_empty() { Vec::new() } else { by_length(contexts, TOKENS) };
        for group in groups.iter().filter(|group| group[0].tokens.len() > first) {
            ctx.check()?;
            let sequences: Vec<Vec<u32>> = group.iter().map(|context| context.tokens.clone()).collect();
            let mut capture = Capture::sites(&sites).on_device();
            model.model.forward(&Batch::padded(&sequences, 0)?, &mut capture, ForwardOptions::default())?;
            traces.push(capture.into_trace(Vec::new())?);
            ctx.advance(group.len() as u64);
        }
        Ok(Bench { traces, first: first as i64 })
    }

    /// Cuts the path of one pair. `threshold` and `magnitude` say when the neuron is active.
    pub fn ablate(&self, model: &OpenModel, pair: &Pair, threshold: f32, magnitude: bool) -> Result<Ablated> {
        let network = &model.model;
        let written = writes(model, pair.layer)?.f_select(1, i64::from(pair.index))?;
        let written = written.f_to_device(network.device)?.f_to_kind(network.kind)?;
        let (mut sums, mut n, mut active) = ([0.0; 3], 0.0, 0.0);
        for trace in &self.traces {
            let stream = trace.get(&Site::block(pair.head_layer as u32, BlockPoint::ResidPre))?;
            let post = trace.get(&Site::block(pair.layer as u32, BlockPoint::MlpPost))?;
            let post = post.f_select(-1, i64::from(pair.index))?;
            let mut share = post.f_unsqueeze(-1)?;
            if let Layout::Sandwich { .. } = &network.blocks[pair.layer].layout {
                share = share.f_div(trace.get(&Site::block(pair.layer as u32, BlockPoint::Ln2PostScale))?)?;
            }
            let without = stream.f_sub(&share.f_mul(&written)?)?;
            let tail = Tail::new(network, pair.head_layer..pair.head_layer + 1, stream)?;
            let query = self.query(model, pair, &without)?;
            let whole = self.look(model, &tail, pair, None)?;
            let cut = self.look(model, &tail, pair, Some(query))?;
            let queries = post.size()[1] - self.first;
            let size = if magnitude { post.f_abs()? } else { post.shallow_clone() };
            let fires = size.f_gt(f64::from(threshold))?.f_narrow(1, self.first, queries)?;
            let change = cut.0.f_sub(&whole.0)?;
            sums[0] += change.f_sum(Kind::Double)?.f_double_value(&[])?;
            sums[1] += cut.1.f_sub(&whole.1)?.f_sum(Kind::Double)?.f_double_value(&[])?;
            sums[2] += change.f_mul(&fires.f_to_kind(Kind::Float)?)?.f_sum(Kind::Double)?.f_double_value(&[])?;
            active += fires.f_sum(Kind::Double)?.f_double_value(&[])?;
            n += (queries * post.size()[0]) as f64;
        }
        let n = f64::max(n, 1.0);
        Ok(Ablated { attention: sums[0] / n, output: sums[1] / n, attention_active: sums[2] / f64::max(active, 1.0) })
    }

    /// The head's query `[batch, pos, d_head]` for another stream.
    fn query(&self, model: &OpenModel, pair: &Pair, stream: &Tensor) -> Result<Tensor> {
        let block = &model.model.blocks[pair.head_layer];
        let read = match block.layout {
            Layout::PostNorm => stream.shallow_clone(),
            _ => block.ln1.forward(stream)?,
        };
        let d_head = block.attn.shape.d_head;
        let all = block.attn.q.forward(&read)?;
        Ok(all.f_narrow(-1, pair.head as i64 * d_head, d_head)?)
    }

    /// Attention to the first token and length of the head's output, `[batch, measured queries]`, f32.
    fn look(&self, model: &OpenModel, tail: &Tail, pair: &Pair, query: Option<Tensor>) -> Result<(Tensor, Tensor)> {
        let mut tap = Looker { head: pair.head as i64, query, attention: None, z: None };
        tail.run(&mut tap, false)?;
        let (Some(attention), Some(z)) = (tap.attention, tap.z) else {
            return Err(golgi_probes::ProbeError::Trace("a layer has no attention pattern".into()).into());
        };
        let attn = &model.model.blocks[pair.head_layer].attn;
        let (head, d_head) = (pair.head as i64, attn.shape.d_head);
        let written = attn.o.weight.f_narrow(1, head * d_head, d_head)?;
        let output = z.f_select(2, head)?.f_matmul(&written.f_tr()?)?.f_to_kind(Kind::Float)?;
        let output = output.f_square()?.f_sum_dim_intlist(-1, false, None::<Kind>)?.f_sqrt()?;
        let rows = |x: &Tensor| -> Result<Tensor> {
            let queries = x.f_to_kind(Kind::Float)?;
            Ok(queries.f_narrow(1, self.first, queries.size()[1] - self.first)?)
        };
        Ok((rows(&attention)?, rows(&output)?))
    }
}

/// Replaces one head's query and keeps what the head looks at and mixes.
struct Looker {
    head: i64,
    query: Option<Tensor>,
    attention: Option<Tensor>,
    z: Option<Tensor>,
}

impl Tap for Looker {
    fn wants(&self, site: &Site) -> bool {
        matches!(site.point(), Some(BlockPoint::Q | BlockPoint::Pattern | BlockPoint::Z))
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> golgi_probes::Result<Tensor> {
        match (site.point(), &self.query) {
            (Some(BlockPoint::Q), Some(query)) => {
                return Ok(activation.f_select_scatter(query, 2, self.head)?);
            }
            (Some(BlockPoint::Pattern), _) => {
                self.attention = Some(activation.f_select(1, self.head)?.f_select(-1, 0)?);
            }
            (Some(BlockPoint::Z), _) => self.z = Some(activation.shallow_clone()),
            _ => {}
        }
        Ok(activation)
    }
}
