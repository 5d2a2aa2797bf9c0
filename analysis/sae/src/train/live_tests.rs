//! Training on rows that are computed as it goes, stopped and resumed.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;

use golgi_data::context::RunContext;
use golgi_data::dictionary::{Architecture, Part};

use super::resume_tests::files;
use super::*;
use crate::SaeError;
use crate::planted::Planted;
use crate::settings::Settings;

const D: usize = 6;

/// Planted rows in groups of different sizes; the second site is twice the first. Row `i` of all begins with its number.
struct PlantedModel {
    parts: Vec<Part>,
    groups: Vec<usize>,
    computed: Cell<usize>,
    numbered: bool,
}

impl PlantedModel {
    fn new(numbered: bool) -> PlantedModel {
        let parts = ["a", "b"].map(|site| Part { site: site.into(), width: D as u32 }).to_vec();
        PlantedModel { parts, groups: (0..40).map(|group| 17 + group % 9).collect(), computed: Cell::new(0), numbered }
    }
}

impl Producer for PlantedModel {
    fn origin(&self) -> Result<Origin, SaeError> {
        let [model, model_digest, corpus, digest] = ["m", "1", "c", "2"].map(str::to_owned);
        Ok(Origin { model, model_digest, corpus, context: 16, skips_first: true, digest, rows: 0 })
    }

    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn groups(&self) -> &[usize] {
        &self.groups
    }

    fn compute(&self, group: usize) -> Result<Vec<Vec<f32>>, SaeError> {
        self.computed.set(self.computed.get() + 1);
        let mut rows = Planted::new(D, 12, 2.0, 3).rows(self.groups[group], group as u64);
        if self.numbered {
            let first: usize = self.groups[..group].iter().sum();
            rows.chunks_mut(D).zip(first..).for_each(|(row, number)| row[0] = number as f32);
        }
        let twice = rows.iter().map(|value| value * 2.0).collect();
        Ok(vec![rows, twice])
    }
}

fn jobs() -> Vec<Job> {
    let job = |name: &str, architecture: Architecture, outputs: &[&str], steps: u64| {
        let mut settings = Settings::published(architecture, 16, steps);
        (settings.batch, settings.dead_after, settings.seed, settings.target_l0) = (50, 300, 5, 2.0);
        settings.max_norm = None;
        let outputs = outputs.iter().map(|site| (*site).to_owned()).collect();
        Job { name: name.into(), settings, inputs: vec!["a".into()], outputs, skips: false, cross_layer: false }
    };
    let mut standard = job("standard", Architecture::Standard, &[], 40);
    (standard.settings.resample_every, standard.settings.sparsity, standard.settings.rate) = (Some(8), 2.0, 0.02);
    vec![
        job("top", Architecture::TopK { k: 2 }, &[], 31),
        job("across", Architecture::BatchTopK { k: 2 }, &["b"], 40),
        standard,
    ]
}

fn options() -> RunOptions {
    RunOptions { log_every: 5, records_per_checkpoint: 2 }
}

#[test]
fn an_epoch_gives_every_row_once_and_mixed() {
    let model = PlantedModel::new(true);
    let live = Live::new(&model, 50, 4, 7).unwrap();
    let total: usize = model.groups.iter().sum();
    let mut rows = live.batches(&jobs()[1]).unwrap();
    let (mut input, mut output) = (Vec::new(), Vec::new());
    let mut epochs: Vec<Vec<usize>> = Vec::new();
    for _ in 0..2 {
        let mut seen = Vec::new();
        for _ in 0..total / 50 {
            rows.next_into(&mut input, &mut output).unwrap();
            assert_eq!((input.len(), output.len()), (50 * D, 50 * D));
            assert!(input.iter().zip(&output).all(|(a, b)| 2.0 * a == *b));
            seen.extend(input.chunks(D).map(|row| row[0] as usize));
        }
        let different: BTreeSet<usize> = seen.iter().copied().collect();
        assert_eq!((different.len(), different.iter().all(|row| *row < total)), (seen.len(), true));
        // Rows that were computed beside each other are rarely given out so.
        let beside = seen.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) == 1).count();
        assert!(beside < seen.len() / 20, "{beside}");
        epochs.push(seen);
    }
    assert!(epochs[0] != epochs[1]);
    assert_eq!(model.computed.get(), 2 * model.groups.len());
    // A batch follows from its number alone.
    rows.go_to((0, 11)).unwrap();
    rows.next_into(&mut input, &mut output).unwrap();
    let again: Vec<usize> = input.chunks(D).map(|row| row[0] as usize).collect();
    assert_eq!(again, epochs[0][11 * 50..12 * 50]);
}

#[test]
fn massive_rows_of_a_model_are_left_out() {
    let model = PlantedModel::new(true);
    let live = Live::new(&model, 50, 4, 7).unwrap();
    let total: usize = model.groups.iter().sum();
    let given = |max_norm| {
        let mut job = jobs().remove(1);
        job.settings.max_norm = max_norm;
        let mut rows = live.batches(&job).unwrap();
        let (mut input, mut output, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..total / 50 {
            rows.next_into(&mut input, &mut output).unwrap();
            assert!(input.iter().zip(&output).all(|(a, b)| 2.0 * a == *b));
            numbers.extend(input.chunks(D).map(|row| row[0] as usize));
        }
        (numbers, rows.max_norm())
    };
    // Norms are about the rows' numbers, whose median is half of them.
    let (numbers, bound) = given(Some(1.5));
    let bound = bound.unwrap();
    assert!((bound - 0.75 * total as f32).abs() < 5.0, "{bound}");
    assert_eq!(numbers.len(), total / 50 * 50);
    assert!(numbers.iter().all(|number| *number as f32 <= bound));
    let different: BTreeSet<usize> = numbers.into_iter().collect();
    assert!(different.len() as f32 > 0.9 * bound, "{}", different.len());
    let (numbers, bound) = given(None);
    assert!(bound.is_none() && numbers.iter().any(|number| *number > total - 50));
}

fn run_for(out: &Path, steps: u64) -> usize {
    let model = PlantedModel::new(false);
    let live = Live::new(&model, 50, 4, 7).unwrap();
    let ctx = RunContext::new(0);
    ctx.cancel_at(steps);
    let report = run(&live, jobs(), options(), out, true, &ctx).unwrap();
    assert!(report.stopped && report.steps == steps);
    model.computed.get()
}

#[test]
fn a_run_of_a_model_that_is_stopped_again_and_again_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let model = PlantedModel::new(false);
    let live = Live::new(&model, 50, 4, 7).unwrap();
    let report = run(&live, jobs(), options(), &whole, false, &RunContext::new(0)).unwrap();
    assert_eq!((report.stopped, report.steps), (false, 31 + 40 + 40));
    // 40 steps of 50 rows are 2.4 epochs; three dictionaries share them.
    let computed = model.computed.get();
    assert!((96..=105).contains(&computed), "{computed}");
    let expected = files(&whole);
    assert_eq!(expected.len(), 1 + 3 * 3, "{:?}", expected.keys());

    let broken = folder.path().join("broken");
    for steps in [1, 7, 14, 20, 29, 3, 17] {
        let computed = run_for(&broken, steps);
        // What is needed, and the two blocks in which it may begin.
        assert!(computed <= 3 * 11 + steps as usize, "{steps} steps computed {computed} groups");
    }
    let report = run(&live, jobs(), options(), &broken, true, &RunContext::new(0)).unwrap();
    assert_eq!(report.steps, 111 - 91);
    let found = files(&broken);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
}

#[test]
fn another_buffer_is_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let model = PlantedModel::new(false);
    run_for(folder.path(), 9);
    let other = Live::new(&model, 50, 5, 7).unwrap();
    let error = run(&other, jobs(), options(), folder.path(), true, &RunContext::new(0)).unwrap_err();
    assert!(error.to_string().contains("other activations"), "{error}");
    let error = |batch, batches| Live::new(&model, batch, batches, 7).err().map(|error| error.to_string()).unwrap();
    assert!(error(5000, 4).contains("fewer than one batch"));
    assert!(error(50, 1).contains("mixes nothing"));
    let live = Live::new(&model, 60, 4, 7).unwrap();
    let error = run(&live, jobs(), options(), &folder.path().join("x"), false, &RunContext::new(0)).unwrap_err();
    assert!(error.to_string().contains("same batches"), "{error}");
}
