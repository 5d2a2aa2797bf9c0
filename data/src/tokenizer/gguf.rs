//! Tokenizers from the metadata of a GGUF: byte-level BPE (`gpt2`), SentencePiece-style BPE (`llama`) and WordPiece
//! (`bert`).
//!
//! The keys are those of `docs/gguf.md` of ggml. SentencePiece files carry scores instead of merges; merging by score
//! is the same as merging in the order of the merges that [`merges_from_scores`] rebuilds. What a file does not say is
//! taken as llama.cpp takes it.

use std::collections::HashMap;

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::normalizers::prepend::Prepend;
use tokenizers::normalizers::replace::Replace;
use tokenizers::normalizers::utils::Sequence as Normalizers;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, Tokenizer as Backend};

use super::piece::{SPACE_MARK, byte_of, to_bytes_alphabet};
use super::pretokenize::Kind;
use super::{Parts, Roles, TokenizerError, guarded, set_template};
use crate::weights::GgufMetadata;

/// Values of `tokenizer.ggml.token_type`.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const BYTE: i32 = 6;

/// Entries longer than this, in characters, are never built by merging. The longest real ones have some 130.
const MAX_MERGED: usize = 256;

/// The vocabulary of a GGUF and what the file says about it.
struct Source<'a> {
    meta: &'a GgufMetadata,
    tokens: Vec<String>,
    types: Vec<i32>,
    warnings: Vec<String>,
}

/// Builds the tokenizer.
pub(super) fn load(meta: &GgufMetadata) -> Result<Parts, TokenizerError> {
    let kind = match meta.string("tokenizer.ggml.model") {
        None | Some("none" | "no_vocab") => return Err(TokenizerError::NotInGguf),
        Some(kind) => kind.to_owned(),
    };
    let damaged = |cause: String| TokenizerError::Metadata { cause };
    let mut source = match kind.as_str() {
        "gpt2" | "llama" | "bert" => Source::read(meta).map_err(damaged)?,
        _ => return Err(TokenizerError::Kind { found: kind }),
    };
    let built = match kind.as_str() {
        "gpt2" => byte_level(&mut source),
        "llama" => sentence_piece(&mut source),
        _ => word_piece(&source),
    };
    let (mut backend, roles, before, after) = built.map_err(damaged)?;
    source.add_special_tokens(&mut backend, &roles, kind == "llama");
    set_template(&mut backend, before, after).map_err(damaged)?;
    let end_ids = ["eot", "eom"].iter().filter_map(|role| source.role(role)).collect();
    let chat_template = meta.string("tokenizer.chat_template").map(str::to_owned);
    Ok(Parts { backend, roles, end_ids, chat_template, warnings: source.warnings })
}

/// A tokenizer, its roles, and the tokens it adds before and after a text.
type Built = (Backend, Roles, Option<u32>, Option<u32>);

impl<'a> Source<'a> {
    fn read(meta: &'a GgufMetadata) -> Result<Source<'a>, String> {
        let tokens = meta.strings("tokenizer.ggml.tokens").ok_or("it has no `tokenizer.ggml.tokens`")?;
        let types = match meta.i32s("tokenizer.ggml.token_type") {
            Some(types) if types.len() == tokens.len() => types,
            Some(types) => return Err(format!("it has {} token types for {} tokens", types.len(), tokens.len())),
            None => vec![NORMAL; tokens.len()],
        };
        Ok(Source { meta, tokens, types, warnings: Vec::new() })
    }

    fn is(&self, id: u32, kind: i32) -> bool {
        self.types.get(id as usize) == Some(&kind)
    }

    /// The id in `tokenizer.ggml.<role>_token_id`, if it is in the vocabulary.
    fn role(&self, role: &str) -> Option<u32> {
        let id = u32::try_from(self.meta.u64(&format!("tokenizer.ggml.{role}_token_id"))?).ok()?;
        ((id as usize) < self.tokens.len()).then_some(id)
    }

    fn roles(&self) -> Roles {
        let [bos, eos, pad, unk] = ["bos", "eos", "padding", "unknown"].map(|role| self.role(role));
        Roles { bos, eos, pad, unk }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.meta.bool(&format!("tokenizer.ggml.{name}"))
    }

    /// BOS and EOS where the file (or else `default_bos`) wants them added.
    fn added(&self, roles: &Roles, default_bos: bool) -> (Option<u32>, Option<u32>) {
        let bos = roles.bos.filter(|_| self.flag("add_bos_token").unwrap_or(default_bos));
        let eos = roles.eos.filter(|_| self.flag("add_eos_token").unwrap_or(false));
        (bos, eos)
    }

    /// The vocabulary, each entry spelled by `spell`. Empty entries are placeholders and are left out.
    fn vocabulary(&self, spell: impl Fn(u32, &str) -> String) -> Vocab {
        let numbered = (0u32..).zip(&self.tokens).filter(|(_, token)| !token.is_empty());
        numbered.map(|(id, token)| (spell(id, token), id)).collect()
    }

    /// Makes control and user-defined tokens ones that are found in text before anything else happens to it.
    fn add_special_tokens(&self, backend: &mut Backend, roles: &Roles, marks: bool) {
        // Phi-3's special tokens swallow the space after them; its GGUF has no place to say so.
        let swallow = marks && self.meta.string("general.architecture") == Some("phi3");
        let prefix = self.flag("add_space_prefix").unwrap_or(true);
        let has_role = |id| [roles.bos, roles.eos, roles.pad].contains(&Some(id));
        let (mut control, mut user) = (Vec::new(), Vec::new());
        for (id, token) in (0u32..).zip(&self.tokens) {
            let special = self.is(id, CONTROL) || self.is(id, UNKNOWN) && marks || has_role(id);
            if token.is_empty() || !(special || self.is(id, USER_DEFINED)) {
                continue;
            }
            let rstrip = swallow && !matches!(token.as_str(), "<unk>" | "<s>" | "<|endoftext|>");
            // Runs of spaces are found among marks, since text may spell marks out. A prefix would spoil that.
            let normalized = marks && !prefix && token.contains(' ');
            let added = AddedToken::from(token.clone(), special).normalized(normalized).rstrip(rstrip);
            if special { control.push(added) } else { user.push(added) }
        }
        backend.add_special_tokens(&control);
        backend.add_tokens(&user);
    }
}

/// Byte-level BPE with the file's merges.
fn byte_level(source: &mut Source) -> Result<Built, String> {
    let architecture = source.meta.string("general.architecture").unwrap_or_default();
    let kind = match source.meta.string("tokenizer.ggml.pre") {
        None | Some("default") => Kind::of_architecture(architecture, source.tokens.len()),
        Some(name) => Kind::named(name).unwrap_or_else(|| {
            source.warnings.push(format!(
                "the tokenizer cuts text by the rules `{name}`, which Golgi does not know; it uses those of GPT-2, so \
                 some texts may be tokenised differently than the model was trained on"
            ));
            Kind::of_architecture("gpt2", source.tokens.len())
        }),
    };
    let raw = |id| source.is(id, CONTROL) || source.is(id, USER_DEFINED);
    let vocab = source.vocabulary(|id, token| {
        // A few converters write normal entries as plain text.
        let spelled = raw(id) || token.chars().all(|c| byte_of(c).is_some());
        if spelled { token.to_owned() } else { to_bytes_alphabet(token) }
    });
    let lines = source.meta.strings("tokenizer.ggml.merges").ok_or("it has no `tokenizer.ggml.merges`")?;
    let (merges, skipped) = known_merges(&lines, &vocab);
    if skipped > 0 {
        source.warnings.push(format!("{skipped} merges of the tokenizer name tokens it does not have and are ignored"));
    }
    let bpe = BPE::builder().vocab_and_merges(vocab, merges).ignore_merges(kind.ignore_merges);
    let mut backend = Backend::new(guarded(|| bpe.build())?);
    backend.with_normalizer(kind.normalizer());
    backend.with_pre_tokenizer(Some(guarded(|| kind.pre_tokenizer())?));
    backend.with_decoder(Some(ByteLevel::default()));
    let roles = source.roles();
    let (before, after) = source.added(&roles, kind.add_bos);
    Ok((backend, roles, before, after))
}

/// The merges both of whose parts and whose result are in the vocabulary, and how many are not.
fn known_merges(lines: &[String], vocab: &Vocab) -> (Merges, usize) {
    let known = |line: &&String| {
        let (left, right) = line.split_once(' ')?;
        let all = vocab.contains_key(left) && vocab.contains_key(right) && vocab.contains_key(&[left, right].concat());
        all.then(|| (left.to_owned(), right.to_owned()))
    };
    let merges: Merges = lines.iter().filter_map(|line| known(&line)).collect();
    let skipped = lines.len() - merges.len();
    (merges, skipped)
}

/// BPE by scores, with `▁` for spaces and byte tokens for characters the vocabulary lacks.
fn sentence_piece(source: &mut Source) -> Result<Built, String> {
    let vocab = source.vocabulary(|_, token| token.to_owned());
    let merges = match source.meta.strings("tokenizer.ggml.merges") {
        Some(lines) => known_merges(&lines, &vocab).0,
        None => {
            let scores = source.meta.f32s("tokenizer.ggml.scores").ok_or("it has no `tokenizer.ggml.scores`")?;
            if scores.len() != source.tokens.len() {
                return Err(format!("it has {} scores for {} tokens", scores.len(), source.tokens.len()));
            }
            merges_from_scores(source, &scores)
        }
    };
    let has_bytes = source.types.contains(&BYTE) || vocab.contains_key("<0x00>");
    let mut roles = source.roles();
    // The ids every SentencePiece vocabulary has unless it says otherwise.
    let standard = |role: Option<u32>, id: u32, kind: i32| role.or(source.is(id, kind).then_some(id));
    roles.bos = standard(roles.bos, 1, CONTROL);
    roles.eos = standard(roles.eos, 2, CONTROL);
    roles.unk = standard(roles.unk, 0, UNKNOWN);
    let mut bpe = BPE::builder().vocab_and_merges(vocab, merges).fuse_unk(true).byte_fallback(has_bytes);
    if let Some(name) = roles.unk.and_then(|id| source.tokens.get(id as usize)) {
        bpe = bpe.unk_token(name.clone());
    }
    let mut backend = Backend::new(guarded(|| bpe.build())?);

    let mark = SPACE_MARK.to_string();
    let prefix = source.flag("add_space_prefix").unwrap_or(true);
    let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
    let mut decoders: Vec<DecoderWrapper> =
        vec![guarded(|| Replace::new(mark.clone(), " "))?.into(), ByteFallback::new().into(), Fuse::new().into()];
    if prefix {
        normalizers.push(Prepend::new(mark.clone()).into());
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    normalizers.push(guarded(|| Replace::new(" ".to_owned(), mark))?.into());
    backend.with_normalizer(Some(Normalizers::new(normalizers)));
    backend.with_decoder(Some(Decoders::new(decoders)));
    let (before, after) = source.added(&roles, true);
    Ok((backend, roles, before, after))
}

/// Every way to build a normal entry from two others, best score first.
///
/// SentencePiece merges the pair whose *result* scores best. Ties (pairs with the same score) go to the longer left
/// part, then to the longer right one, as the reference conversion orders them.
fn merges_from_scores(source: &Source, scores: &[f32]) -> Merges {
    let normal = |id: u32| source.is(id, NORMAL);
    let ids: HashMap<&str, u32> =
        (0u32..).zip(&source.tokens).filter(|(id, _)| normal(*id)).map(|(id, token)| (token.as_str(), id)).collect();
    let mut found: Vec<(f32, usize, usize, &str, &str)> = Vec::new();
    for (token, score) in source.tokens.iter().zip(scores) {
        let length = token.chars().count();
        if !(2..=MAX_MERGED).contains(&length) || !ids.contains_key(token.as_str()) {
            continue;
        }
        for (left_length, (at, _)) in token.char_indices().enumerate().skip(1) {
            let (left, right) = token.split_at(at);
            if ids.contains_key(left) && ids.contains_key(right) {
                found.push((*score, left_length, length - left_length, left, right));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)));
    found.into_iter().map(|(_, _, _, left, right)| (left.to_owned(), right.to_owned())).collect()
}

/// WordPiece. The file marks beginnings of words with `▁` where the hub marks continuations with `##`.
fn word_piece(source: &Source) -> Result<Built, String> {
    let vocab = source.vocabulary(|id, token| match token.strip_prefix(SPACE_MARK) {
        _ if !source.is(id, NORMAL) => token.to_owned(),
        Some(word) => word.to_owned(),
        None => format!("##{token}"),
    });
    let named = |name: &str| vocab.get(name).copied();
    let mut roles = source.roles();
    // Converters store [CLS] as BOS; on the hub BERT has neither BOS nor EOS.
    let before = source.role("cls").or(roles.bos).or_else(|| named("[CLS]"));
    let after = source.role("seperator").or_else(|| source.role("separator")).or_else(|| named("[SEP]"));
    roles.unk = roles.unk.or_else(|| named("[UNK]"));
    roles.pad = roles.pad.or_else(|| named("[PAD]"));
    (roles.bos, roles.eos) = (None, None);
    let unk = roles.unk.and_then(|id| source.tokens.get(id as usize)).ok_or("it has no unknown token")?;

    let builder = WordPiece::builder().vocab(vocab).unk_token(unk.clone());
    let mut backend = Backend::new(guarded(|| builder.build())?);
    let lowercase = source.flag("normalizer.lowercase").unwrap_or(true);
    backend.with_normalizer(Some(BertNormalizer::new(true, true, None, lowercase)));
    backend.with_pre_tokenizer(Some(BertPreTokenizer));
    backend.with_decoder(Some(WordPieceDecoder::new("##".to_owned(), true)));
    Ok((backend, roles, before, after))
}
