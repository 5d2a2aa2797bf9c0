//! The columns of shards, and Arrow IPC files of one batch: written once, mapped and read without a copy.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::root_as_footer;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use memmap2::Mmap;

use super::{Manifest, StoreDtype};

/// Columns in front of those of the sites.
pub(super) const FIXED: [(&str, DataType); 3] =
    [("context", DataType::UInt32), ("position", DataType::UInt16), ("token", DataType::UInt32)];

/// Whether a site of this name would collide.
pub(super) fn is_reserved(name: &str) -> bool {
    FIXED.iter().any(|(fixed, _)| *fixed == name)
}

/// The schema of a store's shards.
pub(super) fn schema(manifest: &Manifest) -> SchemaRef {
    let fixed = FIXED.into_iter().map(|(name, kind)| Field::new(name, kind, false));
    let sites = manifest.sites.iter().map(|site| {
        // At most 2^24, as the manifest's check says.
        let list = DataType::FixedSizeList(item(manifest.dtype), site.width as i32);
        Field::new(&site.site, list, false)
    });
    Arc::new(Schema::new(fixed.chain(sites).collect::<Vec<_>>()))
}

/// The field inside a list.
pub(super) fn item(dtype: StoreDtype) -> Arc<Field> {
    let kind = match dtype {
        StoreDtype::F32 => DataType::Float32,
        StoreDtype::F16 => DataType::Float16,
    };
    Arc::new(Field::new("item", kind, false))
}

/// Size and digest of what went through.
struct Digested<W> {
    inner: W,
    hasher: blake3::Hasher,
    bytes: u64,
}

/// From here on a buffer is hashed on one core while it is written from another; below, a thread costs more than it saves.
const WORTH_A_THREAD: usize = 1 << 20;

impl<W: Write> Write for Digested<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if buffer.len() < WORTH_A_THREAD {
            self.inner.write_all(buffer)?;
            self.hasher.update(buffer);
        } else {
            let hasher = &mut self.hasher;
            std::thread::scope(|scope| {
                scope.spawn(move || hasher.update(buffer));
                self.inner.write_all(buffer)
            })?;
        }
        self.bytes += buffer.len() as u64;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes one batch as a file, to the disk; returns its size and BLAKE3.
pub(super) fn write_file(path: &Path, batch: &RecordBatch) -> io::Result<(u64, String)> {
    let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let digested = Digested { inner: file, hasher: blake3::Hasher::new(), bytes: 0 };
    let mut writer = FileWriter::try_new(digested, &batch.schema()).map_err(plain)?;
    writer.write(batch).and_then(|()| writer.finish()).map_err(plain)?;
    let Digested { inner, hasher, bytes } = writer.into_inner().map_err(plain)?;
    inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

/// What the system said, where it was the system.
fn plain(error: arrow_schema::ArrowError) -> io::Error {
    match error {
        arrow_schema::ArrowError::IoError(_, cause) => cause,
        other => io::Error::other(other.to_string()),
    }
}

/// Maps a file.
pub(super) fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: a store's files are never written to in place, only replaced as a whole, which leaves this mapping alone.
    unsafe { Mmap::map(&file) }
}

/// The batch in a mapped file, which must have this schema and this many rows. Nothing is copied.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn read_batch(map: Arc<Mmap>, schema: &SchemaRef, rows: u64) -> Result<RecordBatch, String> {
    // The library panics on some damaged files.
    let read = catch_unwind(AssertUnwindSafe(|| decode(map, schema)));
    let batch = read.unwrap_or_else(|_| Err("it is damaged".to_owned()))?;
    if batch.num_rows() as u64 != rows {
        return Err(format!("it has {} rows where the manifest has {rows}", batch.num_rows()));
    }
    Ok(batch)
}

fn decode(map: Arc<Mmap>, expected: &SchemaRef) -> Result<RecordBatch, String> {
    let buffer = buffer(map);
    let tail = buffer.len().checked_sub(10).ok_or("it is too short")?;
    let end: [u8; 10] = buffer[tail..].try_into().map_err(|_| "it is too short")?;
    let footer_len = read_footer_length(end).map_err(|error| error.to_string())?;
    let begin = tail.checked_sub(footer_len).ok_or("its footer is longer than the file")?;
    let footer = root_as_footer(&buffer[begin..tail]).map_err(|error| error.to_string())?;
    let schema = footer.schema().ok_or("it has no schema")?;
    let schema = try_fb_to_schema(schema).map_err(|error| error.to_string())?;
    if schema.fields() != expected.fields() {
        return Err("its columns are not those of the manifest".to_owned());
    }
    let blocks = footer.recordBatches().ok_or("it has no rows")?;
    if blocks.len() != 1 {
        return Err(format!("it has {} batches in place of one", blocks.len()));
    }
    let block = blocks.get(0);
    let size = |n: i64| usize::try_from(n).map_err(|_| "a length in it is negative");
    let (offset, head) = (size(block.offset())?, size(i64::from(block.metaDataLength()))?);
    let whole = head.checked_add(size(block.bodyLength())?).ok_or("a length in it is too large")?;
    if offset.checked_add(whole).is_none_or(|end| end > begin) {
        return Err("its rows reach beyond the file".to_owned());
    }
    let data = buffer.slice_with_length(offset, whole);
    let decoder = FileDecoder::new(expected.clone(), footer.version());
    decoder
        .read_record_batch(block, &data)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "it has no rows".to_owned())
}

fn buffer(map: Arc<Mmap>) -> Buffer {
    let Some(start) = NonNull::new(map.as_ptr().cast_mut()).filter(|_| !map.is_empty()) else {
        return Buffer::from_vec(Vec::<u8>::new());
    };
    let len = map.len();
    // SAFETY: the memory is `len` bytes long, is never written to, and lives as long as the mapping, which the buffer owns.
    unsafe { Buffer::from_custom_allocation(start, len, map) }
}
