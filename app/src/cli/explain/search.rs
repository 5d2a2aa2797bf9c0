//! `golgi explain search`: units by the meaning of their explanations.

use std::path::PathBuf;

use golgi_analysis::explain::{Embedder, search};
use golgi_data::atlas::{Atlas, explanations};
use serde_json::json;

use crate::cli::error::failure;
use crate::cli::exit::Exit;
use crate::cli::style::Style;
use crate::cli::table::{Cell, Table};
use crate::cli::work::Work;
use crate::report::one_line;

/// Arguments of `golgi explain search`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the atlas
    #[arg(value_name = "ATLAS")]
    atlas: PathBuf,
    /// What to look for, in words
    text: String,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// The embedder
    #[arg(long, value_name = "MODEL", default_value = "minilm")]
    embedder: String,
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let atlas = Atlas::open(&args.atlas)?;
    let known = explanations(atlas.folder())?;
    if known.is_empty() {
        let dir = args.atlas.display();
        return Err(failure(format!(
            "{dir} holds no explanations yet; make some with `golgi explain {dir} --query SQL`"
        )));
    }
    if args.text.trim().is_empty() {
        return Err(failure("there is nothing to look for; give some words"));
    }
    let model = work.open(&args.embedder)?;
    let n = known.len();
    let watch = work.watch();
    work.ctx.stage("embedding explanations", 0);
    let hits = search(known, &args.text, args.limit as usize, &mut Embedder::new(&model, &work.ctx)?)?;
    drop(watch);
    if work.out.json {
        let fields = json!({ "atlas": args.atlas, "query": args.text, "hits": hits, "explanations": n });
        work.out.document("explain.search", fields)?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new().right("similarity").left("unit").left("by").flexible("explanation");
    for hit in &hits {
        let one = &hit.explanation;
        table.row([
            format!("{:.3}", hit.similarity).into(),
            Cell::new(one_line(&one.unit), Style::Name),
            Cell::new(one_line(&one.by), Style::Dim),
            one_line(&one.text).into(),
        ]);
    }
    work.out.table(&table)?;
    Ok(Exit::Success)
}
