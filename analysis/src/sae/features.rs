//! Which latents a prompt makes active, and which of them speak for its next token.

use golgi_data::site::{Site, SitePattern};
use golgi_probes::{Batch, ForwardOptions, GradientTap, Kind, OpenModel};
use golgi_sae::Coder;
use golgi_sae::kernels::vector::dot;
use serde::{Deserialize, Serialize};

use crate::prompt::PromptInput;
use crate::report::{Fact, Figure, Report, Table};
use crate::{AnalysisError, Result, provenance};

/// A latent at a position.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ActiveLatent {
    /// Which.
    pub latent: u32,
    /// How active, in the dictionary's units.
    pub activation: f32,
    /// `f_i · ∂(logit difference)/∂f_i`: to first order what the logit difference would lose without it.
    pub attribution: f32,
    /// `f_i · ∂L/∂f_i`, L the summed loss of the prompt's tokens in nats: below 0 where the latent helps to predict the text, as the loss
    /// would rise by about as much without it. 0 for a prompt of one token.
    #[serde(default)]
    pub loss_effect: f32,
}

/// A prompt through a dictionary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptFeatures {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// As text.
    pub pieces: Vec<String>,
    /// For each position the active latents, the most active first.
    pub active: Vec<Vec<ActiveLatent>>,
    /// For each position `‖x − x̂‖² / ‖x‖²`: what the dictionary leaves unexplained.
    pub unexplained: Vec<f32>,
    /// The token whose logit is explained, and the one it is compared with.
    pub target: (u32, String),
    /// The foil.
    pub foil: (u32, String),
    /// `logit(target) − logit(foil)` at the last position.
    pub difference: f32,
    /// What reconstruction errors contribute to it, to first order.
    pub error_attribution: f32,
}

/// Runs a prompt. `target` and `foil` default to the likeliest next token and the one after it.
///
/// # Errors
/// If the dictionary is no autoencoder of one site of this model, or the model has no logits.
pub fn features(
    model: &OpenModel,
    coder: &Coder,
    tokens: &[u32],
    target: Option<u32>,
    foil: Option<u32>,
) -> Result<PromptFeatures> {
    let config = &coder.dictionary().config;
    let unsuitable = |cause: String| AnalysisError::Unsuitable { analysis: "sae", model: model.name.clone(), cause };
    let ([part], true) = (config.inputs.as_slice(), config.is_autoencoder()) else {
        return Err(unsuitable("the dictionary is no autoencoder of one site".to_owned()));
    };
    let site: Site = super::rows::fitting(model, &part.site, part.width)?;
    model.check_length(tokens)?;
    let mut tap = GradientTap::new(vec![SitePattern::new(&part.site).map_err(|error| unsuitable(error.to_string()))?]);
    let logits = model.model.forward(&Batch::single(tokens)?, &mut tap, ForwardOptions::logits())?;
    let logits = logits.ok_or_else(|| unsuitable("it predicts no tokens".to_owned()))?;
    let last = logits.f_select(0, 0)?.f_select(0, -1)?;
    let (_, best) = last.f_topk(2, -1, true, true)?;
    let best = Vec::<i64>::try_from(best)?;
    let target = target.unwrap_or(best[0] as u32);
    let foil = foil.unwrap_or(if best[0] as u32 == target { best[1] } else { best[0] } as u32);
    let vocabulary = last.size()[0] as u32;
    if let Some(token) = [target, foil].into_iter().find(|token| *token >= vocabulary) {
        return Err(unsuitable(format!("there is no token {token}; it has {vocabulary}")));
    }
    let difference = last.f_get(i64::from(target))? - last.f_get(i64::from(foil))?;
    let gradients = tap.gradients(&difference)?;
    let read = |tensor: &golgi_probes::Tensor| -> Result<Vec<f32>> {
        let plain = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?;
        Ok(Vec::<f32>::try_from(plain.f_flatten(0, -1)?.f_contiguous()?)?)
    };
    let gradient = gradients.get(&site).map(&read).transpose()?.unwrap_or_default();
    let loss_gradient = match summed_loss(&logits, tokens)? {
        Some(loss) => tap.gradients(&loss)?.get(&site).map(&read).transpose()?.unwrap_or_default(),
        None => vec![0.0; gradient.len()],
    };
    let x = tap.activations().get(&site).map(read).transpose()?.unwrap_or_default();
    let d = config.d_in();
    let codes = coder.encode(&x)?;
    let fit = coder.decode(&codes, &x)?;
    let (mut active, mut unexplained, mut error_attribution) = (Vec::new(), Vec::new(), 0f32);
    for (position, undo) in coder.undo(&x).into_iter().enumerate() {
        let row = position * d..(position + 1) * d;
        let (x, fit) = (&x[row.clone()], &fit[row.clone()]);
        let (gradient, loss_gradient) = (&gradient[row.clone()], &loss_gradient[row]);
        let error: Vec<f32> = x.iter().zip(fit).map(|(x, fit)| x - fit).collect();
        let size = dot(x, x);
        unexplained.push(if size > 0.0 { dot(&error, &error) / size } else { 0.0 });
        // Of rows that the dictionary was made without, its codes mean nothing.
        if !config.domain().covers(position == 0, x) {
            active.push(Vec::new());
            continue;
        }
        error_attribution += dot(&error, gradient);
        let (latents, values) = codes.row(position);
        let mut row: Vec<ActiveLatent> = latents
            .iter()
            .zip(values)
            .map(|(latent, value)| {
                let write = coder.dictionary().writes(*latent as usize);
                let worth = |gradient: &[f32]| value * undo.factor * dot(write, gradient);
                ActiveLatent {
                    latent: *latent,
                    activation: *value,
                    attribution: worth(gradient),
                    loss_effect: worth(loss_gradient),
                }
            })
            .collect();
        row.sort_by(|a, b| b.activation.total_cmp(&a.activation).then(a.latent.cmp(&b.latent)));
        active.push(row);
    }
    let piece = |token: u32| (token, model.piece(token));
    Ok(PromptFeatures {
        tokens: tokens.to_vec(),
        pieces: tokens.iter().map(|token| model.piece(*token)).collect(),
        active,
        unexplained,
        target: piece(target),
        foil: piece(foil),
        difference: difference.f_double_value(&[])? as f32,
        error_attribution,
    })
}

/// `−Σ_t log p(token_t+1 | …)` of logits `[1, pos, d_vocab]`; `None` where there is no next token.
fn summed_loss(logits: &golgi_probes::Tensor, tokens: &[u32]) -> Result<Option<golgi_probes::Tensor>> {
    let predictions = tokens.len() as i64 - 1;
    if predictions < 1 {
        return Ok(None);
    }
    let targets: Vec<i64> = tokens[1..].iter().map(|token| i64::from(*token)).collect();
    let targets = golgi_probes::Tensor::f_from_slice(&targets)?.f_to_device(logits.device())?.f_unsqueeze(-1)?;
    let log_probs = logits.f_select(0, 0)?.f_narrow(0, 0, predictions)?.f_log_softmax(-1, Kind::Float)?;
    Ok(Some(log_probs.f_gather(-1, &targets, false)?.f_sum(Kind::Float)?.f_neg()?))
}

impl PromptFeatures {
    /// The latents that speak most for (or against) the target over all positions, strongest first:
    /// position and latent.
    pub fn by_attribution(&self) -> Vec<(usize, ActiveLatent)> {
        let positions = self.active.iter().enumerate();
        let mut all: Vec<(usize, ActiveLatent)> =
            positions.flat_map(|(position, row)| row.iter().map(move |one| (position, *one))).collect();
        all.sort_by(|a, b| b.1.attribution.abs().total_cmp(&a.1.attribution.abs()).then(a.0.cmp(&b.0)));
        all
    }

    /// The result in its common form, with the `top` latents of each position and of the whole prompt.
    ///
    /// # Errors
    /// If the model's weights cannot be read for their digest.
    pub fn report(&self, model: &OpenModel, top: usize, seed: u64) -> Result<Report> {
        let input = PromptInput { tokens: self.tokens.clone(), ..PromptInput::default() };
        let mut report = Report::new("sae", "Features of a prompt", provenance(model, &input, seed)?);
        let explained: f32 = self.active.iter().flatten().map(|one| one.attribution).sum();
        report.summary = vec![
            Fact::new("target", self.target.1.clone()),
            Fact::new("foil", self.foil.1.clone()),
            Fact::new("logit difference", self.difference).by("logit(target) − logit(foil) at the last token"),
            Fact::new("by all latents", explained).by("Σ f_i · ∂(logit difference)/∂f_i"),
        ];
        report.controls = vec![
            Fact::new("by reconstruction errors", self.error_attribution).by("Σ (x − x̂) · ∂(logit difference)/∂x"),
        ];
        let rows = self.active.iter().zip(&self.pieces).enumerate().flat_map(|(position, (row, piece))| {
            row.iter().take(top).map(move |one| {
                vec![
                    position.into(),
                    piece.clone().into(),
                    one.latent.into(),
                    one.activation.into(),
                    one.attribution.into(),
                    one.loss_effect.into(),
                ]
            })
        });
        let columns =
            ["position", "token", "latent", "activation", "attribution", "loss effect"].map(str::to_owned).to_vec();
        let by_position = Table {
            name: "latents of each token, the most active first".to_owned(),
            columns: columns.clone(),
            rows: rows.collect(),
        };
        let strongest = self.by_attribution().into_iter().take(4 * top).map(|(position, one)| {
            let piece = self.pieces[position].clone();
            vec![
                position.into(),
                piece.into(),
                one.latent.into(),
                one.activation.into(),
                one.attribution.into(),
                one.loss_effect.into(),
            ]
        });
        let strongest = Table {
            name: "latents that speak most for or against the target".to_owned(),
            columns,
            rows: strongest.collect(),
        };
        report.tables = vec![strongest, by_position];
        report.figures.push(Figure::Tokens {
            title: "what the dictionary leaves unexplained, ‖x − x̂‖² / ‖x‖²".to_owned(),
            tokens: self.pieces.clone(),
            values: self.unexplained.iter().map(|value| Some(*value)).collect(),
            signed: false,
        });
        Ok(report)
    }
}
