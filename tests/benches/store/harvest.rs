//! Tokens per second of a harvest, beside those of the bare forward pass over the same contexts.

use golgi_analysis::harvest::{HarvestParams, harvest, plan};
use golgi_data::context::RunContext;
use golgi_data::corpus::{Corpus, CorpusOptions, PackedCorpus};
use golgi_data::models::Resolver;
use golgi_data::site::SitePattern;
use golgi_data::store::{StoreDtype, StorePlan};
use golgi_probes::{Batch, ForwardOptions, NoTap, OpenModel, OpenOptions, open};

use crate::{median, timed};

const TOKENS: u64 = 8192;
const RUNS: usize = 3;

/// Every context of the plan through the whole model, nothing kept.
fn bare(model: &OpenModel, corpus: &PackedCorpus, plan: &StorePlan) {
    for shard in 0..plan.shards() {
        for group in plan.groups(shard) {
            let rows: Vec<Vec<u32>> = group.iter().map(|context| plan.sequence(*context, corpus)).collect();
            let batch = Batch::padded(&rows, 0).expect("there are tokens");
            drop(model.model.forward(&batch, &mut NoTap, ForwardOptions::logits()).expect("the pass works"));
        }
    }
}

/// The same up to the last block, as a harvest of the last residual stream must: no unembedding.
fn body(model: &OpenModel, corpus: &PackedCorpus, plan: &StorePlan) {
    let last = SitePattern::new("ln_final.hook_normalized").expect("a valid pattern");
    for shard in 0..plan.shards() {
        for group in plan.groups(shard) {
            let rows: Vec<Vec<u32>> = group.iter().map(|context| plan.sequence(*context, corpus)).collect();
            let batch = Batch::padded(&rows, 0).expect("there are tokens");
            let mut capture = golgi_probes::Capture::new(vec![last.clone()]);
            model.model.forward(&batch, &mut capture, ForwardOptions::default()).expect("the pass works");
        }
    }
}

pub fn harvest_beside_forward() {
    let ctx = RunContext::new(0);
    let opened = open("smollm2", &Resolver::default(), &OpenOptions::default(), &ctx);
    let model = opened.unwrap_or_else(|error| panic!("{error}; run the benchmark with `cargo xtask bench`"));
    let corpus = Corpus::open("starter", &CorpusOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    let corpus =
        PackedCorpus::open_or_build(&corpus, model.tokenizer().expect("it has one"), &ctx).expect("it is text");
    println!("\nSmolLM2-135M-Instruct, {TOKENS} tokens of the starter corpus, contexts of 128\n");
    println!("{:<46}{:>10}{:>14}{:>12}", "", "tokens/s", "harvest/bare", "of body");
    let cases = [
        ("resid_post of the last block, f32", "blocks.29.hook_resid_post", StoreDtype::F32),
        ("resid_post of every block, f16", "blocks.*.hook_resid_post", StoreDtype::F16),
        ("mlp.hook_post of every block, f16", "blocks.*.mlp.hook_post", StoreDtype::F16),
    ];
    for (name, site, dtype) in cases {
        let sites = vec![SitePattern::new(site).expect("a valid pattern")];
        let params = HarvestParams { dtype, ..HarvestParams::new(sites, TOKENS) };
        let (planned, _) = plan(&model, &corpus, &params, 0).expect("the sites are there");
        let mut times: [Vec<f64>; 3] = Default::default();
        // In turn, so that a machine whose speed drifts is unfair to nobody.
        for _ in 0..RUNS {
            let folder = tempfile::tempdir().expect("a folder for temporary files");
            times[0].push(timed(|| bare(&model, &corpus, &planned)).0);
            times[1].push(timed(|| body(&model, &corpus, &planned)).0);
            let work = || harvest(&model, &corpus, &params, folder.path(), false, &ctx).expect("there is room");
            times[2].push(timed(work).0);
        }
        let ratio = |of: usize| median(times[of].iter().zip(&times[2]).map(|(bare, this)| bare / this).collect());
        let speed = TOKENS as f64 / median(times[2].clone());
        println!("{name:<46}{speed:>10.0}{:>14.2}{:>12.2}", ratio(0), ratio(1));
    }
}
