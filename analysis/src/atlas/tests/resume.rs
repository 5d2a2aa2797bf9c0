//! Stopping and going on.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use golgi_data::atlas::Atlas;
use golgi_data::context::RunContext;

use super::{built, corpus, options};
use crate::atlas::{BuildOptions, build, checkpoint};
use crate::testing::{Family, random};

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_build_in_pieces_ends_with_the_same_files() {
    let (model, corpus) = (random(Family::Llama, 5), corpus(60, 7));
    let whole = tempfile::tempdir().unwrap();
    built(&model, &corpus, &options(), whole.path()).unwrap();
    let expected = files(whole.path());
    assert!(expected.len() == 10 && !expected.contains_key("checkpoint.bin"), "{:?}", expected.keys());

    // Cancelled again and again, wherever it happens to be.
    let pieces = tempfile::tempdir().unwrap();
    let eager = BuildOptions { checkpoint_batches: Some(2), ..options() };
    let mut stops = 0;
    loop {
        let ctx = RunContext::new(0);
        let (watcher, delay) = (ctx.clone(), Duration::from_millis(3 + 11 * stops));
        let timer = std::thread::spawn(move || {
            std::thread::sleep(delay);
            watcher.cancel();
        });
        let result = build(&model, &corpus, &eager, pieces.path(), &ctx);
        timer.join().unwrap();
        match result {
            Ok(manifest) => {
                assert!(manifest.complete);
                break;
            }
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
        stops += 1;
    }
    assert!(stops > 0, "the build was faster than its first interruption");
    let found = files(pieces.path());
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
    // What is complete is not touched again.
    built(&model, &corpus, &options(), pieces.path()).unwrap();
    assert!(files(pieces.path()) == expected);
}

#[test]
fn what_is_known_so_far_does_not_change_what_comes_of_it() {
    let (model, corpus) = (random(Family::Gpt2, 5), corpus(60, 7));
    let (whole, shown) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    built(&model, &corpus, &options(), whole.path()).unwrap();
    let often = BuildOptions { snapshot_batches: Some(1), ..options() };
    let ctx = RunContext::new(0);
    let (watcher, folder) = (ctx.clone(), shown.path().to_owned());
    // Read again and again while it grows.
    let reader = std::thread::spawn(move || {
        let mut seen = Vec::new();
        while !folder.join("atlas.json").exists() {
            let Ok(atlas) = Atlas::open(&folder) else { continue };
            let Some(so_far) = atlas.manifest().provisional else { break };
            if seen.last() != Some(&so_far.tokens) && watcher.progress().stage == "collecting statistics" {
                let page = atlas.page(7).unwrap();
                assert!(so_far.tokens <= so_far.of && so_far.tokens == atlas.manifest().tokens);
                assert!(!page.examples.is_empty() && page.promoted.is_empty() && page.nearest_by_weights.is_empty());
                assert!(page.statistic("norm_in").is_none() && page.statistic("mean").is_some());
                seen.push(so_far.tokens);
            }
        }
        seen
    });
    build(&model, &corpus, &often, shown.path(), &ctx).unwrap();
    let seen = reader.join().unwrap();
    assert!(seen.is_sorted() && !seen.is_empty(), "{seen:?}");
    assert!(files(shown.path()) == files(whole.path()));
    assert!(ctx.warnings().is_empty());
}

#[test]
fn a_provisional_atlas_that_cannot_be_written_does_not_stop_the_build() {
    let (model, corpus, folder) = (random(Family::Gpt2, 5), corpus(60, 7), tempfile::tempdir().unwrap());
    // A file where its folder belongs.
    std::fs::write(folder.path().join("provisional"), "").unwrap();
    let often = BuildOptions { snapshot_batches: Some(1), ..options() };
    let ctx = RunContext::new(0);
    assert!(build(&model, &corpus, &often, folder.path(), &ctx).unwrap().complete);
    let warnings = ctx.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("cannot be shown"), "{warnings:?}");
}

#[test]
fn a_damaged_checkpoint_is_found_out() {
    let (model, corpus, folder) = (random(Family::Llama, 5), corpus(60, 7), tempfile::tempdir().unwrap());
    let ctx = RunContext::new(0);
    ctx.cancel();
    assert!(build(&model, &corpus, &options(), folder.path(), &ctx).unwrap_err().is_cancelled());
    // Cancelled during the calibration, there is nothing to keep; after it, there is.
    let ctx = RunContext::new(0);
    let watcher = ctx.clone();
    let timer = std::thread::spawn(move || {
        while watcher.progress().stage != "collecting statistics" {
            std::thread::yield_now();
        }
        watcher.cancel();
    });
    let result = build(&model, &corpus, &options(), folder.path(), &ctx);
    timer.join().unwrap();
    assert!(result.unwrap_err().is_cancelled());
    let path = checkpoint::path(folder.path());
    let whole = std::fs::read(&path).unwrap();
    for at in [0, 30, 100, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let error = built(&model, &corpus, &options(), folder.path()).unwrap_err().to_string();
        assert!(error.contains("delete it to start anew"), "{error}");
    }
    for len in [0, 40, 60, whole.len() - 1] {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert!(built(&model, &corpus, &options(), folder.path()).is_err());
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(built(&model, &corpus, &options(), folder.path()).unwrap().complete);
}
