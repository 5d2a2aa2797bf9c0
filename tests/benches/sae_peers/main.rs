//! The same TopK dictionary trained by Golgi, by plain dense PyTorch and by SAELens: the same rows in the same order, as many steps, the same
//! rate. What is compared is the time of a step and what the result explains of rows that none has seen.
//!
//! `cargo xtask bench --peers` makes the Python environment and names it in `GOLGI_PEERS_PYTHON`; without it only Golgi is measured.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use golgi_data::dictionary::{Architecture, Part};
use golgi_sae::evaluate::quality;
use golgi_sae::planted::Planted;
use golgi_sae::{Coder, Settings, Trainer};

const D: usize = 576;
const M: u32 = 4608;
const K: u32 = 32;
const BATCH: usize = 4096;
/// Different batches, and one more to judge on.
const BATCHES: u64 = 24;
const STEPS: u64 = 150;
const RATE: f64 = 1e-3;
const WARM_UP: u64 = 15;
/// Steps before times count.
const SET_UP: usize = 5;

/// What a program came to.
struct Outcome {
    name: String,
    milliseconds: f64,
    explained: f64,
}

fn rows(number: u64) -> Vec<f32> {
    let planted = Planted::new(D, 2 * D, 24.0, 0).rows(BATCH, number);
    let noise = Planted::new(D, D, D as f64 / 2.0, 1).rows(BATCH, number);
    planted.iter().zip(noise).map(|(row, noise)| row + 0.02 * noise).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ours(batches: &[Vec<f32>], held_out: &[f32]) -> Outcome {
    let mut settings = Settings::published(Architecture::TopK { k: K }, M, STEPS);
    (settings.batch, settings.rate, settings.warm_up) = (BATCH, RATE, WARM_UP);
    // As in the others: no latent dies within the benchmark, and the rate does not fall.
    (settings.dead_after, settings.decay) = (u64::MAX, 0.0);
    let site = Part { site: "blocks.15.hook_resid_post".into(), width: D as u32 };
    let mut trainer = Trainer::new(settings, vec![site], None).expect("possible settings");
    let times = (0..STEPS).map(|step| {
        let rows = &batches[(step % BATCHES) as usize];
        let start = Instant::now();
        trainer.step(rows, None).expect("a step");
        start.elapsed().as_secs_f64() * 1e3
    });
    let times: Vec<f64> = times.collect();
    let coder = Coder::new(trainer.dictionary()).expect("a dictionary");
    let fit = coder.decode(&coder.encode(held_out).expect("codes"), held_out).expect("reconstructions");
    let explained = quality(held_out, &fit, D, None).explained_variance;
    Outcome { name: "Golgi".into(), milliseconds: median(times[SET_UP..].to_vec()), explained }
}

fn theirs(python: &str, name: &str, data: &Path) -> Result<Outcome, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/sae_training.py");
    let numbers = [D as u64, u64::from(M), u64::from(K), BATCH as u64, BATCHES, STEPS, WARM_UP, SET_UP as u64];
    let mut command = Command::new(python);
    command.arg(script).arg(name).arg(data).args(numbers.map(|number| number.to_string())).arg(RATE.to_string());
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| format!("cannot start {python}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    let found: serde_json::Value =
        serde_json::from_str(line).map_err(|error| format!("{name} ended with {}: {error}", output.status))?;
    let number = |key: &str| found[key].as_f64().ok_or_else(|| format!("{name} did not say its `{key}`: {line}"));
    let (milliseconds, explained) = (number("milliseconds")?, number("explained_variance")?);
    Ok(Outcome { name: found["name"].as_str().unwrap_or(name).to_owned(), milliseconds, explained })
}

fn write(path: &Path, batches: &[Vec<f32>]) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for value in batches.iter().flatten() {
        file.write_all(&value.to_le_bytes())?;
    }
    file.flush()
}

fn main() {
    let Ok(python) = std::env::var("GOLGI_PEERS_PYTHON") else {
        println!("training beside SAELens and PyTorch: `cargo xtask bench --peers` sets them up and runs this");
        return;
    };
    // The last one is held out.
    let all: Vec<Vec<f32>> = (0..=BATCHES).map(rows).collect();
    let (held_out, batches) = all.split_last().expect("there are batches");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("rows.f32");
    write(&data, &all).expect("room for the rows");
    println!(
        "TopK, d {D}, m {M}, k {K}, batch {BATCH}, {STEPS} steps, rate {RATE}; medians behind the first {SET_UP} steps"
    );
    let ours = ours(batches, held_out);
    println!("{:<24} {:>10} {:>10} {:>20} {:>12}", "", "ms/step", "rows/s", "explained variance", "Golgi is");
    let show = |one: &Outcome| {
        let times = one.milliseconds / ours.milliseconds;
        let speed = BATCH as f64 / one.milliseconds * 1e3;
        println!(
            "{:<24} {:>10.0} {:>10.0} {:>20.4} {:>10.2} ×",
            one.name, one.milliseconds, speed, one.explained, times
        );
    };
    show(&ours);
    let mut failed = false;
    for name in ["dense", "sae_lens"] {
        match theirs(&python, name, &data) {
            Ok(outcome) => show(&outcome),
            Err(error) => {
                eprintln!("error: {error}");
                failed = true;
            }
        }
    }
    println!("Golgi is to be at least 2.5 times as fast as dense PyTorch, at no less explained variance");
    if failed {
        std::process::exit(1);
    }
}
