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
}

impl Progress {
    /// Done ÷ total in 0..=1, or `None` where the total is not known.
    pub fn fraction(&self) -> Option<f32> {
        (self.total > 0).then(|| (self.done as f32 / self.total as f32).min(1.0))
    }
}

#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
    stage: Mutex<String>,
    warnings: Mutex<Vec<String>>,
}

/// Progress, cancellation, warnings and the seed of one piece of work. Clones share their state: the worker holds
/// one, the watcher another.
#[derive(Debug, Clone, Default)]
pub struct RunContext {
    shared: Arc<Shared>,
    seed: u64,
}

impl RunContext {
    /// A fresh context.
    pub fn new(seed: u64) -> RunContext {
        RunContext { shared: Arc::default(), seed }
    }

    /// The seed of every random choice of this work.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Begins a stage of `total` units of work (0: not known).
    pub fn stage(&self, name: &str, total: u64) {
        *self.shared.stage.lock().unwrap_or_else(PoisonError::into_inner) = name.to_owned();
        self.shared.done.store(0, Ordering::Relaxed);
        self.shared.total.store(total, Ordering::Relaxed);
    }

    /// Notes that `n` more units of work are done.
    pub fn advance(&self, n: u64) {
        self.shared.done.fetch_add(n, Ordering::Relaxed);
    }

    /// How far the work has come.
    pub fn progress(&self) -> Progress {
        Progress {
            stage: self.shared.stage.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            done: self.shared.done.load(Ordering::Relaxed),
            total: self.shared.total.load(Ordering::Relaxed),
        }
    }

    /// Asks the work to stop at its next check.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }

    /// To be called once per batch of work.
    ///
    /// # Errors
    /// [`Cancelled`] once somebody has asked the work to stop.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.shared.cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
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
