//! One unit's activation over texts, on the model's thread.

use golgi_data::context::RunContext;
use golgi_data::unit::Unit;
use golgi_probes::host::Hosted;
use golgi_probes::intervention::{Edits, Intervention, Traces};
use golgi_probes::{Batch, Capture, ForwardOptions, OpenModel, ProbeError, SiteAxes, Stack};

use super::{Failure, Subject};
use crate::session::atlas::Trial;
use crate::session::atlas::corpus::Painted;
use crate::session::notice::Notice;

/// The activation at each token: of a head, the length of its vector, as in the atlas.
fn activation(
    model: &OpenModel,
    unit: &Unit,
    tokens: &[u32],
    interventions: &[Intervention],
    traces: &Traces,
) -> Result<Vec<f32>, ProbeError> {
    let network = &model.model;
    let mut capture = Capture::sites([&unit.site]);
    let mut edits = Edits::new(network, interventions, traces)?;
    let options = ForwardOptions { fused_attention: unit.site.point().is_some(), ..ForwardOptions::default() };
    network.forward(&Batch::single(tokens)?, &mut Stack::new().with(&mut edits).with(&mut capture), options)?;
    let trace = capture.into_trace(vec![])?;
    let acts = trace.get(&unit.site)?.f_select(0, 0)?;
    let heads = network.sites().iter().any(|spec| spec.site == unit.site && spec.axes == SiteAxes::Heads);
    let values = if heads {
        acts.f_select(1, i64::from(unit.index))?.f_norm_scalaropt_dim(2.0, -1, false)?
    } else {
        acts.f_select(-1, i64::from(unit.index))?
    };
    Ok(Vec::<f32>::try_from(&values.f_to_kind(golgi_probes::Kind::Float)?)?)
}

fn model(hosted: &Hosted) -> Result<&OpenModel, Failure> {
    hosted.model.as_ref().ok_or_else(|| Failure::Failed(Notice::failure("No model is open.")))
}

/// The selected unit over the document that is being read. The model must be the one of the atlas.
pub(super) fn painted(
    hosted: &mut Hosted,
    subject: &Subject,
    _: Option<u64>,
    ctx: &RunContext,
) -> Result<Painted, Failure> {
    let (Some(unit), Some(passage)) = (&subject.unit, &subject.passage) else { return Err(Failure::Cancelled) };
    let model = model(hosted)?;
    let doing = "The document could not be run.";
    let digest = model.digest().map_err(|error| Failure::of(doing, &error, ctx))?;
    if digest != passage.model_digest {
        let notice = Notice::info("The open model is not the one that the atlas was made of.");
        return Err(Failure::Failed(notice.with_next_step("Open the atlas's model to see whole documents painted")));
    }
    let contexts = passage.corpus.part(passage.reading);
    ctx.stage("running contexts", contexts.len() as u64);
    let mut painted = Vec::with_capacity(contexts.len());
    for context in contexts {
        ctx.check().map_err(|_| Failure::Cancelled)?;
        let tokens = passage.corpus.tokens(*context);
        model.check_length(&tokens).map_err(|error| Failure::of(doing, &error, ctx))?;
        let values = activation(model, unit, &tokens, &[], &hosted.traces);
        painted.push((*context, values.map_err(|error| Failure::of(doing, &error, ctx))?));
        ctx.advance(1);
    }
    Ok(Painted { unit: unit.clone(), contexts: painted })
}

/// The selected unit over a text of the user, with the interventions that are in force.
pub(super) fn trial(
    hosted: &mut Hosted,
    subject: &Subject,
    _: Option<u64>,
    ctx: &RunContext,
) -> Result<Trial, Failure> {
    let Some(unit) = subject.unit.clone() else { return Err(Failure::Cancelled) };
    let model = model(hosted)?;
    let failed = |error: ProbeError| Failure::of("The text could not be run.", &error, ctx);
    let ids = model.encode(&subject.prompt).map_err(failed)?;
    model.check_length(&ids).map_err(failed)?;
    let values = activation(model, &unit, &ids, &subject.interventions, &hosted.traces).map_err(failed)?;
    let tokens = ids.iter().map(|id| model.piece(*id)).collect();
    Ok(Trial { unit, text: subject.prompt.clone(), tokens, values })
}
