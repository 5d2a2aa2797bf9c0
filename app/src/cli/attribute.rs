//! `golgi attribute`: which pixels a class or a unit rests on, each map beside that of a shuffled network.

use std::path::{Path, PathBuf};

use golgi_analysis::VisionError;
use golgi_analysis::attribution::{Attributed, Method, Question, attribute, cascade, report, sensitivity};
use golgi_data::images::Picture;
use golgi_data::site::Site;
use golgi_data::unit::Unit;
use golgi_probes::vision::OpenVision;
use serde_json::{Value, json};

use super::error::failure;
use super::exit::Exit;
use super::show;
use super::work::Work;
use crate::report::{Document, Format, OutFile};

/// Steps of the shuffling if none are asked for.
const STEPS: usize = 6;

/// Arguments of `golgi attribute`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Methods: saliency, input-gradient, integrated-black, integrated-mean, integrated-blurred, guided, deconvnet, grad-cam, \
                  guided-grad-cam. Each map stands beside that of a shuffled network; a method whose maps hardly change with the question is named."
)]
pub struct Args {
    /// A network for images: a name from `golgi models`, a folder or a file
    model: String,
    /// Pictures
    #[arg(required = true)]
    pictures: Vec<PathBuf>,
    /// Folder for the maps, `attribution.html` and `attribution.json`; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The class to explain, by number or by a part of its name; without it the most probable
    #[arg(long, value_name = "CLASS", conflicts_with = "unit")]
    class: Option<String>,
    /// A unit to explain in place of a class, such as _conv_head:12
    #[arg(long, value_name = "UNIT")]
    unit: Option<Unit>,
    /// Methods, with commas between them; all without it
    #[arg(long, value_delimiter = ',', value_name = "METHOD")]
    methods: Vec<Method>,
    /// Site whose maps Grad-CAM reads; the last one with maps without it
    #[arg(long, value_name = "SITE")]
    layer: Option<Site>,
    /// Steps in which the network is shuffled from its end; 0 leaves out shuffled networks and the other question
    #[arg(long, default_value_t = STEPS, value_name = "N")]
    steps: usize,
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let pictures = args.pictures.iter().map(|path| Picture::read(path)).collect::<Result<Vec<_>, _>>()?;
    let open = work.open_vision(&args.model)?;
    let asked = asked(&open, args)?;
    std::fs::create_dir_all(&args.out)
        .map_err(|error| failure(format!("the folder {} cannot be made: {error}", args.out.display())))?;
    let page = OutFile::new(&args.out.join("attribution.html"))?;
    let mut found = Vec::with_capacity(pictures.len());
    {
        let _watch = work.watch();
        for (path, picture) in args.pictures.iter().zip(&pictures) {
            found.push(explain(work, &open, asked.as_ref(), (path, picture), args)?);
        }
    }
    let files = found.iter().map(|one| write(&args.out, one)).collect::<anyhow::Result<Vec<_>>>()?;
    let report = report(&found, &open, work.global.seed())?;
    let document = Document::of_report(report.clone());
    page.write(document.render(Format::Html).as_bytes())?;
    OutFile::new(&args.out.join("attribution.json"))?.write(document.render(Format::Json).as_bytes())?;
    if work.out.json {
        let list: Vec<Value> = found.iter().zip(files).map(|(one, files)| described(one, &files)).collect();
        work.out.document("attribute", json!({ "pictures": list, "out": args.out, "report": report }))?;
    } else {
        show::report(&work.out, &report)?;
        work.out.line(&format!("\nWritten to {}", page.path().display()))?;
    }
    Ok(Exit::Success)
}

/// What the user asked about; nothing for the most probable class of each picture.
fn asked(open: &OpenVision, args: &Args) -> anyhow::Result<Option<Question>> {
    let question = match (&args.unit, &args.class) {
        (Some(unit), _) => Question::unit(open, unit.clone())?,
        (None, Some(class)) => Question::class(open, named(open, class)?)?,
        (None, None) if open.network.classes() > 0 => {
            // What will be asked of each picture fits as one question does.
            placed(open, Question::class(open, 0)?, args)?;
            return Ok(None);
        }
        (None, None) => {
            return Err(failure(format!("{} tells no classes apart; name a unit with --unit", open.name)));
        }
    };
    Ok(Some(placed(open, question, args)?))
}

fn placed(open: &OpenVision, question: Question, args: &Args) -> Result<Question, VisionError> {
    match &args.layer {
        Some(layer) => question.at(open, layer.clone()),
        None => Ok(question),
    }
}

/// The class of a number or of a part of a name that one class alone has.
fn named(open: &OpenVision, text: &str) -> anyhow::Result<usize> {
    if let Ok(index) = text.parse() {
        return Ok(index);
    }
    let wanted = text.to_lowercase();
    let names: Vec<String> = (0..open.network.classes()).map(|index| open.class(index)).collect();
    if let Some(index) = names.iter().position(|name| name.to_lowercase() == wanted) {
        return Ok(index);
    }
    let found: Vec<usize> = (0..names.len()).filter(|index| names[*index].to_lowercase().contains(&wanted)).collect();
    match found.as_slice() {
        [] => Err(failure(format!("no class of {} is called `{text}`; give its number or its name", open.name))),
        [index] => Ok(*index),
        several => {
            let some: Vec<String> = several.iter().take(5).map(|index| format!("{index} {}", names[*index])).collect();
            Err(failure(format!("`{text}` may be {} classes: {}, …; give a number", several.len(), some.join(", "))))
        }
    }
}

fn explain(
    work: &Work,
    open: &OpenVision,
    asked: Option<&Question>,
    (path, picture): (&Path, &Picture),
    args: &Args,
) -> anyhow::Result<Attributed> {
    let ctx = &work.ctx;
    let question = match asked {
        Some(question) => question.clone(),
        None => {
            let best = open.classify(picture, 1)?.first().map_or(0, |score| score.index);
            placed(open, Question::class(open, best)?, args)?
        }
    };
    let methods = if args.methods.is_empty() { Method::ALL.to_vec() } else { args.methods.clone() };
    let values = open.preprocess.apply(picture);
    let pixels = open.tensor(&values)?;
    ctx.stage("tracing back", methods.len() as u64);
    let maps = attribute(open, &question, &pixels, &methods, ctx)?;
    let (cascades, sensitivities) = if args.steps > 0 {
        let cascades = cascade(open, &question, &pixels, &maps, args.steps, ctx)?;
        (cascades, sensitivity(open, &question, &pixels, &maps, ctx)?)
    } else {
        (Vec::new(), Vec::new())
    };
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let picture = open.preprocess.denormalise(&values)?;
    let value = question.value(open, &pixels)?;
    Ok(Attributed { name, picture, question, value, maps, cascades, sensitivities })
}

/// Writes a PNG for every map; returns their names.
fn write(folder: &Path, one: &Attributed) -> anyhow::Result<Vec<String>> {
    let stem = Path::new(&one.name).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let put = |name: String, picture: Picture| -> anyhow::Result<String> {
        OutFile::new(&folder.join(&name))?.write(&picture.to_png()?)?;
        Ok(name)
    };
    one.maps.iter().map(|map| put(format!("{stem}-{}.png", map.method), map.picture(&one.picture)?)).collect()
}

fn described(one: &Attributed, files: &[String]) -> Value {
    let maps = one.maps.iter().enumerate().map(|(at, map)| {
        json!({
            "method": map.method.name(),
            "file": files[at],
            "completeness": map.completeness,
            "cascade": one.cascades.get(at),
            "sensitivity": one.sensitivities.get(at),
        })
    });
    let maps: Vec<Value> = maps.collect();
    json!({
        "picture": one.name,
        "unit": one.question.unit,
        "name": one.question.name,
        "layer": one.question.layer,
        "value": one.value,
        "maps": maps,
    })
}
