//! Text to tokens and back: the tokenizer of a hub folder or of a GGUF, with its chat template.
//!
//! Whatever the source, ids are those of the model's own reference tokenizer. Golgi never truncates or pads here, even
//! where the tokenizer's file asks for it: that is the caller's business.
//!
//! ```no_run
//! use golgi_data::tokenizer::{ChatMessage, Tokenizer};
//!
//! let tokenizer = Tokenizer::from_folder("models/minilm".as_ref())?;
//! let ids = tokenizer.encode("A cat sat on the mat.")?;
//! assert_eq!(tokenizer.piece(ids[0]), "[CLS]");
//! # Ok::<(), golgi_data::tokenizer::TokenizerError>(())
//! ```

mod chat;
mod error;
mod gguf;
mod json;
mod piece;
mod pretokenize;
mod strftime;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer as Backend;

pub use chat::ChatMessage;
pub use error::TokenizerError;

use crate::weights::GgufMetadata;
use chat::ChatTemplate;
use piece::Spelling;

/// Names of tokens that end a turn in a chat, beside the end-of-sequence token.
const TURN_ENDS: [&str; 5] = ["<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>"];

/// A model's tokenizer. Clones share everything.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    spelling: Spelling,
    roles: Roles,
    end_ids: Vec<u32>,
    vocab_size: usize,
    chat: Option<ChatTemplate>,
    warnings: Vec<String>,
    digest: OnceLock<String>,
}

/// The tokens that have a role, by id.
#[derive(Debug, Clone, Copy, Default)]
struct Roles {
    bos: Option<u32>,
    eos: Option<u32>,
    pad: Option<u32>,
    unk: Option<u32>,
}

/// What a source of tokenizers brings together.
struct Parts {
    backend: Backend,
    roles: Roles,
    /// Further tokens at which generation ends.
    end_ids: Vec<u32>,
    chat_template: Option<String>,
    warnings: Vec<String>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("vocab_size", &self.vocab_size()).field("roles", &self.inner.roles).finish()
    }
}

impl Tokenizer {
    /// The tokenizer of a hub folder: `tokenizer.json`, or else `vocab.json` with `merges.txt` (byte-level BPE), or
    /// else `vocab.txt` (WordPiece); with `tokenizer_config.json`, `special_tokens_map.json`,
    /// `generation_config.json` and `chat_template.jinja` where they are there.
    ///
    /// # Errors
    /// If there is none ([`TokenizerError::is_absent`]), or a file is damaged.
    pub fn from_folder(folder: &Path) -> Result<Tokenizer, TokenizerError> {
        json::load(folder).map(Self::from_parts)
    }

    /// The tokenizer in the metadata of a GGUF file.
    ///
    /// # Errors
    /// If there is none of a supported kind ([`TokenizerError::is_absent`]), or the metadata are damaged.
    pub fn from_gguf(meta: &GgufMetadata) -> Result<Tokenizer, TokenizerError> {
        gguf::load(meta).map(Self::from_parts)
    }

    fn from_parts(parts: Parts) -> Tokenizer {
        let Parts { backend, roles, end_ids, chat_template, warnings } = parts;
        let vocab_size = backend.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        let in_chat = TURN_ENDS.iter().filter_map(|name| backend.token_to_id(name));
        let special = |id: &u32| backend.get_added_vocabulary().get_added_tokens_decoder().contains_key(id);
        let mut ends: BTreeSet<u32> = in_chat.filter(special).collect();
        ends.extend(roles.eos);
        ends.extend(end_ids);
        let token = |id: Option<u32>| id.and_then(|id| backend.id_to_token(id));
        let chat = chat_template.map(|source| ChatTemplate {
            source,
            tokens: [("bos", roles.bos), ("eos", roles.eos), ("pad", roles.pad), ("unk", roles.unk)]
                .into_iter()
                .filter_map(|(role, id)| Some((format!("{role}_token"), token(id)?)))
                .collect(),
        });
        let spelling = Spelling::of(&backend);
        let end_ids = ends.into_iter().collect();
        let inner = Inner { backend, spelling, roles, end_ids, vocab_size, chat, warnings, digest: OnceLock::new() };
        Tokenizer { inner: Arc::new(inner) }
    }

    /// The ids of a text, with the special tokens that the model's tokenizer adds by itself (such as BOS, or `[CLS]`
    /// and `[SEP]`). Special tokens spelled out in the text are recognised.
    ///
    /// # Errors
    /// If the tokenizer's file turns out to be damaged.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.ids(text, true)
    }

    /// The ids of a text and nothing added: for the output of [`Tokenizer::render_chat`], for continuations. Special
    /// tokens spelled out in the text are recognised.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_raw(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.ids(text, false)
    }

    fn ids(&self, text: &str, add_special: bool) -> Result<Vec<u32>, TokenizerError> {
        let encoding = guarded(|| self.inner.backend.encode_fast(text, add_special));
        encoding.map(|encoding| encoding.get_ids().to_vec()).map_err(|cause| TokenizerError::Encode { cause })
    }

    /// The text of ids, special tokens included. Ids beyond the vocabulary are left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        guarded(|| self.inner.backend.decode(ids, false))
            .unwrap_or_else(|_| ids.iter().map(|id| self.piece(*id)).collect())
    }

    /// The text of one token, for display: its own spaces kept, `�` for bytes that are only a part of a character,
    /// `<unused 49152>` for an id that means nothing.
    pub fn piece(&self, id: u32) -> String {
        let added = self.inner.backend.get_added_vocabulary().get_added_tokens_decoder();
        match (added.get(&id), self.inner.backend.id_to_token(id)) {
            (Some(token), _) => token.content.clone(),
            (None, Some(token)) => self.inner.spelling.text(&token),
            (None, None) => format!("<unused {id}>"),
        }
    }

    /// One more than the largest id. The model's embedding may have more rows, as padding.
    pub fn vocab_size(&self) -> usize {
        self.inner.vocab_size
    }

    /// The token that begins a sequence.
    pub fn bos(&self) -> Option<u32> {
        self.inner.roles.bos
    }

    /// The token that ends a sequence.
    pub fn eos(&self) -> Option<u32> {
        self.inner.roles.eos
    }

    /// The token that fills up a batch.
    pub fn pad(&self) -> Option<u32> {
        self.inner.roles.pad
    }

    /// All tokens at which generation ends, in order: the end of a sequence and, in chat models, the end of a turn.
    pub fn end_ids(&self) -> &[u32] {
        &self.inner.end_ids
    }

    /// Whether a token is one that text does not contain by itself, such as BOS or `<|im_start|>`.
    pub fn is_special(&self, id: u32) -> bool {
        let added = self.inner.backend.get_added_vocabulary().get_added_tokens_decoder();
        added.get(&id).is_some_and(|token| token.special) || self.inner.roles.unk == Some(id)
    }

    /// The id of a token by its name in the vocabulary (`Ġthe`, `▁the`, `<|im_start|>`).
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.backend.token_to_id(token)
    }

    /// What the user should know about how this tokenizer was read.
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// SHA-256, in hexadecimal, of the serialised tokenizer without its chat template. Computed once, when first asked
    /// for.
    pub fn digest(&self) -> String {
        let compute = || {
            // Serialising strings and integers cannot fail; the fallback keeps the promise not to panic.
            let text = self.inner.backend.to_string(false).unwrap_or_default();
            format!("{:x}", Sha256::digest(text.as_bytes()))
        };
        self.inner.digest.get_or_init(compute).clone()
    }

    /// Whether [`Tokenizer::render_chat`] can work.
    pub fn has_chat_template(&self) -> bool {
        self.inner.chat.is_some()
    }

    /// The text of a conversation as the model was trained to read it. Tokenise it with [`Tokenizer::encode_raw`]: it
    /// contains BOS where the model wants one.
    ///
    /// # Errors
    /// If there is no template, it is faulty, it refuses the messages, or it does not come to an end.
    pub fn render_chat(&self, messages: &[ChatMessage], add_generation_prompt: bool) -> Result<String, TokenizerError> {
        let chat = self.inner.chat.as_ref().ok_or(TokenizerError::NoChatTemplate)?;
        chat.render(messages, add_generation_prompt, SystemTime::now())
    }
}

/// Runs what works on a stranger's tokenizer. The library panics on some damaged ones; that must not reach the user.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("the tokenizer library gave up on it".to_owned()),
    }
}

/// Sets what [`Tokenizer::encode`] adds: `before` and `after` the text.
fn set_template(backend: &mut Backend, before: Option<u32>, after: Option<u32>) -> Result<(), String> {
    let mut template = Vec::new();
    let mut tokens = Map::new();
    let mut special = |id: u32| {
        let name = backend.id_to_token(id).ok_or_else(|| format!("special token {id} is not in the vocabulary"))?;
        tokens.insert(name.clone(), json!({ "id": name, "ids": [id], "tokens": [name] }));
        Ok::<Value, String>(json!({ "SpecialToken": { "id": name, "type_id": 0 } }))
    };
    template.extend(before.map(&mut special).transpose()?);
    template.push(json!({ "Sequence": { "id": "A", "type_id": 0 } }));
    template.extend(after.map(&mut special).transpose()?);
    let mut pair = template.clone();
    pair.push(json!({ "Sequence": { "id": "B", "type_id": 1 } }));
    let processor = json!({
        "type": "TemplateProcessing", "single": template, "pair": pair, "special_tokens": tokens,
    });
    let processor: tokenizers::PostProcessorWrapper = serde_json::from_value(processor).map_err(|e| e.to_string())?;
    backend.with_post_processor(Some(processor));
    Ok(())
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod real_tests;
