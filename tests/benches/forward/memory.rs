//! Peak memory of each kind of pass, beside the estimate that a user gets beforehand.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use golgi_data::context::bytes_text;
use golgi_probes::preflight;

use crate::{BATCH, CASES, POS, batch, model, pass, patterns};

/// The largest resident size of this process so far, in bytes; Linux only.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// Loads the model, runs the named case and prints peak and estimate.
pub fn child(name: &str) {
    let case = *CASES.iter().find(|case| case.name == name).expect("a case of the table");
    let model = model();
    let batch = batch();
    let kept = pass(&model, &batch, case);
    let estimate = preflight(&model.model, &patterns(case), (BATCH, POS), case.logits, None).expect("known sites");
    drop(kept);
    println!("{} {}", peak_bytes().unwrap_or(0), estimate.total());
}

/// One process per case.
pub fn table() {
    println!("{:<38}{:>12}{:>12}{:>10}", "peak memory", "measured", "estimated", "ratio");
    let program = std::env::current_exe().expect("this program has a path");
    for case in CASES {
        let output = Command::new(&program).args(["--memory-of", case.name]).output().expect("this program runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        match numbers[..] {
            [measured, estimated] if measured > 0 => println!(
                "{:<38}{:>12}{:>12}{:>10.2}",
                case.name,
                bytes_text(measured),
                bytes_text(estimated),
                estimated as f64 / measured as f64
            ),
            _ => println!("{:<38}{:>12}", case.name, "not measured on this system"),
        }
    }
}

/// Bytes per second read and written by copying a buffer larger than the caches.
pub fn copy_bandwidth() -> f64 {
    let source = vec![1u8; 256 << 20];
    let mut target = vec![0u8; 256 << 20];
    target.copy_from_slice(&source);
    let start = Instant::now();
    black_box(&mut target).copy_from_slice(black_box(&source));
    black_box(&target);
    2.0 * source.len() as f64 / start.elapsed().as_secs_f64()
}
