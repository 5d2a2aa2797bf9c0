//! NumPy's archives of arrays: `.npz`, a ZIP of `.npy` files. Sizes are checked against the file before anything is allocated.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use half::f16;
use zip::{CompressionMethod, ZipArchive};

use super::ExchangeError;
use super::tensors::transpose;

/// The longest header of an array, in bytes.
const MAX_HEADER: usize = 1 << 16;
/// The most arrays in an archive.
const MAX_ARRAYS: usize = 1024;
/// Weights do not shrink by more than this, unless they are a few.
const MAX_RATIO: u64 = 32;
/// So much may be unpacked whatever the ratio, in bytes: biases of zeros shrink a lot.
const ALWAYS: u64 = 64 << 20;
/// Bytes that are decoded in one go.
const CHUNK: usize = 1 << 20;

/// An archive of arrays.
pub(super) struct Npz {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
    names: Vec<String>,
    bytes: u64,
}

/// What the header of an array says.
#[derive(Debug, Clone, PartialEq)]
struct Header {
    float: Float,
    columns_first: bool,
    shape: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Float {
    F16,
    F32,
    F64,
}

impl Float {
    fn bytes(self) -> usize {
        match self {
            Float::F16 => 2,
            Float::F32 => 4,
            Float::F64 => 8,
        }
    }
}

impl Npz {
    pub(super) fn open(path: &Path) -> Result<Npz, ExchangeError> {
        let io = |source| ExchangeError::Io { action: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        let wrong = |what: String| ExchangeError::File { path: path.to_owned(), what };
        let mut archive =
            ZipArchive::new(BufReader::new(file)).map_err(|error| wrong(format!("it is no NumPy archive: {error}")))?;
        if archive.len() > MAX_ARRAYS {
            return Err(wrong(format!("it holds {} entries; at most {MAX_ARRAYS} are read", archive.len())));
        }
        let mut names = Vec::with_capacity(archive.len());
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(|error| wrong(format!("entry {index}: {error}")))?;
            let name = entry.name().map_err(|error| wrong(format!("entry {index}: {error}")))?;
            names.push(name.strip_suffix(".npy").unwrap_or(&name).to_owned());
        }
        Ok(Npz { path: path.to_owned(), archive, names, bytes })
    }

    /// The names of the arrays.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The shape of an array, without reading it.
    pub(super) fn shape(&mut self, name: &str) -> Result<Vec<usize>, ExchangeError> {
        let mut header = None;
        self.entry(name, |read, size, wrong| {
            header = Some(header_of(read, size, wrong)?.0.shape);
            Ok(())
        })?;
        Ok(header.unwrap_or_default())
    }

    /// An array of this shape, row-major.
    pub(super) fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ExchangeError> {
        let mut values = Vec::new();
        let mut columns_first = false;
        self.entry(name, |read, size, wrong| {
            let (header, left) = header_of(read, size, wrong)?;
            if header.shape != shape {
                return Err(wrong(format!("has the shape {:?}, expected is {shape:?}", header.shape)));
            }
            columns_first = header.columns_first && shape.len() == 2;
            if header.columns_first && shape.len() > 2 {
                return Err(wrong("is stored column by column, which is read of matrices only".into()));
            }
            values = decode(read, header.float, left, wrong)?;
            Ok(())
        })?;
        Ok(if columns_first { transpose(&values, shape[1], shape[0]) } else { values })
    }

    /// Opens an entry that is as large as it can honestly be.
    fn entry(
        &mut self,
        name: &str,
        each: impl FnOnce(&mut dyn Read, u64, &dyn Fn(String) -> ExchangeError) -> Result<(), ExchangeError>,
    ) -> Result<(), ExchangeError> {
        let path = &self.path;
        let wrong = |what: String| ExchangeError::File { path: path.clone(), what: format!("`{name}` {what}") };
        let Some(index) = self.names.iter().position(|one| one == name) else {
            let names: String = self.names.join(", ").chars().take(200).collect();
            return Err(wrong(format!("is missing; it holds {names}")));
        };
        let mut entry = self.archive.by_index(index).map_err(|error| wrong(format!("cannot be unpacked: {error}")))?;
        let (packed, size) = (entry.compressed_size(), entry.size());
        let limit = match entry.compression() {
            _ if packed > self.bytes => 0,
            CompressionMethod::Stored => packed,
            CompressionMethod::Deflated => packed.saturating_mul(MAX_RATIO).max(ALWAYS),
            other => return Err(wrong(format!("is compressed with {other}, which is not read"))),
        };
        if size > limit {
            return Err(wrong(format!("claims {size} bytes, of which at most {limit} can be true")));
        }
        each(&mut entry, size, &wrong)
    }
}

type Wrong<'a> = &'a dyn Fn(String) -> ExchangeError;

/// The header, and how many bytes must follow it.
fn header_of(read: &mut dyn Read, size: u64, wrong: Wrong<'_>) -> Result<(Header, u64), ExchangeError> {
    let short = |error: std::io::Error| wrong(format!("is cut off: {error}"));
    let mut start = [0u8; 8];
    read.read_exact(&mut start).map_err(short)?;
    let (length, prefix) = match start {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _] => {
            let mut bytes = [0u8; 2];
            read.read_exact(&mut bytes).map_err(short)?;
            (usize::from(u16::from_le_bytes(bytes)), 10)
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _] => {
            let mut bytes = [0u8; 4];
            read.read_exact(&mut bytes).map_err(short)?;
            (u32::from_le_bytes(bytes) as usize, 12)
        }
        _ => return Err(wrong("is no NumPy array".into())),
    };
    if length > MAX_HEADER {
        return Err(wrong(format!("has a header of {length} bytes; at most {MAX_HEADER} are read")));
    }
    let mut text = vec![0u8; length];
    read.read_exact(&mut text).map_err(short)?;
    let header = std::str::from_utf8(&text).ok().and_then(parse);
    let header = header.ok_or_else(|| {
        let text: String = String::from_utf8_lossy(&text).chars().take(100).collect();
        wrong(format!("has a header that is not understood (floats of 2, 4 or 8 bytes are): {}", text.trim()))
    })?;
    let expected = header.shape.iter().try_fold(header.float.bytes() as u64, |n, d| n.checked_mul(*d as u64));
    let actual = size.saturating_sub(length as u64 + prefix);
    match expected {
        Some(expected) if expected == actual => Ok((header, expected)),
        _ => Err(wrong(format!("has the shape {:?}, which {actual} bytes are not", header.shape))),
    }
}

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse(text: &str) -> Option<Header> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let (mut float, mut columns_first, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, value) = rest.split_once(':')?;
        let value = value.trim_start();
        let end = match value.chars().next()? {
            '(' => value.find(')')? + 1,
            _ => value.find(',').unwrap_or(value.len()),
        };
        let (value, after) = value.split_at(end);
        match key.trim().trim_matches(['\'', '"']) {
            "descr" if float.is_none() => {
                float = Some(match value.trim().trim_matches(['\'', '"']) {
                    "<f2" => Float::F16,
                    "<f4" => Float::F32,
                    "<f8" => Float::F64,
                    _ => return None,
                });
            }
            "fortran_order" if columns_first.is_none() => {
                columns_first = Some(match value.trim() {
                    "True" => true,
                    "False" => false,
                    _ => return None,
                });
            }
            "shape" if shape.is_none() => shape = Some(dimensions(value)?),
            _ => return None,
        }
        rest = after.trim_start().strip_prefix(',').unwrap_or(after).trim_start();
    }
    Some(Header { float: float?, columns_first: columns_first?, shape: shape? })
}

fn dimensions(text: &str) -> Option<Vec<usize>> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?.trim();
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    if inner.is_empty() {
        return Some(Vec::new());
    }
    let dimensions: Vec<usize> = inner.split(',').map(|one| one.trim().parse().ok()).collect::<Option<_>>()?;
    (dimensions.len() <= 8).then_some(dimensions)
}

/// Decodes `bytes` bytes; the memory grows with what really comes.
fn decode(read: &mut dyn Read, float: Float, bytes: u64, wrong: Wrong<'_>) -> Result<Vec<f32>, ExchangeError> {
    let mut values = Vec::new();
    let mut left = bytes;
    let mut chunk = vec![0u8; CHUNK.min(usize::try_from(bytes).unwrap_or(CHUNK))];
    while left > 0 {
        let length = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let chunk = &mut chunk[..length];
        read.read_exact(chunk).map_err(|error| wrong(format!("is cut off: {error}")))?;
        left -= length as u64;
        match float {
            Float::F16 => values.extend(chunk.as_chunks::<2>().0.iter().map(|one| f16::from_le_bytes(*one).to_f32())),
            Float::F32 => values.extend(chunk.as_chunks::<4>().0.iter().map(|one| f32::from_le_bytes(*one))),
            Float::F64 => values.extend(chunk.as_chunks::<8>().0.iter().map(|one| f64::from_le_bytes(*one) as f32)),
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn archive(entries: &[(&str, Vec<u8>)], method: CompressionMethod) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut zip = zip::ZipWriter::new(file.reopen().unwrap());
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        file
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn headers_are_understood_or_refused() {
        let header = |text: &str| parse(text);
        let expected = Header { float: Float::F32, columns_first: false, shape: vec![3, 4] };
        assert_eq!(header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n"), Some(expected));
        let expected = Header { float: Float::F64, columns_first: true, shape: vec![7] };
        assert_eq!(header("{'shape': (7,), 'fortran_order': True, 'descr': '<f8'}"), Some(expected));
        let scalar = header("{'descr': '<f2', 'fortran_order': False, 'shape': ()}").unwrap();
        assert!(scalar.shape.is_empty());
        for text in [
            "",
            "{}",
            "{'descr': '>f4', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': 1, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3}",
            "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}",
        ] {
            assert_eq!(header(text), None, "{text}");
        }
    }

    #[test]
    fn arrays_come_back_in_every_width_order_and_compression() {
        let rows = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let columns = "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }";
        let halves = "{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }";
        let doubles: Vec<u8> = [1f64, 4.0, 2.0, 5.0, 3.0, 6.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let entries = [
            ("a.npy", npy(rows, &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))),
            ("b.npy", npy(columns, &doubles)),
            ("c.npy", npy(halves, &[0x00, 0x3c, 0x00, 0xc0])),
        ];
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let file = archive(&entries, method);
            let mut npz = Npz::open(file.path()).unwrap();
            assert_eq!(npz.names(), ["a", "b", "c"]);
            assert_eq!(npz.shape("a").unwrap(), [2, 3]);
            assert_eq!(npz.read("a", &[2, 3]).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            assert_eq!(npz.read("b", &[2, 3]).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            assert_eq!(npz.read("c", &[2]).unwrap(), [1.0, -2.0]);
            assert!(npz.read("a", &[3, 2]).unwrap_err().to_string().contains("[2, 3], expected is [3, 2]"));
            assert!(npz.read("d", &[2]).unwrap_err().to_string().contains("`d` is missing; it holds a, b, c"));
        }
    }

    #[test]
    fn sizes_that_lie_are_refused_before_anything_is_allocated() {
        let huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000), }";
        let overflow = "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 9, 9), }";
        for header in [huge, overflow] {
            let file = archive(&[("a.npy", npy(header, &[0; 64]))], CompressionMethod::Deflated);
            let error = Npz::open(file.path()).unwrap().shape("a").unwrap_err().to_string();
            assert!(error.contains("64 bytes are not"), "{error}");
        }
        // Zeros that deflate shrinks a thousandfold.
        let bomb = "{'descr': '<f4', 'fortran_order': False, 'shape': (25000000,), }";
        let file = archive(&[("a.npy", npy(bomb, &vec![0; 100_000_000]))], CompressionMethod::Deflated);
        let error = Npz::open(file.path()).unwrap().read("a", &[25_000_000]).unwrap_err().to_string();
        assert!(error.contains("at most"), "{error}");
    }

    proptest! {
        #[test]
        fn any_header_is_understood_or_refused(text in ".{0,120}") {
            let _ = parse(&text);
        }

        #[test]
        fn nearly_a_header_is_understood_or_refused(text in "\\{('descr'|'shape'|'fortran_order'|: |'<f4'|True|\\(|\\)|,|[0-9]{1,22}){0,14}\\}") {
            let _ = parse(&text);
        }

        #[test]
        fn damaged_archives_are_an_error_or_unharmed(at in 0usize..400, bit in 0u8..8) {
            let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
            let entry = npy(header, &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
            let file = archive(&[("a.npy", entry)], CompressionMethod::Deflated);
            let mut bytes = std::fs::read(file.path()).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            std::fs::write(file.path(), bytes).unwrap();
            if let Ok(mut npz) = Npz::open(file.path()) && let Ok(values) = npz.read("a", &[2, 3]) {
                prop_assert_eq!(values.len(), 6);
            }
        }
    }
}
