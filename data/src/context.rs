//! What a long piece of work is given: a place to report progress and warnings, a flag to stop at, and a seed.
//!
//! ```
//! use golgi_data::context::RunContext;
//!
//! let ctx = RunContext::new(0);
//! ctx.stage("reading", 10);
//! for _ in 0..10 {
//!     ctx.check()?;
//!     ctx.advance(1);
//! }
//! assert_eq!(ctx.progress().fraction(), Some(1.0));
//! # Ok::<(), golgi_data::context::Cancelled>(())
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A number of bytes for people: `98.4 MB`.
///
/// ```
/// assert_eq!(golgi_data::context::bytes_text(98_362_432), "98.4 MB");
/// assert_eq!(golgi_data::context::bytes_text(512), "512 B");
/// ```
pub fn bytes_text(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// The work was stopped because somebody asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// A snapshot of how far a piece of work has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being done now.
    pub stage: String,
    /// Units of work done in this stage.
    pub done: u64,
    /// Units of work of this stage; 0 where that is not known.
    pub total: u64,
    /// Those that were done before the stage began, by a run that was interrupted.
    pub before: u64,
    /// How long the stage has been running.
    pub elapsed: Duration,
    /// How long the stages behind it are expected to take.
    pub after: Duration,
}

/// Nothing is said of the time left before this.
const SOONEST: Duration = Duration::from_millis(500);

impl Progress {
    /// Done ÷ total in 0..=1, or `None` where the total is not known.
    pub fn fraction(&self) -> Option<f32> {
        (self.total > 0).then(|| (self.done as f32 / self.total as f32).min(1.0))
    }

    /// The time left, if this stage goes on at its rate so far and the stages behind it take what is expected of them; `None`
    /// while too little is known.
    ///
    /// ```
    /// use std::time::Duration;
    /// use golgi_data::context::Progress;
    ///
    /// let (elapsed, after) = (Duration::from_secs(10), Duration::from_secs(60));
    /// let progress = Progress { done: 30, total: 50, before: 20, elapsed, after, ..Progress::default() };
    /// assert_eq!(progress.time_left(), Some(Duration::from_secs(20 + 60)));
    /// ```
    pub fn time_left(&self) -> Option<Duration> {
        let own = self.done.saturating_sub(self.before);
        if own * 50 < self.total.saturating_sub(self.before) || own == 0 || self.elapsed < SOONEST {
            return None;
        }
        let left = self.total.saturating_sub(self.done) as f64 / own as f64;
        Some(self.elapsed.mul_f64(left) + self.after)
    }
}

/// What is fixed when a stage begins.
#[derive(Debug, Clone, Default)]
struct Stage {
    name: String,
    total: u64,
    before: u64,
    began: Option<Instant>,
    after: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    done: AtomicU64,
    /// Where the work stops by itself; 0: nowhere.
    stop_at: AtomicU64,
    stage: Mutex<Stage>,
    warnings: Mutex<Vec<String>>,
}

/// Progress, cancellation, warnings and the seed of one piece of work. Clones share their state: the worker holds
/// one, the watcher another.
#[derive(Debug, Clone, Default)]
pub struct RunContext {
    cancelled: Arc<AtomicBool>,
    shared: Arc<Shared>,
    seed: u64,
}

impl RunContext {
    /// A fresh context.
    pub fn new(seed: u64) -> RunContext {
        RunContext { seed, ..RunContext::default() }
    }

    /// One for a part of the work that is not shown: it is stopped with the whole, its progress and warnings go nowhere.
    pub fn silent(&self) -> RunContext {
        RunContext { shared: Arc::default(), ..self.clone() }
    }

    /// The same work, its random choices made with another seed.
    #[must_use]
    pub fn with_seed(&self, seed: u64) -> RunContext {
        RunContext { seed, ..self.clone() }
    }

    /// The seed of every random choice of this work.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Begins a stage of `total` units of work (0: not known).
    pub fn stage(&self, name: &str, total: u64) {
        self.stage_from(name, 0, total, Duration::ZERO);
    }

    /// Begins a stage of which `before` units of work were done by an earlier run, and behind which others follow that are
    /// expected to take `after`.
    pub fn stage_from(&self, name: &str, before: u64, total: u64, after: Duration) {
        let stage = Stage { name: name.to_owned(), total, before, began: Some(Instant::now()), after };
        *self.shared.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.shared.done.store(before, Ordering::Relaxed);
    }

    /// Notes that `n` more units of work are done.
    pub fn advance(&self, n: u64) {
        let done = self.shared.done.fetch_add(n, Ordering::Relaxed) + n;
        let stop_at = self.shared.stop_at.load(Ordering::Relaxed);
        if stop_at > 0 && done >= stop_at {
            self.cancel();
        }
    }

    /// Asks the work to stop by itself once `done` units of a stage are done (0: never), as if somebody had watched and
    /// cancelled it at that very moment.
    pub fn cancel_at(&self, done: u64) {
        self.shared.stop_at.store(done, Ordering::Relaxed);
    }

    /// How far the work has come.
    pub fn progress(&self) -> Progress {
        let Stage { name, total, before, began, after } =
            self.shared.stage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let elapsed = began.map_or(Duration::ZERO, |began| began.elapsed());
        Progress { stage: name, done: self.shared.done.load(Ordering::Relaxed), total, before, elapsed, after }
    }

    /// Asks the work to stop at its next check.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// To be called once per batch of work.
    ///
    /// # Errors
    /// [`Cancelled`] once somebody has asked the work to stop.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }

    /// Records an oddity that does not stop the work.
    pub fn warn(&self, text: impl Into<String>) {
        self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text.into());
    }

    /// The warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_work_is_stopped_with_the_whole_and_shows_nothing() {
        let ctx = RunContext::new(7);
        ctx.stage("all", 10);
        let part = ctx.silent();
        part.stage("a part", 3);
        part.advance(2);
        part.warn("odd");
        assert_eq!((ctx.progress().stage.as_str(), ctx.progress().done, part.seed()), ("all", 0, 7));
        assert!(ctx.warnings().is_empty() && part.check().is_ok());
        ctx.cancel();
        assert!(part.check().is_err());
    }

    #[test]
    fn work_stops_by_itself_where_it_was_told_to() {
        let ctx = RunContext::new(0);
        ctx.cancel_at(3);
        ctx.stage("all", 10);
        ctx.advance(2);
        assert!(ctx.check().is_ok());
        ctx.clone().advance(1);
        assert!(ctx.check().is_err());
    }

    #[test]
    fn the_time_left_is_that_of_this_run_and_of_what_follows() {
        let (elapsed, after) = (Duration::from_secs(8), Duration::from_secs(5));
        let left =
            |before, done| Progress { before, done, total: 100, elapsed, after, ..Progress::default() }.time_left();
        assert_eq!(left(0, 20), Some(Duration::from_secs(32 + 5)));
        // What an earlier run has done says nothing of the speed of this one.
        assert_eq!(left(60, 80), Some(Duration::from_secs(8 + 5)));
        assert_eq!(left(60, 60), None);
        assert_eq!(left(0, 1), None);
        let ctx = RunContext::new(0);
        ctx.stage_from("going on", 60, 100, after);
        ctx.advance(10);
        let progress = ctx.progress();
        assert_eq!((progress.before, progress.done, progress.total, progress.after), (60, 70, 100, after));
        assert_eq!(progress.time_left(), None, "too early to tell");
    }
}
