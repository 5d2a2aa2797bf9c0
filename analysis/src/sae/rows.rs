//! Activations of texts as rows.

use golgi_data::context::RunContext;
use golgi_data::corpus::{Context, PackedCorpus, batches};
use golgi_data::dictionary::Config;
use golgi_data::site::Site;
use golgi_probes::{Batch, Capture, ForwardOptions, Kind, OpenModel, Tensor};
use golgi_sae::SaeError;

use crate::harvest::expected_bos;
use crate::{AnalysisError, Result};

pub(super) fn unsuitable(model: &OpenModel, cause: String) -> AnalysisError {
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

/// The sites that a dictionary reads and those that it writes.
pub(super) fn sites_of(model: &OpenModel, config: &Config) -> Result<(Vec<Site>, Vec<Site>)> {
    let sites = |parts: &[golgi_data::dictionary::Part]| -> Result<Vec<Site>> {
        parts.iter().map(|part| fitting(model, &part.site, part.width)).collect()
    };
    Ok((sites(&config.inputs)?, sites(&config.outputs)?))
}

/// What the model sees in a context, BOS included.
pub(super) fn sequence(model: &OpenModel, corpus: &PackedCorpus, context: &Context) -> Vec<u32> {
    expected_bos(model).into_iter().chain(corpus.context_tokens(context).iter().copied()).collect()
}

/// One pass over sequences of one length: for each group of sites their activations side by side, `[sequences · positions, d]`, the
/// first position left out where `skip_first` says so.
pub(super) fn activations(
    model: &OpenModel,
    sequences: Vec<Vec<u32>>,
    groups: &[&[Site]],
    skip_first: bool,
) -> Result<Vec<Vec<f32>>> {
    let (count, len) = (sequences.len() as i64, sequences.first().map_or(0, Vec::len) as i64);
    let flat: Vec<i64> = sequences.iter().flatten().map(|token| i64::from(*token)).collect();
    let tokens = Tensor::f_from_slice(&flat).and_then(|tokens| tokens.f_view([count, len]));
    let batch = Batch::from_tensors(tokens.map_err(SaeError::from)?, None);
    let mut capture = Capture::sites(groups.iter().copied().flatten());
    model.model.forward(&batch, &mut capture, ForwardOptions::default())?;
    let trace = capture.into_trace(sequences)?;
    let side_by_side = |sites: &&[Site]| -> Result<Vec<f32>> {
        if sites.is_empty() {
            return Ok(Vec::new());
        }
        let part = |site: &Site| -> std::result::Result<Tensor, SaeError> {
            let values = trace.get(site)?.f_to_kind(Kind::Float)?.f_flatten(2, -1)?;
            let first = i64::from(skip_first);
            Ok(values.f_narrow(1, first, len - first)?)
        };
        let parts = sites.iter().map(part).collect::<std::result::Result<Vec<Tensor>, SaeError>>()?;
        let joined = Tensor::f_cat(&parts, -1).and_then(|all| all.f_flatten(0, -1)?.f_contiguous());
        Ok(joined.and_then(Vec::<f32>::try_from).map_err(SaeError::from)?)
    };
    groups.iter().map(side_by_side).collect()
}

/// Rows of some contexts at the sites that a dictionary reads and writes, as they come group by group: inputs, outputs, and the contexts
/// with their numbers of rows.
pub(crate) struct Piece {
    /// `[rows, d_in]`.
    pub(crate) x: Vec<f32>,
    /// `[rows, d_out]`.
    pub(crate) y: Vec<f32>,
    /// Which contexts, and how many rows each has.
    pub(crate) contexts: Vec<(usize, usize)>,
    /// Rows that are left out for their norm.
    pub(crate) left_out: u64,
}

/// Runs the model over contexts and hands over what a dictionary of `config` may see of them.
pub(crate) fn pieces(
    model: &OpenModel,
    corpus: &PackedCorpus,
    chosen: &[Context],
    config: &Config,
    stage: &str,
    ctx: &RunContext,
    mut take: impl FnMut(Piece) -> Result<()>,
) -> Result<()> {
    let (inputs, outputs) = sites_of(model, config)?;
    let (d_in, d_out, domain) = (config.d_in(), config.d_out(), config.domain());
    ctx.stage(stage, chosen.len() as u64);
    for group in batches(chosen, 1024) {
        ctx.check()?;
        let sequences: Vec<Vec<u32>> =
            group.iter().map(|index| sequence(model, corpus, &chosen[*index as usize])).collect();
        let len = sequences.first().map_or(0, Vec::len);
        if len > usize::from(config.skip_first) {
            let each = len - usize::from(config.skip_first);
            let mut both = activations(model, sequences, &[&inputs, &outputs], config.skip_first)?.into_iter();
            let (mut x, mut y) = (both.next().unwrap_or_default(), both.next().unwrap_or_default());
            let (mut kept, mut contexts) = (0, Vec::with_capacity(group.len()));
            for (number, index) in group.iter().enumerate() {
                let before = kept;
                for row in number * each..(number + 1) * each {
                    if domain.covers(false, &x[row * d_in..(row + 1) * d_in]) {
                        x.copy_within(row * d_in..(row + 1) * d_in, kept * d_in);
                        y.copy_within(row * d_out..(row + 1) * d_out, kept * d_out);
                        kept += 1;
                    }
                }
                contexts.push((*index as usize, kept - before));
            }
            let left_out = (group.len() * each - kept) as u64;
            x.truncate(kept * d_in);
            y.truncate(kept * d_out);
            take(Piece { x, y, contexts, left_out })?;
        }
        ctx.advance(group.len() as u64);
    }
    Ok(())
}
