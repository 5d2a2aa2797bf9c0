//! How entries of a vocabulary spell text.

use std::sync::LazyLock;

use serde_json::Value;
use tokenizers::Tokenizer as Backend;

/// The mark SentencePiece writes for a space.
pub(super) const SPACE_MARK: char = '▁';

/// How a vocabulary spells text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// One character per byte (GPT-2).
    Bytes,
    /// `▁` for a space, `<0x0A>` for a byte (SentencePiece).
    Marks,
    /// As it reads (WordPiece, whole words).
    Plain,
}

impl Spelling {
    /// Recognised by the decoder, which every tokenizer of these kinds has.
    pub(super) fn of(backend: &Backend) -> Spelling {
        let decoder = serde_json::to_value(backend.get_decoder()).unwrap_or(Value::Null);
        let has = |kind: &str| {
            let is = |step: &Value| step["type"] == kind;
            is(&decoder) || decoder["decoders"].as_array().is_some_and(|steps| steps.iter().any(is))
        };
        if has("ByteLevel") {
            Spelling::Bytes
        } else if has("Metaspace") || has("ByteFallback") || has("Replace") {
            Spelling::Marks
        } else {
            Spelling::Plain
        }
    }

    /// The text of an entry.
    pub(super) fn text(self, token: &str) -> String {
        match self {
            Spelling::Bytes => match token.chars().map(byte_of).collect::<Option<Vec<u8>>>() {
                Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                None => token.to_owned(),
            },
            Spelling::Marks => match byte_token(token) {
                Some(byte) => String::from_utf8_lossy(&[byte]).into_owned(),
                None => token.replace(SPACE_MARK, " "),
            },
            Spelling::Plain => token.to_owned(),
        }
    }
}

/// The byte that an entry like `<0x0A>` stands for.
fn byte_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// GPT-2's alphabet: printable bytes stand for themselves, the others for the characters from U+0100 on.
static ALPHABET: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut moved = 0x100u32..;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        match byte {
            0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
            _ => moved.next().and_then(char::from_u32).expect("the 68 characters from U+0100 on are valid"),
        }
    })
});

/// The byte that a character of GPT-2's alphabet stands for.
pub(super) fn byte_of(character: char) -> Option<u8> {
    let direct = u8::try_from(u32::from(character)).ok().filter(|byte| ALPHABET[usize::from(*byte)] == character);
    // The moved ones lie in order in the first 68 places after U+00FF.
    direct.or_else(|| {
        let place = ALPHABET.iter().position(|c| *c == character)?;
        u8::try_from(place).ok()
    })
}

/// A text in GPT-2's alphabet.
pub(super) fn to_bytes_alphabet(text: &str) -> String {
    text.bytes().map(|byte| ALPHABET[usize::from(byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_a_bijection() {
        for byte in 0..=255u8 {
            assert_eq!(byte_of(ALPHABET[usize::from(byte)]), Some(byte));
        }
        assert_eq!(to_bytes_alphabet(" a\n"), "ĠaĊ");
        assert_eq!(byte_of('字'), None);
    }

    #[test]
    fn entries_read_as_text() {
        assert_eq!(Spelling::Bytes.text("ĠMary"), " Mary");
        assert_eq!(Spelling::Bytes.text("Ã"), "�");
        assert_eq!(Spelling::Bytes.text("字"), "字");
        assert_eq!(Spelling::Marks.text("▁Mary"), " Mary");
        assert_eq!(Spelling::Marks.text("<0x41>"), "A");
        assert_eq!(Spelling::Marks.text("<0xE5>"), "�");
        assert_eq!(Spelling::Marks.text("<0xZZ>"), "<0xZZ>");
        assert_eq!(Spelling::Plain.text("##ing"), "##ing");
    }
}
