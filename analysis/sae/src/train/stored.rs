//! Rows of a store in a fixed random order, batch by batch, epoch by epoch.

use golgi_data::dictionary::{Domain, Part};
use golgi_data::store::{Rows, Shuffled, Store};

use super::run::Job;
use super::source::{Batches, Origin, Source, enough, median};
use crate::SaeError;
use crate::kernels::vector::norm;

/// Rows from which the median norm is found: the first ones of the store.
const MEASURED: u64 = 65_536;
/// Shards that are mixed with each other at once.
const MIXED: usize = 8;

/// Batches of some sites of a store, shuffled anew in every epoch. What does not fill a batch at the end of an epoch is left
/// out. The first position of each context is left out if the store has BOS there, and so are rows of a massive norm.
pub struct StoreRows<'a> {
    store: &'a Store,
    inputs: Vec<String>,
    outputs: Vec<String>,
    batch: usize,
    seed: u64,
    epoch: u64,
    /// Batches of this epoch that were given out.
    given: u64,
    shuffled: Option<Shuffled<'a>>,
    rows: Rows,
    /// Rows that wait to be given out.
    waiting: (Vec<f32>, Vec<f32>),
    d_in: usize,
    /// Rows of a larger norm are left out.
    max_norm: Option<f32>,
}

/// The sites of a store as parts of a dictionary.
///
/// # Errors
/// If the store has no such site.
pub fn parts(store: &Store, sites: &[String]) -> Result<Vec<Part>, SaeError> {
    let manifest = store.manifest();
    let part = |site: &String| -> Result<Part, SaeError> {
        let index = manifest.site(site)?;
        Ok(Part { site: site.clone(), width: manifest.sites[index].width })
    };
    sites.iter().map(part).collect()
}

/// Rows of a store that training can use: all but BOS.
pub fn usable_rows(store: &Store) -> u64 {
    let manifest = store.manifest();
    manifest.rows - if manifest.contexts.bos.is_some() { manifest.contexts.count } else { 0 }
}

impl<'a> StoreRows<'a> {
    /// Batches of `batch` rows of the sites `inputs` and, for a transcoder, `outputs`.
    ///
    /// # Errors
    /// If a site is not in the store, it has fewer rows than a batch, or it cannot be read.
    pub fn new(
        store: &'a Store,
        inputs: &[String],
        outputs: &[String],
        (batch, seed): (usize, u64),
        max_norm: Option<f64>,
    ) -> Result<StoreRows<'a>, SaeError> {
        let d_in = parts(store, inputs)?.iter().map(|part| part.width as usize).sum();
        parts(store, outputs)?;
        enough(usable_rows(store), batch)?;
        let max_norm = match max_norm {
            Some(multiple) => Some(median_norm(store, inputs)? * multiple as f32),
            None => None,
        };
        let (inputs, outputs, waiting) = (inputs.to_vec(), outputs.to_vec(), Default::default());
        let (epoch, given, shuffled, rows) = (0, 0, None, Rows::default());
        Ok(StoreRows { store, inputs, outputs, batch, seed, epoch, given, shuffled, rows, waiting, d_in, max_norm })
    }

    /// Adds rows to those that wait; `false` at the end of the epoch.
    fn read(&mut self) -> Result<bool, SaeError> {
        let sites: Vec<&str> = self.inputs.iter().chain(&self.outputs).map(String::as_str).collect();
        if self.shuffled.is_none() {
            // Each epoch has an order of its own; seeds of neighbouring epochs must not meet those of neighbouring runs.
            let seed = self.seed ^ self.epoch.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.shuffled = Some(self.store.shuffled(&sites, self.batch, MIXED, seed)?);
        }
        let Some(shuffled) = &mut self.shuffled else { return Ok(false) };
        if !shuffled.next_into(&mut self.rows)? {
            return Ok(false);
        }
        let domain = Domain { skip_first: self.store.manifest().contexts.bos.is_some(), max_norm: self.max_norm };
        let mut whole = Vec::with_capacity(self.d_in);
        let (inputs, outputs) = self.rows.values.split_at(self.inputs.len());
        for row in 0..self.rows.len() {
            whole.clear();
            side_by_side(inputs, row, self.rows.len(), &mut whole);
            if domain.covers(self.rows.positions[row] == 0, &whole) {
                self.waiting.0.extend_from_slice(&whole);
                side_by_side(outputs, row, self.rows.len(), &mut self.waiting.1);
            }
        }
        Ok(true)
    }
}

impl Batches for StoreRows<'_> {
    fn max_norm(&self) -> Option<f32> {
        self.max_norm
    }

    /// Epoch and batch within it.
    fn place(&self) -> (u64, u64) {
        (self.epoch, self.given)
    }

    fn go_to(&mut self, (epoch, given): (u64, u64)) -> Result<(), SaeError> {
        (self.epoch, self.given, self.shuffled) = (epoch, 0, None);
        self.waiting.0.clear();
        self.waiting.1.clear();
        let (mut input, mut output) = (Vec::new(), Vec::new());
        while self.given < given {
            self.next_into(&mut input, &mut output)?;
        }
        Ok(())
    }

    fn next_into(&mut self, input: &mut Vec<f32>, output: &mut Vec<f32>) -> Result<(), SaeError> {
        let wanted = self.batch * self.d_in;
        while self.waiting.0.len() < wanted {
            if !self.read()? {
                if self.given == 0 {
                    let text = "too many rows are left out for their norm to fill one batch; choose a smaller batch or a larger max_norm";
                    return Err(SaeError::Settings(text.to_owned()));
                }
                (self.epoch, self.given, self.shuffled) = (self.epoch + 1, 0, None);
                self.waiting.0.clear();
                self.waiting.1.clear();
            }
        }
        let d_out = self.waiting.1.len() / (self.waiting.0.len() / self.d_in);
        input.clear();
        input.extend(self.waiting.0.drain(..wanted));
        output.clear();
        output.extend(self.waiting.1.drain(..self.batch * d_out));
        self.given += 1;
        Ok(())
    }
}

impl Source for Store {
    fn origin(&self) -> Result<Origin, SaeError> {
        Origin::new(self.manifest(), self.manifest(), usable_rows(self))
    }

    fn parts(&self, sites: &[String]) -> Result<Vec<Part>, SaeError> {
        parts(self, sites)
    }

    fn batches<'a>(&'a self, job: &Job) -> Result<Box<dyn Batches + 'a>, SaeError> {
        let rows = StoreRows::new(
            self,
            &job.inputs,
            &job.outputs,
            (job.settings.batch, job.settings.seed),
            job.settings.max_norm,
        )?;
        Ok(Box::new(rows))
    }
}

/// Appends row `row` of each of some sites' values, `rows` rows each.
fn side_by_side(sites: &[Vec<f32>], row: usize, rows: usize, to: &mut Vec<f32>) {
    for site in sites {
        let width = site.len() / rows;
        to.extend_from_slice(&site[row * width..(row + 1) * width]);
    }
}

/// The median norm of the first rows of a store, the sites of `inputs` side by side; first positions, which are often massive, left out.
fn median_norm(store: &Store, inputs: &[String]) -> Result<f32, SaeError> {
    let sites: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut reader = store.sequential(&sites, 4096)?;
    let (mut rows, mut whole, mut norms) = (Rows::default(), Vec::new(), Vec::new());
    while (norms.len() as u64) < MEASURED && reader.next_into(&mut rows)? {
        for row in (0..rows.len()).filter(|row| rows.positions[*row] > 0) {
            whole.clear();
            side_by_side(&rows.values, row, rows.len(), &mut whole);
            norms.push(norm(&whole));
        }
    }
    Ok(median(norms))
}
