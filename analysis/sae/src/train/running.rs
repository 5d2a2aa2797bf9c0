//! One dictionary of a run: its rows, its history, its checkpoints.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use golgi_data::context::RunContext;
use golgi_data::dictionary::CONFIG;

use super::checkpoint;
use super::run::{DENSITY_BINS, HISTORY, Job, Record, RunFile, RunOptions, write_whole};
use super::source::{Batches, Source};
use super::trainer::{StepReport, Trainer};
use crate::SaeError;

const CHECKPOINT: &str = "checkpoint.safetensors";
/// The loss must be this many times the recent mean to count as a spike.
const SPIKE: f64 = 3.0;
/// The share of dead latents from which there is a warning.
const MANY_DEAD: f64 = 0.5;

/// A dictionary of a run in training.
pub(super) struct Running<'a> {
    pub(super) job: &'a Job,
    folder: PathBuf,
    digest: String,
    rows: Box<dyn Batches + 'a>,
    /// Where the rows of the next step begin.
    place: (u64, u64),
    trainer: Trainer,
    /// Whether there was nothing left to do.
    finished: bool,
    /// Records with their lines, which are written again as they are.
    history: Vec<(Record, String)>,
    /// Since the last record: sums over its steps, and in how many rows each latent was active.
    sums: Vec<StepReport>,
    fired: Vec<u32>,
    /// What was warned of already: a jump since the last record, many dead latents.
    warned: (bool, bool),
    input: Vec<f32>,
    output: Vec<f32>,
}

impl<'a> Running<'a> {
    pub(super) fn new(
        source: &'a dyn Source,
        file: &RunFile,
        job: &'a Job,
        folder: PathBuf,
        resume: bool,
    ) -> Result<Running<'a>, SaeError> {
        let wiring = job.wiring(|sites| source.parts(sites))?;
        let mut trainer = Trainer::wired(job.settings.clone(), &wiring)?;
        let rows = source.batches(job)?;
        let origin = source.origin()?;
        let config = trainer.config_mut();
        config.model = Some(origin.model);
        config.model_digest = Some(origin.model_digest);
        config.corpus = Some(origin.corpus);
        config.context = Some(origin.context);
        config.skip_first = origin.skips_first;
        config.max_norm = rows.max_norm();
        config.training = serde_json::to_value(job).ok();
        fs::create_dir_all(&folder).map_err(|source| SaeError::Io { action: "write", path: folder.clone(), source })?;
        let digest = serde_json::to_vec(&(job, &file.store_digest)).map_err(|e| SaeError::Settings(e.to_string()))?;
        let digest = blake3::hash(&digest).to_hex().to_string();
        let fired = vec![0; job.settings.latents as usize];
        let (input, output, sums, history) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (finished, warned) = (false, (false, false));
        let place = rows.place();
        let mut running = Running {
            job,
            folder,
            digest,
            rows,
            place,
            trainer,
            finished,
            history,
            sums,
            fired,
            warned,
            input,
            output,
        };
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
            self.place = header.place;
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

    pub(super) fn is_done(&self) -> bool {
        self.finished || self.trainer.is_done()
    }

    /// Steps done.
    pub(super) fn steps(&self) -> u64 {
        self.trainer.steps()
    }

    /// Steps to do.
    pub(super) fn left(&self) -> u64 {
        self.job.settings.steps - self.trainer.steps()
    }

    pub(super) fn step(&mut self, options: &RunOptions, ctx: &RunContext) -> Result<(), SaeError> {
        self.rows.next_into(&mut self.input, &mut self.output)?;
        let target = (!self.job.outputs.is_empty()).then_some(self.output.as_slice());
        let report = self.trainer.step(&self.input, target)?;
        self.place = self.rows.place();
        for latent in &self.trainer.active().latents {
            self.fired[*latent as usize] += 1;
        }
        self.watch(&report, ctx);
        self.sums.push(report);
        if report.step.is_multiple_of(options.log_every) || self.trainer.is_done() {
            self.record(report)?;
            let records = report.step / options.log_every;
            if records.is_multiple_of(options.records_per_checkpoint) && !self.trainer.is_done() {
                self.save()?;
            }
        }
        Ok(())
    }

    /// Warns of a loss that jumps, once for each record, and of many dead latents, once and at the end.
    fn watch(&mut self, report: &StepReport, ctx: &RunContext) {
        let name = &self.job.name;
        if let Some((last, _)) = self.history.last()
            && report.loss.total > SPIKE * last.report.loss.total
            && last.report.step > self.job.settings.warm_up
            && !self.warned.0
        {
            ctx.warn(format!(
                "{name}: the loss jumped from {:.3} to {:.3} in step {}; a lower learning rate may be steadier",
                last.report.loss.total, report.loss.total, report.step
            ));
            self.warned.0 = true;
        }
        let share = report.dead * 100.0;
        if self.trainer.is_done() && report.dead > MANY_DEAD {
            ctx.warn(format!("{name}: {share:.0} % of the latents are dead; fewer latents may do"));
        } else if report.dead > MANY_DEAD && !self.warned.1 {
            ctx.warn(format!(
                "{name}: {share:.0} % of the latents are dead in step {}; a weaker penalty, a larger `auxiliary` or `resample_every` \
                 may revive them",
                report.step
            ));
            self.warned.1 = true;
        }
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
        self.warned.0 = false;
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
            place: self.place,
            digest: self.digest.clone(),
            since: self.sums.iter().map(|step| step.to_bits()).collect(),
            fired: self.fired.clone(),
        };
        checkpoint::write(&self.folder.join(CHECKPOINT), &self.trainer, &header)
    }

    pub(super) fn end(self) -> Result<(PathBuf, Option<Record>), SaeError> {
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
