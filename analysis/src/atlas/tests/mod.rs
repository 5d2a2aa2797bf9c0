//! Whole builds on tiny models, beside the same numbers worked out by hand from captured activations.

mod brute;
mod latents;
mod resume;

use std::path::Path;

use golgi_data::atlas::{Atlas, Manifest};
use golgi_data::context::RunContext;
use golgi_data::corpus::{PackedCorpus, PackedDocument, Split};
use golgi_probes::OpenModel;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{BuildError, BuildOptions, build, estimate};
use crate::error::{AnalysisError, Result};
use crate::testing::{Family, VOCAB, random};

/// Documents of uneven length in two languages, one genre and none, of which few tokens are frequent.
pub(super) fn corpus(documents: usize, seed: u64) -> PackedCorpus {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let documents = (0..documents).map(|i| {
        let about = PackedDocument {
            id: format!("d{i}"),
            start: 0,
            len: 0,
            language: (i % 3) as u16,
            genre: if i % 2 == 0 { 0 } else { u16::MAX },
            split: Split::ALL[i % 3],
        };
        let len = rng.random_range(1..60);
        let tokens =
            (0..len).map(|_| rng.random_range(0..VOCAB as u32).min(rng.random_range(0..VOCAB as u32))).collect();
        (about, tokens)
    });
    PackedCorpus::in_memory("planted", documents.collect(), vec!["en".into(), "de".into()], vec!["prose".into()])
}

pub(super) fn options() -> BuildOptions {
    BuildOptions {
        context_len: 16,
        tokens: 900,
        split: None,
        batch_tokens: 64,
        seed: 5,
        correlation_slots: 40,
        neighbours: 3,
        calibration_tokens: 100,
        ..BuildOptions::default()
    }
}

pub(super) fn built(
    model: &OpenModel,
    corpus: &PackedCorpus,
    options: &BuildOptions,
    folder: &Path,
) -> Result<Manifest> {
    build(model, corpus, options, folder, &RunContext::new(0))
}

#[test]
fn every_family_of_models_has_an_atlas() {
    let corpus = corpus(40, 1);
    let every =
        [Family::Llama, Family::Gpt2, Family::NeoX, Family::Gemma, Family::Projected, Family::PostNorm, Family::Bert];
    for family in every {
        let (model, folder) = (random(family, 12), tempfile::tempdir().unwrap());
        let manifest = built(&model, &corpus, &options(), folder.path()).unwrap();
        assert!(manifest.complete && manifest.contexts > 0);
        let atlas = Atlas::open(folder.path()).unwrap();
        assert_eq!(manifest.units(), 3 * (9 + 4 + 12), "{family:?}");
        for id in 0..manifest.units() {
            let page = atlas.page(id).unwrap();
            let values = page.statistics.iter().filter_map(|statistic| statistic.value);
            assert!(values.clone().count() > 15 && values.into_iter().all(f64::is_finite), "{family:?} {}", page.short);
            assert!(page.examples.iter().all(|example| example.values[example.peak] == example.value));
            let neuron = page.kind == "neuron";
            let linear = !matches!(family, Family::PostNorm | Family::Bert);
            assert_eq!(page.promoted.len(), if neuron && linear { 10 } else { 0 }, "{family:?}");
            assert_eq!(page.nearest_by_correlation.len(), 3, "{family:?} {}", page.short);
        }
    }
}

#[test]
fn what_cannot_be_built_is_refused_with_the_reason() {
    let (model, folder) = (random(Family::Llama, 1), tempfile::tempdir().unwrap());
    let refused =
        |corpus: &PackedCorpus, options: &BuildOptions| built(&model, corpus, options, folder.path()).unwrap_err();
    let long = BuildOptions { context_len: 33, ..options() };
    assert!(matches!(
        refused(&corpus(9, 1), &long),
        AnalysisError::Build(BuildError::Option { name: "context_len", .. })
    ));
    let empty = PackedCorpus::in_memory("empty", Vec::new(), Vec::new(), Vec::new());
    let error = refused(&empty, &options());
    assert!(error.to_string().contains("`empty` has no context"), "{error}");
    let other = BuildOptions { seed: 9, ..options() };
    let folder = tempfile::tempdir().unwrap();
    let document = PackedDocument { id: "a".into(), start: 0, len: 0, language: 0, genre: 0, split: Split::Explore };
    let foreign = PackedCorpus::in_memory("foreign", vec![(document, vec![1, VOCAB as u32])], Vec::new(), Vec::new());
    let error = built(&model, &foreign, &options(), folder.path()).unwrap_err();
    assert!(error.to_string().contains("token 23"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    built(&model, &corpus(9, 1), &options(), folder.path()).unwrap();
    let error = built(&model, &corpus(9, 1), &other, folder.path()).unwrap_err();
    assert!(error.to_string().contains("seed: 5, now 9"), "{error}");
}

#[test]
fn broken_weights_are_named() {
    let (model, folder) = (random(Family::Gpt2, 1), tempfile::tempdir().unwrap());
    let _ = model.model.blocks[1].mlp.pre.weight.shallow_clone().fill_(f64::NAN);
    let error = built(&model, &corpus(9, 1), &options(), folder.path()).unwrap_err();
    assert!(error.to_string().contains("blocks.1.mlp.hook_post"), "{error}");
}

#[test]
fn the_estimate_knows_sizes_before_the_run() {
    let model = random(Family::Llama, 2);
    let few = estimate(&model, &corpus(40, 1), &options(), &RunContext::new(0)).unwrap();
    let more =
        estimate(&model, &corpus(400, 1), &BuildOptions { tokens: 9000, ..options() }, &RunContext::new(0)).unwrap();
    assert_eq!(few.units, 75);
    assert!(few.pass_seconds > 0.0 && few.after_seconds > 0.0 && more.tokens > few.tokens);
    assert_eq!(few.seconds, few.pass_seconds + few.after_seconds);
    // The state does not grow with the corpus.
    assert_eq!(few.checkpoint_bytes, more.checkpoint_bytes);
}
