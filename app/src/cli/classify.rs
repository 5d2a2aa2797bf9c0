//! `golgi classify`: what a network takes pictures for.

use std::path::PathBuf;

use golgi_data::images::Picture;
use golgi_probes::vision::ClassScore;
use serde_json::{Value, json};

use super::exit::Exit;
use super::style::Style;
use super::table::{Cell, Table};
use super::work::Work;
use crate::report::{number, one_line, percent};

/// Arguments of `golgi classify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A network for images: a name from `golgi models`, a folder or a file
    model: String,
    /// Pictures
    #[arg(required = true)]
    pictures: Vec<PathBuf>,
    /// Classes of each
    #[arg(long, default_value_t = 5, value_name = "N")]
    top: usize,
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    // Pictures first: they are read in a moment, and a bad one is said before a model is loaded.
    let pictures = args.pictures.iter().map(|path| Picture::read(path)).collect::<Result<Vec<_>, _>>()?;
    let open = work.open_vision(&args.model)?;
    let scores = {
        let _watch = work.watch();
        pictures.iter().map(|picture| open.classify(picture, args.top)).collect::<Result<Vec<_>, _>>()?
    };
    if work.out.json {
        let list = args.pictures.iter().zip(&pictures).zip(&scores).map(|((path, picture), scores)| {
            let remarks: Vec<String> = picture.remarks().iter().map(ToString::to_string).collect();
            json!({ "path": path, "width": picture.width(), "height": picture.height(), "remarks": remarks, "classes": scores })
        });
        let list: Vec<Value> = list.collect();
        let fields =
            json!({ "model": open.name, "digest": open.digest()?, "preprocess": open.preprocess, "pictures": list });
        work.out.document("classify", fields)?;
        return Ok(Exit::Success);
    }
    for ((path, picture), scores) in args.pictures.iter().zip(&pictures).zip(&scores) {
        work.out.heading(&one_line(&path.display().to_string()))?;
        for remark in picture.remarks() {
            work.out.line(&format!("  {remark}"))?;
        }
        work.out.table(&table(scores))?;
    }
    Ok(Exit::Success)
}

fn table(scores: &[ClassScore]) -> Table {
    let mut table = Table::new().right("class").flexible("name").right("probability").right("logit");
    for ClassScore { index, name, logit, probability } in scores {
        let name = Cell::new(one_line(name), Style::Name);
        table.row([
            index.to_string().into(),
            name,
            percent(*probability as f32).into(),
            number(f64::from(*logit)).into(),
        ]);
    }
    table
}
