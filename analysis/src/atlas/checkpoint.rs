//! Checkpoints: the whole state in one file that is either there or not.
//!
//! The file begins with a line that names its layout, then the key of the build (a hash of everything that determines its
//! result), then the numbers, little endian, and ends with BLAKE3 of all before it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::BuildError;
use super::batch::Counts;
use super::channel::Channel;
use super::units::Units;

const MAGIC: &[u8; 24] = b"golgi.atlas.checkpoint/1";
const HASH: u64 = 32;

/// Where the checkpoint of the atlas in `folder` lies.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("checkpoint.bin")
}

struct Hashed<T> {
    inner: T,
    hasher: blake3::Hasher,
}

impl<T: Write> Write for Hashed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn transfer(counts: &mut Counts, units: &mut Units, channel: &mut Channel) -> io::Result<()> {
    channel.number(&mut counts.batches)?;
    channel.number(&mut counts.tokens)?;
    channel.number(&mut counts.contexts)?;
    let lists = [&mut counts.positions, &mut counts.languages, &mut counts.genres, &mut counts.tracked];
    lists.into_iter().try_for_each(|list| channel.numbers(list))?;
    units.transfer(channel)
}

/// Writes a checkpoint in place of the one before.
pub(super) fn save(folder: &Path, key: &[u8; 32], counts: &mut Counts, units: &mut Units) -> Result<(), BuildError> {
    let (path, part) = (path(folder), folder.join("checkpoint.part"));
    let failed = |error: io::Error| BuildError::Write { path: path.clone(), cause: error.to_string() };
    let mut write = || -> io::Result<()> {
        let file = BufWriter::with_capacity(1 << 20, File::create(&part)?);
        let mut file = Hashed { inner: file, hasher: blake3::Hasher::new() };
        file.write_all(MAGIC)?;
        file.write_all(key)?;
        transfer(counts, units, &mut Channel::Save(&mut file))?;
        let Hashed { mut inner, hasher } = file;
        inner.write_all(hasher.finalize().as_bytes())?;
        let file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(&part, &path)?;
        // The rename itself must outlive a power failure; not every system can open a folder.
        if let Ok(folder) = File::open(folder) {
            folder.sync_all().ok();
        }
        Ok(())
    };
    write().map_err(|error| {
        std::fs::remove_file(&part).ok();
        failed(error)
    })
}

/// Reads the checkpoint in `folder` into a fresh state; returns whether there was one.
pub(super) fn load(folder: &Path, key: &[u8; 32], counts: &mut Counts, units: &mut Units) -> Result<bool, BuildError> {
    let path = path(folder);
    let damaged = |cause: String| BuildError::Damaged { path: path.clone(), cause };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(damaged(error.to_string())),
    };
    let mut header = [0; 56];
    file.read_exact(&mut header).map_err(|error| damaged(error.to_string()))?;
    if header[..24] != *MAGIC {
        return Err(damaged("it was written by another version".to_owned()));
    }
    if header[24..] != *key {
        return Err(BuildError::Different {
            folder: folder.to_owned(),
            what: "its checkpoint has another key".to_owned(),
        });
    }
    verify(&mut file).map_err(|error| damaged(error.to_string()))?;
    file.seek(SeekFrom::Start(header.len() as u64)).map_err(|error| damaged(error.to_string()))?;
    let mut from = BufReader::with_capacity(1 << 20, file);
    transfer(counts, units, &mut Channel::Load(&mut from)).map_err(|error| damaged(error.to_string()))?;
    Ok(true)
}

/// Compares the hash at the end with the rest of the file.
fn verify(file: &mut File) -> io::Result<()> {
    let body = file.metadata()?.len().checked_sub(HASH).ok_or(io::ErrorKind::UnexpectedEof)?;
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut BufReader::with_capacity(1 << 20, &mut *file).take(body), &mut hasher)?;
    let mut stated = [0; HASH as usize];
    file.seek(SeekFrom::Start(body))?;
    file.read_exact(&mut stated)?;
    if *hasher.finalize().as_bytes() == stated { Ok(()) } else { Err(io::Error::other("its hash is wrong")) }
}
