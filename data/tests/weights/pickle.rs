//! PyTorch state dicts: both layouts against what PyTorch itself reads, and pickles with bad intentions.

use super::{assert_same, fixture, open, read_all, refusal};
use golgi_data::weights::{StoredType, Weights};

#[test]
fn both_layouts_give_what_pytorch_gives() {
    let expected = open("state.expected.safetensors");
    for name in ["state.zip.pth", "state.legacy.pth", "state.deflated.pth"] {
        let weights = open(name);
        assert_same(&weights, &expected);
        assert_eq!(weights.info("bf16").unwrap().stored, StoredType::BF16, "{name}");
        assert_eq!(weights.info("f64").unwrap().stored, StoredType::F64, "{name}");
        assert_eq!(weights.info("scalar").unwrap().shape, [0usize; 0], "{name}");
    }
}

#[test]
fn the_model_is_taken_out_of_a_checkpoint() {
    let weights = open("checkpoint.pth");
    assert_eq!(weights.names().collect::<Vec<_>>(), ["f32", "i64"]);
    assert_eq!(weights.read_i64("i64").unwrap(), [-(1 << 40), 0, 1 << 40]);
    assert_eq!(weights.parameters(), 24);
    assert_eq!(open("nested.pth").names().collect::<Vec<_>>(), ["encoder.w", "heads.0", "heads.1.b"]);
}

#[test]
fn nothing_is_run() {
    for name in ["malicious.zip.pth", "malicious.legacy.pth"] {
        let message = Weights::open(&fixture(name)).unwrap_err().to_string();
        assert!(message.contains("wants to run `posix.system`"), "{message}");
        assert!(message.contains("convert it to safetensors"), "{message}");
    }
    let message = Weights::open(&fixture("malicious.pkl")).unwrap_err().to_string();
    assert!(message.contains("wants to run `posix.system`"), "{message}");
}

#[test]
fn archives_and_pickles_of_others_are_named() {
    assert!(refusal(b"\x80\x04K\x05.").contains("a Python pickle that PyTorch did not write"));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    assert!(refusal(&bytes).contains("a ZIP archive without `data.pkl`"));
}

/// A ZIP file with this pickle and a storage `0` of 16 bytes.
fn archive(pickle: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, contents) in [("m/data.pkl", pickle), ("m/data/0", &[0u8; 16][..])] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(contents).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// `{"w": _rebuild_tensor_v2(storage of `elements` floats, offset, shape, strides, False, None)}`.
fn tensor(elements: u32, offset: u32, shape: &[u32], strides: &[u32]) -> Vec<u8> {
    let int = |n: &u32| [&[0x8a, 5][..], &n.to_le_bytes(), &[0]].concat();
    let tuple = |items: &[u32]| [b"(".to_vec(), items.iter().flat_map(int).collect(), b"t".to_vec()].concat();
    let storage = [
        b"((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu".to_vec(),
        int(&elements),
        b"tQ".to_vec(),
    ];
    let call = [storage.concat(), int(&offset), tuple(shape), tuple(strides), b"\x89NtR".to_vec()].concat();
    [b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n".to_vec(), call, b"s.".to_vec()].concat()
}

#[test]
fn views_stay_inside_their_storage() {
    let open = |pickle: &[u8]| Weights::from_bytes(archive(pickle), "x.pth").and_then(|weights| read_all(&weights));
    open(&tensor(4, 1, &[1, 3], &[9, 1])).unwrap();
    open(&tensor(4, 0, &[2, 2], &[1, 2])).unwrap();
    for (pickle, wanted) in [
        (tensor(4, 1, &[2, 2], &[2, 1]), "needs 20 bytes, but the file gives it 16"),
        (tensor(4, 0, &[2, 2], &[9, 1]), "needs 44 bytes, but the file gives it 16"),
        (tensor(5, 0, &[2], &[1]), "storage `0` should take 20 bytes, but only 16 are left"),
        (tensor(4, 0, &[u32::MAX; 3], &[0; 3]), "absurd shape"),
        (tensor(4, 0, &[1 << 20, 1 << 20], &[0; 2]), "absurd shape"),
        (tensor(4, u32::MAX, &[2], &[1]), "but the file gives it 16"),
        (tensor(4, 0, &[2], &[1, 1]), "arguments that do not fit"),
        (tensor(4, 0, &[1; 65], &[1; 65]), "arguments that do not fit"),
    ] {
        let message = open(&pickle).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message} should say: {wanted}");
    }
}

#[test]
fn pickles_out_of_bounds_are_refused() {
    let deep = [b"\x80\x02".to_vec(), vec![b']'; 100_000], vec![b'a'; 99_999], b".".to_vec()].concat();
    // A dictionary that holds itself, and a tuple that is copied over and over.
    let circular = b"\x80\x02}q\x00X\x01\0\0\0wh\x00s.".to_vec();
    let copied = [
        b"\x80\x02(".to_vec(),
        vec![b'N'; 1000],
        b"tq\x00".to_vec(),
        b"ctorch\nSize\nh\x00\x85R".repeat(1000),
        b".".to_vec(),
    ];
    for (pickle, wanted) in [
        (deep, "the depth of nested dictionaries"),
        (circular, "the depth of nested dictionaries"),
        (copied.concat(), "used far too often"),
        (vec![b'N'; 8_000_001], "number of instructions in the pickle is 8000001, above the limit of 8000000"),
        (b"\x80\x02R.".to_vec(), "a value is missing"),
        (b"\x80\x02K\x01K\x01R.".to_vec(), "a call of something that is not a function"),
        (b"\x80\x02h\x05.".to_vec(), "a memo that was never written"),
        (b"\x80\x02t.".to_vec(), "a mark is missing"),
        (b"\x80\x02(K\x01uK\x02.".to_vec(), "a key without a value"),
        (b"\x80\x02I5\n.".to_vec(), "instruction 0x49 is not part of a state dict"),
        (b"\x80\x02X\xff\xff\xff\xffab".to_vec(), "ends too early"),
        (b"\x80\x02}.".to_vec(), "holds no tensors"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.".to_vec(), "wants to run `os.system`"),
        (b"\x80\x02cbuiltins\neval\n.".to_vec(), "wants to run `builtins.eval`"),
    ] {
        let message = refusal(&archive(&pickle));
        assert!(message.contains(wanted), "{message} should say: {wanted}");
    }
}
