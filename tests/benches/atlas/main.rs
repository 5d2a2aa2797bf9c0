//! Speed and memory of building an atlas of the starter model over the starter corpus.
//!
//! `cargo bench -p golgi-tests --bench atlas` prints tokens per second of the pass that collects the statistics of every neuron,
//! head and residual dimension, as a fraction of a bare forward pass of the same run, the time of every other stage, and the
//! peak memory after growing numbers of tokens. `-- --memory 20000,80000,320000` sets those (default 20000,80000), `-- --tokens N`
//! the tokens of the timed builds.

#[path = "../forward/bare.rs"]
mod bare;
mod corpus;

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use golgi_analysis::atlas::{BuildOptions, build, estimate};
use golgi_data::context::{RunContext, bytes_text};
use golgi_data::corpus::{ContextOptions, PackedCorpus, contexts};
use golgi_data::models::Resolver;
use golgi_probes::{Batch, OpenModel, OpenOptions, open};

const ROUNDS: usize = 3;

fn options(tokens: u64) -> BuildOptions {
    BuildOptions { tokens, ..BuildOptions::default() }
}

/// Seconds of each stage of a build, in order.
fn stages(model: &OpenModel, corpus: &PackedCorpus, options: &BuildOptions) -> Vec<(String, f64)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ctx = RunContext::new(0);
    let (done, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::<(String, f64)>::new())));
    let watcher = {
        let (ctx, done, seen) = (ctx.clone(), done.clone(), seen.clone());
        std::thread::spawn(move || {
            let mut last = Instant::now();
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
                let (stage, elapsed) = (ctx.progress().stage, last.elapsed().as_secs_f64());
                last = Instant::now();
                let mut seen = seen.lock().expect("nobody panics with it");
                match seen.last_mut() {
                    Some((name, seconds)) if *name == stage => *seconds += elapsed,
                    _ => seen.push((stage, elapsed)),
                }
            }
        })
    };
    build(model, corpus, options, folder.path(), &ctx).expect("the build works");
    let bytes: u64 = std::fs::read_dir(folder.path())
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum();
    done.store(true, Ordering::Relaxed);
    watcher.join().expect("the watcher ends");
    println!("  tables: {}", bytes_text(bytes));
    seen.lock().expect("nobody panics with it").clone()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn timed(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn argument(name: &str) -> Option<String> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).cloned()
}

/// The largest resident size of this process so far, in bytes; Linux only.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

fn model() -> OpenModel {
    let opened = open("smollm2", &Resolver::default(), &OpenOptions::default(), &RunContext::new(0));
    opened.unwrap_or_else(|error| panic!("{error}"))
}

fn main() {
    let model = model();
    let corpus = corpus::packed(&model);
    if let Some(tokens) = argument("--memory-of").and_then(|text| text.parse().ok()) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ctx = RunContext::new(0);
        let before = estimate(&model, &corpus, &options(tokens), &ctx).expect("the estimate works");
        let start = Instant::now();
        build(&model, &corpus, &options(tokens), folder.path(), &ctx).expect("the build works");
        let seconds = start.elapsed().as_secs_f64();
        println!("{} {} {seconds:.1} {:.1}", peak_bytes().unwrap_or(0), before.memory_bytes, before.seconds);
        return;
    }
    let tokens = argument("--tokens").and_then(|text| text.parse().ok()).unwrap_or(8192);
    speed(&model, &corpus, tokens);
    drop((model, corpus));
    let sizes = argument("--memory").unwrap_or_else(|| "20000,80000".to_owned());
    memory(sizes.split(',').filter_map(|size| size.parse().ok()));
}

fn speed(model: &OpenModel, corpus: &PackedCorpus, tokens: u64) {
    // The same batches as in the build.
    let wanted = ContextOptions { len: 128, tokens: 4 * 2048, split: options(tokens).split, bos: None };
    let rows: Vec<Vec<u32>> = contexts(corpus, &wanted)
        .iter()
        .filter(|context| context.len == 128)
        .map(|context| corpus.context_tokens(context).to_vec())
        .take(16)
        .collect();
    let batch = Batch::padded(&rows, 0).expect("the corpus has long documents");
    let passed = (rows.len() * 128) as f64;
    println!("SmolLM2-135M-Instruct, float32, batches of 16 × 128 tokens; timed builds of {tokens} tokens");
    let (mut ratios, mut plain, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = Vec::new();
    for round in 1..=ROUNDS {
        // Bare passes before and after, so that a machine whose speed drifts is unfair to nobody.
        let bare = || timed(|| drop(bare::forward(&model.model, &batch.tokens)));
        let mut before = vec![bare(), bare()];
        // The last round is a whole build; the others leave out the search for neighbours, which takes minutes.
        let neighbours = if round == ROUNDS { options(tokens).neighbours } else { 0 };
        last = stages(model, corpus, &BuildOptions { neighbours, ..options(tokens) });
        before.extend([bare(), bare()]);
        let collecting: f64 = last.iter().filter(|stage| stage.0 == "collecting statistics").map(|stage| stage.1).sum();
        let rate = tokens as f64 / collecting;
        rates.push(rate);
        ratios.push(rate / (passed / median(before.clone())));
        plain.push(passed / median(before));
    }
    println!("bare forward to the logits: {:.0} tokens/s", median(plain));
    println!("atlas, collecting:          {:.0} tokens/s", median(rates));
    println!("atlas / bare:               {:.3} ({ratios:.3?})", median(ratios.clone()));
    for (stage, seconds) in last {
        println!("  {stage:<40}{seconds:>8.2} s");
    }
}

/// One process per size, because a process's peak never falls.
fn memory(sizes: impl Iterator<Item = u64>) {
    println!("{:<12}{:>14}{:>14}{:>12}{:>14}", "tokens", "peak memory", "estimated", "seconds", "est. pass");
    let program = std::env::current_exe().expect("this program has a path");
    for size in sizes {
        let output =
            Command::new(&program).args(["--memory-of", &size.to_string()]).output().expect("this program runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [peak, estimated, seconds, pass] => {
                let bytes = |text: &str| bytes_text(text.parse().unwrap_or(0));
                println!("{size:<12}{:>14}{:>14}{seconds:>12}{pass:>14}", bytes(peak), bytes(estimated));
            }
            _ => println!("{size:<12} failed: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}
