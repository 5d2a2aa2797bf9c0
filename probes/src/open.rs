//! Opening a model: from whatever names it to something that runs.

use golgi_data::context::RunContext;
use golgi_data::models::{ModelFiles, Resolver};
use golgi_data::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Kind;

use crate::arch;
use crate::batch::Batch;
use crate::device::DeviceChoice;
use crate::error::{ProbeError, Result};
use crate::layers::Loader;
use crate::origin::Origin;
use crate::transformer::Transformer;
use crate::vision;

/// Element type of weights and activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// 32 bits: the reference.
    #[default]
    F32,
    /// 16 bits with f32's range: half the memory, about three significant digits.
    Bf16,
}

impl DType {
    /// The tensor library's name.
    pub fn kind(self) -> Kind {
        match self {
            DType::F32 => Kind::Float,
            DType::Bf16 => Kind::BFloat16,
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DType::F32 => "float32",
            DType::Bf16 => "bfloat16",
        })
    }
}

impl std::str::FromStr for DType {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<DType, String> {
        match text {
            "f32" | "float32" => Ok(DType::F32),
            "bf16" | "bfloat16" => Ok(DType::Bf16),
            other => Err(format!("`{other}` is no element type; float32 and bfloat16 are")),
        }
    }
}

/// How a model is opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpenOptions {
    /// Where it runs.
    pub device: DeviceChoice,
    /// What it computes in.
    pub dtype: DType,
}

/// A model that runs, with everything that belongs to it.
#[derive(Debug)]
pub struct OpenModel {
    /// A short name for people.
    pub name: String,
    /// What the user typed.
    pub spec: String,
    /// The network.
    pub model: Transformer,
    /// Its tokenizer, if it came with one.
    pub tokenizer: Option<Tokenizer>,
    /// Its configuration, in the hub's form.
    pub config: Value,
    /// Its licence, where known.
    pub licence: Option<String>,
    /// What it computes in.
    pub dtype: DType,
    origin: Origin,
}

/// Opens `spec`: a catalogue name, a hub folder, a single file or `hf://org/repo`.
///
/// # Errors
/// If it cannot be found, read or understood; each with the next step.
pub fn open(spec: &str, resolver: &Resolver, options: &OpenOptions, ctx: &RunContext) -> Result<OpenModel> {
    ctx.stage("reading the model", 0);
    OpenModel::from_files(resolver.resolve(spec, ctx)?, options, ctx)
}

impl OpenModel {
    /// Builds the network from files that are at hand.
    ///
    /// # Errors
    /// If no family recognises the configuration, or weights are missing, misshapen or damaged.
    pub fn from_files(files: ModelFiles, options: &OpenOptions, ctx: &RunContext) -> Result<OpenModel> {
        // CLIP reads texts too.
        if vision::is_vision(&files, ctx) && arch::recognise(&files.config).is_err() {
            return Err(ProbeError::Vision(files.spec));
        }
        let ModelFiles { name, spec, config, weights, tokenizer, licence, .. } = files;
        if config.is_null() {
            return Err(ProbeError::NoConfig(spec));
        }
        let family = arch::recognise(&config)?;
        let device = options.device.resolve()?;
        ctx.stage("loading weights", weights.names().count() as u64);
        let model = (family.build)(&config, &Loader::new(&weights, ctx, options.dtype.kind(), device))?;
        if let Some(tokenizer) = &tokenizer
            && tokenizer.vocab_size() > model.dims.d_vocab
        {
            ctx.warn(format!(
                "the tokenizer knows {} tokens, the model {}; tokens past the model's vocabulary will be refused",
                tokenizer.vocab_size(),
                model.dims.d_vocab
            ));
        }
        let (dtype, origin) = (options.dtype, Origin::files(weights));
        Ok(OpenModel { name, spec, model, tokenizer, config, licence, dtype, origin })
    }

    /// Wraps a network that was built by hand, such as one with a planted circuit. It has no files, hence no digest.
    pub fn in_memory(name: &str, model: Transformer, tokenizer: Option<Tokenizer>) -> OpenModel {
        OpenModel {
            name: name.to_owned(),
            spec: name.to_owned(),
            dtype: if model.kind == Kind::BFloat16 { DType::Bf16 } else { DType::F32 },
            model,
            tokenizer,
            config: Value::Null,
            licence: None,
            origin: Origin::default(),
        }
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// [`ProbeError::NoTokenizer`] if the model came without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| ProbeError::NoTokenizer(self.name.clone()))
    }

    /// The tokens of `text`, with the special tokens that the model expects.
    ///
    /// # Errors
    /// If there is no tokenizer, no token, or more than the context holds.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let tokens = self.tokenizer()?.encode(text)?;
        self.check_length(&tokens)?;
        Ok(tokens)
    }

    /// Refuses an empty list of tokens and one that is longer than the context.
    ///
    /// # Errors
    /// [`ProbeError::NoTokens`], [`ProbeError::ContextOverflow`].
    pub fn check_length(&self, tokens: &[u32]) -> Result<()> {
        match (tokens.len(), self.model.dims.n_ctx) {
            (0, _) => Err(ProbeError::NoTokens),
            (tokens, context) if tokens > context => Err(ProbeError::ContextOverflow { tokens, context }),
            _ => Ok(()),
        }
    }

    /// How token `id` is shown: its text, or its number where there is no tokenizer.
    pub fn piece(&self, id: u32) -> String {
        self.tokenizer.as_ref().map_or_else(|| format!("#{id}"), |tokenizer| tokenizer.piece(id))
    }

    /// A batch of texts, padded on the right.
    ///
    /// # Errors
    /// As [`OpenModel::encode`].
    pub fn batch(&self, texts: &[&str]) -> Result<Batch> {
        let rows = texts.iter().map(|text| self.encode(text)).collect::<Result<Vec<_>>>()?;
        Batch::padded(&rows, self.tokenizer()?.pad().unwrap_or(0))
    }

    /// SHA-256 over the weight files, hexadecimal; computed once. Empty for a network that was built in memory.
    ///
    /// # Errors
    /// If the files cannot be read any more.
    pub fn digest(&self) -> Result<String> {
        self.origin.digest()
    }

    /// Bytes of the weight files.
    pub fn bytes_on_disk(&self) -> u64 {
        self.origin.bytes_on_disk()
    }
}
