//! What is looked at with a convolutional network: a picture, what the network makes of it, and a shelf of other pictures.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use golgi_analysis::channels::{BestPictures, ChannelMaps};
use golgi_analysis::visualise::{Aim, Optimised, Settings};
use golgi_data::images::{ImageSet, Picture};
use golgi_data::unit::Unit;
use golgi_probes::vision::ClassScore;

use super::jobs::JobId;
use super::loadable::Loadable;
use super::notice::Notice;
use super::recent::write_whole;

/// Endings of the pictures that are read.
pub const ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "jfif"];
/// Drawings that are kept, so that going back to a unit shows its image again.
const KEPT: usize = 24;
/// Pictures that are shown to find the best ones, where nothing else is said.
const PICTURES: usize = 200;

/// Whether a file is a picture by its name.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// A picture as the network sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its file.
    pub path: PathBuf,
    /// Its width and height, before it was prepared.
    pub size: (u32, u32),
    /// What reading it took, such as `greyscale spread to RGB`.
    pub remarks: Vec<String>,
    /// What the network gets, `side × side` pixels.
    pub input: Picture,
    /// Its classes, the most probable first.
    pub classes: Vec<ClassScore>,
}

/// Pictures to choose from.
#[derive(Debug)]
pub struct Shelf {
    /// The pictures.
    pub set: ImageSet,
    /// The folder under which thumbnails are kept.
    pub home: PathBuf,
}

/// What shall be found: images that a unit responds to.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawRequest {
    /// The unit.
    pub unit: Unit,
    /// Whether an image that lowers it is found too.
    pub opposite: bool,
    /// Whether the same is done with a network whose weights are shuffled.
    pub twin: bool,
    /// What is raised.
    pub aim: Aim,
    /// Side of the images, in pixels.
    pub size: u32,
    /// Steps of the ascent.
    pub steps: u64,
}

impl DrawRequest {
    /// All steps, with those of the twin.
    pub fn all_steps(&self) -> u64 {
        self.steps * if self.twin { 2 } else { 1 }
    }

    /// The usual settings for a unit.
    pub fn new(unit: Unit) -> DrawRequest {
        let usual = Settings::default();
        DrawRequest { unit, opposite: false, twin: false, aim: Aim::default(), size: usual.size, steps: usual.steps }
    }
}

/// Images that were found.
#[derive(Debug, Clone)]
pub struct Found {
    /// What raises the unit and, where asked for, what lowers it.
    pub images: Vec<Optimised>,
    /// The same for the unit of a network whose weights are shuffled, where asked for.
    pub twins: Vec<Optimised>,
}

/// What became of a drawing.
#[derive(Debug, Clone)]
pub enum Drawn {
    /// It is being made.
    Running,
    /// Done.
    Done(Arc<Found>),
    /// Somebody stopped it.
    Stopped,
    /// It failed.
    Failed(Notice),
}

/// Images that a unit responds to, finished or on their way.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// What was asked for.
    pub request: DrawRequest,
    /// Steps that are done; those of the twin count too.
    pub step: u64,
    /// The images as they are by now; those of the twin come last.
    pub pictures: Arc<Vec<Picture>>,
    /// What became of it.
    pub state: Drawn,
    /// The job.
    pub job: JobId,
}

/// The state of everything about pictures.
#[derive(Debug)]
pub struct VisionState {
    /// The file of the picture that is looked at.
    pub picture: Option<PathBuf>,
    /// The picture as the network sees it, with its classes.
    pub seen: Loadable<Seen>,
    /// The maps of the chosen site over the picture.
    pub maps: Loadable<ChannelMaps>,
    /// What the shelf holds: `starter`, a folder, a table.
    pub shelf_spec: String,
    /// The pictures to choose from.
    pub shelf: Loadable<Shelf>,
    /// Pictures of the shelf that are shown, at most, to find the best ones.
    pub limit: usize,
    /// The pictures of the shelf that excite the channels of the chosen site most.
    pub best: Loadable<BestPictures>,
    /// Images that units respond to, the newest last.
    drawings: Vec<Drawing>,
}

impl Default for VisionState {
    fn default() -> VisionState {
        VisionState {
            picture: None,
            seen: Loadable::Empty,
            maps: Loadable::Empty,
            shelf_spec: "starter".to_owned(),
            shelf: Loadable::Empty,
            limit: PICTURES,
            best: Loadable::Empty,
            drawings: Vec::new(),
        }
    }
}

impl VisionState {
    /// The drawing of a unit.
    pub fn drawing(&self, unit: &Unit) -> Option<&Drawing> {
        self.drawings.iter().find(|drawing| drawing.request.unit == *unit)
    }

    /// The drawing under way.
    pub fn running(&mut self) -> Option<&mut Drawing> {
        self.drawings.iter_mut().find(|drawing| matches!(drawing.state, Drawn::Running))
    }

    /// Adds a drawing in place of an earlier one of its unit.
    pub fn add(&mut self, drawing: Drawing) {
        self.drawings.retain(|other| other.request.unit != drawing.request.unit);
        if self.drawings.len() >= KEPT {
            self.drawings.remove(0);
        }
        self.drawings.push(drawing);
    }

    /// Writes an image that was made for a unit as a PNG; tells how that went.
    pub fn save(&self, unit: &Unit, index: usize, path: &Path) -> Notice {
        let Some(picture) = self.drawing(unit).and_then(|drawing| drawing.pictures.get(index)) else {
            return Notice::failure(format!("There is no image of {unit}.")).with_next_step("Visualise the unit again");
        };
        let refuse = |error: &(dyn std::error::Error + 'static)| Notice::error("The image could not be saved.", error);
        let bytes = match picture.to_png() {
            Ok(bytes) => bytes,
            Err(error) => return refuse(&error),
        };
        match write_whole(path, &bytes) {
            Ok(()) => Notice::info(format!("The image was saved as {}.", path.display())),
            Err(error) => refuse(&error),
        }
    }

    /// Forgets what a network has computed; the picture and the shelf stay.
    pub fn forget_results(&mut self) {
        (self.seen, self.maps, self.best) = (Loadable::Empty, Loadable::Empty, Loadable::Empty);
        self.drawings.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(index: u32) -> Drawing {
        let unit = Unit::new("conv".parse().unwrap(), index);
        let (pictures, state) = (Arc::new(Vec::new()), Drawn::Running);
        Drawing { request: DrawRequest::new(unit), step: 0, pictures, state, job: JobId(u64::from(index)) }
    }

    #[test]
    fn each_unit_has_one_drawing_and_old_ones_go() {
        let mut state = VisionState::default();
        (0..40).for_each(|index| state.add(drawing(index)));
        state.add(Drawing { step: 5, ..drawing(39) });
        assert_eq!(state.drawing(&drawing(39).request.unit).unwrap().step, 5);
        assert!(state.drawing(&drawing(3).request.unit).is_none());
        state.forget_results();
        assert!(state.running().is_none());
    }

    #[test]
    fn pictures_are_known_by_their_names() {
        assert!(is_picture(Path::new("/a/b.JPG")) && is_picture(Path::new("cat.webp")));
        assert!(!is_picture(Path::new("model.safetensors")) && !is_picture(Path::new("png")));
    }
}
