//! Safetensors: headers that lie, and shards.

use std::path::Path;

use golgi_data::weights::{StoredType, Weights};

use super::refusal;

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend((0..data).map(|i| i as u8));
    file
}

#[test]
fn every_element_type_is_read() {
    let header = r#"{"__metadata__":{"format":"pt"},
        "a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},
        "b":{"dtype":"BOOL","shape":[1,2],"data_offsets":[2,4]},
        "c":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}"#;
    let weights = Weights::from_bytes(file(header, 12), "x").unwrap();
    assert_eq!(weights.read_f32("a").unwrap(), [0.0, 1.0]);
    assert_eq!(weights.read_i64("b").unwrap(), [1, 1]);
    assert_eq!(weights.read_i64("c").unwrap(), [i64::from_le_bytes([4, 5, 6, 7, 8, 9, 10, 11])]);
    assert_eq!(weights.info("b").unwrap().stored, StoredType::Bool);
    assert_eq!(weights.parameters(), 0, "integers are no parameters");
}

#[test]
fn lies_are_named() {
    let entry = |shape: &str, offsets: &str| format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}"#);
    let one = |shape: &str, offsets: &str| format!(r#"{{"w":{}}}"#, entry(shape, offsets));
    let mut long = file("{}", 0);
    long[0] = 200;
    for (bytes, wanted) in [
        (file(&one("[2]", "[0,8]"), 7), "the tensors should take 8 bytes, but only 7 are left"),
        (file(&one("[2]", "[0,8]"), 9), "1 bytes longer than its tensors"),
        (file(&one("[3]", "[0,8]"), 8), "tensor `w` of shape [3] needs 12 bytes, but the file gives it 8"),
        (file(&one("[4294967296,4294967296,4]", "[0,8]"), 8), "tensor `w` has the absurd shape"),
        (file(&one("[-1]", "[0,8]"), 8), "malformed"),
        (file(&one("[2]", "[8,16]"), 16), "starts at byte 8"),
        (file(&one("[2]", "[8,0]"), 8), "ends before it starts"),
        (file(&one("[2]", "[0,8]").replace("F32", "Q9"), 8), "`Q9`"),
        (file(&one("[1]", "[0,8]").replace("F32", "U64"), 8), "tensor `w` is stored as U64, which is not supported"),
        (
            file(&format!(r#"{{"v":{},"w":{}}}"#, entry("[2]", "[0,8]"), entry("[2]", "[4,12]")), 12),
            "tensors `v` and `w` overlap",
        ),
        (file("{\"w\":", 0), "malformed"),
        (file("{}", 0), "holds no tensors"),
        (long, "the header should take 200 bytes, but only 2 are left"),
    ] {
        let message = refusal(&bytes);
        assert!(message.contains(wanted), "{message} should say: {wanted}");
    }
    let mut huge = file("{}", 0);
    huge[..8].copy_from_slice(&(200_000_000u64).to_le_bytes());
    assert!(refusal(&huge).contains("the header's length is 200000000, above the limit of 100000000"));
    // With the ending of the format, a length that no file has is the format's error too.
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let message = Weights::from_bytes(huge, "x.safetensors").unwrap_err().to_string();
    assert!(message.contains("above the limit"), "{message}");
}

#[test]
fn offsets_near_the_end_of_the_address_space_are_refused() {
    // Eight tensors in a row that end just below 2^64: adding the header's length to that must not overflow.
    let n = (1u64 << 61) - 1;
    let entry = |i: u64| format!(r#""{i}":{{"dtype":"U8","shape":[{n}],"data_offsets":[{},{}]}}"#, i * n, (i + 1) * n);
    let header = format!("{{{}}}", (0..8).map(entry).collect::<Vec<_>>().join(","));
    let message = refusal(&file(&header, 8));
    assert!(message.contains("the tensors should take 18446744073709551608 bytes, but only 8 are left"), "{message}");
}

#[test]
fn questions_that_do_not_fit_are_answered() {
    let header = r#"{"model.norm.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let weights = Weights::from_bytes(file(header, 8), "x").unwrap();
    let missing = weights.read_f32("model.norm.wieght").unwrap_err().to_string();
    assert!(missing.contains("did you mean `model.norm.weight`?"), "{missing}");
    let short = weights.read_f32_into("model.norm.weight", &mut [0.0]).unwrap_err().to_string();
    assert!(short.contains("has 2 elements, but the buffer for it holds 1"), "{short}");
    let floats = weights.read_i64("model.norm.weight").unwrap_err().to_string();
    assert!(floats.contains("stored as F32, not as integers"), "{floats}");
}

fn write_shards(folder: &Path, index: &str) -> Result<Weights, String> {
    let shard =
        |name: &str, data| file(&format!(r#"{{"{name}":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}}}"#), data);
    std::fs::write(folder.join("one.safetensors"), shard("a", 2)).unwrap();
    std::fs::write(folder.join("two.safetensors"), shard("b", 2)).unwrap();
    let path = folder.join("model.safetensors.index.json");
    std::fs::write(&path, index).unwrap();
    Weights::open(&path).map_err(|e| e.to_string())
}

#[test]
fn shards_are_one_model() {
    let folder = tempfile::tempdir().unwrap();
    let index = r#"{"metadata":{"total_size":4},"weight_map":{"b":"two.safetensors","a":"one.safetensors"}}"#;
    let weights = write_shards(folder.path(), index).unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(weights.read_i64("b").unwrap(), [0, 1]);
    assert_eq!(weights.files().len(), 2);
    let all: Vec<u8> = ["one", "two"]
        .iter()
        .flat_map(|name| std::fs::read(folder.path().join(format!("{name}.safetensors"))).unwrap())
        .collect();
    assert_eq!(weights.bytes_on_disk(), all.len() as u64);
    let joined: String = <sha2::Sha256 as sha2::Digest>::digest(&all).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(weights.digest().unwrap(), joined);
}

#[test]
fn shards_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let with = |map: &str| write_shards(folder.path(), &format!(r#"{{"weight_map":{map}}}"#)).unwrap_err();
    assert!(with(r#"{"a":"three.safetensors"}"#).contains("the shard `three.safetensors` is missing"));
    assert!(with(r#"{"a":"two.safetensors"}"#).contains("tensor `a` is in `two.safetensors`, but it is not"));
    for escape in ["../one.safetensors", "/etc/passwd", "..", "", "a\\\\b", "C:x"] {
        let message = with(&format!(r#"{{"a":"{escape}"}}"#));
        assert!(message.contains("not a plain file name"), "{escape}: {message}");
    }
    assert!(with("{}").contains("no tensors"));
    assert!(write_shards(folder.path(), r#"{"model_type":"llama"}"#).unwrap_err().contains("weight_map"));
}

#[test]
fn folders_and_missing_files_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let message = Weights::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("this is a folder"), "{message}");
    let path = folder.path().join("empty.gguf");
    assert!(Weights::open(&path).unwrap_err().to_string().starts_with("cannot read "));
    std::fs::write(&path, b"").unwrap();
    assert!(Weights::open(&path).unwrap_err().to_string().contains("the file is empty"));
}
