//! The activation store beside plain files, and a harvest beside the bare forward pass, in the same run.
//!
//! `cargo xtask bench -- store`. Files lie in the folder for temporary files; both sides are written to the disk (fsync) and read
//! from the page cache, so what is compared is what a store adds.

mod harvest;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use golgi_data::corpus::{ContextOptions, PackedCorpus, PackedDocument, Split};
use golgi_data::store::{Column, Rows, ShardRows, Store, StoreDtype, StoreOrigin, StorePlan, StoreSite, StoreWriter};

const SITE: &str = "blocks.0.hook_resid_post";
const WIDTH: u32 = 576;
const TOKENS: usize = 131_072;
const RUNS: usize = 5;

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed().as_secs_f64(), result)
}

fn plan() -> (PackedCorpus, StorePlan) {
    let document =
        PackedDocument { id: "planted".into(), start: 0, len: 0, language: 0, genre: 0, split: Split::Explore };
    let corpus = PackedCorpus::in_memory("planted", vec![(document, (0..TOKENS as u32).collect())], vec![], vec![]);
    let sites = vec![StoreSite { site: SITE.into(), width: WIDTH }];
    let options = ContextOptions::default();
    let plan = StorePlan::new(StoreOrigin::default(), sites, StoreDtype::F32, &corpus, &options, 1024, 64_000_000);
    (corpus, plan)
}

fn rows(plan: &StorePlan, corpus: &PackedCorpus, shard: usize) -> ShardRows {
    let (contexts, positions, tokens) = plan.rows(shard, corpus);
    let values = (0..contexts.len() * WIDTH as usize).map(|i| (i % 977) as f32 * 0.001).collect();
    ShardRows { contexts, positions, tokens, columns: vec![Column::F32(values)] }
}

/// Bytes of activations in the whole store.
fn bytes(plan: &StorePlan) -> f64 {
    plan.bytes() as f64
}

fn write_store(folder: &Path, plan: &StorePlan, shards: Vec<ShardRows>) {
    let mut writer = StoreWriter::create(folder, plan).expect("an empty folder");
    for (shard, rows) in shards.into_iter().enumerate() {
        writer.write(shard, rows).expect("there is room");
    }
}

/// The same bytes in as many files.
fn write_plain(folder: &Path, shards: &[Vec<u8>]) {
    for (shard, bytes) in shards.iter().enumerate() {
        let mut file = File::create(folder.join(shard.to_string())).expect("a new file");
        file.write_all(bytes).expect("there is room");
        file.sync_all().expect("there is room");
    }
}

/// Reads into a buffer and adds up, as a reader that uses what it reads.
fn read_plain(folder: &Path, shards: usize) -> f32 {
    let mut buffer = vec![0u8; 1024 * WIDTH as usize * 4];
    let mut sum = 0.0;
    for shard in 0..shards {
        let mut file = File::open(folder.join(shard.to_string())).expect("it was written");
        loop {
            let mut filled = 0;
            while filled < buffer.len() {
                match file.read(&mut buffer[filled..]).expect("it can be read") {
                    0 => break,
                    n => filled += n,
                }
            }
            if filled == 0 {
                break;
            }
            let words = buffer[..filled].as_chunks::<4>().0;
            sum += words.iter().step_by(16).map(|word| f32::from_le_bytes(*word)).sum::<f32>();
        }
    }
    sum
}

fn read_store(store: &Store, shuffled: bool) -> f32 {
    let (mut rows, mut sum) = (Rows::default(), 0.0);
    let mut add = |rows: &Rows| sum += rows.values[0].iter().step_by(16).sum::<f32>();
    if shuffled {
        let mut reader = store.shuffled(&[SITE], 1024, 4, 1).expect("the site is there");
        while reader.next_into(&mut rows).expect("it was written") {
            add(&rows);
        }
    } else {
        let mut reader = store.sequential(&[SITE], 1024).expect("the site is there");
        while reader.next_into(&mut rows).expect("it was written") {
            add(&rows);
        }
    }
    sum
}

fn store_beside_files() {
    let (corpus, plan) = plan();
    let shards: Vec<ShardRows> = (0..plan.shards()).map(|shard| rows(&plan, &corpus, shard)).collect();
    let plain = |rows: &ShardRows| match &rows.columns[0] {
        Column::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>(),
        Column::F16(_) => vec![],
    };
    let plain: Vec<Vec<u8>> = shards.iter().map(plain).collect();
    let plain_bytes = plain.iter().map(Vec::len).sum::<usize>() as f64;
    let mut times: [Vec<f64>; 6] = Default::default();
    for _ in 0..RUNS {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let (store, files) = (folder.path().join("store"), folder.path().join("files"));
        fs::create_dir(&files).expect("a new folder");
        let copy = shards.clone();
        times[0].push(timed(|| write_plain(&files, &plain)).0);
        times[1].push(timed(|| write_store(&store, &plan, copy)).0);
        times[2].push(timed(|| read_plain(&files, plain.len())).0);
        let (opening, store) = timed(|| Store::open(&store).expect("it was written"));
        times[3].push(opening);
        times[4].push(timed(|| read_store(&store, false)).0);
        times[5].push(timed(|| read_store(&store, true)).0);
    }
    let [write_files, write, read_files, open, sequential, shuffled] = times.map(median);
    let show = |name: &str, seconds: f64, bytes: f64, beside: Option<f64>| {
        let ratio = beside.map_or_else(String::new, |files| format!("{:.2}", files / plain_bytes * bytes / seconds));
        println!("{name:<38}{:>10.0}{ratio:>14}", bytes / seconds / 1e6);
    };
    println!("\n{} tokens × {WIDTH} f32, {} shards\n", TOKENS, plan.shards());
    println!("{:<38}{:>10}{:>14}", "", "MB/s", "store/file");
    show("plain files, written", write_files, plain_bytes, None);
    show("store, written", write, bytes(&plan), Some(write_files));
    show("plain files, read in order", read_files, plain_bytes, None);
    show("store, read in order", sequential, bytes(&plan), Some(read_files));
    show("store, read shuffled", shuffled, bytes(&plan), Some(read_files));
    show("store, opened (every digest checked)", open, bytes(&plan), None);
}

fn main() {
    store_beside_files();
    harvest::harvest_beside_forward();
}
