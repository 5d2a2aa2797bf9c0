//! The upper end of a model as a model of its own, which runs on residual streams in place of tokens.
//!
//! Experiments that change something in the last layers need not run the first ones again and again: the stream in front of
//! the first changed block is captured once and becomes the embedding table of the tail, one row per token.

use golgi_probes::intervention::Edits;
use golgi_probes::layers::{Attention, HeadNorms, Linear, Mlp, Norm};
use golgi_probes::transformer::{Block, Embedding, Head, Layout};
use golgi_probes::{Batch, Dims, Kind, Tensor, Transformer};
use golgi_probes::{ForwardOptions, Tap};

use crate::error::Result;

fn linear(from: &Linear) -> Linear {
    Linear { weight: from.weight.shallow_clone(), bias: from.bias.as_ref().map(Tensor::shallow_clone) }
}

fn norm(from: &Norm) -> Norm {
    let bias = from.bias.as_ref().map(Tensor::shallow_clone);
    Norm { gain: from.gain.shallow_clone(), bias, kind: from.kind, eps: from.eps }
}

fn block(from: &Block) -> Block {
    let Attention { q, k, v, o, norms, shape } = &from.attn;
    let norms = norms.as_ref().map(|norms| HeadNorms { q: norm(&norms.q), k: norm(&norms.k) });
    let Mlp { pre, pre_linear, down, activation } = &from.mlp;
    let pre_linear = pre_linear.as_ref().map(linear);
    Block {
        ln1: norm(&from.ln1),
        attn: Attention { q: linear(q), k: linear(k), v: linear(v), o: linear(o), norms, shape: *shape },
        ln2: norm(&from.ln2),
        mlp: Mlp { pre: linear(pre), pre_linear, down: linear(down), activation: *activation },
        layout: match &from.layout {
            Layout::PreNorm => Layout::PreNorm,
            Layout::Parallel => Layout::Parallel,
            Layout::PostNorm => Layout::PostNorm,
            Layout::Sandwich { ln1_post, ln2_post } => {
                Layout::Sandwich { ln1_post: norm(ln1_post), ln2_post: norm(ln2_post) }
            }
        },
        rotary: from.rotary,
        window: from.window,
    }
}

fn head(from: &Head) -> Head {
    match from {
        Head::Lm { norm: n, project_out, unembed, softcap } => Head::Lm {
            norm: n.as_ref().map(norm),
            project_out: project_out.as_ref().map(linear),
            unembed: linear(unembed),
            softcap: *softcap,
        },
        // Only models that predict next tokens are cut.
        Head::None | Head::Norm(_) | Head::Mlm { .. } => Head::None,
    }
}

/// The blocks `layers` of a model behind a given stream. Weights are shared, not copied.
pub(crate) struct Tail {
    network: Transformer,
    tokens: Tensor,
}

impl Tail {
    /// Blocks `from..to` on the stream `[batch, pos, d_model]` in front of block `from`; logits only if `to` is the last.
    pub fn new(model: &Transformer, layers: std::ops::Range<usize>, stream: &Tensor) -> Result<Tail> {
        let (batch, pos, width) = (stream.size()[0], stream.size()[1], stream.size()[2]);
        let rows = batch * pos;
        let whole = layers.end == model.blocks.len();
        let blocks: Vec<Block> = model.blocks[layers].iter().map(block).collect();
        let network = Transformer {
            family: model.family,
            dims: Dims { n_layers: blocks.len(), d_vocab: rows as usize, ..model.dims.clone() },
            embedding: Embedding {
                tokens: stream.f_to_device(model.device)?.f_to_kind(model.kind)?.f_reshape([rows, width])?,
                scale: None,
                project_in: None,
                positions: None,
                token_types: None,
                norm: None,
            },
            blocks,
            head: if whole { head(&model.head) } else { Head::None },
            rotaries: model.rotaries.clone(),
            causal: model.causal,
            kind: model.kind,
            device: model.device,
        };
        let tokens = Tensor::f_arange(rows, (Kind::Int64, model.device))?.f_view([batch, pos])?;
        Ok(Tail { network, tokens })
    }

    /// The tail as a model; its block 0 is the first of the range.
    pub fn network(&self) -> &Transformer {
        &self.network
    }

    /// Runs it; logits `[batch, pos, d_vocab]` if asked for.
    pub fn run(&self, tap: &mut dyn Tap, logits: bool) -> Result<Option<Tensor>> {
        let batch = Batch::from_tensors(self.tokens.shallow_clone(), None);
        Ok(self.network.forward(&batch, tap, ForwardOptions { logits, ..ForwardOptions::default() })?)
    }

    /// Runs it to the logits with interventions in front of `tap`.
    pub fn run_edited(&self, edits: &mut Edits, tap: &mut dyn Tap) -> Result<Option<Tensor>> {
        self.run(&mut golgi_probes::Stack::new().with(edits).with(tap), true)
    }
}

#[cfg(test)]
mod tests {
    use golgi_data::site::{BlockPoint, Site};
    use golgi_probes::{Capture, NoTap};

    use super::*;
    use crate::testing::{Family, random};

    #[test]
    fn a_tail_goes_on_exactly_where_the_model_was() {
        for family in [Family::Llama, Family::Gpt2, Family::NeoX, Family::Gemma, Family::Projected] {
            let model = random(family, 3).model;
            let sequences = [vec![3, 1, 4, 1, 5], vec![9, 2, 6, 5, 3]];
            let batch = Batch::padded(&sequences, 0).unwrap();
            let site = Site::block(1, BlockPoint::ResidPre);
            let mut capture = Capture::sites([&site]);
            let whole = model.forward(&batch, &mut capture, ForwardOptions::logits()).unwrap().unwrap();
            let trace = capture.into_trace(sequences.to_vec()).unwrap();
            let tail = Tail::new(&model, 1..3, trace.get(&site).unwrap()).unwrap();
            assert!(tail.run(&mut NoTap, true).unwrap().unwrap().equal(&whole), "{family:?}");
            let middle = Tail::new(&model, 1..2, trace.get(&site).unwrap()).unwrap();
            assert!(!middle.network().has_logits());
        }
    }
}
