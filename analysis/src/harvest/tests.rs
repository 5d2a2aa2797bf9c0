//! Harvests of tiny models.

use std::fs;
use std::path::Path;

use golgi_data::context::RunContext;
use golgi_data::corpus::{PackedCorpus, PackedDocument, Split};
use golgi_data::site::SitePattern;
use golgi_data::store::{Rows, Selection, Store, StoreDtype, StoreError, shard_name};
use golgi_probes::{Batch, Capture, ForwardOptions, OpenModel};

use super::*;
use crate::testing::{Family, VOCAB, random};

fn corpus() -> PackedCorpus {
    let document = |i: usize| {
        let document =
            PackedDocument { id: format!("d{i}"), start: 0, len: 0, language: 0, genre: 0, split: Split::ALL[i % 3] };
        (document, (0..20 + 13 * i).map(|k| ((i * 7 + k * k) % VOCAB) as u32).collect())
    };
    PackedCorpus::in_memory("planted", (0..9).map(document).collect(), vec!["en".into()], vec![])
}

fn params(sites: &[&str]) -> HarvestParams {
    let sites = sites.iter().map(|site| SitePattern::new(site).unwrap()).collect();
    HarvestParams { context: 16, batch_tokens: 64, shard_bytes: 20_000, ..HarvestParams::new(sites, 100_000) }
}

fn run(model: &OpenModel, params: &HarvestParams, out: &Path, resume: bool) -> Result<HarvestReport, HarvestError> {
    harvest(model, &corpus(), params, out, resume, &RunContext::new(3))
}

#[test]
fn the_store_holds_what_a_capture_of_each_context_gives() {
    for family in [Family::Llama, Family::Gpt2, Family::Bert] {
        let (model, corpus) = (random(family, 5), corpus());
        let params = params(&["blocks.*.mlp.hook_post", "blocks.1.attn.hook_z", "blocks.0.hook_resid_post"]);
        let out = tempfile::tempdir().unwrap();
        let report = run(&model, &params, out.path(), false).unwrap();
        assert_eq!((report.rows, report.tokens, report.written), (report.computed, report.rows, report.shards));
        assert!(report.shards > 2);
        let store = Store::open(out.path()).unwrap();
        let names: Vec<&str> = store.manifest().sites.iter().map(|site| site.site.as_str()).collect();
        assert_eq!(names.len(), 5);
        for document in [0, 4, 8] {
            let found = store.select(&names, &Selection { documents: Some(vec![document]), tokens: None }).unwrap();
            let mut start = 0;
            while start < found.len() {
                let len = found.contexts[start..].iter().take_while(|c| **c == found.contexts[start]).count();
                let tokens = &found.tokens[start..start + len];
                let planned = &store.contexts()[found.contexts[start] as usize];
                let whole = corpus.document_tokens(&corpus.documents()[document as usize]);
                assert_eq!(tokens, &whole[planned.start as usize..][..len]);
                let mut capture = Capture::new(params.sites.clone());
                model.model.forward(&Batch::single(tokens).unwrap(), &mut capture, ForwardOptions::default()).unwrap();
                let trace = capture.into_trace(vec![]).unwrap();
                for (site, values) in names.iter().zip(&found.values) {
                    let expected: Vec<f32> =
                        trace.get(&site.parse().unwrap()).unwrap().flatten(0, -1).try_into().unwrap();
                    let width = expected.len() / len;
                    for (a, b) in values[start * width..(start + len) * width].iter().zip(&expected) {
                        // A batch of several contexts may round differently than one alone.
                        assert!((a - b).abs() < 1e-5, "{site}: {a} {b}");
                    }
                }
                start += len;
            }
            assert!(start > 0);
        }
    }
}

#[test]
fn a_resumed_harvest_equals_one_in_one_go() {
    let model = random(Family::Gpt2, 1);
    let params = HarvestParams { dtype: StoreDtype::F16, ..params(&["blocks.*.hook_resid_post"]) };
    let (whole, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let report = run(&model, &params, whole.path(), false).unwrap();
    run(&model, &params, other.path(), true).unwrap();
    let read = |folder: &Path, shard| fs::read(folder.join(shard_name(shard))).unwrap();
    fs::write(other.path().join(shard_name(1)), "damaged").unwrap();
    let again = run(&model, &params, other.path(), true).unwrap();
    assert_eq!((again.written, again.damaged), (1, vec![shard_name(1)]));
    for shard in 0..report.shards {
        assert_eq!(read(whole.path(), shard), read(other.path(), shard));
    }
    assert_eq!(run(&model, &params, other.path(), true).unwrap().written, 0);
}

#[test]
fn what_cannot_be_harvested_is_refused() {
    let model = random(Family::Gpt2, 1);
    let out = tempfile::tempdir().unwrap();
    let refused = |params: &HarvestParams| run(&model, params, out.path(), false).unwrap_err();
    assert!(matches!(refused(&params(&[])), HarvestError::NoSites));
    assert!(matches!(refused(&params(&["*.attn.hook_pattern"])), HarvestError::Pairs { .. }));
    assert!(refused(&params(&["blocks.9.hook_resid_post"])).to_string().contains("blocks.9.hook_resid_post"));
    let none = HarvestParams { tokens: 0, ..params(&["blocks.0.hook_resid_post"]) };
    assert!(matches!(refused(&none), HarvestError::NoTokens { .. }));
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    let good = params(&["blocks.0.hook_resid_post"]);
    run(&model, &good, out.path(), false).unwrap();
    assert!(matches!(refused(&good), HarvestError::Store(StoreError::Exists(_))));
    let changed = HarvestParams { dtype: StoreDtype::F16, ..good };
    let error = run(&model, &changed, out.path(), true).unwrap_err();
    assert!(matches!(error, HarvestError::Store(StoreError::Changed { what: "element type", .. })), "{error}");
}

#[test]
fn a_cancelled_harvest_keeps_what_it_has() {
    let model = random(Family::Gpt2, 1);
    let params = params(&["blocks.0.hook_resid_post"]);
    let out = tempfile::tempdir().unwrap();
    let ctx = RunContext::new(3);
    ctx.cancel();
    let error = harvest(&model, &corpus(), &params, out.path(), false, &ctx).unwrap_err();
    assert!(error.is_cancelled());
    assert!(matches!(Store::open(out.path()), Err(StoreError::Incomplete { .. })));
    run(&model, &params, out.path(), true).unwrap();
    let store = Store::open(out.path()).unwrap();
    let mut rows = Rows::default();
    assert!(store.sequential(&["blocks.0.hook_resid_post"], 1 << 20).unwrap().next_into(&mut rows).unwrap());
    assert_eq!(rows.len() as u64, store.manifest().rows);
}

#[test]
fn the_estimate_is_the_size() {
    let model = random(Family::Gpt2, 1);
    let (params, corpus) = (params(&["blocks.*.hook_resid_post"]), corpus());
    let ctx = RunContext::new(3);
    let out = tempfile::tempdir().unwrap();
    let begun = Harvest::begin(&model, &corpus, &params, out.path(), false, &ctx).unwrap();
    let expected = begun.estimate().unwrap();
    let report = begun.run().unwrap();
    let after = Harvest::begin(&model, &corpus, &params, out.path(), true, &ctx).unwrap().estimate().unwrap();
    assert_eq!((expected.todo, after.todo, after.seconds), (report.rows, 0, 0.0));
    assert_eq!((expected.rows, expected.contexts, expected.shards), (report.rows, report.contexts, report.shards));
    let heads = report.bytes - expected.bytes;
    assert!(heads < 4000 * report.shards as u64, "{heads}");
    assert!(expected.seconds > 0.0);
}
