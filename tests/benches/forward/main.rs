//! Speed and memory of the starter model, against this machine's own limit measured in the same run.
//!
//! `cargo xtask bench` prints a table: tokens per second of each kind of pass, the share of the f32 matrix-product peak that it
//! reaches, its ratio to a bare forward pass written out without taps, and the peak memory beside the estimate.
//!
//! Each memory figure comes from a process of its own, because a process's peak never falls.

mod bare;
mod memory;

use std::time::Instant;

use golgi_data::context::RunContext;
use golgi_data::models::Resolver;
use golgi_data::site::SitePattern;
use golgi_probes::generate::{GenerateOptions, generate};
use golgi_probes::{Batch, Capture, Device, ForwardOptions, Kind, NoTap, OpenModel, OpenOptions, Tensor, open};

const BATCH: usize = 8;
const POS: usize = 128;
const RUNS: usize = 5;

pub fn model() -> OpenModel {
    let opened = open("smollm2", &Resolver::default(), &OpenOptions::default(), &RunContext::new(0));
    opened.unwrap_or_else(|error| panic!("{error}; run the benchmark with `cargo xtask bench`"))
}

/// The same tokens for every pass.
pub fn batch() -> Batch {
    let rows: Vec<Vec<u32>> = (0..BATCH)
        .map(|row| (0..POS).map(|pos| 1000 + ((row * 7919 + pos * 104_729) % 40_000) as u32).collect())
        .collect();
    Batch::padded(&rows, 0).expect("the rows are not empty")
}

/// A kind of pass.
#[derive(Clone, Copy, PartialEq)]
pub struct Case {
    pub name: &'static str,
    /// Sites captured; empty for none.
    pub pattern: &'static str,
    pub logits: bool,
    /// Blocks that are run.
    pub layers: usize,
}

pub const CASES: &[Case] = &[
    Case { name: "logits, no tap", pattern: "", logits: true, layers: 30 },
    Case { name: "logits, every mlp.hook_post", pattern: "blocks.*.mlp.hook_post", logits: true, layers: 30 },
    Case {
        name: "resid_post of layer 15, early stop",
        pattern: "blocks.15.hook_resid_post",
        logits: false,
        layers: 16,
    },
];

pub fn patterns(case: Case) -> Vec<SitePattern> {
    if case.pattern.is_empty() { vec![] } else { vec![SitePattern::new(case.pattern).expect("a valid pattern")] }
}

/// Runs one pass and returns what it captured, so that it is alive until the end of the measurement.
pub fn pass(model: &OpenModel, batch: &Batch, case: Case) -> (Option<Tensor>, golgi_probes::Trace) {
    let mut capture = Capture::new(patterns(case));
    let options = ForwardOptions { logits: case.logits, ..ForwardOptions::default() };
    let failed = "the pass works";
    let logits = if case.pattern.is_empty() {
        model.model.forward(batch, &mut NoTap, options).expect(failed)
    } else {
        model.model.forward(batch, &mut capture, options).expect(failed)
    };
    (logits, capture.into_trace(vec![]).expect(failed))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn timed(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// FLOP/s of the largest matrix product of the model's kind.
fn matmul_peak() -> f64 {
    let n = 1536;
    let (a, b) = (Tensor::rand([n, n], (Kind::Float, Device::Cpu)), Tensor::rand([n, n], (Kind::Float, Device::Cpu)));
    let _ = a.matmul(&b);
    let best = (0..8).map(|_| timed(|| drop(a.matmul(&b)))).fold(f64::INFINITY, f64::min);
    2.0 * (n as f64).powi(3) / best
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--memory-of") {
        return memory::child(&arguments[at + 1]);
    }
    println!("SmolLM2-135M-Instruct, float32, batch {BATCH} × {POS} tokens, {} threads", tch_threads());

    let first = (0..3).map(|_| {
        timed(|| {
            let model = model();
            let tokens = model.encode("The capital of France is").expect("the text is short");
            let batch = Batch::single(&tokens).expect("there are tokens");
            drop(model.model.forward(&batch, &mut NoTap, ForwardOptions::logits()).expect("the pass works"));
        })
    });
    println!(
        "load from GGUF and answer the first prompt: {:.2} s (median of 3, file in the page cache)",
        median(first.collect())
    );

    let model = model();
    let batch = batch();
    let tokens = (BATCH * POS) as f64;
    // Two floating-point operations per weight and token; embeddings are looked up, the unembedding is multiplied.
    let counts = model.model.parameter_counts();
    let per_block = counts.blocks.first().map_or(0, |(attn, mlp, _)| attn + mlp) as f64;
    let unembed = (model.model.dims.d_vocab * model.model.dims.d_model) as f64;

    let mut bare_times = Vec::new();
    let mut case_times = vec![Vec::new(); CASES.len()];
    let mut peaks = Vec::new();
    // The yardstick must compute the same thing.
    let ours = pass(&model, &batch, CASES[0]).0.expect("logits were asked for");
    let difference = (bare::forward(&model.model, &batch.tokens) - ours).abs().max().double_value(&[]);
    assert!(difference < 1e-2, "the bare pass differs by {difference}");
    // In turn, so that a machine whose speed drifts is unfair to nobody.
    for _ in 0..RUNS {
        peaks.push(matmul_peak());
        bare_times.push(timed(|| drop(bare::forward(&model.model, &batch.tokens))));
        for (times, case) in case_times.iter_mut().zip(CASES) {
            times.push(timed(|| drop(pass(&model, &batch, *case))));
        }
    }
    let peak = peaks.iter().copied().fold(0.0, f64::max);
    println!("f32 matrix product: {:.1} GFLOP/s (best of {})\n", peak / 1e9, RUNS * 8);
    println!("{:<38}{:>10}{:>12}{:>10}{:>12}", "pass", "seconds", "tokens/s", "of peak", "bare/this");
    let show = |name: &str, seconds: f64, flops: f64, ratio: f64| {
        let share = 100.0 * flops / seconds / peak;
        println!("{name:<38}{seconds:>10.3}{:>12.0}{share:>9.0}%{ratio:>12.3}", tokens / seconds);
    };
    let flops =
        |layers: usize, logits: bool| 2.0 * tokens * (per_block * layers as f64 + if logits { unembed } else { 0.0 });
    show("bare forward, no taps in the code", median(bare_times.clone()), flops(30, true), 1.0);
    for (times, case) in case_times.iter().zip(CASES) {
        // The ratio run by run, then its median.
        let ratio = median(bare_times.iter().zip(times).map(|(bare, this)| bare / this).collect());
        show(case.name, median(times.clone()), flops(case.layers, case.logits), ratio);
    }
    let (stop, whole) = (flops(16, false), flops(30, true));
    println!("the early stop does {:.3} of the whole pass's arithmetic\n", stop / whole);

    let prompt = model.encode("Once upon a time, in a small village by the sea,").expect("the text is short");
    let options = GenerateOptions { max_tokens: 64, ..GenerateOptions::default() };
    let mut made = 0;
    let seconds = timed(|| {
        let generation = generate(&model.model, &prompt, &options, &mut NoTap, &RunContext::new(0), &mut |_| {});
        made = generation.expect("generation works").steps.len();
    });
    // A step reads every weight once, so memory bandwidth bounds it.
    let bytes = 4.0 * (per_block * 30.0 + unembed);
    println!(
        "cached generation: {:.1} tokens/s ({made} tokens after {}), {:.1} GB/s of weights read; copying memory: {:.1} GB/s\n",
        made as f64 / seconds,
        prompt.len(),
        bytes * made as f64 / seconds / 1e9,
        memory::copy_bandwidth() / 1e9
    );
    drop(model);
    memory::table();
}

fn tch_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
