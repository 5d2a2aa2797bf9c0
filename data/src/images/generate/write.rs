//! Generated sets on disk, in the form in which sets are opened and label maps read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rayon::prelude::*;

use super::{CATEGORIES, Colour, Scene, SceneOptions, Shape, TextureKind};
use crate::context::RunContext;
use crate::images::error::io;
use crate::images::{ImageError, LABELS, LabelMap, MaskLabel, MaskLabels, TABLE};

/// Scenes made between two looks at whether the work is to stop.
const CHUNK: usize = 64;
/// The most scenes of a set: their names have six digits.
const MOST: usize = 1_000_000;

/// Writes `n` scenes into `folder`: `images/000000.png` and so on, for each a label map of the same name in `masks/`, the
/// table `images.csv` and what the numbers of the label maps mean in `labels.csv`. Scene i is that of the seed `seed` + i. The
/// label of a picture is the shape that is seen on most of its pixels. The table is written last, so that a folder without
/// one was not finished.
///
/// # Errors
/// If the options are wrong, a file cannot be written, or the work is cancelled.
pub fn write_set(
    folder: &Path,
    n: usize,
    seed: u64,
    options: &SceneOptions,
    ctx: &RunContext,
) -> Result<(), ImageError> {
    if !(1..=MOST).contains(&n) {
        let rule = format!("1 to {MOST}");
        return Err(ImageError::Setting { setting: "the number of scenes", value: n.to_string(), rule });
    }
    for part in ["images", "masks"] {
        let part = folder.join(part);
        fs::create_dir_all(&part).map_err(io("create", &part))?;
    }
    let finished = folder.join(TABLE);
    if finished.is_file() {
        fs::remove_file(&finished).map_err(io("replace", &finished))?;
    }
    let labels = labels();
    let numbers: BTreeMap<&[Option<String>], u16> =
        labels.labels.iter().map(|label| (label.concepts.as_slice(), label.value)).collect();
    ctx.stage("making pictures", n as u64);
    let mut table = "path,label,mask\n".to_owned();
    for start in (0..n).step_by(CHUNK) {
        ctx.check()?;
        let end = n.min(start + CHUNK);
        let made = (start..end).into_par_iter().map(|i| {
            let scene = Scene::random(seed.wrapping_add(i as u64), options)?;
            write(folder, i, &scene, &numbers)
        });
        let lines: Vec<String> = made.collect::<Result<_, ImageError>>()?;
        table.extend(lines);
        ctx.advance((end - start) as u64);
    }
    for (name, text) in [(LABELS, labels.to_csv()), (TABLE, table)] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(io("write", &path))?;
    }
    Ok(())
}

/// Writes one scene and returns its line of the table.
fn write(
    folder: &Path,
    i: usize,
    scene: &Scene,
    numbers: &BTreeMap<&[Option<String>], u16>,
) -> Result<String, ImageError> {
    let front = scene.front();
    let mut seen = vec![0usize; scene.objects.len()];
    front.iter().flatten().for_each(|object| seen[*object] += 1);
    let mut shapes: BTreeMap<Shape, usize> = BTreeMap::new();
    for (object, pixels) in scene.objects.iter().zip(seen) {
        *shapes.entry(object.shape).or_default() += pixels;
    }
    let label = shapes.iter().max_by_key(|(_, pixels)| **pixels).map_or("", |(shape, _)| shape.name());
    let number = |front: Option<usize>| {
        let concepts = scene.concepts_of(front).map(|concept| concept.map(str::to_owned));
        numbers.get(concepts.as_slice()).copied().unwrap_or(0)
    };
    let of_objects: Vec<u16> = (0..scene.objects.len()).map(|object| number(Some(object))).collect();
    let of_ground = number(None);
    let map = front.iter().map(|front| front.map_or(of_ground, |object| of_objects[object])).collect();
    let map = LabelMap::new(scene.side, scene.side, map)?;
    let (image, mask) = (format!("images/{i:06}.png"), format!("masks/{i:06}.png"));
    for (path, bytes) in [(&image, scene.draw()?.to_png()?), (&mask, map.to_png()?)] {
        let path = folder.join(path);
        fs::write(&path, bytes).map_err(io("write", &path))?;
    }
    Ok(format!("{image},{label},{mask}\n"))
}

/// A number for everything that can be in front: a photograph, a textured ground, and each colour with each shape and
/// texture.
fn labels() -> MaskLabels {
    let mut combinations = vec![[None; 3]];
    combinations.extend(TextureKind::ALL.map(|texture| [None, None, Some(texture.name())]));
    for colour in Colour::ALL {
        for shape in Shape::ALL {
            combinations.extend(TextureKind::ALL.map(|it| [Some(colour.name()), Some(shape.name()), Some(it.name())]));
        }
    }
    let label = |(value, concepts): (u16, [Option<&str>; 3])| {
        let name = match concepts {
            [Some(colour), Some(shape), Some(texture)] => format!("{colour} {shape}, {texture}"),
            [_, _, Some(texture)] => format!("ground, {texture}"),
            _ => "photograph".to_owned(),
        };
        MaskLabel { value, name, concepts: concepts.map(|concept| concept.map(str::to_owned)).to_vec() }
    };
    let categories = CATEGORIES.map(str::to_owned).to_vec();
    MaskLabels { categories, labels: (0..).zip(combinations).map(label).collect() }
}
