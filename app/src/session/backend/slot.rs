//! One result: what it is about, and the work under way for it.

use std::sync::Arc;

use golgi_data::context::RunContext;
use golgi_probes::host::{HostError, Hosted, ModelHost, Ticket};

use super::{Failure, Subject};
use crate::session::command::Command;
use crate::session::jobs::{JobId, JobState, Jobs};
use crate::session::loadable::Loadable;
use crate::session::notice::Notice;
use crate::session::results::ResultKind;

/// What computes a result, on the model's thread.
pub(super) type Compute<T> = fn(&mut Hosted, &Subject, Option<u64>, &RunContext) -> Result<T, Failure>;

/// What a slot needs of its surroundings in one round.
pub(super) struct Round<'a> {
    pub host: &'a ModelHost,
    pub jobs: &'a mut Jobs,
    pub budget: Option<u64>,
}

struct Flight<T> {
    subject: Subject,
    job: JobId,
    ticket: Ticket<Result<T, Failure>>,
}

/// The state of one kind of result.
pub(super) struct Slot<T> {
    /// What the present result, or the present failure, is about.
    have: Option<Subject>,
    flight: Option<Flight<T>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot { have: None, flight: None }
    }
}

impl<T: Send + 'static> Slot<T> {
    /// The present result is to be computed again.
    pub fn forget(&mut self) {
        self.have = None;
    }

    /// Asks the work under way to stop.
    pub fn cancel(&self) {
        if let Some(flight) = &self.flight {
            flight.ticket.context().cancel();
        }
    }

    /// Nothing is wanted any more, and nothing is there.
    pub fn abandon(&mut self, jobs: &mut Jobs) {
        self.have = None;
        if let Some(flight) = self.flight.take() {
            flight.ticket.context().cancel();
            jobs.end(flight.job, JobState::Cancelled);
        }
    }

    /// Takes in an answer, drops it if it is stale, and submits work if `wanted` is not what is there.
    pub fn turn(
        &mut self,
        result: &mut Loadable<T>,
        wanted: Option<Subject>,
        kind: ResultKind,
        round: &mut Round<'_>,
        compute: Compute<T>,
    ) {
        if let Some(flight) = self.flight.take() {
            self.flight = self.land(flight, result, wanted.as_ref(), round.jobs);
        }
        let Some(subject) = wanted.filter(|subject| self.flight.is_none() && self.have.as_ref() != Some(subject))
        else {
            return;
        };
        let ctx = RunContext::new(0);
        let (about, budget) = (subject.clone(), round.budget);
        let work = move |hosted: &mut Hosted, ctx: &RunContext| {
            ctx.check().map_err(|_| Failure::Cancelled)?;
            compute(hosted, &about, budget, ctx)
        };
        match round.host.submit(ctx.clone(), work) {
            Ok(ticket) => {
                let job = round.jobs.begin(kind.title(), ctx, Some(Command::Retry(kind)));
                result.begin();
                self.flight = Some(Flight { subject, job, ticket });
            }
            // The queue empties by itself; the next round tries again.
            Err(HostError::Busy) => {}
            Err(error) => {
                *result = Loadable::Failed(Notice::error(&doing(kind), &error));
                self.have = Some(subject);
            }
        }
    }

    /// What becomes of work under way: it stays so (returned), or it has ended.
    fn land(
        &mut self,
        flight: Flight<T>,
        result: &mut Loadable<T>,
        wanted: Option<&Subject>,
        jobs: &mut Jobs,
    ) -> Option<Flight<T>> {
        let current = wanted == Some(&flight.subject);
        let Some(answer) = flight.ticket.poll() else {
            if !current {
                flight.ticket.context().cancel();
            }
            if let Loadable::Loading { progress, .. } = result {
                *progress = flight.ticket.context().progress();
            }
            return Some(flight);
        };
        let (state, arrived) = match answer {
            Ok(Ok(value)) => (JobState::Done, Loadable::Ready(Arc::new(value))),
            Ok(Err(Failure::Cancelled)) => {
                let notice = Notice::info(format!("{} was cancelled.", flight_title(jobs, flight.job)));
                (JobState::Cancelled, Loadable::Failed(notice.with_next_step("Retry when you want it")))
            }
            Ok(Err(Failure::Failed(notice))) => (JobState::Failed(notice.clone()), Loadable::Failed(notice)),
            Err(error) => {
                let notice = Notice::error("The work did not end well.", &error);
                (JobState::Failed(notice.clone()), Loadable::Failed(notice))
            }
        };
        jobs.end(flight.job, state);
        if current {
            *result = arrived;
            self.have = Some(flight.subject);
        }
        None
    }
}

fn flight_title(jobs: &Jobs, job: JobId) -> String {
    jobs.get(job).map_or_else(String::new, |job| job.title.clone())
}

fn doing(kind: ResultKind) -> String {
    format!("{} could not be computed.", kind.title())
}
