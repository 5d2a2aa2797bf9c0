//! Files of weights, read through the public interface and compared with what their makers say is in them.
//! `tests/fixtures/weights/make.py` wrote the fixtures.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod gguf;
mod hostile;
mod pickle;
mod safetensors;

use std::path::PathBuf;

use golgi_data::weights::{Weights, WeightsError};

/// The path of a fixture.
fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", "weights", name].iter().collect()
}

fn open(name: &str) -> Weights {
    Weights::open(&fixture(name)).unwrap()
}

/// Why these bytes are refused.
fn refusal(bytes: &[u8]) -> String {
    Weights::from_bytes(bytes.to_vec(), "model.bin").unwrap_err().to_string()
}

/// Loading happens on a thread of its own, which the compiler checks here.
#[test]
fn weights_can_be_sent_and_shared() {
    fn sendable<T: Send + Sync>(value: T) -> T {
        value
    }
    assert_eq!(sendable(open("state.zip.pth")).files(), [fixture("state.zip.pth")]);
}

/// Reads every tensor in every way.
fn read_all(weights: &Weights) -> Result<(), WeightsError> {
    for name in weights.names() {
        weights.read_f32(name)?;
        if weights.info(name).is_some_and(|info| info.stored.is_integer()) {
            weights.read_i64(name)?;
        }
    }
    Ok(())
}

/// Checks that `weights` has exactly the tensors of `expected`, with the same shapes and, bit for bit, the same values.
fn assert_same(weights: &Weights, expected: &Weights) {
    assert_eq!(weights.names().collect::<Vec<_>>(), expected.names().collect::<Vec<_>>());
    for name in expected.names() {
        let (info, wanted) = (weights.info(name).unwrap(), expected.info(name).unwrap());
        assert_eq!(info.shape, wanted.shape, "{name}");
        let bits = |weights: &Weights| weights.read_f32(name).unwrap().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(weights), bits(expected), "{name}");
        if wanted.stored.is_integer() {
            assert_eq!(weights.read_i64(name).unwrap(), expected.read_i64(name).unwrap(), "{name}");
        }
    }
}
