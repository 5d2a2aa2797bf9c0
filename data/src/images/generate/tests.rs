//! Planted truth must be true.

use std::f32::consts::{FRAC_PI_2, PI};

use super::*;
use crate::context::RunContext;
use crate::images::{ImageSet, LABELS, LabelMap, MaskLabels, Picture};

fn texture(kind: TextureKind, orientation: f32, frequency: f32) -> Texture {
    Texture { kind, orientation, frequency, seed: 5 }
}

#[test]
fn stripes_have_their_orientation_and_frequency() {
    // The Fourier sum is largest at the planted frequency, in the planted direction.
    let side = 64;
    for (orientation, frequency) in [(0.0, 4.0 / 64.0), (FRAC_PI_2, 8.0 / 64.0)] {
        let stripes = texture(TextureKind::Stripes, orientation, frequency);
        let power = |fx: f32, fy: f32| {
            let (mut re, mut im) = (0.0, 0.0);
            for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
                let phase = 2.0 * PI * (fx * x as f32 + fy * y as f32);
                re += (stripes.value(x, y) - 0.5) * phase.cos();
                im += (stripes.value(x, y) - 0.5) * phase.sin();
            }
            re.hypot(im) / (side * side) as f32
        };
        let (sin, cos) = orientation.sin_cos();
        assert!((power(frequency * cos, frequency * sin) - 0.25).abs() < 1e-3);
        assert!(power(frequency * sin, frequency * cos) < 1e-3);
        assert!(power(2.0 * frequency * cos, 2.0 * frequency * sin) < 1e-3);
    }
}

#[test]
fn textures_have_their_shares() {
    let mean = |texture: Texture| {
        let pixels = (0..160).flat_map(|y| (0..160).map(move |x| (x, y)));
        pixels.map(|(x, y)| texture.value(x, y)).sum::<f32>() / 25_600.0
    };
    assert_eq!(mean(Texture::PLAIN), 1.0);
    assert!((mean(texture(TextureKind::Checker, 0.0, 0.1)) - 0.5).abs() < 1e-3);
    assert!((mean(texture(TextureKind::Dots, 0.0, 0.05)) - PI * 0.09).abs() < 0.02);
    assert!((mean(texture(TextureKind::Noise, 0.0, 0.0)) - 0.5).abs() < 0.01);
    assert_ne!(texture(TextureKind::Noise, 0.0, 0.0).value(1, 2), texture(TextureKind::Noise, 0.0, 0.0).value(2, 1));
}

#[test]
fn shapes_have_their_areas() {
    let area = |shape: Shape| {
        let points = (-500..500).flat_map(|y| (-500..500).map(move |x| (x as f32 / 450.0, y as f32 / 450.0)));
        points.filter(|(x, y)| shape.contains(*x, *y)).count() as f32 / (450.0 * 450.0)
    };
    let expected = [1.6 * 1.6, PI * 0.81, 3.0 * 3.0f32.sqrt() / 4.0, 2.0 * 1.8 * 0.6 - 0.36];
    for (shape, expected) in Shape::ALL.into_iter().zip(expected) {
        assert!((area(shape) - expected).abs() < 0.02, "{shape:?}: {} where {expected} belongs", area(shape));
    }
}

#[test]
fn masks_agree_with_the_pixels() {
    // Without textures the colour of every pixel tells which object is there.
    let options = SceneOptions { side: 96, textures: vec![TextureKind::Plain], ..SceneOptions::default() };
    for seed in 0..10 {
        let (picture, concepts) = Scene::generate(seed, &options).unwrap();
        for colour in Colour::ALL {
            let pixels = picture.rgb().chunks_exact(3).map(|pixel| pixel == colour.rgb());
            let mask = concepts.iter().find(|it| it.concept == colour.name()).map(|it| it.mask.clone());
            assert_eq!(pixels.collect::<Vec<_>>(), mask.unwrap_or(vec![false; 96 * 96]), "{seed} {colour:?}");
        }
        // Every pixel has exactly one texture here, and a shape where it has a colour.
        let count =
            |category: &str| concepts.iter().filter(|it| it.category == category).map(ConceptMask::pixels).sum();
        let [colour, shape, texture]: [usize; 3] = CATEGORIES.map(count);
        assert_eq!((colour, texture), (shape, 96 * 96));
    }
}

#[test]
fn the_object_in_front_counts() {
    let object = |shape, colour| Object {
        shape,
        colour,
        texture: Texture::PLAIN,
        centre: [16.0, 16.0],
        radius: 10.0,
        turn: 0.0,
    };
    let photograph = Picture::new(50, 40, vec![33; 6000]).unwrap();
    let objects = vec![object(Shape::Square, Colour::Red), object(Shape::Cross, Colour::Blue)];
    let scene = Scene { side: 32, ground: Ground::Photograph(photograph), objects };
    let picture = scene.draw().unwrap();
    let pixel = |x, y| picture.pixel(x, y).unwrap();
    assert_eq!((pixel(16, 16), pixel(10, 10), pixel(1, 1)), (Colour::Blue.rgb(), Colour::Red.rgb(), [33; 3]));
    let concepts = scene.concepts();
    let names: Vec<_> = concepts.iter().map(|it| (it.category, it.concept)).collect();
    let expected =
        [("colour", "blue"), ("colour", "red"), ("shape", "cross"), ("shape", "square"), ("texture", "plain")];
    assert_eq!(names, expected);
    assert_eq!(concepts[0].mask, concepts[2].mask);
}

#[test]
fn options_without_sense_are_refused() {
    let good = SceneOptions::default();
    for bad in [
        SceneOptions { side: 0, ..good.clone() },
        SceneOptions { objects: (3, 2), ..good.clone() },
        SceneOptions { radius: (0.0, 0.1), ..good.clone() },
        SceneOptions { radius: (0.1, f32::NAN), ..good.clone() },
        SceneOptions { shapes: vec![], ..good.clone() },
    ] {
        assert!(Scene::generate(0, &bad).unwrap_err().to_string().contains("must be"));
    }
    assert!(Scene::generate(0, &SceneOptions { radius: (1.0, 1.0), side: 8, ..good }).is_ok());
}

#[test]
fn a_written_set_is_read_back_with_its_truth() {
    let (folder, ctx) = (tempfile::tempdir().unwrap(), RunContext::new(0));
    let photographs = vec![Picture::new(90, 60, vec![120; 16_200]).unwrap()];
    let options = SceneOptions { side: 48, photographs, ..SceneOptions::default() };
    write_set(folder.path(), 12, 40, &options, &ctx).unwrap();
    let set = ImageSet::open(&folder.path().to_string_lossy()).unwrap();
    assert_eq!((set.len(), set.notes().len()), (12, 0));
    assert!(set.labels().is_ok() && set.classes().iter().all(|class| Shape::ALL.iter().any(|it| it.name() == class)));
    let labels = MaskLabels::read(&folder.path().join(LABELS)).unwrap();
    assert_eq!(labels.categories, CATEGORIES);
    assert_eq!(labels.concepts("shape"), ["circle", "cross", "square", "triangle"]);
    for (i, entry) in set.entries().iter().enumerate() {
        let (picture, concepts) = Scene::generate(40 + i as u64, &options).unwrap();
        let mask = entry.mask.as_deref().unwrap();
        assert_eq!(MaskLabels::beside(mask), Some(folder.path().join(LABELS)));
        let map = LabelMap::read(mask).unwrap();
        map.check_fits(&picture, "mask").unwrap();
        assert_eq!(set.load(i).unwrap().picture, picture);
        assert!(map.counts().iter().all(|(value, _)| labels.get(*value).is_some()));
        for concept in concepts {
            assert_eq!(labels.mask(&map, concept.category, concept.concept), concept.mask);
        }
    }
    assert!(write_set(folder.path(), 0, 0, &options, &ctx).is_err());
    ctx.cancel();
    assert!(write_set(folder.path(), 1, 0, &options, &ctx).is_err());
}
