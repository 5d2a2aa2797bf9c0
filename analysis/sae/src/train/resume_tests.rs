//! Runs over a small store: stopped, killed between steps, resumed.

use std::collections::BTreeMap;
use std::path::Path;

use golgi_data::context::RunContext;
use golgi_data::corpus::{ContextOptions, PackedCorpus, PackedDocument, Split};
use golgi_data::dictionary::{Architecture, Dictionary};
use golgi_data::store::{Column, ShardRows, Store, StoreDtype, StoreOrigin, StorePlan, StoreSite, StoreWriter};

use super::*;
use crate::planted::Planted;
use crate::settings::Settings;

const D: usize = 6;

/// A store of planted rows at two sites, with BOS in front of each context.
fn store(folder: &Path) -> Store {
    let document = |index: u32| {
        let tokens: Vec<u32> = (0..40).map(|token| 1 + (token * 7 + index) % 50).collect();
        let id = format!("document {index}");
        (PackedDocument { id, start: 0, len: 0, language: 0, genre: 0, split: Split::Explore }, tokens)
    };
    let corpus = PackedCorpus::in_memory("planted", (0..60).map(document).collect(), vec![], vec![]);
    let options = ContextOptions { len: 16, tokens: 100_000, bos: Some(0), ..ContextOptions::default() };
    let sites = ["a", "b"].map(|site| StoreSite { site: site.into(), width: D as u32 });
    let origin = StoreOrigin::default();
    let plan = StorePlan::new(origin, sites.into(), StoreDtype::F32, &corpus, &options, 256, 4096);
    let mut writer = StoreWriter::create(folder, &plan).unwrap();
    let planted = Planted::new(D, 12, 2.0, 3);
    for shard in writer.todo() {
        let (contexts, positions, tokens) = plan.rows(shard, &corpus);
        let mut values = planted.rows(contexts.len(), shard as u64);
        // BOS is of another kind; a run that used it would see it in its scale.
        for (row, position) in values.chunks_mut(D).zip(&positions) {
            if *position == 0 {
                row.fill(1e6);
            }
        }
        let twice = values.iter().map(|value| value * 2.0).collect();
        let columns = vec![Column::F32(values), Column::F32(twice)];
        writer.write(shard, ShardRows { contexts, positions, tokens, columns }).unwrap();
    }
    Store::open(folder).unwrap()
}

fn jobs() -> Vec<Job> {
    let job = |name: &str, architecture: Architecture, outputs: &[&str]| {
        let mut settings = Settings::published(architecture, 16, 47);
        (settings.batch, settings.dead_after, settings.seed, settings.target_l0) = (200, 600, 5, 2.0);
        let outputs = outputs.iter().map(|site| (*site).to_owned()).collect();
        Job { name: name.into(), settings, inputs: vec!["a".into()], outputs, skips: false, cross_layer: false }
    };
    vec![
        job("top", Architecture::TopK { k: 2 }, &[]),
        job("jump", Architecture::JumpRelu, &[]),
        job("across", Architecture::BatchTopK { k: 2 }, &["b"]),
    ]
}

fn options() -> RunOptions {
    RunOptions { log_every: 5, records_per_checkpoint: 2 }
}

pub(super) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            all.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            all.insert(name, std::fs::read(&path).unwrap());
        }
    }
    all
}

/// Stops a run after some steps of all its dictionaries together.
fn run_for(store: &Store, out: &Path, steps: u64) {
    let ctx = RunContext::new(0);
    ctx.cancel_at(steps);
    let report = run(store, jobs(), options(), out, true, &ctx).unwrap();
    assert!(report.stopped && report.steps == steps);
}

#[test]
fn a_run_that_is_stopped_again_and_again_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder.path().join("store"));
    let whole = folder.path().join("whole");
    let report = run(&store, jobs(), options(), &whole, false, &RunContext::new(0)).unwrap();
    assert!(!report.stopped && report.steps == 3 * 47);
    let expected = files(&whole);
    assert_eq!(expected.len(), 1 + 3 * 3, "{:?}", expected.keys());
    // BOS rows are far away; they would have made the scale tiny.
    let config = Dictionary::read(&whole.join("top")).unwrap().config;
    assert!(config.skip_first && format!("{:?}", config.normalisation).contains("Scale"));
    let input = match config.normalisation {
        golgi_data::dictionary::Normalisation::Scale { input, .. } => input,
        other => panic!("{other:?}"),
    };
    assert!(input > 0.1, "{input}");

    let broken = folder.path().join("broken");
    for steps in [1, 7, 13, 29, 30, 3, 17] {
        run_for(&store, &broken, steps);
    }
    run(&store, jobs(), options(), &broken, true, &RunContext::new(0)).unwrap();
    let found = files(&broken);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
    // Resuming what is finished changes nothing.
    let report = run(&store, jobs(), options(), &broken, true, &RunContext::new(0)).unwrap();
    assert_eq!(report.steps, 0);
    assert!(files(&broken) == expected);
}

#[test]
fn another_run_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder.path().join("store"));
    let out = folder.path().join("run");
    run(&store, jobs(), options(), &out, false, &RunContext::new(0)).unwrap();
    let message = |jobs: Vec<Job>, resume| {
        run(&store, jobs, options(), &out, resume, &RunContext::new(0)).unwrap_err().to_string()
    };
    assert!(message(jobs(), false).contains("there is a run already"));
    let mut other = jobs();
    other[0].settings.rate *= 2.0;
    assert!(message(other, true).contains("other settings"));
    let mut other = jobs();
    other[0].name = "../up".into();
    assert!(message(other, true).contains("no name for a dictionary"));
    let mut other = jobs();
    other[0].inputs = vec!["nowhere".into()];
    assert!(run(&store, other, options(), &folder.path().join("x"), false, &RunContext::new(0)).is_err());
    let mut other = jobs();
    other[0].settings.batch = 1 << 20;
    let error = run(&store, other, options(), &folder.path().join("y"), false, &RunContext::new(0)).unwrap_err();
    assert!(error.to_string().contains("fewer than one batch"), "{error}");
}

#[test]
fn massive_rows_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let site = vec![StoreSite { site: "a".into(), width: D as u32 }];
    let document = PackedDocument { id: "one".into(), start: 0, len: 0, language: 0, genre: 0, split: Split::Explore };
    let corpus = PackedCorpus::in_memory("planted", vec![(document, (0..1000).collect())], vec![], vec![]);
    let options = ContextOptions { len: 100, tokens: 1000, bos: None, ..ContextOptions::default() };
    let plan = StorePlan::new(StoreOrigin::default(), site, StoreDtype::F32, &corpus, &options, 256, 4096);
    let mut writer = StoreWriter::create(folder.path(), &plan).unwrap();
    for shard in writer.todo() {
        let (contexts, positions, tokens) = plan.rows(shard, &corpus);
        // Norm 1, but for a sink at every 50th position.
        let row = |position: &u16| if position.is_multiple_of(50) { [500.0; D] } else { [1.0 / (D as f32).sqrt(); D] };
        let values = positions.iter().flat_map(row).collect();
        writer.write(shard, ShardRows { contexts, positions, tokens, columns: vec![Column::F32(values)] }).unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    let given = |max_norm| {
        let mut rows = StoreRows::new(&store, &["a".into()], &[], (98, 3), max_norm).unwrap();
        let (mut input, mut output, mut massive) = (Vec::new(), Vec::new(), 0);
        for _ in 0..10 {
            rows.next_into(&mut input, &mut output).unwrap();
            massive += input.chunks(D).filter(|row| row[0] > 1.0).count();
        }
        (massive, rows.max_norm(), rows.place())
    };
    let (massive, bound, place) = given(Some(10.0));
    assert!(massive == 0 && (bound.unwrap() - 10.0).abs() < 1e-4, "{massive} {bound:?}");
    // 980 rows are ten batches.
    assert_eq!(place, (0, 10));
    let (massive, bound, _) = given(None);
    assert!(massive > 15 && bound.is_none());
    // With nothing left an epoch says so instead of never ending.
    let mut rows = StoreRows::new(&store, &["a".into()], &[], (98, 3), Some(1e-3)).unwrap();
    let error = rows.next_into(&mut Vec::new(), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("left out for their norm"), "{error}");
}
