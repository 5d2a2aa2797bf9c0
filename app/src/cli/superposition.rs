//! `golgi superposition`: toy models, which show how more features than dimensions are kept.

use std::path::PathBuf;

use golgi_analysis::report::Report;
use golgi_analysis::superposition::{PhaseParams, SolveParams, SweepParams, Training, phase, solve, sweep};
use serde_json::{Map, Value, json};

use super::exit::Exit;
use super::show;
use super::work::Work;
use crate::report::{Document, Format, OutFile};

/// Arguments of `golgi superposition`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The model is x' = ReLU(WᵀWx + b): n features through m dimensions. Each feature is 0 with probability 1 − density and \
    else uniform in 0..1; the loss is Σ I_i (x_i − x'_i)². No model file is needed."
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// Write the report to a .html, .md or .json file too
    #[arg(long, value_name = "FILE", global = true)]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Train one model from several starts: which features it keeps, and which polytopes they form
    Solve(SolveArgs),
    /// The phase diagram of an extra feature by density and importance, beside closed-form losses
    Phase(PhaseArgs),
    /// Equally important features that become sparser: dimensions per feature, dimensionality of each
    Sweep(SweepArgs),
    /// A pentagon, both phase diagrams (2 features in 1 dimension, 3 in 2) and a sweep, in one report; takes minutes
    All,
}

/// How models are trained.
#[derive(Debug, Clone, clap::Args)]
struct TrainingArgs {
    /// Steps of each model
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Learning rate
    #[arg(long, value_name = "RATE")]
    rate: Option<f64>,
    /// Inputs of a step; models of at most 3 features see their whole distribution instead
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
}

impl TrainingArgs {
    fn over(&self, plain: Training) -> Training {
        let TrainingArgs { steps, rate, batch } = self;
        Training {
            steps: steps.unwrap_or(plain.steps),
            rate: rate.unwrap_or(plain.rate),
            batch: batch.unwrap_or(plain.batch),
            ..plain
        }
    }
}

#[derive(Debug, clap::Args)]
struct SolveArgs {
    /// n
    #[arg(long, value_name = "N", default_value_t = SolveParams::default().features)]
    features: usize,
    /// m
    #[arg(long, value_name = "N", default_value_t = SolveParams::default().hidden)]
    hidden: usize,
    /// How often a feature is present
    #[arg(long, value_name = "P", default_value_t = SolveParams::default().density)]
    density: f32,
    /// Another density for one feature, such as 4=0.02; may be repeated
    #[arg(long = "density-of", value_name = "FEATURE=P", value_parser = density_of)]
    densities: Vec<(usize, f32)>,
    /// r: feature i has the importance r^i
    #[arg(long, value_name = "R", default_value_t = SolveParams::default().importance)]
    importance: f32,
    /// Models trained from different starts; the best is shown
    #[arg(long, value_name = "N", default_value_t = SolveParams::default().starts)]
    starts: usize,
    #[command(flatten)]
    training: TrainingArgs,
}

#[derive(Debug, clap::Args)]
struct PhaseArgs {
    /// m, 1 or 2; there are m + 1 features
    #[arg(long, value_name = "N", default_value_t = PhaseParams::default().hidden)]
    hidden: usize,
    /// Cells in each direction
    #[arg(long, value_name = "N", default_value_t = PhaseParams::default().cells)]
    cells: usize,
    /// Fits of each cell, of which the worst is discarded
    #[arg(long, value_name = "N", default_value_t = PhaseParams::default().fits)]
    fits: usize,
    #[command(flatten)]
    training: TrainingArgs,
}

#[derive(Debug, clap::Args)]
struct SweepArgs {
    /// n; 400 in the published figure
    #[arg(long, value_name = "N", default_value_t = SweepParams::default().features)]
    features: usize,
    /// m; 30 in the published figure
    #[arg(long, value_name = "N", default_value_t = SweepParams::default().hidden)]
    hidden: usize,
    /// How many densities, from 1 down
    #[arg(long, value_name = "N", default_value_t = SweepParams::default().densities)]
    densities: usize,
    /// The lowest density
    #[arg(long, value_name = "P", default_value_t = SweepParams::default().lowest)]
    lowest: f32,
    /// Models trained at each density; the best is kept
    #[arg(long, value_name = "N", default_value_t = SweepParams::default().starts)]
    starts: usize,
    #[command(flatten)]
    training: TrainingArgs,
}

/// `4=0.02`.
fn density_of(text: &str) -> Result<(usize, f32), String> {
    let parts =
        text.split_once('=').and_then(|(feature, density)| Some((feature.parse().ok()?, density.parse().ok()?)));
    parts.ok_or_else(|| format!("`{text}` is not of the form FEATURE=DENSITY, such as 4=0.02"))
}

/// What is to be done.
enum Part {
    Solve(SolveParams),
    Phase(PhaseParams),
    Sweep(SweepParams),
}

/// What was done: its name, its parameters and its result for programs, and its report.
struct Done {
    name: &'static str,
    params: Value,
    result: Value,
    report: Report,
}

impl Part {
    fn run(&self, work: &Work) -> anyhow::Result<Done> {
        let seed = work.global.seed();
        Ok(match self {
            Part::Solve(params) => {
                let found = solve(params, &work.ctx)?;
                Done { name: "solve", params: json!(params), result: json!(found), report: found.report(seed) }
            }
            Part::Phase(params) => {
                let found = phase(params, &work.ctx)?;
                Done { name: "phase", params: json!(params), result: json!(found), report: found.report(seed) }
            }
            Part::Sweep(params) => {
                let found = sweep(params, &work.ctx)?;
                Done { name: "sweep", params: json!(params), result: json!(found), report: found.report(seed) }
            }
        })
    }
}

fn parts(what: &What) -> Vec<Part> {
    match what {
        What::Solve(args) => vec![Part::Solve(SolveParams {
            features: args.features,
            hidden: args.hidden,
            density: args.density,
            densities: args.densities.clone(),
            importance: args.importance,
            starts: args.starts,
            training: args.training.over(SolveParams::default().training),
        })],
        What::Phase(args) => vec![Part::Phase(PhaseParams {
            hidden: args.hidden,
            cells: args.cells,
            fits: args.fits,
            training: args.training.over(PhaseParams::default().training),
        })],
        What::Sweep(args) => vec![Part::Sweep(SweepParams {
            features: args.features,
            hidden: args.hidden,
            densities: args.densities,
            lowest: args.lowest,
            starts: args.starts,
            training: args.training.over(SweepParams::default().training),
        })],
        What::All => vec![
            Part::Solve(SolveParams::default()),
            Part::Phase(PhaseParams::default()),
            Part::Phase(PhaseParams { hidden: 2, ..PhaseParams::default() }),
            Part::Sweep(SweepParams::default()),
        ],
    }
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let out = match &args.out {
        Some(path) => Some((Format::of(path)?, OutFile::new(path)?)),
        None => None,
    };
    let done = {
        let _watch = work.watch();
        parts(&args.what).iter().map(|part| part.run(work)).collect::<anyhow::Result<Vec<Done>>>()?
    };
    if let Some((format, out)) = &out {
        work.ctx.check()?;
        let reports = done.iter().map(|one| one.report.clone()).collect();
        out.write(Document::of_reports("Toy models of superposition", reports).render(*format).as_bytes())?;
    }
    if work.out.json {
        let list = done.into_iter().map(|Done { name, params, result, report }| {
            let mut fields = Map::new();
            fields.insert("part".to_owned(), name.into());
            fields.insert("params".to_owned(), params);
            fields.insert("result".to_owned(), result);
            fields.insert("report".to_owned(), json!(report));
            Value::Object(fields)
        });
        let file = out.as_ref().map(|(_, out)| out.path());
        let list: Vec<Value> = list.collect();
        work.out.document("superposition", json!({ "parts": list, "out": file }))?;
        return Ok(Exit::Success);
    }
    for (index, one) in done.iter().enumerate() {
        if index > 0 {
            work.out.line("")?;
        }
        show::report(&work.out, &one.report)?;
    }
    if let Some((_, out)) = &out {
        work.out.line(&format!("\nWritten to {}", out.path().display()))?;
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::Cli;
    use super::*;

    #[test]
    fn densities_of_single_features() {
        assert_eq!(density_of("4=0.02"), Ok((4, 0.02)));
        assert!(density_of("4").unwrap_err().contains("4=0.02") && density_of("x=1").is_err());
    }

    #[test]
    fn a_part_is_needed_and_the_file_may_stand_behind_it() {
        assert!(Cli::try_parse_from(["golgi", "superposition"]).is_err());
        assert!(Cli::try_parse_from(["golgi", "superposition", "all", "--out", "x.html"]).is_ok());
        assert!(Cli::try_parse_from(["golgi", "superposition", "phase", "--cells", "8", "--json"]).is_ok());
    }
}
