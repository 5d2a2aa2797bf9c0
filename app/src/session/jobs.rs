//! Jobs: what runs in the background, with progress, an estimate of the time left, cancel and retry.

use std::time::{Duration, Instant};

use golgi_data::context::{Progress, RunContext};

use super::command::Command;
use super::notice::Notice;

/// How many finished jobs stay in the list.
const KEPT: usize = 30;

/// A job's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// What became of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobState {
    /// Waiting or running.
    Running,
    /// Finished.
    Done,
    /// Stopped because somebody asked for it.
    Cancelled,
    /// Failed.
    Failed(Notice),
}

/// A piece of work in the background.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does.
    pub title: String,
    /// What became of it.
    pub state: JobState,
    /// How far it has come.
    pub progress: Progress,
    /// When it was asked for.
    pub started: Instant,
    /// How long it took, once it has ended.
    pub took: Option<Duration>,
    /// What starts it again.
    pub retry: Option<Command>,
    /// Whether stopping it loses nothing: it goes on from there.
    pub can_pause: bool,
    ctx: RunContext,
}

impl Job {
    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        self.state == JobState::Running
    }

    /// How long it has been running, or took.
    pub fn elapsed(&self) -> Duration {
        self.took.unwrap_or_else(|| self.started.elapsed())
    }

    /// The time left, if the rate so far goes on; `None` while too little is known.
    pub fn time_left(&self) -> Option<Duration> {
        self.progress.time_left().filter(|_| self.is_running())
    }
}

/// The list of jobs, the newest last.
#[derive(Debug, Clone, Default)]
pub struct Jobs {
    list: Vec<Job>,
    next: u64,
}

impl Jobs {
    /// Every job, the newest last.
    pub fn list(&self) -> &[Job] {
        &self.list
    }

    /// Those under way.
    pub fn running(&self) -> impl Iterator<Item = &Job> {
        self.list.iter().filter(|job| job.is_running())
    }

    /// A job.
    pub fn get(&self, id: JobId) -> Option<&Job> {
        self.list.iter().find(|job| job.id == id)
    }

    /// Adds a job under way. Older ones with the same title that have ended are forgotten.
    pub fn begin(&mut self, title: impl Into<String>, ctx: RunContext, retry: Option<Command>) -> JobId {
        let title = title.into();
        self.list.retain(|job| job.is_running() || job.title != title);
        let ended = self.list.iter().filter(|job| !job.is_running()).count();
        if ended > KEPT
            && let Some(oldest) = self.list.iter().position(|job| !job.is_running())
        {
            self.list.remove(oldest);
        }
        self.next += 1;
        let id = JobId(self.next);
        let (state, progress, started) = (JobState::Running, Progress::default(), Instant::now());
        self.list.push(Job { id, title, state, progress, started, took: None, retry, can_pause: false, ctx });
        id
    }

    /// Notes that stopping a job loses nothing.
    pub fn can_pause(&mut self, id: JobId) {
        if let Some(job) = self.list.iter_mut().find(|job| job.id == id) {
            job.can_pause = true;
        }
    }

    /// Notes how a job ended.
    pub fn end(&mut self, id: JobId, state: JobState) {
        if let Some(job) = self.list.iter_mut().find(|job| job.id == id) {
            job.progress = job.ctx.progress();
            job.took = Some(job.started.elapsed());
            job.state = state;
        }
    }

    /// Asks a job to stop.
    pub fn cancel(&self, id: JobId) {
        if let Some(job) = self.get(id) {
            job.ctx.cancel();
        }
    }

    /// Reads how far the running ones have come.
    pub fn refresh(&mut self) {
        for job in self.list.iter_mut().filter(|job| job.is_running()) {
            job.progress = job.ctx.progress();
        }
    }

    /// Forgets those that have ended.
    pub fn clear_finished(&mut self) {
        self.list.retain(Job::is_running);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_run_end_and_are_replaced_by_their_next_run() {
        let mut jobs = Jobs::default();
        let ctx = RunContext::new(0);
        let first = jobs.begin("Logit lens", ctx.clone(), None);
        ctx.stage("layers", 4);
        ctx.advance(1);
        jobs.refresh();
        assert_eq!(jobs.running().next().unwrap().progress.fraction(), Some(0.25));
        assert_eq!(jobs.get(first).unwrap().time_left(), None, "half a second is too little to go by");
        jobs.cancel(first);
        assert!(ctx.check().is_err());
        jobs.end(first, JobState::Cancelled);
        let second = jobs.begin("Logit lens", RunContext::new(0), None);
        assert_eq!(jobs.list().len(), 1);
        jobs.end(second, JobState::Done);
        jobs.clear_finished();
        assert!(jobs.list().is_empty());
    }

    #[test]
    fn the_list_does_not_grow_without_end() {
        let mut jobs = Jobs::default();
        for n in 0..100 {
            let id = jobs.begin(format!("job {n}"), RunContext::new(0), None);
            jobs.end(id, JobState::Done);
        }
        assert!(jobs.list().len() <= KEPT + 2);
    }
}
