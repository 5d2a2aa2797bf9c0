//! A line of progress on standard error, only where somebody watches.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use golgi_data::context::{Progress, RunContext};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const INTERVAL: Duration = Duration::from_millis(100);

/// Shows the progress of a context until it is dropped.
#[derive(Debug, Default)]
pub struct Watcher {
    running: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Watcher {
    /// Starts to watch `ctx`, if standard error is a terminal and `wanted`.
    pub fn start(ctx: &RunContext, wanted: bool) -> Watcher {
        if !wanted || !io::stderr().is_terminal() {
            return Watcher::default();
        }
        let (stop, ctx) = (Arc::new(AtomicBool::new(false)), ctx.clone());
        let flag = Arc::clone(&stop);
        let watch = move || {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let mut shown = String::new();
            while !flag.load(Ordering::Relaxed) {
                show(&bar, &ctx.progress(), &mut shown);
                std::thread::park_timeout(INTERVAL);
            }
            bar.finish_and_clear();
        };
        // Work goes on without a bar where no thread can be had.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(watch).ok();
        Watcher { running: thread.map(|thread| (stop, thread)) }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            stop.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn show(bar: &ProgressBar, progress: &Progress, shown: &mut String) {
    if progress.stage.is_empty() {
        return;
    }
    if *shown != progress.stage {
        shown.clone_from(&progress.stage);
        if let Ok(style) = ProgressStyle::with_template(template(progress)) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_message(crate::report::token(&progress.stage));
        bar.reset_elapsed();
        bar.reset_eta();
    }
    bar.set_prefix(progress.time_left().map_or_else(String::new, |left| {
        let behind = if progress.after.is_zero() { "" } else { " in all" };
        format!("{} left{behind}", super::atlas::duration(left.as_secs_f64()))
    }));
    if progress.total > 0 {
        bar.set_length(progress.total);
        bar.set_position(progress.done.min(progress.total));
    } else {
        bar.tick();
    }
}

/// Downloads count bytes, everything else counts things.
fn template(progress: &Progress) -> &'static str {
    match (progress.total, progress.stage.starts_with("downloading")) {
        (0, _) => "{spinner} {msg} {elapsed}",
        (_, true) => "{msg} {bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {prefix}",
        (_, false) => "{msg} {bar:30} {pos}/{len} {prefix}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid() {
        for (total, stage) in [(0, "x"), (1, "downloading x"), (1, "loading")] {
            let progress = Progress { stage: stage.into(), total, ..Progress::default() };
            assert!(ProgressStyle::with_template(template(&progress)).is_ok());
        }
    }

    #[test]
    fn a_watcher_that_is_not_wanted_does_nothing() {
        assert!(Watcher::start(&RunContext::new(0), false).running.is_none());
    }
}
