//! Long work with a convolutional network, on a thread of its own with a copy of the network, so that clicks are answered meanwhile: the
//! best pictures of a set, and images that units respond to. Also the shelf of pictures.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use golgi_analysis::VisionError;
use golgi_analysis::channels::{BestPictures, best_pictures};
use golgi_analysis::visualise::{Settings, Target, visualise_watched};
use golgi_data::context::RunContext;
use golgi_data::images::{ImageSet, Picture};
use golgi_data::models::Resolver;
use golgi_probes::OpenOptions;
use golgi_probes::host::{Hosted, ModelHost, Ticket};
use golgi_probes::vision::{self, OpenVision};

use super::slot::{Round, Slot};
use super::vision::Sight;
use super::{Backend, Failure, Subject};
use crate::session::Session;
use crate::session::command::Command;
use crate::session::document::ModelInfo;
use crate::session::jobs::{JobId, JobState};
use crate::session::loadable::Loadable;
use crate::session::notice::Notice;
use crate::session::results::ResultKind;
use crate::session::vision::{DrawRequest, Drawing, Drawn, Found, Shelf};

/// What opens a network.
#[derive(Debug)]
pub(super) struct Source {
    spec: String,
    resolver: Resolver,
    options: OpenOptions,
}

/// The thread, and what it has under way.
#[derive(Default)]
pub(super) struct Studio {
    /// Started when it is first needed.
    host: Option<ModelHost>,
    best: Slot<BestPictures>,
    drawing: Option<Flight>,
    reading: Option<(String, Receiver<Result<Shelf, Notice>>)>,
}

impl Studio {
    pub fn forget(&mut self) {
        self.best.forget();
    }
}

impl Drop for Studio {
    /// The thread is waited for when the host goes; what it works on must end first.
    fn drop(&mut self) {
        self.best.cancel();
        if let Some(flight) = &self.drawing {
            flight.ticket.context().cancel();
        }
    }
}

struct Flight {
    job: JobId,
    preview: Receiver<(u64, Vec<Picture>)>,
    ticket: Ticket<Result<Found, Failure>>,
}

/// The copy of the network on the studio's thread, with the number of the model that it is of.
#[derive(Default)]
struct Copy(Option<(u64, OpenVision)>);

impl Copy {
    fn of(&mut self, number: u64, source: &Source, ctx: &RunContext) -> Result<&OpenVision, Failure> {
        if self.0.as_ref().is_none_or(|(of, _)| *of != number) {
            self.0 = None;
            let open = vision::open(&source.spec, &source.resolver, &source.options, ctx);
            let doing = "The network could not be opened for work in the background.";
            self.0 = Some((number, open.map_err(|error| Failure::of(doing, &error, ctx))?));
        }
        self.0.as_ref().map(|(_, open)| open).ok_or(Failure::Cancelled)
    }
}

fn best(hosted: &mut Hosted, subject: &Subject, _: Option<u64>, ctx: &RunContext) -> Result<BestPictures, Failure> {
    let failed = |error: VisionError| Failure::of("The best pictures could not be found.", &error, ctx);
    let sight = subject.sight.as_ref().ok_or(Failure::Cancelled)?;
    let source = sight.source.as_ref().ok_or(Failure::Cancelled)?;
    let (site, shelf) = sight.site.as_ref().zip(sight.shelf.as_ref()).ok_or(Failure::Cancelled)?;
    let open = hosted.slots.of::<Copy>().of(subject.model, source, ctx)?;
    best_pictures(open, site, &shelf.set, sight.limit, ctx).map_err(failed)
}

fn target(request: &DrawRequest) -> Result<Target, VisionError> {
    let mut target = Target::units(std::slice::from_ref(&request.unit))?.aiming(request.aim);
    if request.opposite {
        let lowers = target.clone().negative();
        target.names.extend(lowers.names);
        target.weights.extend(lowers.weights);
    }
    Ok(target)
}

impl Backend {
    fn source(&self, model: &ModelInfo) -> Arc<Source> {
        let (resolver, options) = (self.options.resolver.clone(), self.options.open.clone());
        Arc::new(Source { spec: model.spec.clone(), resolver, options })
    }

    fn studio(&mut self) -> &ModelHost {
        let wake = &self.wake;
        self.studio.host.get_or_insert_with(|| ModelHost::start(Arc::clone(wake)))
    }

    /// Stops what is under way and lets go of the copy of the network.
    pub(super) fn abandon_studio(&mut self, session: &mut Session) {
        self.studio.best.abandon(&mut session.jobs);
        if let Some(flight) = self.studio.drawing.take() {
            flight.ticket.context().cancel();
            session.jobs.end(flight.job, JobState::Cancelled);
        }
        if let Some(host) = self.studio.host.take() {
            // Its thread ends once it has seen that its work was cancelled; nobody waits for that.
            let _ = std::thread::Builder::new().name("studio ends".into()).spawn(move || drop(host));
        }
    }

    /// The pictures of the shelf that excite the channels of the selected unit's site most.
    pub(super) fn update_best(&mut self, session: &mut Session, model: &ModelInfo) {
        let state = &session.vision;
        let unit = session.selection.unit.as_ref().filter(|unit| model.has_unit(unit));
        let wanted = unit.zip(state.shelf.get()).filter(|_| session.wanted.contains(&ResultKind::BestPictures));
        let wanted = wanted.map(|(unit, shelf)| Subject {
            model: self.model,
            sight: Some(Sight {
                site: Some(unit.site.clone()),
                shelf: Some(Arc::clone(shelf)),
                limit: state.limit,
                source: Some(self.source(model)),
                ..Sight::default()
            }),
            ..Subject::default()
        });
        if wanted.is_some() {
            self.studio();
        }
        let Studio { host: Some(host), best: slot, .. } = &mut self.studio else { return };
        let mut round = Round { host, jobs: &mut session.jobs, budget: None };
        slot.turn(&mut session.vision.best, wanted, ResultKind::BestPictures, &mut round, best);
    }

    /// Begins to look for images that a unit responds to; another search is stopped.
    pub(super) fn draw(&mut self, session: &mut Session, request: DrawRequest) {
        let Some(model) = session.document.model.get().filter(|model| model.has_unit(&request.unit)).cloned() else {
            return;
        };
        self.stop_drawing(session);
        let (source, number) = (self.source(&model), self.model);
        let (sender, preview) = bounded(2);
        let settings = Settings { size: request.size, steps: request.steps, ..Settings::default() };
        let asked = request.clone();
        let work = move |hosted: &mut Hosted, ctx: &RunContext| {
            ctx.check().map_err(|_| Failure::Cancelled)?;
            let failed = |error: VisionError| Failure::of("The unit could not be visualised.", &error, ctx);
            let open = hosted.slots.of::<Copy>().of(number, &source, ctx)?;
            let target = target(&asked).map_err(failed)?;
            let images = visualise_watched(open, &target, &settings, ctx, &mut |step, pictures| {
                // A window that is slow to look misses a few.
                let _ = sender.try_send((step, pictures));
            })
            .map_err(failed)?;
            if !asked.twin {
                return Ok(Found { images, twins: Vec::new() });
            }
            let twin = open.twin(ctx.seed()).map_err(|error| failed(error.into()))?;
            let before: Vec<Picture> = images.iter().map(|one| one.picture.clone()).collect();
            let twins = visualise_watched(&twin, &target, &settings, ctx, &mut |step, pictures| {
                let _ = sender.try_send((asked.steps + step, before.iter().cloned().chain(pictures).collect()));
            })
            .map_err(failed)?;
            Ok(Found { images, twins })
        };
        let ctx = RunContext::new(0);
        match self.studio().submit(ctx.clone(), work) {
            Ok(ticket) => {
                let retry = Some(Command::Visualise(request.clone()));
                let job = session.jobs.begin(format!("Visualise {}", request.unit), ctx, retry);
                let (pictures, state) = (Arc::new(Vec::new()), Drawn::Running);
                session.vision.add(Drawing { request, step: 0, pictures, state, job });
                self.studio.drawing = Some(Flight { job, preview, ticket });
            }
            Err(error) => session.notify(Notice::error("The unit could not be visualised.", &error)),
        }
    }

    fn stop_drawing(&mut self, session: &mut Session) {
        if let Some(flight) = self.studio.drawing.take() {
            flight.ticket.context().cancel();
            session.jobs.end(flight.job, JobState::Cancelled);
            if let Some(drawing) = session.vision.running() {
                drawing.state = Drawn::Stopped;
            }
        }
    }

    pub(super) fn update_drawing(&mut self, session: &mut Session) {
        let Some(flight) = self.studio.drawing.take() else { return };
        // The answer is looked at first: whatever it covers is in the stream by then.
        let answer = flight.ticket.poll();
        let latest = flight.preview.try_iter().last();
        let Some(drawing) = session.vision.running() else {
            flight.ticket.context().cancel();
            session.jobs.end(flight.job, JobState::Cancelled);
            return;
        };
        if let Some((step, pictures)) = latest {
            (drawing.step, drawing.pictures) = (step, Arc::new(pictures));
        }
        let Some(answer) = answer else {
            self.studio.drawing = Some(flight);
            return;
        };
        let state = match answer {
            Ok(Ok(found)) => {
                drawing.step = drawing.request.all_steps();
                let all = found.images.iter().chain(&found.twins);
                drawing.pictures = Arc::new(all.map(|one| one.picture.clone()).collect());
                drawing.state = Drawn::Done(Arc::new(found));
                JobState::Done
            }
            Ok(Err(Failure::Cancelled)) => {
                drawing.state = Drawn::Stopped;
                JobState::Cancelled
            }
            Ok(Err(Failure::Failed(notice))) => {
                drawing.state = Drawn::Failed(notice.clone());
                JobState::Failed(notice)
            }
            Err(error) => {
                let notice = Notice::error("The unit could not be visualised.", &error);
                drawing.state = Drawn::Failed(notice.clone());
                JobState::Failed(notice)
            }
        };
        session.jobs.end(flight.job, state);
    }

    /// Reads what the shelf shall hold, once a network is open.
    pub(super) fn update_shelf(&mut self, session: &mut Session) {
        let state = &mut session.vision;
        if let Some((spec, answer)) = self.studio.reading.take() {
            match answer.try_recv() {
                // Meanwhile another one was asked for.
                _ if state.shelf_spec != spec => {}
                Ok(Ok(shelf)) => state.shelf = Loadable::ready(shelf),
                Ok(Err(notice)) => state.shelf = Loadable::Failed(notice),
                Err(error) if error.is_empty() => self.studio.reading = Some((spec, answer)),
                Err(_) => state.shelf = Loadable::Failed(Notice::failure("The pictures could not be listed.")),
            }
        }
        let needed = session.document.model().is_some_and(|model| model.vision.is_some());
        if !needed || !matches!(state.shelf, Loadable::Empty) {
            return;
        }
        state.shelf.begin();
        let (sender, answer) = bounded(1);
        let (wake, spec, home) = (Arc::clone(&self.wake), state.shelf_spec.clone(), self.options.home.clone());
        let work = move || {
            // The window may be gone.
            let _ = sender.send(read_shelf(&spec, home));
            wake();
        };
        // Without a thread the answer never comes, which is noticed when the sender is gone.
        let _ = std::thread::Builder::new().name("shelf".into()).spawn(work);
        self.studio.reading = Some((state.shelf_spec.clone(), answer));
    }
}

fn read_shelf(spec: &str, home: PathBuf) -> Result<Shelf, Notice> {
    let set =
        ImageSet::open_in(&home, spec).map_err(|error| Notice::error("The pictures could not be listed.", &error))?;
    Ok(Shelf { set, home })
}
