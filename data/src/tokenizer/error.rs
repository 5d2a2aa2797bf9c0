//! What can be wrong with a tokenizer, and with a request to one.

use std::path::PathBuf;

/// A failure to load or to use a tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// There is nothing to load.
    #[error(
        "{} holds no tokenizer (looked for tokenizer.json, vocab.json with merges.txt, and vocab.txt); \
         give token ids instead of text",
        folder.display()
    )]
    Missing {
        /// The folder that was searched.
        folder: PathBuf,
    },
    /// Only the SentencePiece model is there.
    #[error(
        "{} holds only a SentencePiece file (tokenizer.model), which is not read here; save the tokenizer as \
         tokenizer.json, or give token ids instead of text",
        folder.display()
    )]
    OnlySentencePiece {
        /// The folder that was searched.
        folder: PathBuf,
    },
    /// The GGUF carries no vocabulary.
    #[error("the GGUF carries no tokenizer; give token ids instead of text")]
    NotInGguf,
    /// The GGUF carries a tokenizer of a kind that is not implemented.
    #[error(
        "the GGUF's tokenizer is of kind `{found}`, which is not supported (supported are gpt2, llama, bert); \
         give token ids instead of text"
    )]
    Kind {
        /// What `tokenizer.ggml.model` says.
        found: String,
    },
    /// A file could not be read.
    #[error("cannot read {}: {cause}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A file is larger than any honest one.
    #[error("{} has {actual} bytes, above the limit of {limit}; it is not a tokenizer's file", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size in bytes.
        actual: u64,
        /// The largest accepted.
        limit: u64,
    },
    /// A file is damaged.
    #[error("{} is damaged ({cause}); download the model again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The tokenizer in the metadata of a GGUF is damaged.
    #[error("the tokenizer in the GGUF is damaged ({cause}); download the model again")]
    Metadata {
        /// What is wrong with it.
        cause: String,
    },
    /// The tokenizer refused a text.
    #[error(
        "the text cannot be tokenised: {cause}; the model's tokenizer file is damaged or uses what is not supported"
    )]
    Encode {
        /// What the tokenizer said.
        cause: String,
    },
    /// There is no chat template.
    #[error("the model has no chat template; give it plain text")]
    NoChatTemplate,
    /// The chat template is at fault, or refuses the messages.
    #[error("the model's chat template cannot be rendered: {cause}; give the model plain text")]
    Chat {
        /// Why.
        cause: String,
    },
}

impl TokenizerError {
    /// Whether there simply is no tokenizer of a kind that can be read, so that the model still works with token ids.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::OnlySentencePiece { .. } | Self::NotInGguf | Self::Kind { .. })
    }
}
