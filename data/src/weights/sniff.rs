//! Recognises a file by its first bytes.

use super::error::FormatError;

/// The formats of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Safetensors,
    ShardIndex,
    Gguf,
    PickleZip,
    PickleLegacy,
}

/// Header lengths above this are text, not the length field of a safetensors file.
const PLAUSIBLE_HEADER: u64 = 1 << 40;

/// Says what `bytes` are. `name` is only used where the contents leave no choice but to trust the ending.
pub(crate) fn sniff(bytes: &[u8], name: &str) -> Result<Format, FormatError> {
    if bytes.is_empty() {
        return Err(FormatError::Empty);
    }
    if bytes.starts_with(b"GGUF") {
        return Ok(Format::Gguf);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Ok(Format::PickleZip);
    }
    if bytes.len() > 1 && bytes[0] == 0x80 && (2..=5).contains(&bytes[1]) {
        return Ok(Format::PickleLegacy);
    }
    if let Some((length, rest)) = bytes.split_first_chunk::<8>()
        && rest.first() == Some(&b'{')
        && u64::from_le_bytes(*length) < PLAUSIBLE_HEADER
    {
        return Ok(Format::Safetensors);
    }
    let text = bytes[..bytes.len().min(512)].trim_ascii_start();
    if text.starts_with(b"{") {
        return Ok(Format::ShardIndex);
    }
    if let Some((found, advice)) = foreign(bytes, text) {
        return Err(FormatError::NotWeights { found: found.into(), advice: advice.into() });
    }
    if name.to_ascii_lowercase().ends_with(".safetensors") {
        return Ok(Format::Safetensors);
    }
    let printable = text.iter().all(|b| !b.is_ascii_control() || b.is_ascii_whitespace());
    let found = if printable { "a text file" } else { "a file of an unknown kind" };
    Err(FormatError::NotWeights { found: found.into(), advice: "check that it is the file you meant".into() })
}

/// Well-known things that are taken for weights: what it is, what to do.
fn foreign(bytes: &[u8], text: &[u8]) -> Option<(&'static str, &'static str)> {
    let lower = text[..text.len().min(16)].to_ascii_lowercase();
    if text.starts_with(b"version https://git-lfs.github.com/spec/") {
        return Some(("a Git LFS pointer", "fetch the real file with `git lfs pull`, or download it again"));
    }
    if [b"<!doctype".as_slice(), b"<html", b"<?xml", b"<head"].iter().any(|start| lower.starts_with(start)) {
        return Some(("a web page", "the server probably sent an error page in place of the file; download it again"));
    }
    if [b"ggml", b"lmgg", b"ggjt", b"tjgg", b"ggla", b"fmgg"].iter().any(|magic| bytes.starts_with(*magic)) {
        return Some(("a GGML file from before GGUF", "get the model as GGUF or safetensors"));
    }
    if bytes.starts_with(b"FUGG") {
        return Some(("a big-endian GGUF file", "get the little-endian one"));
    }
    if bytes.starts_with(b"\x89HDF") {
        return Some(("an HDF5 file (Keras or TensorFlow)", "get the model as safetensors"));
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(("a tar archive", "unpack it and give the file inside"));
    }
    if bytes.starts_with(b"\x1f\x8b") || bytes.starts_with(b"\x28\xb5\x2f\xfd") || bytes.starts_with(b"\xfd7zXZ") {
        return Some(("a compressed file", "unpack it and give the file inside"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        sniff(bytes, "model.bin").unwrap_err().to_string()
    }

    #[test]
    fn formats_are_told_by_content() {
        assert_eq!(sniff(b"GGUF\x03\0\0\0", "x.safetensors").unwrap(), Format::Gguf);
        assert_eq!(sniff(b"PK\x03\x04....", "x.gguf").unwrap(), Format::PickleZip);
        assert_eq!(sniff(b"\x80\x02\x8a\x0a", "x").unwrap(), Format::PickleLegacy);
        assert_eq!(sniff(b"\x02\0\0\0\0\0\0\0{}", "x").unwrap(), Format::Safetensors);
        assert_eq!(sniff(b"{\"wmap\":{", "x").unwrap(), Format::ShardIndex);
        assert_eq!(sniff(b"\xff\xff\xff\xff\xff\xff\xff\xff{}", "X.SafeTensors").unwrap(), Format::Safetensors);
    }

    #[test]
    fn what_is_not_weights_is_named() {
        assert!(refusal(b"\n<!DOCTYPE html><html>").contains("web page"));
        assert!(refusal(b"version https://git-lfs.github.com/spec/v1\noid sha256:00").contains("git lfs pull"));
        assert!(refusal(b"ggjt\x03\0\0\0").contains("before GGUF"));
        assert!(refusal(b"hello there").contains("text file"));
        assert!(refusal(b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09").contains("unknown kind"));
        assert!(refusal(b"").contains("empty"));
    }
}
