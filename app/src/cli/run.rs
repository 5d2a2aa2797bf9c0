//! `golgi run`: a probe script.

use std::path::{Path, PathBuf};

use golgi_analysis::registry::find;
use golgi_analysis::report::Report;
use golgi_analysis::script::{Outcome, Plan, plan, run as run_script};
use golgi_data::context::{RunContext, bytes_text};
use golgi_probes::script::Script;
use golgi_probes::{OpenModel, OpenOptions, ProbeError};
use serde_json::{Value, json};

use super::error::failure;
use super::exit::Exit;
use super::interrupt;
use super::progress::Watcher;
use super::show;
use super::style::Style;
use super::table::{Cell, Table};
use super::work::{Work, advised};
use crate::report::{Document, FileError, Format, OutFile, cell_text, one_line};

/// Arguments of `golgi run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The script
    script: PathBuf,
    /// Replace a value of the script, such as seed=1 or inputs.0.text=…; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Check the script against the model and list its steps, but run nothing
    #[arg(long)]
    dry_run: bool,
    /// The folder for the files that the script writes
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out_dir: PathBuf,
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let mut script = Script::load(&args.script, &args.settings)?;
    let global = &work.global;
    script.device = global.device.unwrap_or(script.device);
    script.dtype = global.model_dtype().unwrap_or(script.dtype);
    script.seed = global.seed.unwrap_or(script.seed);
    script.fused_attention |= global.fused_attention;
    // What can be refused without the model is refused before it is loaded.
    script.analyses.iter().try_for_each(|call| find(&call.name).map(|_| ()))?;
    script.outputs.iter().try_for_each(|output| Format::of(output.file.as_ref()).map(|_| ()))?;
    if !args.out_dir.is_dir() {
        return Err(failure(format!(
            "the folder `{}` does not exist; create it, or name another one",
            args.out_dir.display()
        )));
    }
    let ctx = RunContext::new(script.seed);
    interrupt::cancels(&ctx);
    let watch = Watcher::start(&ctx, !work.out.quiet);
    let model = open(work, &script, &ctx)?;
    let plan = plan(&model, &script)?;
    if args.dry_run {
        drop(watch);
        print_plan(work, args, &script, &plan, &ctx)?;
        return Ok(Exit::Success);
    }
    ctx.stage("running the script", 0);
    let outcome = run_script(&model, &script, &args.out_dir, &ctx)?;
    let mut files: Vec<PathBuf> = outcome.files.iter().map(|file| args.out_dir.join(file)).collect();
    files.extend(write_outputs(&script, &outcome, &args.out_dir, &ctx)?);
    drop(watch);
    if work.out.json {
        let results: Vec<Value> =
            outcome.reports.iter().map(|(id, report)| json!({ "id": id, "report": report })).collect();
        let rest = json!({
            "results": results,
            "files": files,
            "expectations": outcome.verdicts,
            "met": outcome.holds(),
        });
        document(work, args, &script, &plan, &ctx, rest)?;
    } else {
        print_outcome(work, &outcome, &files)?;
        work.out.warnings(&ctx.warnings());
    }
    Ok(if outcome.holds() { Exit::Success } else { Exit::Unmet })
}

fn open(work: &Work, script: &Script, ctx: &RunContext) -> anyhow::Result<OpenModel> {
    let options = OpenOptions { device: script.device, dtype: script.dtype };
    golgi_probes::open(&script.model, &work.global.resolver(), &options, ctx).map_err(|error| match error {
        ProbeError::Resolve(error) => advised(error),
        other => other.into(),
    })
}

/// Writes the reports that the script wants as files; returns their paths.
fn write_outputs(script: &Script, outcome: &Outcome, folder: &Path, ctx: &RunContext) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for output in &script.outputs {
        ctx.check()?;
        let path = folder.join(&output.file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|cause| FileError::Io { path: parent.to_owned(), cause })?;
        }
        let wanted = |id: &str| output.analyses.is_empty() || output.analyses.iter().any(|wanted| wanted == id);
        let chosen = outcome.reports.iter().filter(|(id, _)| wanted(id));
        let reports: Vec<Report> = chosen.map(|(_, report)| report.clone()).collect();
        let document = Document::of_reports(&script.title, reports);
        OutFile::new(&path)?.write(document.render(Format::of(&path)?).as_bytes())?;
        files.push(path);
    }
    Ok(files)
}

fn document(
    work: &Work,
    args: &Args,
    script: &Script,
    plan: &Plan,
    ctx: &RunContext,
    rest: Value,
) -> std::io::Result<()> {
    let mut fields = json!({
        "script": args.script,
        "title": script.title,
        "model": script.model,
        "dry_run": args.dry_run,
        "plan": plan.steps,
        "warnings": ctx.warnings(),
    });
    if let (Value::Object(fields), Value::Object(rest)) = (&mut fields, rest) {
        fields.extend(rest);
    }
    work.out.document("run", fields)
}

fn print_plan(work: &Work, args: &Args, script: &Script, plan: &Plan, ctx: &RunContext) -> std::io::Result<()> {
    if work.out.json {
        let rest = json!({ "results": [], "files": [], "expectations": [], "met": null });
        return document(work, args, script, plan, ctx, rest);
    }
    let title = if script.title.is_empty() { "Plan" } else { &script.title };
    work.out.line(&work.out.paint.style(&one_line(title), Style::Bold))?;
    let mut table = Table::new().right("").flexible("step").right("memory, about");
    for (index, step) in plan.steps.iter().enumerate() {
        let memory = step.memory_bytes.map(bytes_text).unwrap_or_default();
        table.row([Cell::new((index + 1).to_string(), Style::Dim), one_line(&step.what).into(), memory.into()]);
    }
    work.out.table(&table)?;
    work.out.line("\nThe script fits its model. Nothing was run.")
}

fn print_outcome(work: &Work, outcome: &Outcome, files: &[PathBuf]) -> std::io::Result<()> {
    for (_, report) in &outcome.reports {
        work.out.heading(&one_line(&report.title))?;
        show::facts(&work.out, &report.summary)?;
        if !report.controls.is_empty() {
            work.out.line(&work.out.paint.style("  compared with", Style::Dim))?;
            show::facts(&work.out, &report.controls)?;
        }
        work.out.warnings(&report.warnings);
    }
    if !outcome.verdicts.is_empty() {
        work.out.heading("Expectations")?;
        let mut table = Table::new().left("").flexible("").left("found");
        for verdict in &outcome.verdicts {
            let mark = if verdict.holds { Cell::new("met", Style::Good) } else { Cell::new("NOT MET", Style::Bad) };
            table.row([mark, one_line(&verdict.expected).into(), one_line(&cell_text(&verdict.found)).into()]);
        }
        work.out.table(&table)?;
    }
    for file in files {
        work.out.line(&format!("Written to {}", file.display()))?;
    }
    Ok(())
}
