//! Against PyTorch's own results, see `assets/reference/images/make_images.py`.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    width: u32,
    height: u32,
    settings: PreprocessSettings,
    stride: usize,
    values: Vec<f32>,
}

fn planted(width: u32, height: u32) -> Picture {
    let value = |x: u32, y: u32, c: u32| ((7 * x + 13 * y + 50 * c + 3 * ((x * y) % 31)) % 256) as u8;
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let rgb = pixels.flat_map(|(x, y)| [value(x, y, 0), value(x, y, 1), value(x, y, 2)]).collect();
    Picture::new(width, height, rgb).unwrap()
}

#[test]
fn inputs_are_those_of_pytorch() {
    let text = include_str!("../../../assets/reference/images/preprocess.json");
    let reference: Reference = serde_json::from_str(text).unwrap();
    assert_eq!(reference.cases.len(), 11);
    for case in reference.cases {
        let preprocess = Preprocess::new(case.settings).unwrap();
        let input = preprocess.apply(&planted(case.width, case.height));
        let found: Vec<f32> = input.iter().copied().step_by(case.stride).collect();
        assert_eq!(found.len(), case.values.len());
        let pairs = found.iter().zip(&case.values);
        let worst = pairs.map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{}×{} {:?}: {worst}", case.width, case.height, case.settings);
    }
}

#[test]
fn presets_are_those_of_the_reference() {
    let text = include_str!("../../../assets/reference/images/preprocess.json");
    let reference: Reference = serde_json::from_str(text).unwrap();
    assert_eq!(*Preprocess::imagenet(224).unwrap().settings(), reference.cases[0].settings);
    assert_eq!(*Preprocess::efficientnet_lite(224).unwrap().settings(), reference.cases[4].settings);
}

#[test]
fn an_input_is_turned_back_into_its_picture() {
    let picture = planted(20, 20);
    let settings = *Preprocess::imagenet(20).unwrap().settings();
    for fit in [Fit::Stretch(20), Fit::SquareThenResize(20), Fit::ResizeThenCrop { resize: 20, crop: 20 }] {
        let preprocess = Preprocess::new(PreprocessSettings { fit, ..settings }).unwrap();
        assert_eq!(preprocess.denormalise(&preprocess.apply(&picture)).unwrap(), picture);
        assert_eq!(preprocess.region(&picture), [0.0, 0.0, 20.0, 20.0]);
        assert!(preprocess.denormalise(&[0.0; 7]).unwrap_err().to_string().contains("1200"));
        let odd = preprocess.denormalise(&[f32::NAN; 1200]).unwrap();
        assert_eq!(odd.pixel(0, 0), Some([0; 3]));
    }
}

#[test]
fn the_region_shown_is_at_the_centre() {
    let picture = planted(100, 50);
    let region = |fit| {
        let settings = PreprocessSettings { fit, ..*Preprocess::imagenet(8).unwrap().settings() };
        Preprocess::new(settings).unwrap().region(&picture)
    };
    assert_eq!(region(Fit::Stretch(10)), [0.0, 0.0, 100.0, 50.0]);
    assert_eq!(region(Fit::SquareThenResize(10)), [25.0, 0.0, 50.0, 50.0]);
    assert_eq!(region(Fit::ResizeThenCrop { resize: 10, crop: 8 }), [30.0, 5.0, 40.0, 40.0]);
}

#[test]
fn settings_are_checked_also_in_files() {
    let good = *Preprocess::imagenet(224).unwrap().settings();
    let bad = [
        PreprocessSettings { fit: Fit::Stretch(0), ..good },
        PreprocessSettings { fit: Fit::ResizeThenCrop { resize: 10, crop: 11 }, ..good },
        PreprocessSettings { scale: 0.0, ..good },
        PreprocessSettings { mean: [0.0, f32::NAN, 0.0], ..good },
        PreprocessSettings { std: [1.0, 1.0, 0.0], ..good },
    ];
    for settings in bad {
        let message = Preprocess::new(settings).unwrap_err().to_string();
        assert!(message.contains("must be"), "{message}");
    }
    assert!(Preprocess::imagenet(0).is_err() && Preprocess::imagenet(u32::MAX).is_err());
    let text = serde_json::to_string(&Preprocess::new(good).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Preprocess>(&text).unwrap(), Preprocess::new(good).unwrap());
    assert!(serde_json::from_str::<Preprocess>(&text.replace("\"crop\":224", "\"crop\":0")).is_err());
}

#[test]
fn pictures_of_any_proportion_have_an_input() {
    for (width, height) in [(1, 1), (1, 65_535), (65_535, 1), (3, 1000)] {
        let picture = Picture::new(width, height, vec![127; (width * height * 3) as usize]).unwrap();
        for preprocess in [Preprocess::imagenet(32).unwrap(), Preprocess::efficientnet_lite(32).unwrap()] {
            let input = preprocess.apply(&picture);
            assert!(input.iter().all(|value| value.is_finite() && value.abs() < 1.0));
        }
    }
}
