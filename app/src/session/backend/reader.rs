//! Two threads that read atlases, so that a long query holds no page up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, unbounded};
use golgi_data::context::RunContext;

use super::Failure;
use crate::session::command::Command;
use crate::session::jobs::{JobId, JobState, Jobs};
use crate::session::loadable::Loadable;
use crate::session::notice::Notice;

const THREADS: usize = 2;

type Work = Box<dyn FnOnce() + Send>;

/// The threads. They end when it is dropped.
pub(super) struct Reader {
    sender: Sender<Work>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Reader {
    pub fn start(wake: Arc<dyn Fn() + Send + Sync>) -> Reader {
        let (sender, receiver) = unbounded::<Work>();
        for index in 0..THREADS {
            let receiver: Receiver<Work> = receiver.clone();
            let run = move || receiver.into_iter().for_each(|work| work());
            // Without a thread the answer never comes, and the sender's end says so.
            let _ = std::thread::Builder::new().name(format!("atlas {index}")).spawn(run);
        }
        Reader { sender, wake }
    }

    fn submit<T: Send + 'static>(
        &self,
        ctx: &RunContext,
        work: impl FnOnce(&RunContext) -> Result<T, Failure> + Send + 'static,
    ) -> Receiver<Result<T, Failure>> {
        let (sender, answer) = bounded(1);
        let (wake, ctx) = (Arc::clone(&self.wake), ctx.clone());
        let guarded = move || {
            let result = match ctx.check() {
                Err(_) => Err(Failure::Cancelled),
                Ok(()) => catch_unwind(AssertUnwindSafe(|| work(&ctx))).unwrap_or_else(|_| {
                    let notice = Notice::failure("Reading the atlas ended unexpectedly.");
                    Err(Failure::Failed(
                        notice.with_next_step("Open the atlas again; if that does not help, build it anew"),
                    ))
                }),
            };
            // The window may be gone.
            let _ = sender.send(result);
            wake();
        };
        // If the threads are gone, the answer's sender is dropped with the work, which the receiver notices.
        let _ = self.sender.send(Box::new(guarded));
        answer
    }
}

struct Flight<K, T> {
    about: K,
    job: JobId,
    ctx: RunContext,
    answer: Receiver<Result<T, Failure>>,
}

/// One kind of thing that is read: what the present one is about, and the work under way.
pub(super) struct Lane<K, T> {
    have: Option<K>,
    flight: Option<Flight<K, T>>,
}

impl<K, T> Default for Lane<K, T> {
    fn default() -> Lane<K, T> {
        Lane { have: None, flight: None }
    }
}

impl<K: Clone + PartialEq + Send + 'static, T: Send + 'static> Lane<K, T> {
    /// The present one is to be read again.
    pub fn forget(&mut self) {
        self.have = None;
    }

    /// Nothing is wanted any more.
    pub fn abandon(&mut self, jobs: &mut Jobs) {
        self.have = None;
        if let Some(flight) = self.flight.take() {
            flight.ctx.cancel();
            jobs.end(flight.job, JobState::Cancelled);
        }
    }

    /// Takes in an answer, drops it if it is stale, and begins to read what is wanted and not there. Returns whether a wanted
    /// answer has come.
    pub fn turn(
        &mut self,
        result: &mut Loadable<T>,
        wanted: Option<K>,
        (title, retry): (&str, Command),
        (reader, jobs): (&Reader, &mut Jobs),
        work: impl FnOnce(K, &RunContext) -> Result<T, Failure> + Send + 'static,
    ) -> bool {
        let mut arrived = false;
        if let Some(flight) = self.flight.take() {
            let current = wanted.as_ref() == Some(&flight.about);
            match flight.answer.try_recv() {
                Err(TryRecvError::Empty) => {
                    if !current {
                        flight.ctx.cancel();
                    }
                    self.flight = Some(flight);
                }
                answer => {
                    arrived = current;
                    let answer = answer.unwrap_or_else(|_| {
                        Err(Failure::Failed(Notice::failure("The threads that read atlases have ended.")))
                    });
                    let (state, arrived) = match answer {
                        Ok(value) => (JobState::Done, Loadable::ready(value)),
                        Err(Failure::Cancelled) => {
                            let notice = Notice::info(format!("{title} was cancelled."));
                            (JobState::Cancelled, Loadable::Failed(notice.with_next_step("Retry when you want it")))
                        }
                        Err(Failure::Failed(notice)) => (JobState::Failed(notice.clone()), Loadable::Failed(notice)),
                    };
                    jobs.end(flight.job, state);
                    if current {
                        *result = arrived;
                        self.have = Some(flight.about);
                    }
                }
            }
        }
        if let Some(about) = wanted.filter(|about| self.flight.is_none() && self.have.as_ref() != Some(about)) {
            let ctx = RunContext::new(0);
            let job = jobs.begin(title, ctx.clone(), Some(retry));
            let of = about.clone();
            let answer = reader.submit(&ctx, move |ctx| work(of, ctx));
            result.begin();
            self.flight = Some(Flight { about, job, ctx, answer });
        }
        arrived
    }
}
