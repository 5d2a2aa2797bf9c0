//! A run: several dictionaries of one source of activations (a store, or a running model), trained in one pass over its rows, with
//! history, checkpoints and resuming.
//!
//! A run's folder holds for each dictionary (in the folder itself if there is but one, else in one named after it):
//! `dictionary.json` and `weights.safetensors` (the dictionary, final when the run is), `history.jsonl` (a [`Record`] per line), and while
//! the run is not finished `checkpoint.safetensors`. `run.json` says what is trained on what. A run that is killed and resumed ends with the
//! same bytes in every file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use golgi_data::context::RunContext;
use golgi_data::dictionary::Part;
use serde::{Deserialize, Serialize};

use super::running::Running;
use super::source::Source;
use super::trainer::StepReport;
use crate::SaeError;
use crate::layout::Wiring;
use crate::settings::Settings;

/// The schema of `run.json`.
const SCHEMA: &str = "golgi.sae.run/1";
/// Name of the description in a run's folder.
pub const RUN: &str = "run.json";
/// Name of the history of a dictionary.
pub const HISTORY: &str = "history.jsonl";

/// One dictionary of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its name; of its folder, where there are several.
    pub name: String,
    /// How it is trained.
    pub settings: Settings,
    /// The sites that it reads.
    pub inputs: Vec<String>,
    /// The sites that it predicts; none: it reconstructs what it reads.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// Whether a transcoder has a dense path around its latents.
    #[serde(default)]
    pub skips: bool,
    /// A cross-layer transcoder: latents in as many groups as sites; group l reads input l and writes outputs l and later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cross_layer: bool,
}

impl Job {
    /// What the dictionary is wired to; `parts` knows the widths of sites.
    ///
    /// # Errors
    /// As `parts`.
    pub(super) fn wiring(&self, parts: impl Fn(&[String]) -> Result<Vec<Part>, SaeError>) -> Result<Wiring, SaeError> {
        let outputs = if self.outputs.is_empty() { None } else { Some(parts(&self.outputs)?) };
        Ok(Wiring { inputs: parts(&self.inputs)?, outputs, skips: self.skips, cross_layer: self.cross_layer })
    }

    /// Refuses what is not possible at any width of its sites.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), SaeError> {
        let of_any_width =
            |sites: &[String]| Ok(sites.iter().map(|site| Part { site: site.clone(), width: 1 }).collect());
        self.wiring(of_any_width)?.check(self.settings.latents)
    }
}

/// How a run goes about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOptions {
    /// Steps between two records of the history.
    pub log_every: u64,
    /// Records between two checkpoints.
    pub records_per_checkpoint: u64,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions { log_every: 10, records_per_checkpoint: 10 }
    }
}

/// Bins of [`Record::density`], from 10⁻⁶ to 1 by quarter decades, and one below for those that never fired.
pub const DENSITY_BINS: usize = 25;

/// A line of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The last step, from 1; losses, L0 and explained variance are means since the record before.
    #[serde(flatten)]
    pub report: StepReport,
    /// How many latents were active in which share of the rows since the record before: never, then log10 from −6 to 0 by
    /// quarters.
    pub density: Vec<u32>,
}

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// `golgi.sae.run/1`.
    pub schema: String,
    /// The dictionaries.
    pub jobs: Vec<Job>,
    /// How it goes about.
    pub options: RunOptions,
    /// The model, as named.
    pub model: String,
    /// Of its weights.
    pub model_digest: String,
    /// The corpus, as named.
    pub corpus: String,
    /// Of the store's manifest, or of everything that decides what a running model computes.
    pub store_digest: String,
    /// Rows of an epoch.
    pub rows: u64,
}

impl RunFile {
    /// Reads the description of a run.
    ///
    /// # Errors
    /// If there is none or it is unusable.
    pub fn read(folder: &Path) -> Result<RunFile, SaeError> {
        let path = folder.join(RUN);
        let text =
            fs::read_to_string(&path).map_err(|source| SaeError::Io { action: "read", path: path.clone(), source })?;
        let run: RunFile = serde_json::from_str(&text).map_err(|error| SaeError::Resume {
            path: folder.to_owned(),
            why: format!("`{RUN}` is unusable: {error}"),
        })?;
        Ok(run)
    }

    /// The folder of a job.
    pub fn folder(&self, folder: &Path, job: usize) -> PathBuf {
        if self.jobs.len() == 1 { folder.to_owned() } else { folder.join(&self.jobs[job].name) }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// For each dictionary its name, folder and last record.
    pub dictionaries: Vec<(String, PathBuf, Option<Record>)>,
    /// Steps that this call made, of all dictionaries together.
    pub steps: u64,
    /// Rows of an epoch.
    pub rows: u64,
    /// How long it took.
    pub seconds: f64,
    /// Whether it was stopped before its end; the dictionaries are those of that moment.
    pub stopped: bool,
}

/// Trains dictionaries of a store ([`Store`](golgi_data::store::Store)) or of a running model ([`Live`](super::Live)).
///
/// With `resume` a run that was begun in `out` goes on. A run that is cancelled keeps a checkpoint of that moment; so does one that
/// diverges, of the moment before.
///
/// # Errors
/// If settings or source are not possible, the folder holds another run, a file cannot be written, or training diverges.
pub fn run(
    source: &dyn Source,
    jobs: Vec<Job>,
    options: RunOptions,
    out: &Path,
    resume: bool,
    ctx: &RunContext,
) -> Result<RunReport, SaeError> {
    let start = Instant::now();
    let file = describe(source, jobs, options)?;
    begin(&file, out, resume)?;
    let mut running = file
        .jobs
        .iter()
        .enumerate()
        .map(|(index, job)| Running::new(source, &file, job, file.folder(out, index), resume))
        .collect::<Result<Vec<Running<'_>>, SaeError>>()?;
    let left: u64 = running.iter().filter(|job| !job.is_done()).map(Running::left).sum();
    ctx.stage("training", left);
    let (mut stopped, mut failure) = (false, None);
    // Those that are behind come first (some are after a stop), so that all see a running model's rows at the same time.
    'all: while let Some(next) = running.iter().filter(|job| !job.is_done()).map(Running::steps).min() {
        for job in running.iter_mut().filter(|job| !job.is_done() && job.steps() == next) {
            if ctx.check().is_err() {
                stopped = true;
                break 'all;
            }
            match job.step(&file.options, ctx) {
                Ok(()) => ctx.advance(1),
                Err(error) if error.is_cancelled() => {
                    stopped = true;
                    break 'all;
                }
                Err(error) => {
                    failure = Some(error);
                    break 'all;
                }
            }
        }
    }
    let steps = ctx.progress().done;
    let mut dictionaries = Vec::new();
    for job in running {
        let name = job.job.name.clone();
        let (folder, record) = job.end()?;
        dictionaries.push((name, folder, record));
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(RunReport { dictionaries, steps, rows: file.rows, seconds, stopped })
}

fn describe(source: &dyn Source, jobs: Vec<Job>, options: RunOptions) -> Result<RunFile, SaeError> {
    let wrong = |text: &str| Err(SaeError::Settings(text.to_owned()));
    if jobs.is_empty() {
        return wrong("there is nothing to train; name at least one dictionary");
    }
    if options.log_every == 0 || options.records_per_checkpoint == 0 {
        return wrong("log_every and records_per_checkpoint must be at least 1");
    }
    for (index, job) in jobs.iter().enumerate() {
        let plain = |name: char| name.is_ascii_alphanumeric() || matches!(name, '-' | '_' | '.');
        if job.name.is_empty() || job.name.starts_with('.') || !job.name.chars().all(plain) {
            return Err(SaeError::Settings(format!(
                "`{}` is no name for a dictionary; use letters, digits, `-`, `_` and `.`",
                job.name.chars().take(60).collect::<String>()
            )));
        }
        if jobs[..index].iter().any(|other| other.name == job.name) {
            return Err(SaeError::Settings(format!("two dictionaries are named `{}`; rename one", job.name)));
        }
    }
    let origin = source.origin()?;
    Ok(RunFile {
        schema: SCHEMA.to_owned(),
        jobs,
        options,
        model: origin.model,
        model_digest: origin.model_digest,
        corpus: origin.corpus,
        store_digest: origin.digest,
        rows: origin.rows,
    })
}

fn begin(file: &RunFile, out: &Path, resume: bool) -> Result<(), SaeError> {
    let exists = out.join(RUN).exists();
    if exists && !resume {
        let why = "there is a run already; resume it, or choose another folder".to_owned();
        return Err(SaeError::Resume { path: out.to_owned(), why });
    }
    if exists {
        if RunFile::read(out)? != *file {
            let why = "it was begun with other settings or other activations; use those, or another folder".to_owned();
            return Err(SaeError::Resume { path: out.to_owned(), why });
        }
        return Ok(());
    }
    fs::create_dir_all(out).map_err(|source| SaeError::Io { action: "write", path: out.to_owned(), source })?;
    let text = serde_json::to_vec_pretty(file).map_err(|error| SaeError::Settings(error.to_string()))?;
    write_whole(&out.join(RUN), &text)
}

/// Writes a file that appears under its name only when it is whole.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), SaeError> {
    let io = |source| SaeError::Io { action: "write", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}
