//! Following training runs: their files are read again while they grow.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::Backend;
use crate::session::Session;
use crate::session::loadable::Loadable;
use crate::session::notice::Notice;
use crate::session::runs::{Followed, Run};

/// The pause before a run that is not finished is read again.
const EVERY: Duration = Duration::from_secs(2);

type Answer = (PathBuf, Result<Run, Notice>);

/// What reads runs.
pub(super) struct Follower {
    sender: Sender<Answer>,
    answers: Receiver<Answer>,
    /// Runs that are being read, or will be in a moment.
    reading: Vec<PathBuf>,
}

impl Default for Follower {
    fn default() -> Follower {
        let (sender, answers) = unbounded();
        Follower { sender, answers, reading: Vec::new() }
    }
}

impl Follower {
    /// Reads a run on a thread of its own, after `pause`.
    fn read(&mut self, folder: PathBuf, pause: Duration, wake: Arc<dyn Fn() + Send + Sync>) {
        self.reading.push(folder.clone());
        let sender = self.sender.clone();
        let work = move || {
            std::thread::sleep(pause);
            let read = Run::read(&folder).map_err(|error| Notice::error("The run could not be read.", &error));
            // The window may be gone.
            let _ = sender.send((folder, read));
            wake();
        };
        // Without a thread nothing arrives, and the panel goes on saying that it reads.
        let _ = std::thread::Builder::new().name("runs".into()).spawn(work);
    }
}

impl Backend {
    pub(super) fn update_runs(&mut self, session: &mut Session) {
        let follower = &mut self.follower;
        for (folder, read) in follower.answers.try_iter() {
            follower.reading.retain(|other| *other != folder);
            let Some(followed) = session.runs.get_mut(&folder) else { continue };
            match read {
                Ok(run) => followed.take(run, Instant::now()),
                // A file that is being replaced: what was read before stays.
                Err(_) if followed.run.get().is_some() => {}
                Err(notice) => followed.run = Loadable::Failed(notice),
            }
        }
        let idle = session.runs.list().iter().filter(|followed| !follower.reading.contains(&followed.folder));
        let pause = |followed: &Followed| match &followed.run {
            Loadable::Ready(run) => (!run.is_done()).then_some(EVERY),
            Loadable::Loading { .. } | Loadable::Empty => Some(Duration::ZERO),
            Loadable::Failed(_) => None,
        };
        let due: Vec<(PathBuf, Duration)> =
            idle.filter_map(|followed| Some((followed.folder.clone(), pause(followed)?))).collect();
        for (folder, pause) in due {
            follower.read(folder, pause, Arc::clone(&self.wake));
        }
    }
}
