//! `golgi sae import` and `golgi sae export`: dictionaries from and to other libraries.

use std::path::{Path, PathBuf};

use golgi_data::context::bytes_text;
use golgi_data::dictionary::Dictionary;
use golgi_data::dictionary::exchange::{self, ExchangeError, FORMATS, Format, Options};
use golgi_data::site::Site;
use serde_json::{Value, json};

use super::info::{described, summary};
use crate::cli::error::failure;
use crate::cli::exit::Exit;
use crate::cli::work::Work;
use crate::report::one_line;

/// Arguments of `golgi sae import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The folder of the dictionary as the other library has it, or a file in it
    path: PathBuf,
    /// The folder to write; of a set, one folder for each layer in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Whose form it is; found out by the files if left out
    #[arg(long, value_name = "FORMAT", value_parser = known(false))]
    format: Option<String>,
    /// The site that it reads, where the files do not say it clearly; of a set without the layer: hook_resid_mid
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// The site that a transcoder writes, in the same way
    #[arg(long, value_name = "SITE")]
    target: Option<String>,
}

/// Arguments of `golgi sae export`.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The folder of the dictionary
    #[arg(value_name = "DIR")]
    dictionary: PathBuf,
    /// Whose form to write
    #[arg(long, value_name = "FORMAT", value_parser = known(true))]
    format: String,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Fold a scale of activations into the weights, for which other forms have no place
    #[arg(long)]
    fold: bool,
}

fn known(writes: bool) -> clap::builder::PossibleValuesParser {
    let formats = FORMATS.iter().filter(|format| format.writes() || !writes);
    formats.map(|format| clap::builder::PossibleValue::new(format.name).help(format.about)).collect::<Vec<_>>().into()
}

pub fn import(work: &Work, args: &Import) -> anyhow::Result<Exit> {
    let format = match &args.format {
        Some(name) => Format::find(name)?,
        None => exchange::detect(&args.path)?,
    };
    free(&args.out)?;
    let mut written = Written { out: &args.out, waiting: None, folders: Vec::new(), documents: Vec::new() };
    let options = Options { format: Some(format), site: args.site.clone(), target: args.target.clone() };
    let read = exchange::read_each(&args.path, &options, &mut |dictionary| {
        // Stopped between two dictionaries of a set.
        work.ctx.check().map_err(|error| ExchangeError::Io {
            action: "write",
            path: args.out.clone(),
            source: std::io::Error::other(error.to_string()),
        })?;
        written.take(dictionary)
    });
    if let Err(error) = read.and_then(|()| written.last()) {
        written.withdraw();
        return Err(error.into());
    }
    if work.out.json {
        let document =
            json!({ "path": args.path, "format": format.name, "out": args.out, "dictionaries": written.documents });
        work.out.document("sae.import", document)?;
        return Ok(Exit::Success);
    }
    let many = written.documents.len();
    work.out.line(&format!(
        "read as {}: {}",
        format.name,
        if many == 1 { "one dictionary".into() } else { format!("{many} dictionaries") }
    ))?;
    for document in &written.documents {
        work.out.line(&one_line(&format!(
            "{}  {}",
            document["folder"].as_str().unwrap_or_default(),
            document["summary"].as_str().unwrap_or_default()
        )))?;
        for sentence in document["conversions"].as_array().into_iter().flatten() {
            work.out.line(&one_line(&format!("  {}", sentence.as_str().unwrap_or_default())))?;
        }
    }
    Ok(Exit::Success)
}

/// What an import writes: one dictionary into the folder itself, several into a folder each.
struct Written<'a> {
    out: &'a Path,
    /// The first one, as long as nobody knows whether there are more.
    waiting: Option<Dictionary>,
    folders: Vec<PathBuf>,
    documents: Vec<Value>,
}

impl Written<'_> {
    fn take(&mut self, dictionary: Dictionary) -> Result<(), ExchangeError> {
        if self.folders.is_empty() && self.waiting.is_none() {
            self.waiting = Some(dictionary);
            return Ok(());
        }
        if let Some(first) = self.waiting.take() {
            self.write_to_own_folder(&first)?;
        }
        self.write_to_own_folder(&dictionary)
    }

    fn last(&mut self) -> Result<(), ExchangeError> {
        match self.waiting.take() {
            Some(only) => self.write(&only, self.out.to_owned()),
            None => Ok(()),
        }
    }

    fn write_to_own_folder(&mut self, dictionary: &Dictionary) -> Result<(), ExchangeError> {
        let layer = dictionary.config.inputs.first().and_then(|part| part.site.parse::<Site>().ok()?.layer());
        let name = layer.map_or_else(|| self.folders.len().to_string(), |layer| layer.to_string());
        self.write(dictionary, self.out.join(format!("layer_{name}")))
    }

    fn write(&mut self, dictionary: &Dictionary, folder: PathBuf) -> Result<(), ExchangeError> {
        self.folders.push(folder.clone());
        dictionary.write(&folder)?;
        let mut document = described(dictionary);
        document["folder"] = json!(folder);
        document["summary"] = json!(summary(dictionary));
        self.documents.push(document);
        Ok(())
    }

    /// Takes back what was written before something went wrong.
    fn withdraw(&self) {
        // What cannot be removed was not written; the error that is reported says why.
        for folder in &self.folders {
            let _ = std::fs::remove_dir_all(folder);
        }
        if !self.folders.is_empty() {
            let _ = std::fs::remove_dir(self.out);
        }
    }
}

pub fn export(work: &Work, args: &Export) -> anyhow::Result<Exit> {
    let format = Format::find(&args.format)?;
    let mut dictionary = Dictionary::read(&args.dictionary)?;
    let before = dictionary.config.conversions.len();
    if args.fold {
        dictionary = dictionary.folded()?;
    }
    free(&args.out)?;
    exchange::write(&dictionary, format, &args.out)?;
    let conversions = &dictionary.config.conversions[before..];
    let bytes: u64 =
        std::fs::read_dir(&args.out)?.flatten().filter_map(|entry| entry.metadata().ok()).map(|one| one.len()).sum();
    if work.out.json {
        let document = json!({
            "dictionary": args.dictionary, "format": format.name, "out": args.out, "bytes": bytes, "conversions": conversions,
        });
        work.out.document("sae.export", document)?;
        return Ok(Exit::Success);
    }
    let (out, size) = (args.out.display(), bytes_text(bytes));
    work.out.line(&format!("written as {}: {out} ({}), {size}", format.name, format.files))?;
    for sentence in conversions {
        work.out.line(&one_line(&format!("  {sentence}")))?;
    }
    Ok(Exit::Success)
}

/// Refuses a folder that holds something already.
fn free(out: &Path) -> anyhow::Result<()> {
    let held = std::fs::read_dir(out).map(|mut entries| entries.next().is_some());
    match held {
        Ok(true) => Err(failure(format!("{} is not empty; choose another --out", out.display()))),
        Err(_) if out.exists() => Err(failure(format!("{} is no folder; choose another --out", out.display()))),
        _ => Ok(()),
    }
}
