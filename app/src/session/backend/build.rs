//! Building an atlas on a thread of its own, with a model of its own, so that the open one stays usable meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use golgi_analysis::atlas::{self, BuildEstimate, BuildOptions};
use golgi_data::atlas::provisional_folder;
use golgi_data::context::RunContext;
use golgi_data::corpus::{Corpus, CorpusOptions, PackedCorpus};
use golgi_probes::{OpenModel, open};

use super::{Backend, BackendOptions, Failure};
use crate::session::Session;
use crate::session::build::{Build, BuildPhase, BuildRequest};
use crate::session::command::Command;
use crate::session::jobs::{JobId, JobState};
use crate::session::notice::Notice;

/// How often it is looked whether the build has written something.
const LOOK_EVERY: Duration = Duration::from_secs(2);

enum Outcome {
    Estimate(BuildEstimate),
    Built,
}

/// A build, or its estimate, under way.
pub(super) struct Building {
    job: JobId,
    ctx: RunContext,
    answer: Receiver<Result<Outcome, Failure>>,
    /// When the manifest was last written, as last seen.
    written: Option<SystemTime>,
    looked: Instant,
}

/// The model and the corpus of a request.
fn prepare(
    request: &BuildRequest,
    options: &BackendOptions,
    ctx: &RunContext,
) -> Result<(OpenModel, PackedCorpus), Failure> {
    let doing = "The build could not begin.";
    let corpus = Corpus::open_in(&options.home, &request.corpus, &CorpusOptions::default())
        .map_err(|error| Failure::of(doing, &error, ctx))?;
    let model =
        open(&request.model, &options.resolver, &options.open, ctx).map_err(|error| Failure::of(doing, &error, ctx))?;
    ctx.check().map_err(|_| Failure::Cancelled)?;
    let tokenizer = model.tokenizer().map_err(|error| Failure::of(doing, &error, ctx))?;
    ctx.stage("tokenising the corpus", 0);
    let packed = PackedCorpus::open_or_build_in(&options.home, &corpus, tokenizer, ctx)
        .map_err(|error| Failure::of(doing, &error, ctx))?;
    Ok((model, packed))
}

fn work(
    request: &BuildRequest,
    options: &BackendOptions,
    estimate: bool,
    ctx: &RunContext,
) -> Result<Outcome, Failure> {
    let (model, corpus) = prepare(request, options, ctx)?;
    let usual = BuildOptions::default();
    // Short-sighted models get shorter contexts.
    let context_len = usual.context_len.min(model.model.dims.n_ctx);
    let how = BuildOptions { tokens: request.tokens, context_len, ..usual };
    if estimate {
        let estimate = atlas::estimate(&model, &corpus, &how, ctx);
        return estimate.map(Outcome::Estimate).map_err(|error| Failure::of("There is no estimate.", &error, ctx));
    }
    let built = atlas::build(&model, &corpus, &how, &request.folder, ctx);
    built.map(|_| Outcome::Built).map_err(|error| Failure::of("The atlas could not be built.", &error, ctx))
}

impl Backend {
    /// Begins a build or goes on with one; with `estimate`, finds out what it will take.
    pub(super) fn build(&mut self, session: &mut Session, request: BuildRequest, estimate: bool) {
        if self.building.is_some() {
            session.notify(Notice::info("An atlas is being built already.").with_next_step("Pause or cancel it first"));
            return;
        }
        let (ctx, options, wake) = (RunContext::new(0), self.options.clone(), Arc::clone(&self.wake));
        let (sender, answer) = bounded(1);
        let (inner, of) = (ctx.clone(), request.clone());
        let run = move || {
            // The window may be gone.
            let _ = sender.send(work(&of, &options, estimate, &inner));
            wake();
        };
        if let Err(error) = std::thread::Builder::new().name("build atlas".into()).spawn(run) {
            session.notify(Notice::error("The build could not be started.", &error));
            return;
        }
        let (title, phase) = if estimate {
            ("Estimate an atlas", BuildPhase::Estimating)
        } else {
            ("Build an atlas", BuildPhase::Running)
        };
        let retry =
            if estimate { Command::EstimateAtlas(request.clone()) } else { Command::BuildAtlas(request.clone()) };
        let job = session.jobs.begin(title, ctx.clone(), Some(retry));
        if !estimate {
            session.jobs.can_pause(job);
        }
        let known = session.build.take().filter(|build| build.request == request).and_then(|build| build.estimate);
        let written = written(&request.folder);
        session.build = Some(Build { request, phase, estimate: known, job: Some(job) });
        self.building = Some(Building { job, ctx, answer, written, looked: Instant::now() });
    }

    /// Stops the build; it can go on later.
    pub(super) fn pause_build(&mut self) {
        if let Some(building) = &self.building {
            building.ctx.cancel();
        }
    }

    pub(super) fn update_building(&mut self, session: &mut Session) {
        let Some(mut building) = self.building.take() else { return };
        let answer = match building.answer.try_recv() {
            Err(TryRecvError::Empty) => {
                self.look(session, &mut building);
                self.building = Some(building);
                return;
            }
            Ok(answer) => answer,
            Err(TryRecvError::Disconnected) => {
                let notice = Notice::failure("The build ended unexpectedly.");
                Err(Failure::Failed(notice.with_next_step("Begin it again: it goes on from what was saved")))
            }
        };
        for warning in building.ctx.warnings() {
            session.notify(Notice::warning(warning));
        }
        let state = match &answer {
            Ok(_) => JobState::Done,
            Err(Failure::Cancelled) => JobState::Cancelled,
            Err(Failure::Failed(notice)) => JobState::Failed(notice.clone()),
        };
        session.jobs.end(building.job, state);
        // Whoever cancelled the build wants to hear no more of it.
        let Some(mut build) = session.build.take() else { return };
        build.phase = match answer {
            Ok(Outcome::Estimate(estimate)) => {
                build.estimate = Some(estimate);
                BuildPhase::Estimated
            }
            Ok(Outcome::Built) => {
                let folder = build.request.folder;
                session.notify(Notice::info(format!("The atlas in {} is complete.", folder.display())));
                show(session, folder);
                return;
            }
            // An estimate that was called off leaves nothing behind; a build can go on.
            Err(Failure::Cancelled) if build.phase == BuildPhase::Estimating => return,
            Err(Failure::Cancelled) => BuildPhase::Paused,
            Err(Failure::Failed(notice)) => {
                session.notify(notice.clone());
                BuildPhase::Failed(notice)
            }
        };
        session.build = Some(build);
    }

    /// Shows what the build has written since it was last looked.
    fn look(&mut self, session: &mut Session, building: &mut Building) {
        if building.looked.elapsed() < LOOK_EVERY {
            return;
        }
        building.looked = Instant::now();
        let Some(folder) = session.build.as_ref().map(|build| build.request.folder.clone()) else { return };
        let now = written(&folder);
        if now.is_some() && now != building.written {
            building.written = now;
            show(session, folder);
        }
    }
}

/// When the manifest in a folder, or that of what is known so far, was written.
fn written(folder: &std::path::Path) -> Option<SystemTime> {
    let modified = |folder: &std::path::Path| std::fs::metadata(folder.join("atlas.json")).ok()?.modified().ok();
    modified(folder).or_else(|| modified(&provisional_folder(folder)))
}

/// Opens the atlas, or reads it again where it is open; another one that is open stays.
fn show(session: &mut Session, folder: PathBuf) {
    match &session.atlas.folder {
        Some(open) if *open == folder => session.commands().send(Command::ReloadAtlas),
        Some(_) => {}
        None => session.commands().send(Command::OpenAtlas(folder)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_so_far_is_noticed_and_then_what_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(written(folder.path()), None);
        let write = |folder: &std::path::Path, seconds| {
            std::fs::create_dir_all(folder).unwrap();
            let file = std::fs::File::create(folder.join("atlas.json")).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
            Some(time)
        };
        let so_far = write(&provisional_folder(folder.path()), 1000);
        assert_eq!(written(folder.path()), so_far);
        let complete = write(folder.path(), 2000);
        assert_eq!(written(folder.path()), complete);
    }
}
