//! How byte-level vocabularies cut text into words before merging: the kinds that `tokenizer.ggml.pre` names.
//!
//! The patterns are those of the models' own `tokenizer.json`. Each one in turn cuts every fragment the ones before it
//! left into its matches and what lies between them.

use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior};

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
/// Letters of scripts with case; DeepSeek-LLM spells the class out instead of naming it.
const DEEPSEEK_LETTERS: &str = concat!(
    r"\s?[",
    r"A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}",
    r"\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}",
    r"\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}",
    r"\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}",
    r"\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}",
    r"\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}",
    r"\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}",
    r"\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}",
    r"\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}",
    r"\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}",
    r"\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}",
    r"\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}",
    r"\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}",
    r"\x{1E900}-\x{1E943}",
    "]+"
);

/// How one family cuts text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    patterns: &'static [&'static str],
    /// Whether a whole word that is in the vocabulary is taken as it is, whatever the merges say.
    pub(super) ignore_merges: bool,
    /// Whether BOS is added where the file does not say.
    pub(super) add_bos: bool,
    /// Whether text is brought into Unicode's composed form first.
    composed: bool,
}

const fn kind(patterns: &'static [&'static str]) -> Kind {
    Kind { patterns, ignore_merges: false, add_bos: false, composed: false }
}

const PLAIN: Kind = kind(&[GPT2]);
const PLAIN_COMPOSED: Kind = Kind { composed: true, ..kind(&[GPT2]) };
const DIGITS_APART: Kind = kind(&[r"\p{N}", GPT2]);
const LLAMA3_KIND: Kind = Kind { ignore_merges: true, add_bos: true, ..kind(&[LLAMA3]) };
const QWEN2_KIND: Kind = Kind { composed: true, ..kind(&[QWEN2]) };

impl Kind {
    /// The kind that `tokenizer.ggml.pre` names, or `None` for a name that is not known.
    pub(super) fn named(name: &str) -> Option<Kind> {
        Some(match name {
            "gpt-2" | "phi-2" | "gigachat" | "roberta-bpe" | "jais" | "mpt" | "trillion" | "granite-docling"
            | "exaone4" | "mellum" | "jina-es" | "jina-de" | "jina-v1-en" | "jina-v2-es" | "jina-v2-de"
            | "jina-v2-code" | "modern-bert" | "a.x-4.0" => PLAIN,
            "olmo" | "gpt-neox" => PLAIN_COMPOSED,
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" | "minerva-7b" => DIGITS_APART,
            "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0" | "lfm2"
            | "jina-v5-nano" => LLAMA3_KIND,
            "dbrx" | "smaug-bpe" | "glm4" | "chatglm-bpe" => kind(&[LLAMA3]),
            "qwen2" | "deepseek-r1-qwen" | "kormo" | "f2llmv2" | "megrez" | "hunyuan" => QWEN2_KIND,
            "stablelm2" => kind(&[QWEN2]),
            "qwen35" => Kind { composed: true, ..kind(&[QWEN35]) },
            "tekken" => Kind { ignore_merges: true, add_bos: true, ..kind(&[TEKKEN]) },
            "gpt-4o" | "llama4" | "kanana2" | "minimax-m2" => kind(&[GPT4O]),
            "deepseek-coder" => kind(&[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"]),
            "deepseek-llm" => kind(&[
                r"[\r\n]",
                DEEPSEEK_LETTERS,
                r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
                r"\s+$",
                "[一-龥ࠀ-一가-퟿]+",
                r"\p{N}+",
            ]),
            "deepseek-v3" | "hunyuan-dense" => kind(&[r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3]),
            "falcon" => kind(&[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, r"[0-9][0-9][0-9]"]),
            "bloom" | "poro-chat" | "gpt3-finnish" => kind(&[r" ?[^(\s|.,!?…。，、।۔،)]+"]),
            "viking" => kind(&[r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"]),
            _ => return None,
        })
    }

    /// The kind of a file that names none (older converters wrote `default`), by the model's architecture.
    pub(super) fn of_architecture(architecture: &str, vocabulary: usize) -> Kind {
        match architecture {
            "qwen2" | "qwen2moe" | "qwen3" | "qwen3moe" => QWEN2_KIND,
            // Llama 3 has 128 256 entries; byte-level Llamas before it have at most 64 000.
            "llama" if vocabulary > 100_000 => LLAMA3_KIND,
            "gptneox" | "olmo" => PLAIN_COMPOSED,
            "starcoder" | "starcoder2" | "refact" | "command-r" => DIGITS_APART,
            _ => PLAIN,
        }
    }

    /// The steps, ending with the spelling of bytes.
    pub(super) fn pre_tokenizer(&self) -> tokenizers::Result<PreTokenizerWrapper> {
        let mut steps = Vec::new();
        for pattern in self.patterns {
            let pattern = SplitPattern::Regex((*pattern).to_owned());
            steps.push(PreTokenizerWrapper::from(Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?));
        }
        steps.push(PreTokenizerWrapper::from(ByteLevel::new(false, true, false)));
        Ok(PreTokenizerWrapper::from(Sequence::new(steps)))
    }

    /// What is done to text before it is cut.
    pub(super) fn normalizer(&self) -> Option<NormalizerWrapper> {
        self.composed.then(|| NormalizerWrapper::from(NFC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    /// The words `kind` cuts `text` into, spelled as text.
    fn words(name: &str, text: &str) -> Vec<String> {
        let mut cut = PreTokenizedString::from(text);
        Kind::named(name).unwrap().pre_tokenizer().unwrap().pre_tokenize(&mut cut).unwrap();
        let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
        splits.into_iter().map(|(_, range, _)| text[range.0..range.1].to_owned()).collect()
    }

    #[test]
    fn every_pattern_compiles() {
        for name in [
            "gpt-2",
            "olmo",
            "smollm",
            "llama-bpe",
            "dbrx",
            "qwen2",
            "stablelm2",
            "qwen35",
            "tekken",
            "gpt-4o",
            "deepseek-coder",
            "deepseek-llm",
            "deepseek-v3",
            "falcon",
            "bloom",
            "viking",
        ] {
            assert_eq!(words(name, "ab c1\n 東").concat(), "ab c1\n 東", "{name} loses text");
        }
        assert_eq!(Kind::named("no such kind"), None);
    }

    #[test]
    fn families_differ_in_digits_contractions_and_spaces() {
        assert_eq!(words("gpt-2", "I'll pay  1234"), ["I", "'ll", " pay", " ", " 1234"]);
        assert_eq!(words("smollm", "pay  12"), ["pay", "  ", "1", "2"]);
        assert_eq!(words("llama-bpe", "x1234 I'LL"), ["x", "123", "4", " I", "'LL"]);
        assert_eq!(words("qwen2", "x12\n\n y"), ["x", "1", "2", "\n\n", " y"]);
        assert_eq!(words("tekken", "camelCase"), ["camel", "Case"]);
        assert_eq!(words("deepseek-coder", "a b\n1"), ["a", " b", "\n", "1"]);
    }

    #[test]
    fn a_file_that_names_no_kind_goes_by_architecture() {
        assert_eq!(Kind::of_architecture("llama", 128_256), LLAMA3_KIND);
        assert_eq!(Kind::of_architecture("llama", 49_152), PLAIN);
        assert_eq!(Kind::of_architecture("qwen3", 151_936), QWEN2_KIND);
    }
}
