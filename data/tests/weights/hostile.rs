//! Damaged and hostile files: whatever the bytes, opening and reading ends without a panic and without taking memory
//! that is out of proportion to the file.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use golgi_data::weights::Weights;
use proptest::prelude::*;

use super::{fixture, read_all};

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, keeping count of what each thread holds.
struct Counting;

fn count(change: isize) {
    // A thread that is going away has no counters any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Opens and reads `bytes`, and checks what that took.
fn survive(bytes: Vec<u8>, name: &str) {
    let allowed = 256 * 1024 + 100 * bytes.len() as isize;
    let before = HELD.get();
    PEAK.set(before);
    if let Ok(weights) = Weights::from_bytes(bytes, name) {
        // Damage to a compressed entry shows only here; an error is as good as a value.
        let _ = read_all(&weights);
        if let Some(metadata) = weights.gguf() {
            let _ = golgi_data::weights::hub_config(metadata, &weights);
            for key in metadata.keys() {
                let _ = (metadata.strings(key), metadata.f32s(key), metadata.i32s(key), metadata.bools(key));
            }
        }
    }
    let taken = PEAK.get() - before;
    assert!(taken <= allowed, "took {taken} bytes, allowed are {allowed}");
}

/// One honest file per parser, and those with odd features.
const HONEST: [&str; 9] = [
    "state.expected.safetensors",
    "family.llama.safetensors",
    "quantised.gguf",
    "family.llama.gguf",
    "family.gpt_neox.gguf",
    "state.zip.pth",
    "state.deflated.pth",
    "state.legacy.pth",
    "checkpoint.pth",
];

#[test]
fn the_counter_counts() {
    PEAK.set(HELD.get());
    let before = HELD.get();
    drop(std::hint::black_box(vec![0u8; 1 << 20]));
    assert!(PEAK.get() - before >= 1 << 20);
}

#[test]
fn honest_files_cut_anywhere() {
    for name in HONEST {
        let whole = std::fs::read(fixture(name)).unwrap();
        for length in 0..whole.len() {
            survive(whole[..length].to_vec(), name);
        }
    }
}

#[test]
fn every_byte_of_the_headers_replaced() {
    for name in HONEST {
        let whole = std::fs::read(fixture(name)).unwrap();
        for at in 0..whole.len().min(1500) {
            for value in [0, 0x7f, 0xff, whole[at] ^ 1] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                survive(damaged, name);
            }
        }
    }
}

/// Bytes that begin as each format does, so that random ones get past the recognition.
const BEGINNINGS: [&[u8]; 6] = [
    b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0",
    b"GGUF\x02\0\0\0",
    b"PK\x03\x04",
    b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02",
    b"\x40\0\0\0\0\0\0\0{\"w\":{",
    b"",
];

/// The bytes of opcodes and small numbers that make up pickles, so that random ones do something.
fn pickle_like() -> impl Strategy<Value = Vec<u8>> {
    const OPCODES: &[u8] = b"(0123NJKMG\x88\x89\x8a\x85\x86\x87]})latdesucRbQhqjr\x94\x81\x93\x8c.X";
    let piece = prop_oneof![
        8 => proptest::sample::select(OPCODES).prop_map(|opcode| vec![opcode]),
        2 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => Just(b"ctorch._utils\n_rebuild_tensor_v2\n".to_vec()),
        1 => Just(b"ctorch\nFloatStorage\n".to_vec()),
        1 => Just(b"ccollections\nOrderedDict\n".to_vec()),
        1 => Just(b"ctorch\nSize\n".to_vec()),
        1 => Just(b"X\x07\0\0\0storage".to_vec()),
    ];
    proptest::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(start in 0..BEGINNINGS.len(), rest in proptest::collection::vec(any::<u8>(), 0..600)) {
        survive([BEGINNINGS[start], &rest].concat(), "x.safetensors");
    }

    #[test]
    fn random_pickles(pickle in pickle_like()) {
        survive([BEGINNINGS[3], &pickle].concat(), "x.pth");
    }

    #[test]
    fn honest_safetensors_mutated(file in 0..2usize, edits in edits()) {
        mutate(HONEST[file], &edits);
    }

    #[test]
    fn honest_gguf_mutated(file in 2..5usize, edits in edits()) {
        mutate(HONEST[file], &edits);
    }

    #[test]
    fn honest_zip_mutated(file in 5..7usize, edits in edits()) {
        mutate(HONEST[file], &edits);
    }

    #[test]
    fn honest_legacy_mutated(edits in edits()) {
        mutate(HONEST[7], &edits);
    }
}

/// A change at some place of a file.
#[derive(Debug, Clone)]
enum Edit {
    Set(u8),
    /// A number of eight bytes, where a length or an offset may be.
    Number(u64),
    Remove(usize),
    Insert(Vec<u8>),
}

/// A few changes, most near the beginning, where the headers are.
fn edits() -> impl Strategy<Value = Vec<(f64, Edit)>> {
    let numbers = prop_oneof![any::<u64>(), Just(u64::MAX), Just(1 << 62), Just(1 << 31), 0..300u64];
    let edit = prop_oneof![
        4 => any::<u8>().prop_map(Edit::Set),
        2 => numbers.prop_map(Edit::Number),
        1 => (1..20usize).prop_map(Edit::Remove),
        1 => proptest::collection::vec(any::<u8>(), 1..20).prop_map(Edit::Insert),
    ];
    let place = (0.0..1.0f64).prop_map(|x| x * x);
    proptest::collection::vec((place, edit), 1..5)
}

fn mutate(name: &str, edits: &[(f64, Edit)]) {
    let mut bytes = std::fs::read(fixture(name)).unwrap();
    for (place, edit) in edits {
        let at = (place * bytes.len() as f64) as usize;
        let end = |length: usize| (at + length).min(bytes.len());
        match edit {
            Edit::Set(value) => bytes[at] = *value,
            Edit::Number(number) => {
                let end = end(8);
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
            Edit::Remove(length) => drop(bytes.drain(at..end(*length))),
            Edit::Insert(inserted) => drop(bytes.splice(at..at, inserted.iter().copied())),
        }
    }
    survive(bytes, name);
}
