//! `golgi analyse`: every registered analysis by its name.

use std::path::PathBuf;

use golgi_analysis::registry::{ANALYSES, Inputs, find};
use golgi_probes::intervention::Traces;
use serde_json::{Map, Value, json};

use super::args::{Budget, Changes, OptionalInput};
use super::error::failure;
use super::exit::Exit;
use super::style::Style;
use super::table::{Cell, Table};
use super::work::Work;
use super::{change, show};
use crate::report::{Document, Format, OutFile, cell_text};

/// Arguments of `golgi analyse`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The analysis; without one, all are listed
    #[arg(requires = "model")]
    name: Option<String>,
    /// A name from `golgi models`, a folder, a file, or hf://org/repo
    model: Option<String>,
    #[command(flatten)]
    input: OptionalInput,
    /// A parameter, as name=value; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = assignment)]
    params: Vec<(String, Value)>,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    budget: Budget,
    /// Write the report to a .html, .md or .json file too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `name=value`, the value as JSON or else as text.
pub fn assignment(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form name=value"))?;
    if name.is_empty() {
        return Err(format!("`{text}` is not of the form name=value"));
    }
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    let (Some(name), Some(spec)) = (&args.name, &args.model) else { return list(work) };
    let analysis = find(name)?;
    let out = match &args.out {
        Some(path) => Some((Format::of(path)?, OutFile::new(path)?)),
        None => None,
    };
    let mut params = (analysis.params)();
    for (name, value) in &args.params {
        match params.as_object_mut() {
            Some(fields) => {
                fields.insert(name.clone(), value.clone());
            }
            None => params = Value::Object(Map::from_iter([(name.clone(), value.clone())])),
        }
    }
    let interventions = change::parse(&args.changes.interventions)?;
    let given = args.input.text.is_some() || args.input.tokens.is_some();
    if analysis.needs_text && !given {
        return Err(failure(format!("`{name}` looks at a text; give one with --text, or token ids with --tokens")));
    }
    let model = work.open(spec)?;
    let tokens = if given { work.tokens(&model, &args.input)? } else { Vec::new() };
    let traces = Traces::new();
    let inputs = Inputs {
        tokens,
        interventions,
        traces: &traces,
        fused_attention: work.global.fused_attention,
        budget_bytes: args.budget.budget,
    };
    let report = {
        let _watch = work.watch();
        (analysis.run)(&model, &inputs, &params, &work.ctx)?
    };
    if let Some((format, out)) = &out {
        work.ctx.check()?;
        out.write(Document::of_report(report.clone()).render(*format).as_bytes())?;
    }
    if work.out.json {
        let file = out.as_ref().map(|(_, out)| out.path());
        work.out.document("analyse", json!({ "params": params, "report": report, "out": file }))?;
    } else {
        show::report(&work.out, &report)?;
        if let Some((_, out)) = &out {
            work.out.line(&format!("\nWritten to {}", out.path().display()))?;
        }
    }
    Ok(Exit::Success)
}

fn list(work: &Work) -> anyhow::Result<Exit> {
    if work.out.json {
        let all = ANALYSES.iter().map(|analysis| {
            json!({
                "name": analysis.name,
                "title": analysis.title,
                "about": analysis.about,
                "params": (analysis.params)(),
                "needs_text": analysis.needs_text,
            })
        });
        work.out.document("analyses", json!({ "analyses": all.collect::<Vec<_>>() }))?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new().left("name").flexible("what it shows").flexible("parameters");
    for analysis in ANALYSES {
        let params = (analysis.params)();
        let shown =
            params.as_object().into_iter().flatten().map(|(name, value)| format!("{name}={}", cell_text(value)));
        let shown = Cell::new(shown.collect::<Vec<_>>().join(" "), Style::Dim);
        table.row([Cell::new(analysis.name, Style::Name), analysis.about.into(), shown]);
    }
    work.out.table(&table)?;
    work.out.line("\nRun one with `golgi analyse NAME MODEL --text TEXT [--param name=value]`.")?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_text() {
        assert_eq!(assignment("n=3"), Ok(("n".into(), json!(3))));
        assert_eq!(assignment("t= Mary"), Ok(("t".into(), json!(" Mary"))));
        assert_eq!(assignment("l=[1,2]"), Ok(("l".into(), json!([1, 2]))));
        assert!(assignment("n").is_err() && assignment("=3").is_err());
    }
}
