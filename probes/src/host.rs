//! The model host: the one thread that owns a model.
//!
//! Tensors may move between threads but not be shared, so the model lives on a thread of its own. Work arrives as closures
//! through a bounded queue; plain data comes back. Nobody who asks ever waits.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use golgi_data::context::RunContext;

use crate::open::OpenModel;

/// How many pieces of work may wait.
const QUEUE: usize = 64;

/// What the host's thread owns: a model, once one is open, and whatever else work wants to keep beside it.
#[derive(Default)]
pub struct Hosted {
    /// The open model.
    pub model: Option<OpenModel>,
    /// Stored traces, by name, for patching.
    pub traces: crate::intervention::Traces,
    /// Whatever else: captured runs, caches. Dropped with the thread, never sent anywhere.
    pub slots: Slots,
}

/// Values kept from one piece of work to the next, one of each type.
///
/// ```
/// let mut slots = golgi_probes::host::Slots::default();
/// slots.of::<Vec<u8>>().push(7);
/// assert_eq!(slots.of::<Vec<u8>>(), &[7]);
/// ```
#[derive(Default)]
pub struct Slots(HashMap<TypeId, Box<dyn Any>>);

impl Slots {
    /// The value of this type; the default at first.
    pub fn of<T: Default + 'static>(&mut self) -> &mut T {
        let value = self.0.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(T::default()));
        value.downcast_mut().expect("a slot is stored under its own type")
    }

    /// Forgets every value.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

type Work = Box<dyn FnOnce(&mut Hosted) + Send>;

/// Why work was not accepted or brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Too much work is waiting.
    #[error("the model is busy and {QUEUE} requests are waiting; try again in a moment")]
    Busy,
    /// The thread has ended.
    #[error("the model's thread has ended; open the model again")]
    Gone,
    /// The work panicked.
    #[error("an internal error: {0}; please report it")]
    Panicked(String),
}

/// The answer to a piece of work, now or later.
#[derive(Debug)]
pub struct Ticket<T> {
    receiver: Receiver<Result<T, HostError>>,
    ctx: RunContext,
}

impl<T> Ticket<T> {
    /// The answer if it is there; never waits.
    pub fn poll(&self) -> Option<Result<T, HostError>> {
        match self.receiver.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(HostError::Gone)),
        }
    }

    /// Waits for the answer. For command lines and tests, never for a window.
    ///
    /// # Errors
    /// If the work panicked or the host has ended.
    pub fn wait(self) -> Result<T, HostError> {
        self.receiver.recv().unwrap_or(Err(HostError::Gone))
    }

    /// Progress, warnings and cancellation of the work.
    pub fn context(&self) -> &RunContext {
        &self.ctx
    }
}

/// The thread that owns a model.
#[derive(Debug)]
pub struct ModelHost {
    sender: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl ModelHost {
    /// Starts the thread, without a model. `wake` is called after every piece of work (to request a repaint, say).
    pub fn start(wake: Arc<dyn Fn() + Send + Sync>) -> ModelHost {
        let (sender, receiver) = bounded::<Work>(QUEUE);
        let work_on = move || {
            let mut hosted = Hosted::default();
            for work in receiver {
                work(&mut hosted);
                wake();
            }
        };
        let thread = std::thread::Builder::new().name("model host".into()).spawn(work_on).ok();
        ModelHost { sender: thread.is_some().then_some(sender), thread }
    }

    /// Hands work to the thread and returns at once. A panic inside the work becomes [`HostError::Panicked`]; the thread
    /// lives on.
    ///
    /// # Errors
    /// [`HostError::Busy`] if the queue is full, [`HostError::Gone`] if the thread has ended.
    pub fn submit<T: Send + 'static>(
        &self,
        ctx: RunContext,
        work: impl FnOnce(&mut Hosted, &RunContext) -> T + Send + 'static,
    ) -> Result<Ticket<T>, HostError> {
        let (answer, receiver) = bounded(1);
        let inner = ctx.clone();
        let boxed: Work = Box::new(move |hosted| {
            let result = catch_unwind(AssertUnwindSafe(|| work(hosted, &inner)));
            // Nobody may be waiting any more; that is no error.
            let _ = answer.send(result.map_err(|panic| HostError::Panicked(panic_text(&*panic))));
        });
        let sender = self.sender.as_ref().ok_or(HostError::Gone)?;
        match sender.try_send(boxed) {
            Ok(()) => Ok(Ticket { receiver, ctx }),
            Err(TrySendError::Full(_)) => Err(HostError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(HostError::Gone),
        }
    }
}

impl Drop for ModelHost {
    fn drop(&mut self) {
        // Closing the queue ends the thread behind the work under way.
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown cause".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_in_order_and_a_panic_is_survived() {
        let host = ModelHost::start(Arc::new(|| {}));
        let bad = host.submit(RunContext::new(0), |_, _| -> u8 { panic!("on purpose") }).unwrap();
        assert_eq!(bad.wait(), Err(HostError::Panicked("on purpose".into())));
        let good = host.submit(RunContext::new(3), |hosted, ctx| (hosted.model.is_none(), ctx.seed())).unwrap();
        assert_eq!(good.wait(), Ok((true, 3)));
    }

    #[test]
    fn slots_keep_one_value_of_each_type_between_pieces_of_work() {
        #[derive(Default)]
        struct Runs(Vec<u8>);
        let host = ModelHost::start(Arc::new(|| {}));
        host.submit(RunContext::new(0), |hosted, _| hosted.slots.of::<Runs>().0.push(1)).unwrap().wait().unwrap();
        let kept = host.submit(RunContext::new(0), |hosted, _| {
            *hosted.slots.of::<u32>() = 5;
            let kept = hosted.slots.of::<Runs>().0.len();
            hosted.slots.clear();
            (kept, *hosted.slots.of::<u32>())
        });
        assert_eq!(kept.unwrap().wait(), Ok((1, 0)));
    }

    #[test]
    fn a_full_queue_refuses_instead_of_waiting() {
        let host = ModelHost::start(Arc::new(|| {}));
        let (open, gate) = bounded::<()>(0);
        let first = host.submit(RunContext::new(0), move |_, _| gate.recv().is_ok()).unwrap();
        let mut refused = false;
        let mut waiting = Vec::new();
        for _ in 0..=QUEUE + 1 {
            match host.submit(RunContext::new(0), |_, _| ()) {
                Ok(ticket) => waiting.push(ticket),
                Err(error) => refused = error == HostError::Busy,
            }
        }
        assert!(refused);
        open.send(()).unwrap();
        assert_eq!(first.wait(), Ok(true));
    }
}
