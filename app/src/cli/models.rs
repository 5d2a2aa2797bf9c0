//! `golgi models`: what can be opened by name, and fetching it.

use std::path::PathBuf;

use golgi_data::context::bytes_text;
use golgi_data::models::{CatalogueEntry, catalogue, home};
use serde_json::json;

use super::error::failure;
use super::exit::Exit;
use super::style::Style;
use super::table::{Cell, Table, wrap};
use super::work::Work;

/// The longest line of running text.
const LINE: usize = 100;

/// Arguments of `golgi models`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Fetch>,
}

#[derive(Debug, clap::Subcommand)]
enum Fetch {
    /// Fetch a model, unless it is there; a download that broke off goes on
    Fetch {
        /// Its name
        name: String,
        /// Accept the licence of a model that asks for it
        #[arg(long)]
        accept_licence: bool,
    },
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        None => list(work),
        Some(Fetch::Fetch { name, accept_licence }) => fetch(work, name, *accept_licence),
    }
}

fn list(work: &Work) -> anyhow::Result<Exit> {
    let home = home();
    if work.out.json {
        let models: Vec<_> = catalogue().iter().map(|entry| describe(entry, &home)).collect();
        work.out.document("models", json!({ "home": home, "models": models }))?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new().left("name").left("").right("size").left("licence").left("");
    for entry in catalogue() {
        let state =
            if entry.is_installed(&home) { Cell::new("installed", Style::Good) } else { Cell::new("–", Style::Dim) };
        let name = Cell::new(entry.name, Style::Name);
        table.row([name, state, bytes_text(entry.bytes()).into(), entry.licence.into(), entry.title.into()]);
    }
    work.out.table(&table)?;
    let width = work.out.width.unwrap_or(LINE).min(LINE);
    for entry in catalogue() {
        work.out.line(&format!("\n  {}", work.out.paint.style(entry.name, Style::Name)))?;
        for line in wrap(entry.description, width.saturating_sub(4)) {
            work.out.line(&format!("    {line}"))?;
        }
    }
    work.out.line(&format!(
        "\nFetch one with `golgi models fetch NAME`. Models lie in {}.\nFolders, .gguf, .safetensors and .pth files and \
         hf://org/repo open as they are.",
        home.join("models").display()
    ))?;
    Ok(Exit::Success)
}

fn describe(entry: &CatalogueEntry, home: &std::path::Path) -> serde_json::Value {
    json!({
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "licence": entry.licence,
        "licence_url": entry.licence_url,
        "needs_consent": entry.needs_consent,
        "revision": entry.revision,
        "bytes": entry.bytes(),
        "installed": entry.is_installed(home),
        "path": entry.path(home),
    })
}

fn fetch(work: &Work, name: &str, accepted: bool) -> anyhow::Result<Exit> {
    let known = || catalogue().iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    let entry = catalogue().iter().find(|entry| entry.name == name).ok_or_else(|| {
        let name: String = name.chars().take(100).collect();
        failure(format!("no model here is called `{name}`; the models that can be fetched are {}", known()))
    })?;
    let home = home();
    let already = entry.is_installed(&home);
    if !already && entry.needs_consent && !accepted {
        return Err(failure(format!(
            "{} comes under the {}, which you must accept first ({}); read it, then run `golgi models fetch {} \
             --accept-licence`",
            entry.title, entry.licence, entry.licence_url, entry.name
        )));
    }
    if !already && work.global.offline {
        return Err(failure(format!(
            "`{name}` is not on this machine, and --offline forbids to fetch it; leave --offline away"
        )));
    }
    let path: PathBuf = {
        let _watch = work.watch();
        entry.fetch(&home, &work.ctx)?
    };
    if work.out.json {
        let mut fields = describe(entry, &home);
        fields["fetched"] = json!(!already);
        work.out.document("models.fetch", fields)?;
    } else {
        let verb = if already { "is installed already" } else { "is installed" };
        work.out.line(&format!("{} {verb}: {}", entry.title, path.display()))?;
        work.out.line(&format!("Try `golgi inspect {}`.", entry.name))?;
    }
    Ok(Exit::Success)
}
