//! `golgi vis`: images that units of a network for images respond to.

use std::path::{Path, PathBuf};

use golgi_analysis::VisionError;
use golgi_analysis::facets::{self, FacetSettings, Facets, Schedule};
use golgi_analysis::visualise::{
    Aim, Optimised, Parametrisation, Settings, Target, Verdict, Visualised, joined, real_values, report, visualise,
};
use golgi_data::images::{ImageSet, Picture};
use golgi_data::unit::Unit;
use golgi_probes::vision::OpenVision;
use serde_json::{Value, json};

use super::error::failure;
use super::exit::Exit;
use super::show;
use super::work::Work;
use crate::report::{Document, Format, OutFile};

/// Arguments of `golgi vis`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A unit is SITE:CHANNEL, such as _conv_head:12; all units of a call lie at one site. `golgi inspect MODEL` lists the sites."
)]
pub struct Args {
    /// A network for images: a name from `golgi models`, a folder or a file
    model: String,
    /// Units, such as _conv_head:12; the units of a class are at the last site, such as _fc:281
    #[arg(required = true)]
    units: Vec<Unit>,
    /// Folder for the pictures, `vis.html` and `vis.json`; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What is raised: the mean of a channel, or the neuron at its centre
    #[arg(long, default_value = "channel", value_name = "channel|neuron")]
    objective: Aim,
    /// How an image is written
    #[arg(long, default_value = "fft", value_name = "fft|pixel")]
    parametrisation: Parametrisation,
    /// Side of the images, in pixels
    #[arg(long, default_value_t = Settings::default().size, value_name = "N")]
    size: u32,
    /// Steps
    #[arg(long, default_value_t = Settings::default().steps, value_name = "N")]
    steps: u64,
    /// Rate of the steps
    #[arg(long, default_value_t = Settings::default().rate, value_name = "RATE")]
    rate: f64,
    /// How much the images of the batch are to differ
    #[arg(long, default_value_t = 0.0, value_name = "WEIGHT")]
    diversity: f64,
    /// Find images that lower the units too
    #[arg(long)]
    negative: bool,
    /// Leave out the same for a network with shuffled weights
    #[arg(long)]
    no_twin: bool,
    /// Real pictures to compare with: a folder, a table, or `starter`
    #[arg(long, default_value = "starter", value_name = "SET")]
    images: String,
    /// Pictures of it at most; 0 for none
    #[arg(long, default_value_t = 200, value_name = "N")]
    limit: usize,
    /// Find so many kinds of picture that drive each unit, and an image for each
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "4")]
    facets: Option<usize>,
    /// How the images of facets are raised
    #[arg(long, default_value = "mean-image", value_name = "mean-image|centre-bias", requires = "facets")]
    schedule: Schedule,
}

impl Args {
    /// How facets are found, if they are asked for.
    fn facet_settings(&self) -> Option<FacetSettings> {
        let usual = FacetSettings::default();
        let (size, schedule, limit) = (self.size, self.schedule, self.limit);
        // Of few pictures not all excite a unit.
        let top = usual.top.min(limit / 2);
        self.facets.map(|facets| FacetSettings { facets, top: top.max(3 * facets), limit, size, schedule, ..usual })
    }
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let target = Target::units(&args.units)?.aiming(args.objective);
    let settings = Settings {
        parametrisation: args.parametrisation,
        size: args.size,
        steps: args.steps,
        rate: args.rate,
        diversity: args.diversity,
        ..Settings::default()
    };
    let set = if args.limit > 0 { Some(ImageSet::open(&args.images)?) } else { None };
    if args.facets.is_some() && set.is_none() {
        return Err(failure("facets are found among real pictures; give --limit above 0"));
    }
    let open = work.open_vision(&args.model)?;
    args.units.iter().try_for_each(|unit| open.network.check(unit).map(drop))?;
    std::fs::create_dir_all(&args.out)
        .map_err(|error| failure(format!("the folder {} cannot be made: {error}", args.out.display())))?;
    let page = OutFile::new(&args.out.join("vis.html"))?;
    let (found, facets) = {
        let _watch = work.watch();
        (find(work, &open, &target, &settings, set.as_ref(), args)?, find_facets(work, &open, set.as_ref(), args)?)
    };
    let mut report = report(&found, &open, &settings, work.global.seed())?;
    if let (Some(set), Some(settings)) = (&set, args.facet_settings()) {
        facets::append(&mut report, &facets, set, &settings)?;
    }
    let files = pictures(&args.out, &found)?;
    let facet_files = facets.iter().map(|one| facet_pictures(&args.out, one)).collect::<anyhow::Result<Vec<_>>>()?;
    let document = Document::of_report(report.clone());
    page.write(document.render(Format::Html).as_bytes())?;
    OutFile::new(&args.out.join("vis.json"))?.write(document.render(Format::Json).as_bytes())?;
    if work.out.json {
        let mut units: Vec<Value> = found.iter().zip(&files).map(|(one, file)| unit(one, file.as_deref())).collect();
        for ((unit, one), files) in units.iter_mut().zip(&facets).zip(&facet_files) {
            unit["facets"] = facets_of(one, files, set.as_ref());
        }
        work.out.document("vis", json!({ "settings": settings, "units": units, "out": args.out, "report": report }))?;
    } else {
        show::report(&work.out, &report)?;
        work.out.line(&format!("\nWritten to {}", page.path().display()))?;
    }
    Ok(Exit::Success)
}

fn find(
    work: &Work,
    open: &OpenVision,
    target: &Target,
    settings: &Settings,
    set: Option<&ImageSet>,
    args: &Args,
) -> Result<Vec<Visualised>, VisionError> {
    let images = visualise(open, target, settings, &work.ctx)?;
    let negatives =
        args.negative.then(|| visualise(open, &target.clone().negative(), settings, &work.ctx)).transpose()?;
    let twin = if args.no_twin { None } else { Some(open.twin(work.global.seed())?) };
    let twins = twin.map(|twin| visualise(&twin, target, settings, &work.ctx)).transpose()?;
    let real = match set {
        None => None,
        Some(set) => {
            let real = real_values(open, target, set, args.limit, &work.ctx)?;
            let best = (0..target.names.len()).filter_map(|row| real.best(row));
            let best = best.map(|index| Ok((set.entries()[index].id.clone(), set.load(index)?.picture)));
            let best = best.collect::<Result<Vec<(String, Picture)>, VisionError>>()?;
            Some((real, best))
        }
    };
    Ok(joined(images, negatives, twins, real))
}

fn find_facets(
    work: &Work,
    open: &OpenVision,
    set: Option<&ImageSet>,
    args: &Args,
) -> Result<Vec<Facets>, VisionError> {
    match (args.facet_settings(), set) {
        (Some(settings), Some(set)) => facets::facets(open, &args.units, set, &settings, &work.ctx),
        _ => Ok(Vec::new()),
    }
}

/// Writes a PNG for the image of every facet; returns their names.
fn facet_pictures(folder: &Path, one: &Facets) -> anyhow::Result<Vec<String>> {
    let unit = one.unit.to_string().replace(':', "-");
    let put = |(at, facet): (usize, &facets::Facet)| {
        let name = format!("{unit}-facet{}.png", at + 1);
        OutFile::new(&folder.join(&name))?.write(&facet.image.to_png()?)?;
        Ok(name)
    };
    one.facets.iter().enumerate().map(put).collect()
}

fn facets_of(one: &Facets, files: &[String], set: Option<&ImageSet>) -> Value {
    let named = |index: &usize| set.map(|set| set.entries()[*index].id.clone());
    let facets = one.facets.iter().zip(files).map(|(facet, file)| {
        json!({
            "size": facet.size,
            "exemplars": facet.exemplars.iter().map(named).collect::<Vec<_>>(),
            "exemplar_value": facet.exemplar_value,
            "start": facet.start,
            "value": facet.value,
            "percentile": facet.percentile,
            "file": file,
        })
    });
    json!({
        "facets": facets.collect::<Vec<_>>(),
        "explained": one.explained,
        "explained_shuffled": one.explained_shuffled,
        "purity": one.purity,
        "stability": one.stability,
    })
}

/// Writes a PNG for every image that converged; returns its name, or nothing.
fn pictures(folder: &Path, found: &[Visualised]) -> anyhow::Result<Vec<Option<String>>> {
    let write = |image: &Optimised, ending: &str| -> anyhow::Result<Option<String>> {
        if image.verdict != Verdict::Converged {
            return Ok(None);
        }
        let name = format!("{}{ending}.png", image.name.trim_start_matches('-').replace(':', "-"));
        OutFile::new(&folder.join(&name))?.write(&image.picture.to_png()?)?;
        Ok(Some(name))
    };
    let mut files = Vec::with_capacity(found.len());
    for one in found {
        files.push(write(&one.image, "")?);
        one.negative.iter().try_for_each(|image| write(image, "-lowers").map(drop))?;
        one.twin.iter().try_for_each(|image| write(image, "-twin").map(drop))?;
    }
    Ok(files)
}

fn unit(one: &Visualised, file: Option<&str>) -> Value {
    let image = &one.image;
    json!({
        "unit": image.name,
        "value": image.value,
        "start": image.start,
        "verdict": image.verdict,
        "curve": image.curve,
        "file": file,
        "best_real": one.real.as_ref().map(|(_, name, _)| json!({ "picture": name, "value": one.best() })),
        "twin": one.twin.as_ref().map(|twin| twin.value),
        "negative": one.negative.as_ref().map(|image| image.value),
    })
}
