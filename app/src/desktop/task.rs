//! Work of a panel that may take longer than a frame, on a thread of its own: sorting, drawing points, writing text.

use std::sync::mpsc::{Receiver, TryRecvError, channel};

use egui::Context;

/// Work under way, if any.
pub struct Task<T> {
    coming: Option<Receiver<T>>,
}

impl<T> Default for Task<T> {
    fn default() -> Task<T> {
        Task { coming: None }
    }
}

impl<T: Send + 'static> Task<T> {
    /// Whether work is under way.
    pub fn is_running(&self) -> bool {
        self.coming.is_some()
    }

    /// Begins work; an answer still to come from earlier work is dropped.
    pub fn start(&mut self, ctx: &Context, name: &str, work: impl FnOnce() -> T + Send + 'static) {
        let (sender, receiver) = channel();
        let repaint = ctx.clone();
        let run = move || {
            // Nobody may be waiting any more.
            if sender.send(work()).is_ok() {
                repaint.request_repaint();
            }
        };
        // Without a thread there is no answer; the panel asks again in the next frame.
        self.coming = std::thread::Builder::new().name(name.to_owned()).spawn(run).ok().map(|_| receiver);
    }

    /// The answer, once.
    pub fn poll(&mut self) -> Option<T> {
        match self.coming.as_ref()?.try_recv() {
            Ok(answer) => {
                self.coming = None;
                Some(answer)
            }
            Err(TryRecvError::Disconnected) => {
                self.coming = None;
                None
            }
            Err(TryRecvError::Empty) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_once_and_the_latest_counts() {
        let ctx = Context::default();
        let mut task = Task::default();
        let (go, wait) = channel::<()>();
        task.start(&ctx, "first", move || {
            let _ = wait.recv();
            1
        });
        task.start(&ctx, "second", || 2);
        let answer = loop {
            if let Some(answer) = task.poll() {
                break answer;
            }
            std::thread::yield_now();
        };
        drop(go);
        assert_eq!((answer, task.poll(), task.is_running()), (2, None, false));
        task.start(&ctx, "panics", || panic!("on purpose"));
        while task.is_running() {
            assert_eq!(task.poll(), None);
        }
    }
}
