//! Opening, fetching and closing models.

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use golgi_data::context::RunContext;
use golgi_data::models::{Resolver, catalogue};
use golgi_data::site::Site;
use golgi_probes::host::{Hosted, Ticket};
use golgi_probes::{OpenModel, OpenOptions, ProbeError, SiteAxes};

use super::{Backend, Failure, aliases};
use crate::session::Session;
use crate::session::command::Command;
use crate::session::document::{BlockParameters, ModelInfo, SiteInfo};
use crate::session::jobs::{JobId, JobState};
use crate::session::loadable::Loadable;
use crate::session::notice::{Notice, Severity};
use crate::session::text::count_text;

/// A model being opened.
pub(super) struct Opening {
    spec: String,
    job: JobId,
    ticket: Ticket<Result<ModelInfo, Failure>>,
}

/// A model of the catalogue being fetched. It needs no model thread.
pub(super) struct Fetching {
    name: String,
    job: JobId,
    answer: Receiver<Result<(), Failure>>,
}

impl Backend {
    /// Opens a model in place of the present one, which stays until the new one is there.
    pub(super) fn open(&mut self, session: &mut Session, spec: String) {
        if let Some(old) = self.opening.take() {
            old.ticket.context().cancel();
            session.jobs.end(old.job, JobState::Cancelled);
        }
        self.stop_generating();
        let ctx = RunContext::new(0);
        let (resolver, options, named) = (self.options.resolver.clone(), self.options.open.clone(), spec.clone());
        let work = move |hosted: &mut Hosted, ctx: &RunContext| {
            ctx.check().map_err(|_| Failure::Cancelled)?;
            let doing = format!("The model could not be opened: {}", shown(&named));
            opened(hosted, &named, &resolver, &options, ctx).map_err(|error| Failure::of(&doing, &error, ctx))
        };
        match self.host.submit(ctx.clone(), work) {
            Ok(ticket) => {
                let retry = Some(Command::OpenModel(spec.clone()));
                let job = session.jobs.begin(format!("Open {}", shown(&spec)), ctx, retry);
                session.document.model.begin();
                self.opening = Some(Opening { spec, job, ticket });
            }
            Err(error) => session.notify(Notice::error("The model could not be opened.", &error)),
        }
    }

    pub(super) fn update_opening(&mut self, session: &mut Session) {
        let Some(Opening { spec, job, ticket }) = self.opening.take() else { return };
        let Some(answer) = ticket.poll() else {
            if let Loadable::Loading { progress, .. } = &mut session.document.model {
                *progress = ticket.context().progress();
            }
            self.opening = Some(Opening { spec, job, ticket });
            return;
        };
        for warning in ticket.context().warnings() {
            session.notify(Notice::warning(warning));
        }
        let before = session.document.model.shown().cloned();
        let answer = answer
            .unwrap_or_else(|error| Err(Failure::Failed(Notice::error("The model could not be opened.", &error))));
        match answer {
            Ok(info) => {
                session.jobs.end(job, JobState::Done);
                let about = format!("{}, {} parameters", info.family, count_text(info.parameters()));
                session.recent.add(&spec, &info.name, about);
                session.store_recent();
                session.forget_results();
                if before.is_some_and(|before| before.spec != info.spec) {
                    session.document.interventions.clear();
                    session.undo = Default::default();
                }
                if session.document.prompt.is_empty() && info.has_tokenizer {
                    session.document.prompt = first_text(&info).to_owned();
                }
                session.document.model = Loadable::ready(info);
                self.model += 1;
            }
            Err(failure) => {
                // The model that was open is still open.
                let notice = match failure {
                    Failure::Cancelled => {
                        session.jobs.end(job, JobState::Cancelled);
                        Notice::info("Opening was cancelled.")
                    }
                    Failure::Failed(notice) => {
                        session.jobs.end(job, JobState::Failed(notice.clone()));
                        notice
                    }
                };
                session.document.model = match before {
                    Some(before) => Loadable::Ready(before),
                    None if notice.severity == Severity::Error => {
                        // The start screen shows it.
                        session.notices.push_quietly(notice.clone());
                        session.document.model = Loadable::Failed(notice);
                        return;
                    }
                    None => Loadable::Empty,
                };
                session.notify(notice);
            }
        }
    }

    /// Fetches a model of the catalogue and opens it.
    pub(super) fn fetch(&mut self, session: &mut Session, name: &str) {
        if self.fetching.iter().any(|fetching| fetching.name == name) {
            return;
        }
        let Some(entry) = catalogue().iter().find(|entry| entry.name == name) else {
            session.notify(Notice::failure(format!("There is no model `{name}` in the catalogue.")));
            return;
        };
        let (ctx, home, wake) = (RunContext::new(0), self.options.home.clone(), self.wake.clone());
        let (sender, answer) = bounded(1);
        let inner = ctx.clone();
        let work = move || {
            let doing = format!("{} could not be fetched.", entry.title);
            let fetched = entry.fetch(&home, &inner).map_err(|error| Failure::of(&doing, &error, &inner));
            // The window may be gone.
            let _ = sender.send(fetched.map(|_| ()));
            wake();
        };
        match std::thread::Builder::new().name(format!("fetch {name}")).spawn(work) {
            Ok(_) => {
                let retry = Some(Command::FetchModel(name.to_owned()));
                let job = session.jobs.begin(format!("Fetch {}", entry.title), ctx, retry);
                self.fetching.push(Fetching { name: name.to_owned(), job, answer });
            }
            Err(error) => session.notify(Notice::error("The download could not be started.", &error)),
        }
    }

    pub(super) fn update_fetching(&mut self, session: &mut Session) {
        let mut fetched = Vec::new();
        self.fetching.retain(|fetching| {
            let answer = match fetching.answer.try_recv() {
                Ok(answer) => answer,
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => Err(Failure::Failed(
                    Notice::failure("The download ended unexpectedly.").with_next_step("Try again"),
                )),
            };
            match answer {
                Ok(()) => {
                    session.jobs.end(fetching.job, JobState::Done);
                    fetched.push(fetching.name.clone());
                }
                Err(Failure::Cancelled) => session.jobs.end(fetching.job, JobState::Cancelled),
                Err(Failure::Failed(notice)) => {
                    session.jobs.end(fetching.job, JobState::Failed(notice.clone()));
                    session.notify(notice);
                }
            }
            false
        });
        for name in fetched {
            self.open(session, name);
        }
    }

    /// Lets go of the model.
    pub(super) fn close(&mut self, session: &mut Session) {
        self.stop_generating();
        if let Some(old) = self.opening.take() {
            old.ticket.context().cancel();
            session.jobs.end(old.job, JobState::Cancelled);
        }
        self.slots.abandon(&mut session.jobs);
        let closed = self.host.submit(RunContext::new(0), |hosted, _| {
            hosted.model = None;
            hosted.traces.clear();
            hosted.slots.clear();
        });
        if let Err(error) = closed {
            session.notify(Notice::error("The model's memory could not be released.", &error));
        }
    }
}

/// Opens a language model or a convolutional network in place of whatever is open on the model's thread. What is there stays until then.
fn opened(
    hosted: &mut Hosted,
    spec: &str,
    resolver: &Resolver,
    options: &OpenOptions,
    ctx: &RunContext,
) -> Result<ModelInfo, ProbeError> {
    ctx.stage("reading the model", 0);
    let files = resolver.resolve(spec, ctx)?;
    if golgi_probes::vision::is_vision(&files, ctx) {
        return super::vision::open(hosted, files, options, ctx);
    }
    let model = OpenModel::from_files(files, options, ctx)?;
    // Asked to stop while the weights were read: the model that was open stays.
    ctx.check()?;
    let info = describe(&model);
    hosted.slots.clear();
    hosted.traces.clear();
    hosted.model = Some(model);
    Ok(info)
}

/// What was asked for, short enough for a heading.
fn shown(spec: &str) -> String {
    let name = spec.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(spec);
    crate::session::text::shortened(&crate::session::text::visible(name), 60)
}

/// A text to begin with, that shows something at once.
fn first_text(info: &ModelInfo) -> &'static str {
    if info.causal {
        "When Mary and John went to the store, John gave a drink to"
    } else {
        "The cat sat on the mat because it was tired."
    }
}

/// The model as plain data.
pub(super) fn describe(model: &OpenModel) -> ModelInfo {
    let network = &model.model;
    let counts = network.parameter_counts();
    let block = |(attn, mlp, norms): &(u64, u64, u64)| BlockParameters { attn: *attn, mlp: *mlp, norms: *norms };
    let sites = network.sites().into_iter().map(|spec| SiteInfo {
        shape: spec.shape_text(&network.dims),
        about: spec.description().into(),
        alias: aliases::hub_path(network.family, &spec.site),
        units: spec.units(&network.dims),
        has_heads: spec.head_axis().is_some(),
        is_residual: spec.axes == SiteAxes::Residual && !matches!(spec.site, Site::Logits),
        site: spec.site,
    });
    ModelInfo {
        name: model.name.clone(),
        spec: model.spec.clone(),
        family: network.family.to_owned(),
        dims: network.dims.clone(),
        sites: sites.collect(),
        embedding_parameters: counts.embedding,
        block_parameters: counts.blocks.iter().map(block).collect(),
        head_parameters: counts.head,
        device: device_name(network.device),
        dtype: model.dtype.to_string(),
        licence: model.licence.clone(),
        has_tokenizer: model.tokenizer.is_some(),
        has_logits: network.has_logits(),
        causal: network.causal,
        bytes_on_disk: model.bytes_on_disk(),
        vision: None,
    }
}

pub(super) fn device_name(device: golgi_probes::Device) -> String {
    match device {
        golgi_probes::Device::Cpu => "cpu".into(),
        golgi_probes::Device::Cuda(index) => format!("cuda:{index}"),
        golgi_probes::Device::Mps => "mps".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}
