//! Tokenizers from the files of a hub folder.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as Backend};

use super::{Parts, Roles, TokenizerError, guarded, set_template};

/// The largest file accepted, in bytes. Real `tokenizer.json` files have up to 35 MB.
const MAX_BYTES: u64 = 256 << 20;

/// Loads the tokenizer of a hub folder.
pub(super) fn load(folder: &Path) -> Result<Parts, TokenizerError> {
    let config = read_object(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
    let specials = read_object(&folder.join("special_tokens_map.json"))?.unwrap_or_default();
    let mut backend = load_backend(folder, &config)?;

    let named = |role: &str| {
        let value = config.get(role).filter(|value| !value.is_null()).or_else(|| specials.get(role));
        value.and_then(text_of)
    };
    let role_names = ["bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token", "mask_token"];
    add_named(&mut backend, role_names.iter().filter_map(|role| named(role)), &config);
    let id = |role: &str| named(role).and_then(|name| backend.token_to_id(&name));
    let roles = Roles { bos: id("bos_token"), eos: id("eos_token"), pad: id("pad_token"), unk: id("unk_token") };

    let flag = |name: &str| config.get(name).and_then(Value::as_bool);
    let (add_bos, add_eos) = (flag("add_bos_token"), flag("add_eos_token"));
    // The flags win over the post-processor in tokenizer.json, as in the reference.
    if add_bos.is_some() || add_eos.is_some() {
        let before = roles.bos.filter(|_| add_bos == Some(true));
        let after = roles.eos.filter(|_| add_eos == Some(true));
        let damaged = |cause| TokenizerError::Damaged { path: folder.join("tokenizer_config.json"), cause };
        set_template(&mut backend, before, after).map_err(damaged)?;
    }
    let end_ids = end_ids(folder)?;
    let chat_template = chat_template(folder, &config)?;
    Ok(Parts { backend, roles, end_ids, chat_template, warnings: Vec::new() })
}

fn load_backend(folder: &Path, config: &Map<String, Value>) -> Result<Backend, TokenizerError> {
    let path = folder.join("tokenizer.json");
    if let Some(bytes) = read(&path)? {
        let parsed = guarded(|| Backend::from_bytes(&bytes));
        let mut backend = parsed.map_err(|cause| TokenizerError::Damaged { path: path.clone(), cause })?;
        backend.with_padding(None);
        let cleared = guarded(|| backend.with_truncation(None).map(|_| ()));
        cleared.map_err(|cause| TokenizerError::Damaged { path, cause })?;
        return Ok(backend);
    }
    if let (Some(vocab), Some(merges)) = (read(&folder.join("vocab.json"))?, read(&folder.join("merges.txt"))?) {
        return byte_level(folder, &vocab, &merges, config);
    }
    let path = folder.join("vocab.txt");
    if let Some(bytes) = read(&path)? {
        return word_piece(&bytes, config).map_err(|cause| TokenizerError::Damaged { path, cause });
    }
    let folder = folder.to_owned();
    Err(match folder.join("tokenizer.model").is_file() {
        true => TokenizerError::OnlySentencePiece { folder },
        false => TokenizerError::Missing { folder },
    })
}

/// GPT-2's own two files.
fn byte_level(
    folder: &Path,
    vocab: &[u8],
    merges: &[u8],
    config: &Map<String, Value>,
) -> Result<Backend, TokenizerError> {
    let damaged = |name: &str, cause: String| TokenizerError::Damaged { path: folder.join(name), cause };
    let vocab: Vec<(String, u32)> = serde_json::from_slice::<Map<String, Value>>(vocab)
        .map_err(|e| damaged("vocab.json", e.to_string()))?
        .into_iter()
        .map(|(token, id)| Some((token, u32::try_from(id.as_u64()?).ok()?)))
        .collect::<Option<_>>()
        .ok_or_else(|| damaged("vocab.json", "an id is not a number that fits".to_owned()))?;
    let merges = String::from_utf8_lossy(merges);
    let lines = merges.lines().filter(|line| !line.starts_with("#version") && !line.is_empty());
    let merges = lines
        .map(|line| line.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned())))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| damaged("merges.txt", "a line is not two tokens with a space between them".to_owned()))?;
    let bpe = BPE::builder().vocab_and_merges(Vocab::from_iter(vocab), merges);
    let mut backend = Backend::new(guarded(|| bpe.build()).map_err(|cause| damaged("merges.txt", cause))?);
    let prefix = config.get("add_prefix_space").and_then(Value::as_bool).unwrap_or(false);
    backend.with_pre_tokenizer(Some(ByteLevel::new(prefix, true, true)));
    backend.with_decoder(Some(ByteLevelDecoder::default()));
    Ok(backend)
}

/// BERT's own file: one entry a line.
fn word_piece(bytes: &[u8], config: &Map<String, Value>) -> Result<Backend, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let vocab: Vocab = text.lines().map(str::to_owned).zip(0u32..).collect();
    let unk = config.get("unk_token").and_then(text_of).unwrap_or_else(|| "[UNK]".to_owned());
    let (cls, sep) = (vocab.get("[CLS]").copied(), vocab.get("[SEP]").copied());
    let builder = WordPiece::builder().vocab(vocab).unk_token(unk);
    let mut backend = Backend::new(guarded(|| builder.build())?);
    let flag = |name: &str| config.get(name).and_then(Value::as_bool);
    let chinese = flag("tokenize_chinese_chars").unwrap_or(true);
    let lowercase = flag("do_lower_case").unwrap_or(true);
    backend.with_normalizer(Some(BertNormalizer::new(true, chinese, flag("strip_accents"), lowercase)));
    backend.with_pre_tokenizer(Some(BertPreTokenizer));
    backend.with_decoder(Some(WordPieceDecoder::new("##".to_owned(), true)));
    let special = ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"].map(|name| AddedToken::from(name, true));
    backend.add_special_tokens(&special.map(|token| token.normalized(false)));
    set_template(&mut backend, cls, sep)?;
    Ok(backend)
}

/// Makes tokens that the configuration names, and that the vocabulary has, ones that are found in text as a whole.
/// Names that the vocabulary lacks are left out: their ids would lie beyond the model's embedding.
fn add_named(backend: &mut Backend, names: impl Iterator<Item = String>, config: &Map<String, Value>) {
    let mut tokens: Vec<AddedToken> = Vec::new();
    let listed = config.get("added_tokens_decoder").and_then(Value::as_object);
    for entry in listed.into_iter().flat_map(Map::values) {
        if let Ok(token) = serde_json::from_value::<AddedToken>(entry.clone()) {
            tokens.push(token);
        }
    }
    tokens.extend(names.map(|name| AddedToken::from(name, true).normalized(false)));
    for token in tokens {
        let added = backend.get_added_vocabulary().get_vocab().contains_key(&token.content);
        if added || backend.token_to_id(&token.content).is_none() {
            continue;
        }
        if token.special {
            backend.add_special_tokens(&[token]);
        } else {
            backend.add_tokens(&[token]);
        }
    }
}

/// `eos_token_id` of `generation_config.json`: one id or several.
fn end_ids(folder: &Path) -> Result<Vec<u32>, TokenizerError> {
    let config = read_object(&folder.join("generation_config.json"))?.unwrap_or_default();
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    Ok(match config.get("eos_token_id") {
        Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(one) => id(one).into_iter().collect(),
        None => Vec::new(),
    })
}

/// `chat_template.jinja`, or else the configuration's template: one, or several by name of which `default` counts.
fn chat_template(folder: &Path, config: &Map<String, Value>) -> Result<Option<String>, TokenizerError> {
    let path = folder.join("chat_template.jinja");
    if let Some(bytes) = read(&path)? {
        let text = String::from_utf8(bytes).map_err(|e| TokenizerError::Damaged { path, cause: e.to_string() })?;
        return Ok(Some(text));
    }
    let named = |entry: &Value| (entry["name"] == "default").then(|| text_of(&entry["template"]))?;
    Ok(match config.get("chat_template") {
        Some(Value::Array(several)) => several.iter().find_map(named),
        Some(one) => text_of(one),
        None => None,
    })
}

/// A token's text: a string, or an object with `content`.
fn text_of(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}

/// A whole file, or `None` if it is not there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, TokenizerError> {
    let io = |cause| TokenizerError::Io { path: path.to_owned(), cause };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io(e)),
    };
    let actual = file.metadata().map_err(io)?.len();
    if actual > MAX_BYTES {
        return Err(TokenizerError::TooLarge { path: path.to_owned(), actual, limit: MAX_BYTES });
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(bytes))
}

fn read_object(path: &Path) -> Result<Option<Map<String, Value>>, TokenizerError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|e| TokenizerError::Damaged { path: path.to_owned(), cause: e.to_string() })
}
