//! Scenes: shapes over a ground, and which concept is where.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Colour, Shape, Texture, TextureKind};
use crate::images::{Fit, ImageError, Interpolation, Picture, Preprocess, PreprocessSettings};

/// Categories of concepts.
pub const CATEGORIES: [&str; 3] = ["colour", "shape", "texture"];

/// What lies behind the objects.
#[derive(Debug, Clone, PartialEq)]
pub enum Ground {
    /// A grey texture: it has the concept of its texture, and neither colour nor shape.
    Texture(Texture),
    /// A photograph, its largest centre square scaled to the scene; no concept.
    Photograph(Picture),
}

/// What scenes may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneOptions {
    /// The side of the picture, in pixels, at least 8.
    pub side: u32,
    /// Objects, the least and the most.
    pub objects: (usize, usize),
    /// The radius of an object as a part of the side, the least and the most.
    pub radius: (f32, f32),
    /// The colours of objects.
    pub colours: Vec<Colour>,
    /// The shapes of objects.
    pub shapes: Vec<Shape>,
    /// The textures of objects and of textured grounds.
    pub textures: Vec<TextureKind>,
    /// Photographs to take grounds from: if there are any, for half of the scenes.
    pub photographs: Vec<Picture>,
}

impl Default for SceneOptions {
    /// 224 pixels a side, 2 to 5 objects with radii of 0.1 to 0.25, everything there is, no photographs.
    fn default() -> SceneOptions {
        SceneOptions {
            side: 224,
            objects: (2, 5),
            radius: (0.1, 0.25),
            colours: Colour::ALL.to_vec(),
            shapes: Shape::ALL.to_vec(),
            textures: TextureKind::ALL.to_vec(),
            photographs: Vec::new(),
        }
    }
}

/// One object of a scene. Positions and lengths are in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    /// Its shape.
    pub shape: Shape,
    /// Its colour.
    pub colour: Colour,
    /// Its texture.
    pub texture: Texture,
    /// The centre, from the left and from the top.
    pub centre: [f32; 2],
    /// The radius.
    pub radius: f32,
    /// By how much it is turned, in radians.
    pub turn: f32,
}

impl Object {
    fn contains(&self, x: u32, y: u32) -> bool {
        let (dx, dy) = (x as f32 + 0.5 - self.centre[0], y as f32 + 0.5 - self.centre[1]);
        let (sin, cos) = self.turn.sin_cos();
        self.shape.contains((dx * cos + dy * sin) / self.radius, (dy * cos - dx * sin) / self.radius)
    }
}

/// Objects over a ground; a later one hides those before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// The side of the picture, in pixels.
    pub side: u32,
    /// What lies behind.
    pub ground: Ground,
    /// The objects, from the back to the front.
    pub objects: Vec<Object>,
}

/// The pixels of one concept in one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConceptMask {
    /// One of [`CATEGORIES`].
    pub category: &'static str,
    /// Such as `red`.
    pub concept: &'static str,
    /// `[side, side]`, row by row.
    pub mask: Vec<bool>,
}

impl ConceptMask {
    /// How many pixels.
    pub fn pixels(&self) -> usize {
        self.mask.iter().filter(|pixel| **pixel).count()
    }
}

impl Scene {
    /// A random scene, drawn, with every concept that is seen in it.
    ///
    /// # Errors
    /// If the options leave nothing to choose from or are no ranges.
    pub fn generate(seed: u64, options: &SceneOptions) -> Result<(Picture, Vec<ConceptMask>), ImageError> {
        let scene = Scene::random(seed, options)?;
        Ok((scene.draw()?, scene.concepts()))
    }

    /// A random scene. The same seed and options give the same one.
    ///
    /// # Errors
    /// As [`Scene::generate`].
    pub fn random(seed: u64, options: &SceneOptions) -> Result<Scene, ImageError> {
        options.check()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let side = options.side as f32;
        let photograph = if rng.random_bool(0.5) { options.photographs.choose(&mut rng) } else { None };
        let ground = match photograph {
            Some(photograph) => Ground::Photograph(photograph.clone()),
            None => Ground::Texture(texture(&mut rng, options)),
        };
        let count = rng.random_range(options.objects.0..=options.objects.1);
        let mut objects = Vec::with_capacity(count);
        for _ in 0..count {
            let radius = rng.random_range(options.radius.0..=options.radius.1) * side;
            // As a whole within the picture, where it fits.
            let margin = radius.min(side / 2.0);
            objects.push(Object {
                shape: pick(&mut rng, &options.shapes, Shape::Square),
                colour: pick(&mut rng, &options.colours, Colour::Red),
                texture: texture(&mut rng, options),
                centre: [0; 2].map(|_| rng.random_range(margin..=side - margin)),
                radius,
                turn: rng.random_range(0.0..std::f32::consts::TAU),
            });
        }
        Ok(Scene { side: options.side, ground, objects })
    }

    /// The object in front at every pixel `[side, side]`, by its place in [`Scene::objects`]; `None` is the ground.
    pub fn front(&self) -> Vec<Option<usize>> {
        let pixels = (0..self.side).flat_map(|y| (0..self.side).map(move |x| (x, y)));
        pixels.map(|(x, y)| self.objects.iter().rposition(|object| object.contains(x, y))).collect()
    }

    /// The picture. Edges are sharp, so that every pixel belongs to one object alone.
    ///
    /// # Errors
    /// If the side is 0 or too large.
    pub fn draw(&self) -> Result<Picture, ImageError> {
        let behind = match &self.ground {
            Ground::Photograph(photograph) => Some(scaled(photograph, self.side)?),
            Ground::Texture(_) => None,
        };
        let mut rgb = Vec::with_capacity(self.side as usize * self.side as usize * 3);
        for (i, front) in self.front().into_iter().enumerate() {
            let (x, y) = (i as u32 % self.side, i as u32 / self.side);
            rgb.extend(match (front, &self.ground) {
                (Some(object), _) => {
                    let Object { colour, texture, .. } = self.objects[object];
                    texture.mix(colour.rgb(), colour.shade(), x, y)
                }
                (None, Ground::Texture(texture)) => texture.mix([170; 3], [110; 3], x, y),
                (None, Ground::Photograph(_)) => behind.as_ref().and_then(|it| it.pixel(x, y)).unwrap_or_default(),
            });
        }
        Picture::new(self.side, self.side, rgb)
    }

    /// The concepts of what is in front, colour, shape and texture; `None` where there is none.
    pub fn concepts_of(&self, front: Option<usize>) -> [Option<&'static str>; 3] {
        match (front.and_then(|object| self.objects.get(object)), &self.ground) {
            (Some(object), _) => {
                [Some(object.colour.name()), Some(object.shape.name()), Some(object.texture.kind.name())]
            }
            (None, Ground::Texture(texture)) => [None, None, Some(texture.kind.name())],
            (None, Ground::Photograph(_)) => [None; 3],
        }
    }

    /// Every concept that is seen, with its pixels, by category and name.
    pub fn concepts(&self) -> Vec<ConceptMask> {
        let front = self.front();
        let mut found: Vec<ConceptMask> = Vec::new();
        for (i, front) in front.iter().enumerate() {
            for (category, concept) in CATEGORIES.into_iter().zip(self.concepts_of(*front)) {
                let Some(concept) = concept else { continue };
                let place = found.iter().position(|it| it.category == category && it.concept == concept);
                let place = place.unwrap_or_else(|| {
                    found.push(ConceptMask {
                        category,
                        concept,
                        mask: vec![false; self.side as usize * self.side as usize],
                    });
                    found.len() - 1
                });
                found[place].mask[i] = true;
            }
        }
        found.sort_by_key(|it| (it.category, it.concept));
        found
    }
}

impl SceneOptions {
    fn check(&self) -> Result<(), ImageError> {
        let wrong =
            |setting, value: String, rule: &str| Err(ImageError::Setting { setting, value, rule: rule.to_owned() });
        if !(8..=4096).contains(&self.side) {
            return wrong("the side of a scene", self.side.to_string(), "8 to 4096 pixels");
        }
        let (least, most) = self.objects;
        if least > most || most > 100 {
            return wrong("the number of objects", format!("{least} to {most}"), "a range within 0 to 100");
        }
        let (least, most) = self.radius;
        if !(least > 0.0 && least <= most && most <= 1.0) {
            return wrong("the radius of objects", format!("{least} to {most}"), "a range within 0 to 1, without 0");
        }
        if self.colours.is_empty() || self.shapes.is_empty() || self.textures.is_empty() {
            return wrong(
                "a list of colours, shapes or textures",
                "empty".to_owned(),
                "one with something to choose from",
            );
        }
        Ok(())
    }
}

fn pick<T: Copy>(rng: &mut ChaCha8Rng, from: &[T], otherwise: T) -> T {
    from.choose(rng).copied().unwrap_or(otherwise)
}

/// A texture of any of the allowed kinds: 4 to 16 pixels a period at 224 pixels a side, in any direction.
fn texture(rng: &mut ChaCha8Rng, options: &SceneOptions) -> Texture {
    let period = rng.random_range(4.0..16.0f32) * options.side as f32 / 224.0;
    Texture {
        kind: pick(rng, &options.textures, TextureKind::Plain),
        orientation: rng.random_range(0.0..std::f32::consts::PI),
        frequency: 1.0 / period.max(2.0),
        seed: rng.random(),
    }
}

/// The largest centre square of a picture at another size.
fn scaled(picture: &Picture, side: u32) -> Result<Picture, ImageError> {
    let preprocess = Preprocess::new(PreprocessSettings {
        fit: Fit::SquareThenResize(side),
        interpolation: Interpolation::Bilinear,
        antialias: true,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
    })?;
    preprocess.denormalise(&preprocess.apply(picture))
}
