//! The report card of a dictionary, beside baselines with as many numbers.

use golgi_data::context::RunContext;
use golgi_data::corpus::{Context, ContextOptions, PackedCorpus, Split, batches, contexts};
use golgi_data::dictionary::Config;
use golgi_data::site::Site;
use golgi_probes::{Batch, Capture, ForwardOptions, Kind, OpenModel, Tensor};
use golgi_sae::evaluate::{Coding, Pca, Quality, RandomDirections, SpliceLoss, TopCoordinates, quality, splice_losses};
use golgi_sae::planted::max_cosines;
use golgi_sae::{Coder, SaeError};
use serde::{Deserialize, Serialize};

use crate::harvest::expected_bos;
use crate::prompt::PromptInput;
use crate::report::{Fact, Figure, Report, Table};
use crate::{AnalysisError, Result, provenance};

/// How much is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateParams {
    /// Tokens whose activations are reconstructed; as many others are what baselines are fitted to.
    pub tokens: u64,
    /// Tokens on which the model's loss is measured with each replacement.
    pub splice_tokens: u64,
    /// Tokens that the model sees at once; `None`: as in training, or 128.
    pub context: Option<usize>,
}

impl Default for EvaluateParams {
    fn default() -> EvaluateParams {
        EvaluateParams { tokens: 16_384, splice_tokens: 2048, context: None }
    }
}

/// A dictionary's report card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Reconstruction and sparsity, on documents that training did not see.
    pub quality: Quality,
    /// Tokens among them that are left out, because their norm is larger than any in training: attention sinks and the like.
    pub left_out: u64,
    /// The same of the baselines, each with the dictionary's L0 as its number of numbers.
    pub baselines: Vec<(String, Quality)>,
    /// The model's loss with each in the activation's place; empty for transcoders and crosscoders.
    pub splice: Vec<SpliceLoss>,
    /// Tokens of that measurement.
    pub splice_tokens: u64,
    /// For each latent the largest cosine of its decoder row with another latent's.
    pub decoder_similarity: Vec<f32>,
    /// For each latent the largest cosine of its decoder row with one of another dictionary, if that was given.
    pub stability: Option<Vec<f32>>,
    /// The same with as many random directions in the other's place.
    pub stability_by_chance: Option<f64>,
}

/// Judges a dictionary of `model` on `corpus`: documents of the split `confirm`, with baselines fitted to `explore`. `other` is a
/// dictionary of the same site with another seed.
///
/// # Errors
/// If the dictionary is not one of this model, the corpus has too little text, or the work is cancelled.
pub fn evaluate(
    model: &OpenModel,
    corpus: &PackedCorpus,
    coder: &Coder,
    other: Option<&Coder>,
    params: &EvaluateParams,
    ctx: &RunContext,
) -> Result<Evaluation> {
    let config = &coder.dictionary().config;
    let sites = |parts: &[golgi_data::dictionary::Part]| -> Result<Vec<Site>> {
        parts.iter().map(|part| fitting(model, &part.site, part.width)).collect()
    };
    let (inputs, outputs) = (sites(&config.inputs)?, sites(&config.outputs)?);
    let len = params.context.unwrap_or(config.context.map_or(128, |len| len as usize)).min(model.model.dims.n_ctx);
    let gather = |split: Split, stage: &str| -> Result<(Vec<f32>, Vec<f32>, u64)> {
        let options = ContextOptions { len, tokens: params.tokens, split: Some(split), bos: expected_bos(model) };
        let chosen = contexts(corpus, &options);
        if chosen.is_empty() {
            return Err(unsuitable(
                model,
                format!("the corpus {} has no documents of the split `{split}`", corpus.name()),
            ));
        }
        let (mut x, mut y) = rows(model, corpus, &chosen, &inputs, &outputs, config.skip_first, stage, ctx)?;
        let left_out = keep_covered(config, &mut x, &mut y);
        Ok((x, y, left_out))
    };
    let (_, fit_y, _) = gather(Split::Explore, "reading what baselines are fitted to")?;
    let (x, y, left_out) = gather(Split::Confirm, "reading what is judged")?;
    ctx.stage("judging reconstructions", 0);
    let d = config.d_out();
    let codes = coder.encode(&x)?;
    let latents = config.latents as usize;
    let quality_of = quality(&y, &coder.decode(&codes, &x)?, d, Some((&codes, latents)));
    let k = (quality_of.l0.round() as usize).max(1);
    ctx.check()?;
    let baselines: Vec<Box<dyn Coding>> = vec![
        Box::new(Pca::fit(&fit_y, d, k)?),
        Box::new(RandomDirections::fit(&fit_y, d, latents, k, ctx.seed())?),
        Box::new(TopCoordinates::fit(&fit_y, d, k)),
    ];
    let judged = |coding: &dyn Coding| -> Result<(String, Quality)> {
        Ok((coding.name().to_owned(), quality(&y, &coding.reconstruct(&y)?, d, None)))
    };
    let judged = baselines.iter().map(|one| judged(one.as_ref())).collect::<Result<Vec<_>>>()?;
    let mut splice = Vec::new();
    let mut splice_tokens = 0;
    if let ([site], true) = (inputs.as_slice(), config.is_autoencoder()) {
        let options =
            ContextOptions { len, tokens: params.splice_tokens, split: Some(Split::Confirm), bos: expected_bos(model) };
        let chosen = contexts(corpus, &options);
        splice_tokens = chosen.iter().map(|context| u64::from(context.len)).sum();
        let sequences: Vec<Vec<u32>> = chosen.iter().map(|context| sequence(model, corpus, context)).collect();
        let sequences: Vec<Vec<u32>> = sequences.into_iter().filter(|tokens| tokens.len() > 1).collect();
        let mut codings: Vec<&dyn Coding> = vec![coder];
        codings.extend(baselines.iter().map(AsRef::as_ref));
        let mean = mean_row(&fit_y, d);
        splice = splice_losses(&model.model, site, &sequences, &mean, &codings, config.domain(), ctx)?;
    }
    let decoder = &coder.dictionary().decoder;
    let stability = match other {
        None => None,
        Some(other) if other.dictionary().config.outputs == config.outputs => {
            Some(max_cosines(decoder, &other.dictionary().decoder, d))
        }
        Some(_) => return Err(SaeError::Settings("the other dictionary stands at other sites".to_owned()).into()),
    };
    let stability_by_chance = other.map(|other| {
        let count = other.dictionary().config.latents as usize;
        let random = golgi_sae::planted::Planted::new(d, count, 1.0, ctx.seed()).directions;
        mean_of(&max_cosines(decoder, &random, d))
    });
    Ok(Evaluation {
        quality: quality_of,
        left_out,
        baselines: judged,
        splice,
        splice_tokens,
        decoder_similarity: nearest_other(decoder, d),
        stability,
        stability_by_chance,
    })
}

fn unsuitable(model: &OpenModel, cause: String) -> AnalysisError {
    AnalysisError::Unsuitable { analysis: "sae", model: model.name.clone(), cause }
}

/// The site of this name, if the model has it in this width.
pub(crate) fn fitting(model: &OpenModel, name: &str, width: u32) -> Result<Site> {
    let site: Site =
        name.parse().map_err(|error| unsuitable(model, format!("the dictionary's site is unknown: {error}")))?;
    let spec = model.model.site(&site)?;
    let found = spec.shape(&model.model.dims, 1, 1).iter().product::<usize>();
    match found == width as usize {
        true => Ok(site),
        false => Err(unsuitable(
            model,
            format!("the dictionary expects {width} dimensions at {name}, the model has {found}"),
        )),
    }
}

fn sequence(model: &OpenModel, corpus: &PackedCorpus, context: &Context) -> Vec<u32> {
    expected_bos(model).into_iter().chain(corpus.context_tokens(context).iter().copied()).collect()
}

/// Activations of some contexts, sites side by side: inputs and outputs, `[n, d]`.
#[expect(clippy::too_many_arguments, reason = "two call sites")]
pub(crate) fn rows(
    model: &OpenModel,
    corpus: &PackedCorpus,
    chosen: &[Context],
    inputs: &[Site],
    outputs: &[Site],
    skip_first: bool,
    stage: &str,
    ctx: &RunContext,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let groups = batches(chosen, 1024);
    ctx.stage(stage, chosen.len() as u64);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for group in groups {
        ctx.check()?;
        let sequences: Vec<Vec<u32>> =
            group.iter().map(|index| sequence(model, corpus, &chosen[*index as usize])).collect();
        let len = sequences.first().map_or(0, Vec::len);
        if len <= usize::from(skip_first) {
            continue;
        }
        let flat: Vec<i64> = sequences.iter().flatten().map(|token| i64::from(*token)).collect();
        let tokens = Tensor::f_from_slice(&flat).and_then(|tokens| tokens.f_view([sequences.len() as i64, -1]));
        let batch = Batch::from_tensors(tokens.map_err(SaeError::from)?, None);
        let mut capture = Capture::sites(inputs.iter().chain(outputs));
        model.model.forward(&batch, &mut capture, ForwardOptions::default())?;
        let trace = capture.into_trace(sequences)?;
        for (sites, to) in [(inputs, &mut x), (outputs, &mut y)] {
            if sites.is_empty() {
                continue;
            }
            let parts: Vec<Tensor> = sites
                .iter()
                .map(|site| -> std::result::Result<Tensor, SaeError> {
                    let values = trace.get(site)?.f_to_kind(Kind::Float)?.f_flatten(2, -1)?;
                    let first = i64::from(skip_first);
                    Ok(values.f_narrow(1, first, len as i64 - first)?)
                })
                .collect::<std::result::Result<_, SaeError>>()?;
            let joined = Tensor::f_cat(&parts, -1).and_then(|all| all.f_flatten(0, -1)?.f_contiguous());
            let values = joined.and_then(Vec::<f32>::try_from).map_err(SaeError::from)?;
            to.extend(values);
        }
        ctx.advance(group.len() as u64);
    }
    Ok((x, y))
}

/// Takes out the rows of which the dictionary has nothing to say for their norm; returns how many.
fn keep_covered(config: &Config, x: &mut Vec<f32>, y: &mut Vec<f32>) -> u64 {
    let (d_in, d_out, domain) = (config.d_in(), config.d_out(), config.domain());
    let (mut kept, n) = (0, x.len() / d_in);
    for row in 0..n {
        if domain.covers(false, &x[row * d_in..(row + 1) * d_in]) {
            x.copy_within(row * d_in..(row + 1) * d_in, kept * d_in);
            y.copy_within(row * d_out..(row + 1) * d_out, kept * d_out);
            kept += 1;
        }
    }
    x.truncate(kept * d_in);
    y.truncate(kept * d_out);
    (n - kept) as u64
}

fn mean_row(rows: &[f32], d: usize) -> Vec<f32> {
    let n = (rows.len() / d).max(1) as f64;
    let mut mean = vec![0f64; d];
    for row in rows.chunks(d) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / n);
    }
    mean.into_iter().map(|value| value as f32).collect()
}

/// For each row the largest cosine with another row.
fn nearest_other(rows: &[f32], d: usize) -> Vec<f32> {
    use golgi_sae::kernels::vector::{dot, norm};
    use rayon::prelude::*;
    let norms: Vec<f32> = rows.chunks(d).map(|row| norm(row).max(f32::MIN_POSITIVE)).collect();
    let cosine = |a: usize, b: usize| dot(&rows[a * d..(a + 1) * d], &rows[b * d..(b + 1) * d]) / (norms[a] * norms[b]);
    let n = norms.len();
    (0..n).into_par_iter().map(|a| (0..n).filter(|b| *b != a).map(|b| cosine(a, b)).fold(-1.0, f32::max)).collect()
}

fn mean_of(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len().max(1) as f64
}

impl Evaluation {
    /// The result in its common form.
    ///
    /// # Errors
    /// If the model's weights cannot be read for their digest.
    pub fn report(&self, model: &OpenModel, coder: &Coder, ctx: &RunContext) -> Result<Report> {
        let config = &coder.dictionary().config;
        let mut provenance = provenance(model, &PromptInput::default(), ctx.seed())?;
        provenance.tokens = self.quality.rows;
        let names: Vec<&str> = config.inputs.iter().map(|part| part.site.as_str()).collect();
        let title = format!(
            "{} dictionary of {} latents at {}",
            config.architecture.name().replace('_', " "),
            config.latents,
            names.join(", ")
        );
        let mut report = Report::new("sae", title, provenance);
        let q = &self.quality;
        report.summary = vec![
            Fact::new("L0", q.l0).by("mean number of active latents"),
            Fact::new("explained variance", q.explained_variance).by("1 − Σ‖y − ŷ‖² / Σ‖y − μ‖²"),
            Fact::new("explained variance by row", q.explained_variance_by_row).by("E[1 − ‖y − ŷ‖² / ‖y − μ‖²]"),
            Fact::new("cosine", q.cosine).by("E[cos(y, ŷ)]"),
            Fact::new("norm ratio", q.norm_ratio).by("E[‖ŷ‖ / ‖y‖]"),
            Fact::new("shrinkage γ", q.shrinkage).by("E‖ŷ‖² / E[y·ŷ]; 1 is none"),
            Fact::new("L1", q.l1).by("mean sum of activations, in the dictionary's units"),
            Fact::new("dead latents", q.dead).by(format!("never active in {} rows", q.rows)),
            Fact::new("dense latents", q.dense).by("active in more than 10 % of the rows"),
            Fact::new("tokens left out", self.left_out)
                .by("their norm is larger than any that was trained on; inside the model they stay as they are"),
            Fact::new("decoder similarity", mean_of(&self.decoder_similarity))
                .by("mean over latents of the largest cosine with another decoder row"),
        ];
        if let Some(stability) = &self.stability {
            report.summary.push(
                Fact::new("stability", mean_of(stability))
                    .by("mean over latents of the largest cosine with the other dictionary"),
            );
        }
        if let Some(chance) = self.stability_by_chance {
            report.controls.push(Fact::new("stability by chance", chance).by("the same with random unit directions"));
        }
        for (name, baseline) in &self.baselines {
            report.controls.push(
                Fact::new(format!("explained variance of {name}"), baseline.explained_variance)
                    .by(format!("with {:.0} numbers for each row", q.l0.round().max(1.0))),
            );
        }
        if !self.splice.is_empty() {
            let columns = [
                "in the activation's place",
                "cross-entropy",
                "increase (nats)",
                "recovered from zeros",
                "recovered from the mean",
                "KL (nats)",
            ];
            let row = |one: &SpliceLoss| {
                vec![
                    one.name.clone().into(),
                    one.cross_entropy.into(),
                    one.increase.into(),
                    one.recovered_from_zero.into(),
                    one.recovered_from_mean.into(),
                    one.kl.into(),
                ]
            };
            report.tables.push(Table {
                name: format!("the model's loss over {} tokens", self.splice_tokens),
                columns: columns.map(str::to_owned).to_vec(),
                rows: self.splice.iter().map(row).collect(),
            });
        }
        report.figures.push(density_figure(&q.density));
        Ok(report)
    }
}

/// How many latents are active in which share of rows.
fn density_figure(density: &[f32]) -> Figure {
    let mut bars = [0f32; 10];
    for share in density {
        let bar = match *share {
            0.0 => 0,
            share => 1 + ((share.log10() + 4.0) * 2.0).floor().clamp(0.0, 8.0) as usize,
        };
        bars[bar] += 1.0;
    }
    let labels = ["never", "10⁻⁴", "10⁻³·⁵", "10⁻³", "10⁻²·⁵", "10⁻²", "10⁻¹·⁵", "10⁻¹", "10⁻⁰·⁵", "1"];
    Figure::Bars {
        title: "latents by the share of rows in which they are active (from)".to_owned(),
        labels: labels.map(str::to_owned).to_vec(),
        values: bars.to_vec(),
        signed: false,
    }
}
