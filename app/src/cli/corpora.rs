//! `golgi corpora`: the corpus that comes with Golgi, and what any corpus consists of.

use std::collections::BTreeMap;

use golgi_data::context::bytes_text;
use golgi_data::corpus::{Corpus, CorpusOptions, Document, Split, StarterPart, digest, starter_parts};
use golgi_data::models::home;
use serde_json::{Value, json};

use super::exit::Exit;
use super::style::Style;
use super::table::{Cell, Table};
use super::work::Work;

/// Arguments of `golgi corpora`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Describe this corpus: starter, a file (.txt, .jsonl, .parquet, .csv) or a folder
    corpus: Option<String>,
    /// Put � in place of bytes that are no UTF-8
    #[arg(long)]
    lossy: bool,
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    match &args.corpus {
        None => starter(work),
        Some(spec) => describe(work, spec, args.lossy),
    }
}

/// Reads `explore`, `tune` or `confirm`.
pub fn split(text: &str) -> Result<Split, String> {
    let found = Split::ALL.into_iter().find(|split| split.name() == text);
    found.ok_or_else(|| format!("`{text}` is no split; there are explore, tune and confirm"))
}

fn starter(work: &Work) -> anyhow::Result<Exit> {
    let home = home();
    let (summary, parts) = starter_parts(&home)?;
    let folder = golgi_data::corpus::starter_folder(&home);
    if work.out.json {
        let parts: Vec<Value> = parts.iter().map(|part| json!(part)).collect();
        let document = json!({
            "folder": folder,
            "documents": summary.documents,
            "bytes": summary.bytes,
            "sha256": summary.sha256,
            "parts": parts,
        });
        work.out.document("corpora", document)?;
        return Ok(Exit::Success);
    }
    let mut table =
        Table::new().left("language").left("genre").right("documents").right("size").left("package").left("licence");
    for StarterPart { package, version, language, genre, licence, documents, bytes } in &parts {
        let package = format!("{package} {version}");
        let language = Cell::new(language.as_str(), Style::Name);
        let count = documents.to_string();
        table.row([
            language,
            genre.as_str().into(),
            count.into(),
            bytes_text(*bytes).into(),
            package.into(),
            licence.as_str().into(),
        ]);
    }
    work.out.table(&table)?;
    work.out.line(&format!(
        "\n`starter`: {} documents, {}, in {}\nDescribe a corpus of your own with `golgi corpora FILE` or `golgi corpora FOLDER`.",
        summary.documents,
        bytes_text(summary.bytes),
        folder.display()
    ))?;
    Ok(Exit::Success)
}

/// How much of something there is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    documents: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, document: &Document) {
        self.documents += 1;
        self.bytes += document.text.len() as u64;
    }

    fn json(self) -> Value {
        json!({ "documents": self.documents, "bytes": self.bytes })
    }
}

type Counts = BTreeMap<String, Count>;

fn describe(work: &Work, spec: &str, lossy: bool) -> anyhow::Result<Exit> {
    let corpus = Corpus::open(spec, &CorpusOptions { lossy, ..CorpusOptions::default() })?;
    let watch = work.watch();
    let digest = digest(&corpus, &work.ctx)?;
    let (mut total, mut languages, mut genres) = (Count::default(), Counts::new(), Counts::new());
    let mut splits = [Count::default(); 3];
    for document in corpus.documents() {
        work.ctx.check()?;
        let document = document?;
        total.add(&document);
        splits[Split::of(&document.text) as usize].add(&document);
        let label = |label: &Option<String>| label.clone().unwrap_or_default();
        languages.entry(label(&document.language)).or_default().add(&document);
        genres.entry(label(&document.genre)).or_default().add(&document);
    }
    drop(watch);
    if work.out.json {
        let counts = |counts: &Counts| {
            counts.iter().map(|(name, count)| (name.clone(), count.json())).collect::<serde_json::Map<_, _>>()
        };
        let splits: serde_json::Map<String, Value> =
            Split::ALL.into_iter().map(|split| (split.name().to_owned(), splits[split as usize].json())).collect();
        let document = json!({
            "corpus": spec,
            "name": corpus.name(),
            "path": corpus.path(),
            "digest": digest,
            "files": corpus.files(),
            "documents": total.documents,
            "bytes": total.bytes,
            "languages": counts(&languages),
            "genres": counts(&genres),
            "splits": splits,
            "warnings": work.ctx.warnings(),
        });
        work.out.document("corpora.describe", document)?;
        return Ok(Exit::Success);
    }
    let n = corpus.files();
    let files = if n == 1 { "1 file".to_owned() } else { format!("{n} files") };
    work.out.line(&format!(
        "{}: {} documents, {} of text, {files}",
        crate::report::token(corpus.name()),
        total.documents,
        bytes_text(total.bytes)
    ))?;
    let splits: Counts =
        Split::ALL.into_iter().map(|split| (split.name().to_owned(), splits[split as usize])).collect();
    for (title, counts) in [("language", &languages), ("genre", &genres), ("split", &splits)] {
        let mut table = Table::new().left(title).right("documents").right("size");
        for (name, count) in counts {
            let name = if name.is_empty() {
                Cell::new("none", Style::Dim)
            } else {
                Cell::new(crate::report::token(name), Style::Name)
            };
            table.row([name, count.documents.to_string().into(), bytes_text(count.bytes).into()]);
        }
        work.out.line("")?;
        work.out.table(&table)?;
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_read() {
        assert_eq!(split("tune"), Ok(Split::Tune));
        assert!(split("test").unwrap_err().contains("explore, tune and confirm"));
    }
}
