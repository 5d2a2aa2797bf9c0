//! A run: several dictionaries of one store, trained in one pass over its rows, with history, checkpoints and resuming.
//!
//! A run's folder holds for each dictionary (in the folder itself if there is but one, else in one named after it):
//! `dictionary.json` and `weights.safetensors` (the dictionary, final when the run is), `history.jsonl` (a [`Record`] per line), and while
//! the run is not finished `checkpoint.safetensors`. `run.json` says what is trained on what. A run that is killed and resumed ends with the
//! same bytes in every file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use golgi_data::context::RunContext;
use golgi_data::dictionary::CONFIG;
use golgi_data::store::Store;
use serde::{Deserialize, Serialize};

use super::checkpoint;
use super::source::{StoreRows, parts, usable_rows};
use super::trainer::{StepReport, Trainer};
use crate::SaeError;
use crate::settings::Settings;

/// The schema of `run.json`.
const SCHEMA: &str = "golgi.sae.run/1";
/// Name of the description in a run's folder.
pub const RUN: &str = "run.json";
/// Name of the history of a dictionary.
pub const HISTORY: &str = "history.jsonl";
const CHECKPOINT: &str = "checkpoint.safetensors";
/// The loss must be this many times the recent mean to count as a spike.
const SPIKE: f64 = 3.0;
/// The share of dead latents from which there is a warning.
const MANY_DEAD: f64 = 0.5;

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
    /// Of the store's manifest.
    pub store_digest: String,
    /// Rows of the store that are used.
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
    /// Rows of the store that are used in an epoch.
    pub rows: u64,
    /// How long it took.
    pub seconds: f64,
    /// Whether it was stopped before its end; the dictionaries are those of that moment.
    pub stopped: bool,
}

/// Trains dictionaries of a store.
///
/// With `resume` a run that was begun in `out` goes on. A run that is cancelled keeps a checkpoint of that moment.
///
/// # Errors
/// If settings or store are not possible, the folder holds another run, a file cannot be written, or training diverges.
pub fn run(
    store: &Store,
    jobs: Vec<Job>,
    options: RunOptions,
    out: &Path,
    resume: bool,
    ctx: &RunContext,
) -> Result<RunReport, SaeError> {
    let start = Instant::now();
    let file = describe(store, jobs, options)?;
    begin(&file, out, resume)?;
    let mut running = file
        .jobs
        .iter()
        .enumerate()
        .map(|(index, job)| Running::new(store, &file, job, file.folder(out, index), resume))
        .collect::<Result<Vec<Running<'_>>, SaeError>>()?;
    let left: u64 =
        running.iter().filter(|job| !job.is_done()).map(|job| job.job.settings.steps - job.trainer.steps()).sum();
    ctx.stage("training", left);
    let mut stopped = false;
    'all: while running.iter().any(|job| !job.is_done()) {
        for job in running.iter_mut().filter(|job| !job.is_done()) {
            if ctx.check().is_err() {
                stopped = true;
                break 'all;
            }
            job.step(&file.options, ctx)?;
            ctx.advance(1);
        }
    }
    let steps = ctx.progress().done;
    let mut dictionaries = Vec::new();
    for job in running {
        let name = job.job.name.clone();
        let (folder, record) = job.end()?;
        dictionaries.push((name, folder, record));
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(RunReport { dictionaries, steps, rows: file.rows, seconds, stopped })
}

fn describe(store: &Store, jobs: Vec<Job>, options: RunOptions) -> Result<RunFile, SaeError> {
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
    let manifest = store.manifest();
    let digest = serde_json::to_vec(manifest).map_err(|error| SaeError::Settings(error.to_string()))?;
    Ok(RunFile {
        schema: SCHEMA.to_owned(),
        jobs,
        options,
        model: manifest.origin.model.clone(),
        model_digest: manifest.origin.model_digest.clone(),
        corpus: manifest.origin.corpus.clone(),
        store_digest: blake3::hash(&digest).to_hex().to_string(),
        rows: usable_rows(store),
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

/// A dictionary of a run in training.
struct Running<'a> {
    job: &'a Job,
    folder: PathBuf,
    digest: String,
    rows: StoreRows<'a>,
    trainer: Trainer,
    /// Whether there was nothing left to do.
    finished: bool,
    /// Records with their lines, which are written again as they are.
    history: Vec<(Record, String)>,
    /// Since the last record: sums over its steps, and in how many rows each latent was active.
    sums: Vec<StepReport>,
    fired: Vec<u32>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl<'a> Running<'a> {
    fn new(
        store: &'a Store,
        file: &RunFile,
        job: &'a Job,
        folder: PathBuf,
        resume: bool,
    ) -> Result<Running<'a>, SaeError> {
        let rows = StoreRows::new(
            store,
            &job.inputs,
            &job.outputs,
            (job.settings.batch, job.settings.seed),
            job.settings.max_norm,
        )?;
        let inputs = parts(store, &job.inputs)?;
        let outputs = if job.outputs.is_empty() { None } else { Some(parts(store, &job.outputs)?) };
        let mut trainer = Trainer::with_skip(job.settings.clone(), inputs, outputs, job.skips)?;
        let manifest = store.manifest();
        let config = trainer.config_mut();
        config.model = Some(manifest.origin.model.clone());
        config.model_digest = Some(manifest.origin.model_digest.clone());
        config.corpus = Some(manifest.origin.corpus.clone());
        config.context = Some(manifest.contexts.len as u32);
        config.skip_first = manifest.contexts.bos.is_some();
        config.max_norm = rows.max_norm();
        config.training = serde_json::to_value(job).ok();
        fs::create_dir_all(&folder).map_err(|source| SaeError::Io { action: "write", path: folder.clone(), source })?;
        let digest = serde_json::to_vec(&(job, &file.store_digest)).map_err(|e| SaeError::Settings(e.to_string()))?;
        let digest = blake3::hash(&digest).to_hex().to_string();
        let fired = vec![0; job.settings.latents as usize];
        let (input, output, sums, history) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let finished = false;
        let mut running = Running { job, folder, digest, rows, trainer, finished, history, sums, fired, input, output };
        if resume {
            running.resume()?;
        }
        Ok(running)
    }

    fn resume(&mut self) -> Result<(), SaeError> {
        let history = self.folder.join(HISTORY);
        if let Ok(text) = fs::read_to_string(&history) {
            let records =
                text.lines().map_while(|line| Some((serde_json::from_str(line).ok()?, line.to_owned() + "\n")));
            self.history = records.collect();
        }
        let path = self.folder.join(CHECKPOINT);
        if path.exists() {
            let header = checkpoint::read(&path, &mut self.trainer, &self.digest)?;
            self.rows.go_to(header.place)?;
            self.sums = header.since.into_iter().map(StepReport::from_bits).collect();
            self.fired = header.fired;
        } else {
            let last = self.history.last().map(|(record, _)| record.report.step);
            self.finished = last == Some(self.job.settings.steps) && self.folder.join(CONFIG).exists();
            if self.finished {
                return Ok(());
            }
        }
        let done = self.trainer.steps();
        self.history.retain(|(record, _)| record.report.step <= done);
        let text: String = self.history.iter().map(|(_, line)| line.as_str()).collect();
        write_whole(&history, text.as_bytes())
    }

    fn is_done(&self) -> bool {
        self.finished || self.trainer.is_done()
    }

    fn step(&mut self, options: &RunOptions, ctx: &RunContext) -> Result<(), SaeError> {
        self.rows.next_into(&mut self.input, &mut self.output)?;
        let target = (!self.job.outputs.is_empty()).then_some(self.output.as_slice());
        let report = self.trainer.step(&self.input, target)?;
        for latent in &self.trainer.active().latents {
            self.fired[*latent as usize] += 1;
        }
        if let Some((last, _)) = self.history.last()
            && report.loss.total > SPIKE * last.report.loss.total
            && last.report.step > self.job.settings.warm_up
        {
            ctx.warn(format!(
                "{}: the loss jumped from {:.3} to {:.3} in step {}; a lower learning rate may be steadier",
                self.job.name, last.report.loss.total, report.loss.total, report.step
            ));
        }
        self.sums.push(report);
        if report.step.is_multiple_of(options.log_every) || self.trainer.is_done() {
            self.record(report)?;
            let records = report.step / options.log_every;
            if records.is_multiple_of(options.records_per_checkpoint) && !self.trainer.is_done() {
                self.save()?;
            }
        }
        if self.trainer.is_done() && report.dead > MANY_DEAD {
            let share = report.dead * 100.0;
            ctx.warn(format!("{}: {share:.0} % of the latents are dead; fewer latents may do", self.job.name));
        }
        Ok(())
    }

    fn record(&mut self, mut report: StepReport) -> Result<(), SaeError> {
        let n = self.sums.len() as f64;
        let mean = |of: fn(&StepReport) -> f64| self.sums.iter().map(of).sum::<f64>() / n;
        report.loss.total = mean(|one| one.loss.total);
        report.loss.reconstruction = mean(|one| one.loss.reconstruction);
        report.loss.sparsity = mean(|one| one.loss.sparsity);
        report.loss.auxiliary = mean(|one| one.loss.auxiliary);
        (report.l0, report.explained) = (mean(|one| one.l0), mean(|one| one.explained));
        let rows = n * self.job.settings.batch as f64;
        let mut density = vec![0u32; DENSITY_BINS + 1];
        for fired in &mut self.fired {
            let bin = match std::mem::take(fired) {
                0 => 0,
                fired => {
                    let quarters = (f64::from(fired) / rows).log10().mul_add(4.0, 24.0).floor();
                    1 + quarters.clamp(0.0, (DENSITY_BINS - 1) as f64) as usize
                }
            };
            density[bin] += 1;
        }
        self.sums.clear();
        let record = Record { report, density };
        let path = self.folder.join(HISTORY);
        let io = |source| SaeError::Io { action: "write", path: path.clone(), source };
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
        let line = serde_json::to_string(&record).map_err(|error| SaeError::Settings(error.to_string()))? + "\n";
        file.write_all(line.as_bytes()).map_err(io)?;
        self.history.push((record, line));
        Ok(())
    }

    /// A checkpoint and the dictionary of this moment.
    fn save(&self) -> Result<(), SaeError> {
        self.trainer.dictionary().write(&self.folder)?;
        let header = checkpoint::Header {
            state: self.trainer.state.clone(),
            place: self.rows.place(),
            digest: self.digest.clone(),
            since: self.sums.iter().map(|step| step.to_bits()).collect(),
            fired: self.fired.clone(),
        };
        checkpoint::write(&self.folder.join(CHECKPOINT), &self.trainer, &header)
    }

    fn end(self) -> Result<(PathBuf, Option<Record>), SaeError> {
        if self.trainer.is_done() {
            self.trainer.dictionary().write(&self.folder)?;
            let path = self.folder.join(CHECKPOINT);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(SaeError::Io { action: "remove", path, source });
                }
                _ => {}
            }
        } else if self.trainer.steps() > 0 {
            self.save()?;
        }
        Ok((self.folder, self.history.into_iter().next_back().map(|(record, _)| record)))
    }
}
