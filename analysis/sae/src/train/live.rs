//! Rows of a running model: a shuffled buffer that is filled as training goes on; nothing is stored.
//!
//! An epoch is every group of contexts once, in an order of its own. Consecutive groups make blocks of about as many rows as the buffer
//! holds; the rows of a block are mixed, and batches are cut from one block after the other. What a batch holds follows from its number
//! alone, so a run that is resumed computes the block at which it stopped (and the one before, where a batch lies across both) and goes on
//! with the same bits. Rows that do not fill a batch at the end of an epoch are left out. Rows of a massive norm are, too; others of
//! their block come twice in their place, so that numbers stay what they are.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;

use golgi_data::dictionary::Part;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::run::Job;
use super::source::{Batches, Origin, Source, enough, median};
use crate::SaeError;
use crate::kernels::vector::sum_of_squares;

/// What computes activations, group of contexts by group. The same group gives the same bits every time.
pub trait Producer {
    /// What it computes of; the digest is of everything that decides what comes out.
    ///
    /// # Errors
    /// If that cannot be put into words.
    fn origin(&self) -> Result<Origin, SaeError>;

    /// The sites.
    fn parts(&self) -> &[Part];

    /// How many rows each group has.
    fn groups(&self) -> &[usize];

    /// The rows of a group at each site, `[rows, width]`.
    ///
    /// # Errors
    /// If the model fails or the work is cancelled.
    fn compute(&self, group: usize) -> Result<Vec<Vec<f32>>, SaeError>;
}

/// Rows of a running model, for all dictionaries of a run together.
pub struct Live<'a> {
    producer: &'a dyn Producer,
    batch: usize,
    /// About how many rows are mixed with each other.
    block: usize,
    seed: u64,
    buffer: RefCell<Buffer>,
    /// `‖x‖²` of the rows that the median norm is found from, for each site.
    squares: OnceCell<Vec<Vec<f32>>>,
}

/// Rows from which the median norm is found, about: those of the first groups.
const MEASURED: usize = 4096;

/// The blocks that are in memory.
#[derive(Default)]
struct Buffer {
    epoch: Option<Epoch>,
    blocks: VecDeque<Block>,
}

/// An epoch's blocks: groups, and the rows of the epoch that they are.
struct Epoch {
    number: u64,
    blocks: Vec<(Vec<usize>, Range<usize>)>,
}

struct Block {
    epoch: u64,
    rows: Range<usize>,
    /// For each site, `[rows, width]`, in the order in which it was computed.
    values: Vec<Vec<f32>>,
    /// That of the rows as they are given out.
    order: Vec<u32>,
}

impl<'a> Live<'a> {
    /// Batches of `batch` rows from a buffer of `batches` batches, at least 2.
    ///
    /// # Errors
    /// If there are fewer rows than a batch, or the buffer holds fewer than 2.
    pub fn new(producer: &'a dyn Producer, batch: usize, batches: usize, seed: u64) -> Result<Live<'a>, SaeError> {
        if batch == 0 || batches < 2 {
            return Err(SaeError::Settings(format!(
                "a buffer of {batches} batches of {batch} rows mixes nothing; it takes at least 2"
            )));
        }
        enough(producer.groups().iter().map(|rows| *rows as u64).sum(), batch)?;
        let block = batch.saturating_mul(batches);
        Ok(Live { producer, batch, block, seed, buffer: RefCell::default(), squares: OnceCell::new() })
    }

    /// The median norm of the first rows, the sites of `inputs` side by side.
    fn median_norm(&self, inputs: &[usize]) -> Result<f32, SaeError> {
        if self.squares.get().is_none() {
            let mut squares = vec![Vec::new(); self.producer.parts().len()];
            let mut groups = 0..self.producer.groups().len();
            while squares.iter().all(|squares| squares.len() < MEASURED)
                && let Some(group) = groups.next()
            {
                let values = self.producer.compute(group)?;
                for ((values, part), to) in values.iter().zip(self.producer.parts()).zip(&mut squares) {
                    to.extend(values.chunks(part.width as usize).map(|row| sum_of_squares(row) as f32));
                }
            }
            // Set by nobody else: this is one thread's.
            let _ = self.squares.set(squares);
        }
        let squares = self.squares.get().map(Vec::as_slice).unwrap_or_default();
        let chosen: Vec<&Vec<f32>> = inputs.iter().filter_map(|site| squares.get(*site)).collect();
        let rows = chosen.first().map_or(0, |one| one.len());
        Ok(median((0..rows).map(|row| chosen.iter().map(|site| site[row]).sum::<f32>().sqrt()).collect()))
    }

    fn rows(&self) -> usize {
        self.producer.groups().iter().sum()
    }

    /// The blocks of an epoch. Each has at least a batch of rows.
    fn epoch(&self, number: u64) -> Epoch {
        let rows_of = self.producer.groups();
        let mut order: Vec<usize> = (0..rows_of.len()).collect();
        order.shuffle(&mut self.random(number, 0));
        let mut blocks: Vec<(Vec<usize>, Range<usize>)> = Vec::new();
        for group in order {
            let start = blocks.last().map_or(0, |(_, rows)| rows.end);
            if blocks.last().is_none_or(|(_, rows)| rows.len() >= self.block) {
                blocks.push((Vec::new(), start..start));
            }
            if let Some((groups, rows)) = blocks.last_mut() {
                groups.push(group);
                rows.end += rows_of[group];
            }
        }
        if blocks.len() > 1
            && blocks.last().is_some_and(|(_, rows)| rows.len() < self.batch)
            && let Some((groups, rows)) = blocks.pop()
            && let Some(last) = blocks.last_mut()
        {
            last.0.extend(groups);
            last.1.end = rows.end;
        }
        Epoch { number, blocks }
    }

    fn random(&self, epoch: u64, block: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream((epoch << 24) + block);
        random
    }

    /// Brings the blocks of batch `number` into memory and returns its rows in the epoch.
    fn bring(&self, buffer: &mut Buffer, number: u64) -> Result<Range<usize>, SaeError> {
        let each = (self.rows() / self.batch) as u64;
        let (epoch, start) = (number / each, (number % each) as usize * self.batch);
        let wanted = start..start + self.batch;
        if buffer.epoch.as_ref().is_none_or(|one| one.number != epoch) {
            buffer.epoch = Some(self.epoch(epoch));
        }
        let Some(plan) = &buffer.epoch else { return Ok(wanted) };
        let needed = |rows: &Range<usize>| rows.start < wanted.end && wanted.start < rows.end;
        buffer.blocks.retain(|block| block.epoch == epoch && needed(&block.rows));
        for (index, (groups, rows)) in plan.blocks.iter().enumerate() {
            if !needed(rows) || buffer.blocks.iter().any(|block| block.rows == *rows) {
                continue;
            }
            let block = self.compute(epoch, index, groups, rows.clone())?;
            // Blocks ascend, also after a step back.
            let place = buffer.blocks.partition_point(|one| one.rows.start < rows.start);
            buffer.blocks.insert(place, block);
        }
        Ok(wanted)
    }

    fn compute(&self, epoch: u64, index: usize, groups: &[usize], rows: Range<usize>) -> Result<Block, SaeError> {
        let parts = self.producer.parts();
        let mut values: Vec<Vec<f32>> =
            parts.iter().map(|part| Vec::with_capacity(rows.len() * part.width as usize)).collect();
        for group in groups {
            let computed = self.producer.compute(*group)?;
            for ((to, from), part) in values.iter_mut().zip(computed).zip(parts) {
                let expected = self.producer.groups()[*group] * part.width as usize;
                if from.len() != expected {
                    return Err(SaeError::Settings(format!(
                        "{} gave {} numbers for {expected}",
                        part.site,
                        from.len()
                    )));
                }
                to.extend(from);
            }
        }
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.shuffle(&mut self.random(epoch, 1 + index as u64));
        Ok(Block { epoch, rows, values, order })
    }
}

impl Source for Live<'_> {
    fn origin(&self) -> Result<Origin, SaeError> {
        let origin = self.producer.origin()?;
        let text = format!("{} {} {} {}", origin.digest, self.batch, self.block, self.seed);
        Ok(Origin { digest: blake3::hash(text.as_bytes()).to_hex().to_string(), rows: self.rows() as u64, ..origin })
    }

    fn parts(&self, sites: &[String]) -> Result<Vec<Part>, SaeError> {
        let all = self.producer.parts();
        let find = |site: &String| {
            all.iter().find(|part| part.site == *site).cloned().ok_or_else(|| {
                SaeError::Settings(format!("`{site}` is not among the sites that the model was asked for"))
            })
        };
        sites.iter().map(find).collect()
    }

    fn batches<'a>(&'a self, job: &Job) -> Result<Box<dyn Batches + 'a>, SaeError> {
        if job.settings.batch != self.batch {
            return Err(SaeError::Settings(format!(
                "dictionaries of a running model see the same batches; `{}` has {} rows in each, the others {}",
                job.name, job.settings.batch, self.batch
            )));
        }
        let index = |site: &String| self.producer.parts().iter().position(|part| part.site == *site);
        let (inputs, outputs) = (self.parts(&job.inputs)?, self.parts(&job.outputs)?);
        let indices = |parts: &[Part]| parts.iter().filter_map(|part| index(&part.site)).collect::<Vec<usize>>();
        let (inputs, outputs) = (indices(&inputs), indices(&outputs));
        let max_norm = match job.settings.max_norm {
            Some(multiple) => Some(self.median_norm(&inputs)? * multiple as f32),
            None => None,
        };
        Ok(Box::new(LiveRows { live: self, inputs, outputs, given: 0, max_norm, orders: VecDeque::new() }))
    }
}

/// The rows of one dictionary.
struct LiveRows<'a> {
    live: &'a Live<'a>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    /// Batches that were given out, over all epochs.
    given: u64,
    max_norm: Option<f32>,
    /// For the blocks in use, by epoch and first row, the order without rows that are left out.
    orders: VecDeque<(u64, usize, Vec<u32>)>,
}

impl LiveRows<'_> {
    /// The order of a block's rows without those that are left out, as often as it takes to be as long.
    fn order(&mut self, block: &Block) -> Result<usize, SaeError> {
        let key = (block.epoch, block.rows.start);
        if let Some(index) = self.orders.iter().position(|one| (one.0, one.1) == key) {
            return Ok(index);
        }
        let bound = self.max_norm.map_or(f64::INFINITY, |most| f64::from(most).powi(2));
        let parts = self.live.producer.parts();
        let square = |row: usize| {
            let site = |site: &usize| {
                let width = parts[*site].width as usize;
                sum_of_squares(&block.values[*site][row * width..(row + 1) * width])
            };
            self.inputs.iter().map(site).sum::<f64>()
        };
        // What is no number is not left out: training says so.
        let is_massive = |row: &u32| square(*row as usize) > bound;
        let kept: Vec<u32> = block.order.iter().copied().filter(|row| !is_massive(row)).collect();
        if kept.is_empty() {
            return Err(SaeError::Settings(
                "all rows are left out for their norm; choose a larger max_norm".to_owned(),
            ));
        }
        let order = kept.iter().copied().cycle().take(block.order.len()).collect();
        self.orders.push_back((key.0, key.1, order));
        if self.orders.len() > 2 {
            self.orders.pop_front();
        }
        Ok(self.orders.len() - 1)
    }
}

impl Batches for LiveRows<'_> {
    fn next_into(&mut self, input: &mut Vec<f32>, output: &mut Vec<f32>) -> Result<(), SaeError> {
        let mut buffer = self.live.buffer.borrow_mut();
        let wanted = self.live.bring(&mut buffer, self.given)?;
        let parts = self.live.producer.parts();
        input.clear();
        output.clear();
        for block in &buffer.blocks {
            let order = self.order(block)?;
            let rows = wanted.start.max(block.rows.start)..wanted.end.min(block.rows.end);
            for row in rows {
                let at = self.orders[order].2[row - block.rows.start] as usize;
                for (sites, to) in [(&self.inputs, &mut *input), (&self.outputs, &mut *output)] {
                    for site in sites {
                        let width = parts[*site].width as usize;
                        to.extend_from_slice(&block.values[*site][at * width..(at + 1) * width]);
                    }
                }
            }
        }
        self.given += 1;
        Ok(())
    }

    fn max_norm(&self) -> Option<f32> {
        self.max_norm
    }

    /// 0, and how many batches were given out.
    fn place(&self) -> (u64, u64) {
        (0, self.given)
    }

    fn go_to(&mut self, (_, given): (u64, u64)) -> Result<(), SaeError> {
        self.given = given;
        Ok(())
    }
}
