//! The outline of a JPEG file. The decoder fills what is missing of a truncated file with grey and converts CMYK without
//! a word, so that both are looked up here.

/// What the markers of a JPEG file say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct JpegOutline {
    /// Channels of the picture: 1, 3 or 4; 0 if no frame was found.
    pub components: u8,
    /// Whether the end marker was found behind at least one scan.
    pub whole: bool,
}

impl JpegOutline {
    /// Walks over the segments; damage ends the walk.
    pub fn of(bytes: &[u8]) -> JpegOutline {
        let mut outline = JpegOutline::default();
        let mut scans = 0;
        let mut at = 2;
        while let Some(marker) = next_marker(bytes, &mut at) {
            match marker {
                0xD9 => {
                    outline.whole = scans > 0;
                    break;
                }
                // Without a length: a repeated start, a restart, a private marker.
                0xD0..=0xD8 | 0x01 => continue,
                _ => {}
            }
            let length = bytes.get(at..).and_then(|rest| rest.first_chunk().copied()).map(u16::from_be_bytes);
            let Some(length) = length.map(usize::from).filter(|length| *length >= 2) else { break };
            // Frame headers, but not the tables C4 (Huffman), C8 and CC (arithmetic coding).
            if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
                outline.components = bytes.get(at + 7).copied().unwrap_or(0);
            }
            scans += usize::from(marker == 0xDA);
            at += length;
        }
        outline
    }
}

/// The next marker from `at` on; `at` then stands behind it. Bytes between segments, such as those of a scan, are passed
/// over: there FF stands before 00 or a restart marker.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let found = bytes.get(*at..)?.iter().position(|byte| *byte == 0xFF)?;
        *at += found + 1;
        let marker = *bytes.get(*at)?;
        if marker != 0 && marker != 0xFF {
            *at += 1;
            return Some(marker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_within_a_scan_are_passed_over() {
        let frame = [0xFF, 0xC0, 0, 11, 8, 0, 1, 0, 1, 4, 1, 0x11, 0];
        let scan = [0xFF, 0xDA, 0, 4, 9, 9, 1, 0xFF, 0, 2, 0xFF, 0xD3, 3];
        let mut file = [vec![0xFF, 0xD8], frame.to_vec(), scan.to_vec()].concat();
        assert_eq!(JpegOutline::of(&file), JpegOutline { components: 4, whole: false });
        file.extend([0xFF, 0xD9]);
        assert_eq!(JpegOutline::of(&file), JpegOutline { components: 4, whole: true });
        for end in 0..file.len() {
            assert!(!JpegOutline::of(&file[..end]).whole);
        }
    }
}
