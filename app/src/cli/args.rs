//! Arguments that several commands share, and how their values are read.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use golgi_data::models::Resolver;
use golgi_probes::{DType, DeviceChoice, OpenOptions};

use super::error::failure;
use super::style::When;
use super::{
    analyse, atlas, attribute, capture, classify, corpora, dissect, explain, find, generate, harvest, inspect, models,
    prompt, report, run, sae, superposition, vis,
};

/// The version of the tensor library that the bindings are made for; they refuse to be built with another.
const LIBTORCH_VERSION: &str = "2.11.0";

/// `golgi 0.1.0 (libtorch 2.11.0)`.
fn version() -> &'static str {
    static TEXT: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| format!("{} (libtorch {LIBTORCH_VERSION})", env!("CARGO_PKG_VERSION")));
    &TEXT
}

/// Look inside transformers and networks for images: every neuron, head, channel and layer, and what changes when you change them.
///
/// Without a command, the window opens.
#[derive(Debug, Parser)]
#[command(name = "golgi", version = version(), propagate_version = false, after_help = "Exit status: 0 success, 1 an \
    expectation of a probe script was not met, 2 error.\n\nMODEL is a name from `golgi models`, a folder or file on \
    disk, or hf://org/repo[@revision].")]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Print one JSON document instead of text; `golgi schema` describes it
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the model runs: cpu (the default), cuda, cuda:1, mps
    #[arg(long, global = true, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// What it computes in: float32 (the default), bfloat16; for `golgi harvest` also float16, which it stores
    #[arg(long, global = true, value_name = "TYPE")]
    pub dtype: Option<Precision>,
    /// Seed of every random choice; 0 by default
    #[arg(long, global = true, value_name = "N")]
    pub seed: Option<u64>,
    /// Download a model that is missing
    #[arg(long, global = true)]
    pub download: bool,
    /// Open no network connection, whatever else is asked for
    #[arg(long, global = true)]
    pub offline: bool,
    /// Fused attention where nobody looks at the pattern: faster, rounds differently
    #[arg(long, global = true)]
    pub fused_attention: bool,
    /// Neither progress nor remarks on standard error
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: When,
}

impl Global {
    /// How models are opened.
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions { device: self.device.unwrap_or_default(), dtype: self.model_dtype().unwrap_or_default() }
    }

    /// What the model computes in, where that was said.
    pub fn model_dtype(&self) -> Option<DType> {
        match self.dtype? {
            Precision::F32 | Precision::F16 => Some(DType::F32),
            Precision::Bf16 => Some(DType::Bf16),
        }
    }

    /// Refuses float16 where nothing is stored in it.
    ///
    /// # Errors
    /// If it was asked for and the command does not harvest.
    pub fn check_dtype(&self, harvests: bool) -> anyhow::Result<()> {
        match self.dtype {
            Some(Precision::F16) if !harvests => {
                Err(failure("models compute in float32 or bfloat16; float16 is for what `golgi harvest` stores"))
            }
            _ => Ok(()),
        }
    }

    /// Finds model files. Models are downloaded only when that was allowed.
    pub fn resolver(&self) -> Resolver {
        Resolver { offline: self.offline, allow_download: self.download, ..Resolver::default() }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or_default()
    }
}

/// An element type as typed: of the model, or of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 16 bits with f32's range.
    Bf16,
    /// 16 bits, for stores.
    F16,
}

impl std::str::FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Precision, String> {
        match (text, text.parse()) {
            ("f16" | "float16", _) => Ok(Precision::F16),
            (_, Ok(DType::F32)) => Ok(Precision::F32),
            (_, Ok(DType::Bf16)) => Ok(Precision::Bf16),
            (_, Err(error)) => Err(error),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the models known by name, or fetch one
    Models(models::Args),
    /// List the texts of the starter corpus, or describe a corpus
    Corpora(corpora::Args),
    /// Show what a model is: sizes, parameters, tokenizer, every site
    Inspect(inspect::Args),
    /// Write activations to a safetensors file
    Capture(capture::Args),
    /// Write the activations of a corpus to an activation store
    Harvest(harvest::Args),
    /// Analyse one prompt: tokens, next token, logit lens, attribution
    Prompt(prompt::Args),
    /// Continue a text or answer a message
    Generate(generate::Args),
    /// Write the pages of neurons, heads and other units to a file
    Report(report::Args),
    /// Run a probe script
    Run(run::Args),
    /// Run an analysis by name, or list them
    #[command(alias = "analyze")]
    Analyse(analyse::Args),
    /// Build an atlas of every unit of a model over a corpus, and ask it questions
    Atlas(atlas::Args),
    /// Look for families of neurons in an atlas
    Find(find::Args),
    /// Say in words what units of an atlas do, and test that
    Explain(Box<explain::Args>),
    /// Sparse dictionaries: train and judge them
    Sae(sae::Args),
    /// Toy models of superposition: phase diagrams, polytopes, dimensions per feature
    Superposition(superposition::Args),
    /// Say what a network takes pictures for
    Classify(classify::Args),
    /// Find images that channels and classes of a network for images respond to
    Vis(vis::Args),
    /// Show which pixels a class or a unit rests on, beside what a shuffled network gives
    Attribute(attribute::Args),
    /// Name the units of a site by the labelled parts of pictures that they cover
    Dissect(dissect::Args),
    /// Describe the JSON documents that the commands print
    Schema,
}

/// What a model runs on.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Input {
    /// The text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub text: Option<String>,
    /// Token ids in place of a text
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub tokens: Option<Vec<u32>>,
}

/// The same where it may be left away.
#[derive(Debug, Clone, Default, Args)]
#[group(required = false, multiple = false)]
pub struct OptionalInput {
    /// The text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub text: Option<String>,
    /// Token ids in place of a text
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub tokens: Option<Vec<u32>>,
}

impl From<Input> for OptionalInput {
    fn from(Input { text, tokens }: Input) -> OptionalInput {
        OptionalInput { text, tokens }
    }
}

/// Changes of the model.
#[derive(Debug, Clone, Default, Args)]
pub struct Changes {
    /// Change the model: `L18H6=zero`, `L5N7=set:3@last`, `'blocks.*.hook_mlp_out=scale:0.5'`, or a TOML or JSON file of
    /// interventions; may be repeated
    #[arg(long = "intervene", value_name = "CHANGE")]
    pub interventions: Vec<String>,
}

/// Memory.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Budget {
    /// Refuse to start if more memory would be needed, such as 4GB
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub budget: Option<u64>,
}

/// A new file.
#[derive(Debug, Clone, Args)]
pub struct Out {
    /// The file to write; it appears when it is whole
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Reads a number of bytes: `4GB`, `1.5GiB`, `500 MB`, `1000000`.
fn bytes(text: &str) -> Result<u64, String> {
    let unknown = || format!("`{text}` is not a number of bytes; write something like 4GB, 500MB or 1.5GiB");
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..at], text[at..].trim().to_lowercase());
    let factor: u64 = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1000_u64.pow(2),
        "g" | "gb" => 1000_u64.pow(3),
        "t" | "tb" => 1000_u64.pow(4),
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(unknown()),
    };
    let value = number.parse::<f64>().map_err(|_| unknown())? * factor as f64;
    if value < 1.0 || value >= u64::MAX as f64 { Err(unknown()) } else { Ok(value as u64) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_is_described() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
        }
    }

    #[test]
    fn numbers_of_bytes() {
        assert_eq!(bytes("4GB"), Ok(4_000_000_000));
        assert_eq!(bytes("1.5GiB"), Ok(1_610_612_736));
        assert_eq!(bytes("500 mb"), Ok(500_000_000));
        assert_eq!(bytes("123"), Ok(123));
        for bad in ["", "GB", "4XB", "-1GB", "1e99", "1..2GB", "0"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn global_flags_stand_before_or_behind_the_command() {
        for line in [["golgi", "--json", "models"], ["golgi", "models", "--json"]] {
            assert!(Cli::try_parse_from(line).unwrap().global.json);
        }
        assert!(Cli::try_parse_from(["golgi"]).unwrap().command.is_none());
    }

    #[test]
    fn sites_may_be_given_together_or_one_by_one() {
        let line = "golgi capture m --tokens 1,2 --sites a b --sites c --out x.safetensors";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Some(Command::Capture(args)) = cli.command else { panic!("another command") };
        assert_eq!(args.sites, ["a", "b", "c"]);
        assert_eq!(args.input.tokens, Some(vec![1, 2]));
    }

    #[test]
    fn text_and_tokens_exclude_each_other() {
        for line in ["golgi prompt m", "golgi prompt m --text a --tokens 1", "golgi prompt m --tokens 1,-2"] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
