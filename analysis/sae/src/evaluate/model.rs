//! What the model loses when a reconstruction stands in for the activation.

use golgi_data::context::RunContext;
use golgi_data::dictionary::Domain;
use golgi_data::site::Site;
use golgi_probes::{Batch, ForwardOptions, Kind, NoTap, PassInfo, ProbeError, Tap, Tensor, Transformer};
use serde::{Deserialize, Serialize};

use super::Coding;
use crate::SaeError;

/// The model's loss with one replacement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpliceLoss {
    /// What stood in for the activation.
    pub name: String,
    /// The mean cross-entropy of the next token, in nats.
    pub cross_entropy: f64,
    /// By how much it is above the model's own, in nats.
    pub increase: f64,
    /// `(CE_zero − CE) / (CE_zero − CE_clean)`: 1 is as good as the model, 0 as bad as zeros.
    pub recovered_from_zero: f64,
    /// The same with the mean in the place of zeros.
    pub recovered_from_mean: f64,
    /// The mean KL divergence of the model's own next-token distribution from this one, in nats.
    pub kl: f64,
}

/// Everything that can stand at a site.
enum Stand<'a> {
    Zero,
    Constant(&'a [f32]),
    Coding(&'a dyn Coding),
}

struct Replace<'a> {
    site: &'a Site,
    stand: &'a Stand<'a>,
    domain: Domain,
    first: bool,
}

impl Tap for Replace<'_> {
    fn wants(&self, site: &Site) -> bool {
        site == self.site
    }

    fn begin(&mut self, pass: &PassInfo<'_>) -> Result<(), ProbeError> {
        self.first = pass.offset == 0;
        Ok(())
    }

    fn visit(&mut self, _site: &Site, activation: Tensor) -> Result<Tensor, ProbeError> {
        let (shape, kind, device) = (activation.size(), activation.kind(), activation.device());
        let plain = activation.f_detach()?.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
        let rows = Vec::<f32>::try_from(plain.f_view([-1])?)?;
        let mut out = match self.stand {
            Stand::Zero => vec![0.0; rows.len()],
            Stand::Constant(row) => row.repeat(rows.len() / row.len().max(1)),
            Stand::Coding(coding) => coding.reconstruct(&rows).map_err(|error| ProbeError::Trace(error.to_string()))?,
        };
        let tokens = (shape[0] * shape[1]).max(1) as usize;
        let width = (rows.len() / tokens).max(1);
        self.domain.keep_others(&mut out, &rows, width, shape[1] as usize, self.first);
        Ok(Tensor::f_from_slice(&out)?.f_view(shape.as_slice())?.f_to_kind(kind)?.f_to_device(device)?)
    }
}

/// Runs the model on `sequences` of one length as it is and with each replacement at `site`: zeros, `mean`, and `codings`.
/// Rows outside `domain` stay as they are everywhere.
///
/// # Errors
/// If the model fails or has no logits, or the work is cancelled.
pub fn splice_losses(
    model: &Transformer,
    site: &Site,
    sequences: &[Vec<u32>],
    mean: &[f32],
    codings: &[&dyn Coding],
    domain: Domain,
    ctx: &RunContext,
) -> Result<Vec<SpliceLoss>, SaeError> {
    let mut stands = vec![("zeros".to_owned(), Stand::Zero), ("the mean".to_owned(), Stand::Constant(mean))];
    stands.extend(codings.iter().map(|coding| (coding.name().to_owned(), Stand::Coding(*coding))));
    let (mut clean, mut losses, mut kls) = (0f64, vec![0f64; stands.len()], vec![0f64; stands.len()]);
    let mut predictions = 0usize;
    ctx.stage("judging inside the model", sequences.len() as u64);
    for tokens in sequences {
        let batch = Batch::single(tokens)?;
        let forward = |tap: &mut dyn Tap| -> Result<Tensor, SaeError> {
            ctx.check()?;
            let logits = model.forward(&batch, tap, ForwardOptions::logits())?;
            let logits = logits.ok_or_else(|| SaeError::Settings("the model has no logits".to_owned()))?;
            let all = logits.f_squeeze_dim(0)?.f_narrow(0, 0, tokens.len() as i64 - 1)?;
            Ok(all.f_log_softmax(-1, Kind::Float)?)
        };
        let targets: Vec<i64> = tokens[1..].iter().map(|token| i64::from(*token)).collect();
        let targets = Tensor::f_from_slice(&targets)?.f_unsqueeze(-1)?;
        let loss = |log_probs: &Tensor| -> Result<f64, SaeError> {
            Ok(-log_probs
                .f_to_device(tch::Device::Cpu)?
                .f_gather(-1, &targets, false)?
                .f_sum(Kind::Double)?
                .double_value(&[]))
        };
        let own = forward(&mut NoTap)?;
        clean += loss(&own)?;
        predictions += tokens.len() - 1;
        for (index, (_, stand)) in stands.iter().enumerate() {
            let log_probs = forward(&mut Replace { site, stand, domain, first: true })?;
            losses[index] += loss(&log_probs)?;
            let kl = own.f_exp()? * (&own - &log_probs);
            kls[index] += kl.f_sum(Kind::Double)?.double_value(&[]);
        }
        ctx.advance(1);
    }
    let n = predictions.max(1) as f64;
    let (zero, middle, clean) = (losses[0] / n, losses[1] / n, clean / n);
    let row = |name: String, loss: f64, kl: f64| SpliceLoss {
        name,
        cross_entropy: loss,
        increase: loss - clean,
        recovered_from_zero: (zero - loss) / (zero - clean),
        recovered_from_mean: (middle - loss) / (middle - clean),
        kl,
    };
    let mut rows = vec![row("nothing".to_owned(), clean, 0.0)];
    rows.extend(
        stands.iter().zip(losses.iter().zip(&kls)).map(|((name, _), (loss, kl))| row(name.clone(), loss / n, kl / n)),
    );
    Ok(rows)
}
