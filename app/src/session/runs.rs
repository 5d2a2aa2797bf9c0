//! Training runs of dictionaries that are being looked at, finished or not.

use std::path::{Path, PathBuf};
use std::time::Instant;

use golgi_sae::SaeError;
use golgi_sae::train::{HISTORY, Record, RunFile};

use super::loadable::Loadable;

/// The longest history that is read, in bytes.
const MAX_HISTORY: u64 = 256 << 20;

/// A dictionary of a run: what is known of its training so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// Its name.
    pub name: String,
    /// How many steps it is to take.
    pub steps: u64,
    /// How many latents it has.
    pub latents: u32,
    /// Its architecture.
    pub architecture: &'static str,
    /// What was recorded.
    pub history: Vec<Record>,
}

impl Course {
    /// Steps done, as far as recorded.
    pub fn done(&self) -> u64 {
        self.history.last().map_or(0, |record| record.report.step)
    }
}

/// A run as it lies on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What is trained on what.
    pub file: RunFile,
    /// Its dictionaries.
    pub courses: Vec<Course>,
}

impl Run {
    /// Reads a run. A line that is being written is left out.
    ///
    /// # Errors
    /// If there is no run, or it is unusable.
    pub fn read(folder: &Path) -> Result<Run, SaeError> {
        let file = RunFile::read(folder)?;
        let courses = file.jobs.iter().enumerate().map(|(index, job)| {
            let path = file.folder(folder, index).join(HISTORY);
            let small = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= MAX_HISTORY);
            let text = if small { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
            Course {
                name: job.name.clone(),
                steps: job.settings.steps,
                latents: job.settings.latents,
                architecture: job.settings.architecture.name(),
                history: text.lines().map_while(|line| serde_json::from_str(line).ok()).collect(),
            }
        });
        let courses = courses.collect();
        Ok(Run { file, courses })
    }

    /// Whether every dictionary has taken all its steps.
    pub fn is_done(&self) -> bool {
        self.courses.iter().all(|course| course.done() >= course.steps)
    }

    /// Steps recorded, of all dictionaries together.
    pub fn done(&self) -> u64 {
        self.courses.iter().map(Course::done).sum()
    }
}

/// A run that is followed.
#[derive(Debug)]
pub struct Followed {
    /// Its folder.
    pub folder: PathBuf,
    /// What was read of it last.
    pub run: Loadable<Run>,
    /// When it was first seen to grow, and its steps then: for the speed.
    pub since: Option<(Instant, u64)>,
    /// When it last grew, and to how many steps.
    pub last: Option<(Instant, u64)>,
}

impl Followed {
    /// Steps per second while it was looked at, all dictionaries together; `None` until it has grown.
    pub fn speed(&self) -> Option<f64> {
        let ((start, before), (end, now)) = (self.since?, self.last?);
        let seconds = end.duration_since(start).as_secs_f64();
        (now > before && seconds > 0.0).then(|| (now - before) as f64 / seconds)
    }

    /// How long it will still take, in seconds.
    pub fn seconds_left(&self) -> Option<f64> {
        let run = self.run.shown()?;
        let left: u64 = run.courses.iter().map(|course| course.steps.saturating_sub(course.done())).sum();
        Some(left as f64 / self.speed()?)
    }

    /// Takes in what was read.
    pub fn take(&mut self, run: Run, at: Instant) {
        let done = run.done();
        match self.last {
            None => (self.since, self.last) = (Some((at, done)), Some((at, done))),
            Some((_, before)) if before != done => self.last = Some((at, done)),
            Some(_) => {}
        }
        self.run = Loadable::ready(run);
    }
}

/// The runs that are followed.
#[derive(Debug, Default)]
pub struct Runs {
    list: Vec<Followed>,
}

impl Runs {
    /// All of them, in the order in which they were opened.
    pub fn list(&self) -> &[Followed] {
        &self.list
    }

    /// The run in a folder.
    pub fn get_mut(&mut self, folder: &Path) -> Option<&mut Followed> {
        self.list.iter_mut().find(|followed| followed.folder == folder)
    }

    /// Begins to follow a run.
    pub fn open(&mut self, folder: PathBuf) {
        if self.get_mut(&folder).is_none() {
            let mut run = Loadable::Empty;
            run.begin();
            self.list.push(Followed { folder, run, since: None, last: None });
        }
    }

    /// Stops following it.
    pub fn close(&mut self, folder: &Path) {
        self.list.retain(|followed| followed.folder != folder);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn speed_is_what_was_seen_to_grow() {
        let run = |done: u64| {
            let text = r#"{"schema":"golgi.sae.run/1","jobs":[],"options":{"log_every":1,"records_per_checkpoint":1},"model":"m",
                "model_digest":"","corpus":"c","store_digest":"","rows":1}"#;
            let record = format!(
                r#"{{"step":{done},"loss":{{"total":1,"reconstruction":1,"sparsity":0,"auxiliary":0}},"l0":1,"explained":0,"dead":0,
                "rate":1,"gradient":1,"density":[]}}"#
            );
            let history = vec![serde_json::from_str(&record).unwrap()];
            let course = Course { name: "a".into(), steps: 100, latents: 4, architecture: "top_k", history };
            Run { file: serde_json::from_str(text).unwrap(), courses: vec![course] }
        };
        let mut runs = Runs::default();
        runs.open("x".into());
        runs.open("x".into());
        assert_eq!(runs.list().len(), 1);
        let followed = runs.get_mut(Path::new("x")).unwrap();
        let start = Instant::now();
        followed.take(run(20), start);
        assert_eq!((followed.speed(), followed.seconds_left()), (None, None));
        followed.take(run(40), start + Duration::from_secs(10));
        assert_eq!((followed.speed(), followed.seconds_left()), (Some(2.0), Some(30.0)));
        runs.close(Path::new("x"));
        assert!(runs.list().is_empty());
    }

    #[test]
    fn a_folder_without_a_run_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Run::read(folder.path()).unwrap_err().to_string().contains("run.json"));
        std::fs::write(folder.path().join("run.json"), "{\"schema\": 3}").unwrap();
        assert!(Run::read(folder.path()).is_err());
    }
}
