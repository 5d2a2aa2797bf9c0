//! Training toy models on threads of their own.

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use golgi_analysis::superposition::{Phase, Solved, Sweep, phase, solve, sweep};
use golgi_data::context::RunContext;

use super::{Backend, Failure};
use crate::session::Session;
use crate::session::command::Command;
use crate::session::jobs::{JobId, JobState, Jobs};
use crate::session::loadable::Loadable;
use crate::session::notice::Notice;
use crate::session::toys::ToyRequest;

/// Training under way.
struct Flight<T> {
    job: JobId,
    ctx: RunContext,
    answer: Receiver<Result<T, Failure>>,
}

/// What trains: one of a kind at a time.
#[derive(Default)]
pub(super) struct Trainer {
    solve: Option<Flight<Solved>>,
    phase: Option<Flight<Phase>>,
    sweep: Option<Flight<Sweep>>,
}

/// Begins; what was under way is stopped and its answer dropped.
fn begin<T: Send + 'static>(
    flight: &mut Option<Flight<T>>,
    result: &mut Loadable<T>,
    jobs: &mut Jobs,
    request: ToyRequest,
    wake: &Arc<dyn Fn() + Send + Sync>,
    train: impl FnOnce(&RunContext) -> golgi_analysis::Result<T> + Send + 'static,
) {
    if let Some(old) = flight.take() {
        old.ctx.cancel();
        jobs.end(old.job, JobState::Cancelled);
    }
    let (ctx, wake) = (RunContext::new(0), Arc::clone(wake));
    let (sender, answer) = bounded(1);
    let inner = ctx.clone();
    let work = move || {
        let trained = train(&inner).map_err(|error| Failure::of("The toy models were not trained.", &error, &inner));
        // The window may be gone.
        let _ = sender.send(trained);
        wake();
    };
    match std::thread::Builder::new().name("toy models".into()).spawn(work) {
        Ok(_) => {
            let job = jobs.begin(request.title(), ctx.clone(), Some(Command::TrainToys(request)));
            *flight = Some(Flight { job, ctx, answer });
        }
        Err(error) => *result = Loadable::Failed(Notice::error("The toy models were not trained.", &error)),
    }
}

/// Takes in what has arrived.
fn land<T>(flight: &mut Option<Flight<T>>, result: &mut Loadable<T>, jobs: &mut Jobs) {
    let Some(under_way) = flight.take() else { return };
    let answer = match under_way.answer.try_recv() {
        Err(TryRecvError::Empty) => {
            if let Loadable::Loading { progress, .. } = result {
                *progress = under_way.ctx.progress();
            }
            *flight = Some(under_way);
            return;
        }
        Ok(answer) => answer,
        Err(TryRecvError::Disconnected) => Err(Failure::Failed(Notice::failure("The training ended unexpectedly."))),
    };
    let (state, arrived) = match answer {
        Ok(value) => (JobState::Done, Loadable::ready(value)),
        // Back to what was there before.
        Err(Failure::Cancelled) => {
            (JobState::Cancelled, result.shown().cloned().map_or(Loadable::Empty, Loadable::Ready))
        }
        Err(Failure::Failed(notice)) => (JobState::Failed(notice.clone()), Loadable::Failed(notice)),
    };
    jobs.end(under_way.job, state);
    *result = arrived;
}

impl Backend {
    pub(super) fn train_toys(&mut self, session: &mut Session, request: ToyRequest) {
        let (trainer, toys, jobs) = (&mut self.trainer, &mut session.toys, &mut session.jobs);
        match request.clone() {
            ToyRequest::Solve(params) => {
                let train = move |ctx: &RunContext| solve(&params, ctx);
                begin(&mut trainer.solve, &mut toys.solved, jobs, request, &self.wake, train);
            }
            ToyRequest::Phase(params) => {
                let train = move |ctx: &RunContext| phase(&params, ctx);
                begin(&mut trainer.phase, &mut toys.phase, jobs, request, &self.wake, train);
            }
            ToyRequest::Sweep(params) => {
                let train = move |ctx: &RunContext| sweep(&params, ctx);
                begin(&mut trainer.sweep, &mut toys.sweep, jobs, request, &self.wake, train);
            }
        }
    }

    pub(super) fn stop_toys(&self) {
        let trainer = &self.trainer;
        let solve = trainer.solve.iter().map(|flight| &flight.ctx);
        let phase = trainer.phase.iter().map(|flight| &flight.ctx);
        let sweep = trainer.sweep.iter().map(|flight| &flight.ctx);
        solve.chain(phase).chain(sweep).for_each(RunContext::cancel);
    }

    pub(super) fn update_toys(&mut self, session: &mut Session) {
        let (trainer, toys, jobs) = (&mut self.trainer, &mut session.toys, &mut session.jobs);
        land(&mut trainer.solve, &mut toys.solved, jobs);
        land(&mut trainer.phase, &mut toys.phase, jobs);
        land(&mut trainer.sweep, &mut toys.sweep, jobs);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use golgi_analysis::superposition::{SolveParams, Training};

    use super::*;

    fn flown(params: SolveParams, stop: bool) -> (Loadable<Solved>, JobState) {
        let (mut flight, mut result, mut jobs) = (None, Loadable::Empty, Jobs::default());
        result.begin();
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(|| {});
        let train = {
            let params = params.clone();
            move |ctx: &RunContext| solve(&params, ctx)
        };
        begin(&mut flight, &mut result, &mut jobs, ToyRequest::Solve(params), &wake, train);
        if stop {
            jobs.cancel(jobs.list()[0].id);
        }
        let began = Instant::now();
        while result.is_loading() && began.elapsed() < Duration::from_secs(60) {
            land(&mut flight, &mut result, &mut jobs);
            std::thread::sleep(Duration::from_millis(5));
        }
        (result, jobs.list()[0].state.clone())
    }

    #[test]
    fn training_arrives_fails_or_is_stopped() {
        let training = Training { steps: 20, batch: 8, ..Training::default() };
        let params = SolveParams { starts: 2, training, ..SolveParams::default() };
        let (result, state) = flown(params.clone(), false);
        assert_eq!((result.get().unwrap().features.len(), state), (5, JobState::Done));
        let (result, state) = flown(SolveParams { density: 2.0, ..params.clone() }, false);
        assert!(result.failure().unwrap().causes.iter().any(|cause| cause.contains("density")), "{result:?}");
        assert!(matches!(state, JobState::Failed(_)));
        let endless = Training { steps: 1_000_000, ..params.training.clone() };
        let (result, state) = flown(SolveParams { training: endless, ..params }, true);
        assert!(matches!(result, Loadable::Empty) && state == JobState::Cancelled, "{result:?}");
    }
}
