//! A training step of a TopK dictionary beside the same step as plain dense tensor code, and encoding beside the matrix product
//! that bounds it, all in one run on the same rows.
//!
//! `cargo xtask bench -- sae`. Rows are planted (sums of few directions with noise), which costs no more or less than real ones.

use std::time::Instant;

use golgi_data::dictionary::{Architecture, Part};
use golgi_probes::{Device, Kind, Tensor};
use golgi_sae::dense::Dense;
use golgi_sae::planted::Planted;
use golgi_sae::{Coder, Settings, Trainer};

const D: usize = 576;
const M: u32 = 4608;
const K: u32 = 32;
const BATCH: usize = 4096;
const RUNS: usize = 7;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn timed(mut work: impl FnMut()) -> f64 {
    // The first run sets buffers up.
    work();
    let runs = (0..RUNS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    median(runs.collect())
}

fn rows() -> Vec<f32> {
    let planted = Planted::new(D, 2 * D, 24.0, 0);
    let noise = Planted::new(D, D, D as f64 / 2.0, 1).rows(BATCH, 0);
    planted.rows(BATCH, 0).iter().zip(noise).map(|(row, noise)| row + 0.02 * noise).collect()
}

fn settings(m: u32, k: u32) -> Settings {
    let mut settings = Settings::published(Architecture::TopK { k }, m, 1000);
    settings.batch = BATCH;
    // No latent dies within the benchmark, for neither side.
    settings.dead_after = u64::MAX;
    settings
}

fn trainer(m: u32, k: u32) -> Trainer {
    let site = Part { site: "blocks.15.hook_resid_post".into(), width: D as u32 };
    Trainer::new(settings(m, k), vec![site], None).expect("possible settings")
}

/// Seconds of a step of ours.
fn sparse_step(m: u32, k: u32, rows: &[f32]) -> f64 {
    let mut trainer = trainer(m, k);
    timed(|| {
        trainer.step(rows, None).expect("a step");
    })
}

/// Seconds of the same step as plain tensor code: forward, differentiation, projection, clipping, Adam, renormalisation.
fn dense_step(m: u32, k: u32, rows: &[f32]) -> f64 {
    let mut first = trainer(m, k);
    first.step(rows, None).expect("a step");
    let settings = settings(m, k);
    let mut dense = Dense::new(first.parameters()).expect("tensors");
    let x = Tensor::from_slice(rows).view([BATCH as i64, D as i64])
        * f64::from(first.scale().expect("set by the first step").inputs[0]);
    let (beta1, beta2) = (f64::from(settings.adam.beta1), f64::from(settings.adam.beta2));
    let zeros = |dense: &mut Dense| dense.leaves_mut().into_iter().map(|leaf| leaf.zeros_like()).collect::<Vec<_>>();
    let (mut moments, mut squares) = (zeros(&mut dense), zeros(&mut dense));
    let mut t = 1;
    timed(|| {
        for leaf in dense.leaves_mut() {
            leaf.zero_grad();
        }
        let loss = dense.loss(&settings, first.layout(), true, 0.0, &[], &x, &x).expect("a loss");
        loss.backward();
        golgi_probes::no_grad(|| {
            let norm: Tensor =
                dense.leaves_mut().into_iter().map(|leaf| leaf.grad().square().sum(Kind::Float)).sum::<Tensor>().sqrt();
            let factor = (1.0 / norm.double_value(&[])).min(1.0);
            let decoder = dense.decoder.shallow_clone();
            let mut gradient = decoder.grad();
            let along = (&gradient * &decoder).sum_dim_intlist([-1i64].as_slice(), true, None::<Kind>);
            let _ = gradient.g_sub_(&(along * &decoder));
            let (c1, c2) = (1.0 - beta1.powi(t), (1.0 - beta2.powi(t)).sqrt());
            for ((leaf, m), v) in dense.leaves_mut().into_iter().zip(&mut moments).zip(&mut squares) {
                let gradient = leaf.grad() * factor;
                let _ = m.lerp_(&gradient, 1.0 - beta1);
                let _ = v.g_mul_scalar_(beta2).addcmul_(&gradient, &(&gradient * (1.0 - beta2)));
                let denominator = v.sqrt() / c2 + 1e-8;
                let _ = leaf.addcdiv_(m, &(denominator * (-c1 / 2e-4)));
            }
            let norms = decoder.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true);
            let _ = dense.decoder.g_div_(&norms);
        });
        t += 1;
    })
}

fn main() {
    let rows = rows();
    let flops = 2.0 * BATCH as f64 * D as f64 * f64::from(M);
    let (a, b) = (
        Tensor::randn([BATCH as i64, D as i64], (Kind::Float, Device::Cpu)),
        Tensor::randn([D as i64, i64::from(M)], (Kind::Float, Device::Cpu)),
    );
    let product = timed(|| drop(a.matmul(&b)));
    println!(
        "encoder's product {BATCH}×{D}×{M}: {:.1} ms, {:.0} GFLOP/s (the limit)",
        product * 1e3,
        flops / product / 1e9
    );

    let mut trained = trainer(M, K);
    (0..3).for_each(|_| {
        trained.step(&rows, None).expect("a step");
    });
    let coder = Coder::new(trained.dictionary()).expect("a dictionary");
    let encode = timed(|| drop(coder.encode(&rows).expect("codes")));
    println!(
        "encoding: {:.1} ms, {:.0} rows/s, {:.2} of the limit (target 0.8)",
        encode * 1e3,
        BATCH as f64 / encode,
        product / encode
    );

    let (ours, dense) = (sparse_step(M, K, &rows), dense_step(M, K, &rows));
    println!(
        "TopK step, d {D}, m {M}, k {K}, batch {BATCH}: {:.0} ms ({:.0} rows/s); dense tensor code {:.0} ms: {:.2} times as fast (target 2.5); \
         the encoder's product alone is {:.0} % of the step",
        ours * 1e3,
        BATCH as f64 / ours,
        dense * 1e3,
        dense / ours,
        product / ours * 100.0
    );
    println!("\n{:>8} {:>6} {:>12} {:>12}", "m", "k", "ms", "rows/s");
    for (m, k) in [(2048, 32), (8192, 32), (32768, 32), (4608, 16), (4608, 64), (4608, 128)] {
        let step = sparse_step(m, k, &rows);
        println!("{m:>8} {k:>6} {:>12.0} {:>12.0}", step * 1e3, BATCH as f64 / step);
    }
}
