//! Building an atlas of the open model: what was asked for, what it will take, how far it has come.

use std::path::PathBuf;

use golgi_analysis::atlas::BuildEstimate;

use super::jobs::JobId;
use super::notice::Notice;

/// What shall be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    /// What opens the model.
    pub model: String,
    /// `starter`, a file or a folder.
    pub corpus: String,
    /// How many tokens of it.
    pub tokens: u64,
    /// The folder of the atlas.
    pub folder: PathBuf,
}

/// What is being done, or was.
#[derive(Debug, Clone, PartialEq)]
pub enum BuildPhase {
    /// It is found out what the build will take.
    Estimating,
    /// That is known; nothing was begun.
    Estimated,
    /// It runs.
    Running,
    /// It was stopped and goes on from there when it is asked to.
    Paused,
    /// It failed. What was saved is kept.
    Failed(Notice),
}

/// The build.
#[derive(Debug, Clone, PartialEq)]
pub struct Build {
    /// What was asked for.
    pub request: BuildRequest,
    /// What is being done.
    pub phase: BuildPhase,
    /// What it will take, once that is known.
    pub estimate: Option<BuildEstimate>,
    /// The job of the present phase.
    pub job: Option<JobId>,
}

impl Build {
    /// Whether something is under way.
    pub fn is_busy(&self) -> bool {
        matches!(self.phase, BuildPhase::Estimating | BuildPhase::Running)
    }
}
