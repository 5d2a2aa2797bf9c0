//! Plain text. A file above [`PIECE`] bytes becomes several documents, cut between paragraphs where there are some.

use std::fs::File;
use std::io::Read;

use super::{Documents, Source};
use crate::corpus::error::io;
use crate::corpus::{CorpusError, Document};

/// The largest document made of a text file, in bytes.
pub(super) const PIECE: usize = 32 << 10;

pub(super) fn read(source: &Source, lossy: bool) -> Result<Documents<'_>, CorpusError> {
    let file = File::open(&source.path).map_err(io("open", &source.path))?;
    Ok(Box::new(Pieces { source, file, lossy, pending: Vec::new(), offset: 0, made: 0, ended: false }))
}

struct Pieces<'a> {
    source: &'a Source,
    file: File,
    lossy: bool,
    /// Read and not yet given out; begins at `offset` of the file.
    pending: Vec<u8>,
    offset: u64,
    made: usize,
    ended: bool,
}

impl Pieces<'_> {
    /// The next piece with its place in the file; empty at the end.
    fn piece(&mut self) -> Result<(Vec<u8>, u64), CorpusError> {
        let wanted = (PIECE + 1 - self.pending.len()) as u64;
        let read = (&mut self.file).take(wanted).read_to_end(&mut self.pending);
        read.map_err(io("read", &self.source.path))?;
        let at = if self.pending.len() > PIECE { cut(&self.pending[..PIECE]) } else { self.pending.len() };
        let rest = self.pending.split_off(at);
        let piece = std::mem::replace(&mut self.pending, rest);
        let offset = self.offset;
        self.offset += piece.len() as u64;
        Ok((piece, offset))
    }

    fn document(&mut self) -> Result<Option<Document>, CorpusError> {
        loop {
            let (piece, offset) = self.piece()?;
            if piece.is_empty() {
                return Ok(None);
            }
            let whole = offset == 0 && self.pending.is_empty();
            let text = self.source.text(piece, offset, self.lossy)?;
            let text = if offset == 0 { text.trim_start_matches('\u{feff}').to_owned() } else { text };
            if text.trim().is_empty() {
                continue;
            }
            self.made += 1;
            let label = &self.source.label;
            let id = if whole { label.clone() } else { format!("{label}#{}", self.made) };
            return Ok(Some(Document { id, text, language: None, genre: None }));
        }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Document, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.document().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Where to cut: behind the last empty line, else the last line, else the last space of the second half, else in front of
/// the last character. Never at 0.
fn cut(bytes: &[u8]) -> usize {
    let half = bytes.len() / 2;
    let behind = |found: Option<usize>, n: usize| found.map(|at| half + at + n);
    let second = &bytes[half..];
    let paragraph = second.windows(2).rposition(|pair| pair == b"\n\n");
    let at = behind(paragraph, 2)
        .or_else(|| behind(second.iter().rposition(|byte| *byte == b'\n'), 1))
        .or_else(|| behind(second.iter().rposition(|byte| *byte == b' '), 1))
        .unwrap_or_else(|| {
            // Characters have at most 4 bytes; where none begins the text is no UTF-8, which is found later.
            let begins = bytes.iter().rev().take(4).position(|byte| byte & 0xc0 != 0x80);
            bytes.len() - begins.map_or(0, |back| back + 1)
        });
    if at == 0 { bytes.len() } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_made_where_a_reader_would() {
        assert_eq!(cut(b"aaaa bbbb\n\ncc\ndd"), 11);
        assert_eq!(cut(b"aaaa bbbb\ncc dd"), 10);
        assert_eq!(cut(b"aaaa bbb cc dd"), 12);
        assert_eq!(cut("aaaaaaaä".as_bytes()), 7);
        assert_eq!(cut(b"\x80\x80\x80\x80"), 4);
    }
}
