//! One block: attention and MLP, and how norms and residual stream go around them.

use golgi_data::site::BlockPoint;
use tch::Tensor;

use crate::generate::LayerCache;
use crate::layers::{AttendTo, Attention, Mlp, Norm, NormSites};
use crate::pass::{Flow, Pass};

/// Where the norms stand.
#[derive(Debug)]
pub enum Layout {
    /// `x += attn(ln1(x)); x += mlp(ln2(x))`.
    PreNorm,
    /// `x += attn(ln1(x)) + mlp(ln2(x))`: both read the same residual stream (GPT-NeoX).
    Parallel,
    /// `x = ln1(x + attn(x)); x = ln2(x + mlp(x))` (BERT, OPT-350M). `resid_mid` and `resid_post` are the outputs of the
    /// norms, that is, what the next reader gets.
    PostNorm,
    /// `x += ln1_post(attn(ln1(x))); x += ln2_post(mlp(ln2(x)))` (Gemma 2 and 3). `attn_out` and `mlp_out` are the outputs
    /// of the post-norms: the contributions.
    Sandwich {
        /// Behind attention.
        ln1_post: Norm,
        /// Behind the MLP.
        ln2_post: Norm,
    },
}

/// A transformer block.
#[derive(Debug)]
pub struct Block {
    /// The norm before attention, or behind it in a post-norm block.
    pub ln1: Norm,
    /// Attention.
    pub attn: Attention,
    /// The norm before the MLP, or behind it in a post-norm block.
    pub ln2: Norm,
    /// The MLP.
    pub mlp: Mlp,
    /// Where the norms stand.
    pub layout: Layout,
    /// Which of the model's rotations this block uses.
    pub rotary: usize,
    /// Positions further back than this are not seen.
    pub window: Option<usize>,
}

const LN1: (BlockPoint, BlockPoint) = (BlockPoint::Ln1Scale, BlockPoint::Ln1Normalized);
const LN2: (BlockPoint, BlockPoint) = (BlockPoint::Ln2Scale, BlockPoint::Ln2Normalized);
const LN1_POST: (BlockPoint, BlockPoint) = (BlockPoint::Ln1PostScale, BlockPoint::Ln1PostNormalized);
const LN2_POST: (BlockPoint, BlockPoint) = (BlockPoint::Ln2PostScale, BlockPoint::Ln2PostNormalized);

fn normed(
    norm: &Norm,
    (scale, normalized): (BlockPoint, BlockPoint),
    pass: &mut Pass,
    layer: u32,
    x: &Tensor,
) -> Flow<Tensor> {
    norm.tapped(pass, &NormSites::Block(layer, scale, normalized), x)
}

impl Block {
    /// The norms of the block.
    pub fn norms(&self) -> impl Iterator<Item = &Norm> {
        let post = match &self.layout {
            Layout::Sandwich { ln1_post, ln2_post } => vec![ln1_post, ln2_post],
            _ => Vec::new(),
        };
        [&self.ln1, &self.ln2].into_iter().chain(post)
    }

    /// The points of this block, in the order in which a pass visits them.
    pub(crate) fn points(&self, n_rotaries: usize) -> Vec<BlockPoint> {
        use BlockPoint as P;
        let mut attn = vec![P::Q, P::K, P::V];
        if self.attn.norms.is_some() {
            attn.extend([P::QNormScale, P::QNormNormalized, P::KNormScale, P::KNormNormalized]);
        }
        if n_rotaries > 0 {
            attn.extend([P::RotQ, P::RotK]);
        }
        attn.extend([P::AttnScores, P::Pattern, P::Z, P::Result]);
        let mut mlp = vec![P::MlpPre];
        if self.mlp.pre_linear.is_some() {
            mlp.push(P::MlpPreLinear);
        }
        mlp.push(P::MlpPost);

        let mut points = vec![P::ResidPre];
        let mut add = |more: &[BlockPoint]| points.extend_from_slice(more);
        match self.layout {
            Layout::PreNorm | Layout::Sandwich { .. } => {
                let sandwich = matches!(self.layout, Layout::Sandwich { .. });
                add(&[LN1.0, LN1.1]);
                add(&attn);
                if sandwich {
                    add(&[LN1_POST.0, LN1_POST.1]);
                }
                add(&[P::AttnOut, P::ResidMid, LN2.0, LN2.1]);
                add(&mlp);
                if sandwich {
                    add(&[LN2_POST.0, LN2_POST.1]);
                }
                add(&[P::MlpOut]);
            }
            Layout::Parallel => {
                add(&[LN1.0, LN1.1]);
                add(&attn);
                add(&[P::AttnOut, LN2.0, LN2.1]);
                add(&mlp);
                add(&[P::MlpOut]);
            }
            Layout::PostNorm => {
                add(&attn);
                add(&[P::AttnOut, LN1.0, LN1.1, P::ResidMid]);
                add(&mlp);
                add(&[P::MlpOut, LN2.0, LN2.1]);
            }
        }
        points.push(P::ResidPost);
        points
    }

    /// One block of a pass: the residual stream in, `[batch, pos, d_model]`, and out.
    pub(crate) fn tapped(
        &self,
        pass: &mut Pass,
        layer: u32,
        resid: Tensor,
        to: &AttendTo,
        cache: Option<&mut LayerCache>,
    ) -> Flow<Tensor> {
        let resid = pass.block(layer, BlockPoint::ResidPre, resid)?;
        let resid = match &self.layout {
            Layout::PreNorm => {
                let read = normed(&self.ln1, LN1, pass, layer, &resid)?;
                let attn_out = self.attn.tapped(pass, layer, &read, to, cache)?;
                let attn_out = pass.block(layer, BlockPoint::AttnOut, attn_out)?;
                let resid = pass.block(layer, BlockPoint::ResidMid, resid.f_add(&attn_out)?)?;
                let read = normed(&self.ln2, LN2, pass, layer, &resid)?;
                let mlp_out = self.mlp.tapped(pass, layer, &read)?;
                let mlp_out = pass.block(layer, BlockPoint::MlpOut, mlp_out)?;
                resid.f_add(&mlp_out)?
            }
            Layout::Parallel => {
                let read = normed(&self.ln1, LN1, pass, layer, &resid)?;
                let attn_out = self.attn.tapped(pass, layer, &read, to, cache)?;
                let attn_out = pass.block(layer, BlockPoint::AttnOut, attn_out)?;
                let read = normed(&self.ln2, LN2, pass, layer, &resid)?;
                let mlp_out = self.mlp.tapped(pass, layer, &read)?;
                let mlp_out = pass.block(layer, BlockPoint::MlpOut, mlp_out)?;
                mlp_out.f_add(&attn_out)?.f_add(&resid)?
            }
            Layout::PostNorm => {
                let attn_out = self.attn.tapped(pass, layer, &resid, to, cache)?;
                let attn_out = pass.block(layer, BlockPoint::AttnOut, attn_out)?;
                let mid = normed(&self.ln1, LN1, pass, layer, &resid.f_add(&attn_out)?)?;
                let mid = pass.block(layer, BlockPoint::ResidMid, mid)?;
                let mlp_out = self.mlp.tapped(pass, layer, &mid)?;
                let mlp_out = pass.block(layer, BlockPoint::MlpOut, mlp_out)?;
                normed(&self.ln2, LN2, pass, layer, &mid.f_add(&mlp_out)?)?
            }
            Layout::Sandwich { ln1_post, ln2_post } => {
                let read = normed(&self.ln1, LN1, pass, layer, &resid)?;
                let heard = self.attn.tapped(pass, layer, &read, to, cache)?;
                let attn_out = normed(ln1_post, LN1_POST, pass, layer, &heard)?;
                let attn_out = pass.block(layer, BlockPoint::AttnOut, attn_out)?;
                let resid = pass.block(layer, BlockPoint::ResidMid, resid.f_add(&attn_out)?)?;
                let read = normed(&self.ln2, LN2, pass, layer, &resid)?;
                let answer = self.mlp.tapped(pass, layer, &read)?;
                let mlp_out = normed(ln2_post, LN2_POST, pass, layer, &answer)?;
                let mlp_out = pass.block(layer, BlockPoint::MlpOut, mlp_out)?;
                resid.f_add(&mlp_out)?
            }
        };
        pass.block(layer, BlockPoint::ResidPost, resid)
    }
}
