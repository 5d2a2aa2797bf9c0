//! Stores written, interrupted, damaged and read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::f16;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::corpus::{ContextOptions, PackedCorpus, PackedDocument, Split};

const SITE: &str = "blocks.0.hook_resid_post";
const NARROW: &str = "blocks.1.mlp.hook_post";

fn corpus(lengths: &[usize]) -> PackedCorpus {
    let document = |i: usize, n: usize| {
        let id = format!("document {i}");
        let document = PackedDocument { id, start: 0, len: 0, language: 0, genre: 0, split: Split::Explore };
        (document, (0..n).map(|k| (100 * i + k) as u32).collect())
    };
    let documents = lengths.iter().enumerate().map(|(i, n)| document(i, *n)).collect();
    PackedCorpus::in_memory("planted", documents, vec!["en".into()], vec![])
}

fn options() -> ContextOptions {
    ContextOptions { len: 17, bos: Some(9999), ..ContextOptions::default() }
}

fn plan_of(corpus: &PackedCorpus, dtype: StoreDtype) -> StorePlan {
    let site = |site: &str, width| StoreSite { site: site.into(), width };
    let origin = StoreOrigin { model_digest: "one".into(), ..StoreOrigin::default() };
    StorePlan::new(origin, vec![site(SITE, 4), site(NARROW, 3)], dtype, corpus, &options(), 64, 2000)
}

/// The activation that the planted model has: it tells where it comes from.
fn activation(context: u32, position: u16, unit: usize) -> f32 {
    context as f32 * 0.5 + f32::from(position) * 0.0625 + unit as f32
}

fn rows(plan: &StorePlan, corpus: &PackedCorpus, shard: usize) -> ShardRows {
    let (contexts, positions, tokens) = plan.rows(shard, corpus);
    let column = |width: usize| {
        let places = contexts.iter().zip(&positions);
        let values = places.flat_map(|(c, p)| (0..width).map(|unit| activation(*c, *p, unit)));
        match plan.manifest().dtype {
            StoreDtype::F32 => Column::F32(values.collect()),
            StoreDtype::F16 => Column::F16(values.map(f16::from_f32).collect()),
        }
    };
    let columns = vec![column(4), column(3)];
    ShardRows { contexts, positions, tokens, columns }
}

fn fill(writer: &mut StoreWriter, plan: &StorePlan, corpus: &PackedCorpus) {
    for shard in writer.todo() {
        writer.write(shard, rows(plan, corpus, shard)).unwrap();
    }
}

fn made(dtype: StoreDtype) -> (TempDir, PackedCorpus, StorePlan) {
    let corpus = corpus(&[40, 5, 16, 100, 33, 64]);
    let plan = plan_of(&corpus, dtype);
    let folder = tempfile::tempdir().unwrap();
    fill(&mut StoreWriter::create(folder.path(), &plan).unwrap(), &plan, &corpus);
    (folder, corpus, plan)
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

#[test]
fn what_was_written_is_read() {
    for dtype in [StoreDtype::F32, StoreDtype::F16] {
        let (folder, corpus, plan) = made(dtype);
        let store = Store::open(folder.path()).unwrap();
        assert!(plan.shards() > 2);
        let (mut seen, mut all) = (Rows::default(), 0);
        let mut reader = store.sequential(&[NARROW, SITE], 7).unwrap();
        while reader.next_into(&mut seen).unwrap() {
            assert!(seen.len() == 7 || all + seen.len() == store.manifest().rows as usize);
            for row in 0..seen.len() {
                let (context, position) = (seen.contexts[row], seen.positions[row]);
                assert_eq!(seen.tokens[row], plan.sequence(context, &corpus)[usize::from(position)]);
                for unit in 0..4 {
                    assert_eq!(seen.values[1][row * 4 + unit], activation(context, position, unit));
                }
                assert_eq!(seen.values[0][row * 3 + 2], activation(context, position, 2));
            }
            all += seen.len();
        }
        assert_eq!(all as u64, store.manifest().rows);
        let shard = store.shard(1).unwrap();
        assert_eq!(shard.values(0).unwrap().len(), shard.rows() * 4);
        assert!(shard.values(2).is_none());
        // Columns begin where vector instructions like them to.
        assert_eq!(shard.values(0).unwrap().as_ptr() as usize % 4, 0);
    }
}

#[test]
fn shuffling_gives_each_row_once_and_the_same_order_for_the_same_seed() {
    let (folder, _, _) = made(StoreDtype::F32);
    let store = Store::open(folder.path()).unwrap();
    let order = |seed: u64| {
        let (mut rows, mut order, mut sizes) = (Rows::default(), Vec::new(), Vec::new());
        let mut reader = store.shuffled(&[SITE], 10, 2, seed).unwrap();
        while reader.next_into(&mut rows).unwrap() {
            for (row, (context, position)) in rows.contexts.iter().zip(&rows.positions).enumerate() {
                assert_eq!(rows.values[0][row * 4 + 1], activation(*context, *position, 1));
                order.push((*context, *position));
            }
            sizes.push(rows.len());
        }
        assert!(sizes[..sizes.len() - 1].iter().all(|size| *size == 10));
        order
    };
    let (first, again, other) = (order(1), order(1), order(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let sorted = |mut order: Vec<(u32, u16)>| {
        order.sort_unstable();
        order
    };
    let unique = sorted(first.clone());
    assert!(unique.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!(unique.len() as u64, store.manifest().rows);
    assert_eq!(unique, sorted(other));
    assert_ne!(first, unique);
}

#[test]
fn parts_are_read_by_document_and_token() {
    let (folder, corpus, _) = made(StoreDtype::F32);
    let store = Store::open(folder.path()).unwrap();
    let selection = Selection { documents: Some(vec![3]), tokens: Some(10..40) };
    let rows = store.select(&[SITE], &selection).unwrap();
    let mut tokens = rows.tokens.clone();
    tokens.sort_unstable();
    assert_eq!(tokens, corpus.document_tokens(&corpus.documents()[3])[10..40]);
    for row in 0..rows.len() {
        assert_eq!(rows.values[0][row * 4], activation(rows.contexts[row], rows.positions[row], 0));
    }
    let whole = store.select(&[], &Selection { documents: Some(vec![1]), tokens: None }).unwrap();
    assert_eq!(whole.tokens, [9999, 100, 101, 102, 103, 104]);
    assert!(store.select(&[SITE], &Selection { documents: Some(vec![99]), tokens: None }).unwrap().is_empty());
    let error = store.select(&["blocks.7.hook_z"], &Selection::default()).unwrap_err().to_string();
    assert!(error.contains("nothing of `blocks.7.hook_z`") && error.contains(SITE), "{error}");
}

#[test]
fn an_interrupted_store_ends_with_the_same_bytes() {
    let (whole, corpus, plan) = made(StoreDtype::F16);
    let expected = files(whole.path());
    for stop in 0..plan.shards() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = StoreWriter::create(folder.path(), &plan).unwrap();
        for shard in writer.todo().into_iter().take(stop) {
            writer.write(shard, rows(&plan, &corpus, shard)).unwrap();
        }
        // As a process leaves it that dies between two files: a shard that the manifest does not have, half a shard.
        fs::write(folder.path().join(shard_name(stop)), expected[&shard_name(stop)].as_slice()).unwrap();
        fs::write(folder.path().join("shards/00000.part"), b"half").unwrap();
        drop(writer);
        assert!(matches!(Store::open(folder.path()), Err(StoreError::Incomplete { .. })));
        let mut writer = StoreWriter::resume(folder.path(), &plan).unwrap();
        assert_eq!(writer.todo(), (stop..plan.shards()).collect::<Vec<_>>());
        fill(&mut writer, &plan, &corpus);
        drop(writer);
        let mut found = files(folder.path());
        found.remove("shards/00000.part");
        assert_eq!(found, expected);
    }
}

#[test]
fn damaged_files_are_named_and_made_again_alone() {
    let (folder, corpus, plan) = made(StoreDtype::F32);
    let expected = files(folder.path());
    for name in [shard_name(1), CONTEXTS.to_owned()] {
        let path = folder.path().join(&name);
        for damage in 0..3 {
            let mut bytes = expected[&name].clone();
            let middle = bytes.len() / 2;
            match damage {
                0 => bytes[middle] ^= 1,
                1 => bytes.truncate(middle),
                _ => bytes.clear(),
            }
            fs::write(&path, bytes).unwrap();
            match Store::open(folder.path()) {
                Err(StoreError::Damaged { files, .. }) => assert_eq!(files, std::slice::from_ref(&name)),
                other => panic!("{other:?}"),
            }
            let mut writer = StoreWriter::resume(folder.path(), &plan).unwrap();
            assert_eq!(writer.damaged(), std::slice::from_ref(&name));
            assert_eq!(writer.todo().len(), usize::from(name != CONTEXTS));
            fill(&mut writer, &plan, &corpus);
            drop(writer);
            assert_eq!(files(folder.path()), expected);
        }
    }
    fs::remove_file(folder.path().join(shard_name(0))).unwrap();
    assert!(Store::open(folder.path()).unwrap_err().to_string().contains("shards/00000.arrow"));
}

#[test]
fn a_shard_that_comes_out_differently_does_not_replace_the_old_one() {
    let (folder, corpus, plan) = made(StoreDtype::F32);
    fs::write(folder.path().join(shard_name(0)), b"damaged").unwrap();
    let mut writer = StoreWriter::resume(folder.path(), &plan).unwrap();
    let mut wrong = rows(&plan, &corpus, 0);
    if let Column::F32(values) = &mut wrong.columns[0] {
        values[0] += 1.0;
    }
    assert!(matches!(writer.write(0, wrong), Err(StoreError::Different { .. })));
    assert_eq!(fs::read(folder.path().join(shard_name(0))).unwrap(), b"damaged");
    assert!(writer.write(0, rows(&plan, &corpus, 0)).is_ok());
}

#[test]
fn another_model_corpus_or_choice_is_refused() {
    let (folder, corpus, plan) = made(StoreDtype::F32);
    let refused = |other: StorePlan| match StoreWriter::resume(folder.path(), &other) {
        Err(StoreError::Changed { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let site = |width| StoreSite { site: SITE.into(), width };
    let origin = plan.manifest().origin.clone();
    let of = |origin: StoreOrigin, sites, dtype, options: &ContextOptions, bytes| {
        StorePlan::new(origin, sites, dtype, &corpus, options, 64, bytes)
    };
    let sites = plan.manifest().sites.clone();
    let model = StoreOrigin { model_digest: "two".into(), ..origin.clone() };
    assert_eq!(refused(of(model, sites.clone(), StoreDtype::F32, &options(), 2000)), "model");
    assert_eq!(refused(of(origin.clone(), vec![site(4)], StoreDtype::F32, &options(), 2000)), "choice of sites");
    assert_eq!(refused(of(origin.clone(), sites.clone(), StoreDtype::F16, &options(), 2000)), "element type");
    let fewer = ContextOptions { tokens: 50, ..options() };
    assert_eq!(refused(of(origin.clone(), sites.clone(), StoreDtype::F32, &fewer, 2000)), "choice of contexts");
    assert_eq!(refused(of(origin, sites, StoreDtype::F32, &options(), 9000)), "division into shards");
}

#[test]
fn folders_that_cannot_be_used_are_refused() {
    let (folder, corpus, plan) = made(StoreDtype::F32);
    assert!(matches!(StoreWriter::create(folder.path(), &plan), Err(StoreError::Exists(_))));
    let other = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(other.path()), Err(StoreError::Missing(_))));
    assert!(matches!(StoreWriter::resume(other.path(), &plan), Err(StoreError::Missing(_))));
    fs::write(other.path().join("thesis.tex"), "x").unwrap();
    assert!(matches!(StoreWriter::create(other.path(), &plan), Err(StoreError::NotEmpty(_))));
    let file = other.path().join("thesis.tex");
    assert!(matches!(StoreWriter::create(&file, &plan), Err(StoreError::Io { .. })));
    // What a run leaves behind that was killed before its manifest.
    let begun = tempfile::tempdir().unwrap();
    fs::create_dir(begun.path().join(SHARDS)).unwrap();
    fs::write(begun.path().join("contexts.part"), "half").unwrap();
    let mut writer = StoreWriter::create(begun.path(), &plan).unwrap();
    assert!(matches!(StoreWriter::resume(begun.path(), &plan), Err(StoreError::Busy(_))));
    assert!(matches!(
        writer.write(99, rows(&plan, &corpus, 0)),
        Err(StoreError::Range { what: "shard", index: 99, .. })
    ));
    let mut short = rows(&plan, &corpus, 0);
    short.columns[1] = Column::F32(vec![]);
    assert!(matches!(writer.write(0, short), Err(StoreError::Rows { .. })));
    let mut kind = rows(&plan, &corpus, 0);
    kind.columns[1] = Column::F16(vec![f16::ZERO; kind.contexts.len() * 3]);
    assert!(matches!(writer.write(0, kind), Err(StoreError::Rows { .. })));
}

#[cfg(unix)]
#[test]
fn a_full_disk_loses_nothing() {
    let (whole, corpus, plan) = made(StoreDtype::F32);
    let folder = tempfile::tempdir().unwrap();
    let mut writer = StoreWriter::create(folder.path(), &plan).unwrap();
    writer.write(0, rows(&plan, &corpus, 0)).unwrap();
    // A device that is always full stands where the next shard is written first.
    let part = folder.path().join("shards/00001.part");
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let error = writer.write(1, rows(&plan, &corpus, 1)).unwrap_err().to_string();
    assert!(error.contains("00001.arrow") && error.contains("free some space and go on with --resume"), "{error}");
    drop(writer);
    let mut writer = StoreWriter::resume(folder.path(), &plan).unwrap();
    assert_eq!(writer.todo()[0], 1);
    fill(&mut writer, &plan, &corpus);
    assert_eq!(files(folder.path()), files(whole.path()));
}

#[test]
fn impossible_manifests_are_refused() {
    let (folder, _, _) = made(StoreDtype::F32);
    let path = folder.path().join(MANIFEST);
    let text = fs::read_to_string(&path).unwrap();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        Store::open(folder.path()).unwrap_err().to_string()
    };
    assert!(with("golgi.store/1", "golgi.store/9").contains("this program reads"));
    assert!(with("\"width\": 4", "\"width\": 0").contains("impossible"));
    assert!(with("\"width\": 4", "\"width\": 4000000").contains("more rows than its file can hold"));
    assert!(with(NARROW, SITE).contains("the same name"));
    assert!(with(NARROW, "token").contains("the same name"));
    assert!(with("\"rows\": ", "\"rows\": 1").contains("do not add up"));
    assert!(with("\"dtype\": \"f32\"", "\"dtype\": \"f64\"").contains("unusable"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn hostile_shards_never_panic(at in 0usize..4000, value in any::<u8>(), more in 0usize..4000, cut in 0usize..4000) {
        let (folder, _, _) = made(StoreDtype::F32);
        let path = folder.path().join(shard_name(0));
        let mut bytes = fs::read(&path).unwrap();
        let len = bytes.len();
        bytes[at % len] = value;
        bytes[more % len] = value.wrapping_add(128);
        if cut % 3 == 0 {
            bytes.truncate(cut % len);
        }
        // With a digest that fits, so that only the reader itself stands in the way.
        let manifest = folder.path().join(MANIFEST);
        let mut parsed = Manifest::read(folder.path()).unwrap();
        parsed.shards[0].blake3 = Some(blake3::hash(&bytes).to_hex().to_string());
        parsed.shards[0].bytes = bytes.len() as u64;
        fs::write(&path, bytes).unwrap();
        fs::write(&manifest, serde_json::to_string(&parsed).unwrap()).unwrap();
        if let Ok(store) = Store::open(folder.path()) {
            let mut rows = Rows::default();
            let mut reader = store.sequential(&[SITE, NARROW], 50).unwrap();
            while let Ok(true) = reader.next_into(&mut rows) {
                prop_assert!(rows.values[0].len() == rows.len() * 4);
            }
        }
    }
}
