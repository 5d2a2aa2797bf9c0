//! EfficientNet-Lite0 on photographs.

use golgi_analysis::visualise::{Settings, Target, Verdict, percentile, real_values, visualise};
use golgi_data::context::RunContext;
use golgi_data::images::{ImageSet, Picture, starter_folder};
use golgi_data::models::{Resolver, home};
use golgi_probes::OpenOptions;
use golgi_probes::vision::{self, OpenVision};
use serde_json::Value;

use crate::parity::reference_folder;

fn efficientnet() -> OpenVision {
    vision::open("efficientnet-lite0", &Resolver::default(), &OpenOptions::default(), &RunContext::new(0)).unwrap()
}

#[test]
fn photographs_get_the_classes_and_logits_of_the_reference() {
    let open = efficientnet();
    let text = std::fs::read_to_string(reference_folder("real_models.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let cases = all["efficientnet-lite0"]["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let name = case["photo"].as_str().unwrap().rsplit('.').next().unwrap();
        let folder = starter_folder(&home()).join("photographs");
        let file = ["png", "jpg"].map(|ending| folder.join(format!("{name}.{ending}")));
        let file = file.iter().find(|file| file.exists()).expect("the starter images: run `cargo xtask setup`");
        let scores = open.classify(&Picture::read(file).unwrap(), 5).unwrap();
        // Decoders of JPEG differ by a step of 255 here and there.
        let tolerance = if file.extension().unwrap() == "jpg" { 0.02 } else { 5e-4 };
        for (score, (class, logit)) in scores
            .iter()
            .zip(case["top_classes"].as_array().unwrap().iter().zip(case["top_logits"].as_array().unwrap()))
        {
            assert_eq!(score.index as u64, class.as_u64().unwrap(), "{name}");
            let difference = (f64::from(score.logit) - logit.as_f64().unwrap()).abs();
            assert!(difference < tolerance, "{name}, {}: {difference}", score.name);
        }
    }
    assert_eq!(open.class(285), "Egyptian cat");
}

#[test]
fn an_optimised_image_excites_its_channel_more_than_real_pictures() {
    let open = efficientnet();
    let target = Target::units(&["_conv_head:12".parse().unwrap(), "_conv_head:77".parse().unwrap()]).unwrap();
    let settings = Settings { steps: 24, size: 96, ..Settings::default() };
    let ctx = RunContext::new(0);
    let found = visualise(&open, &target, &settings, &ctx).unwrap();
    let set = ImageSet::open("starter").unwrap();
    let real = real_values(&open, &target, &set, 48, &ctx).unwrap();
    assert_eq!((real.pictures.len(), real.report.bad), (48, 0));
    for (row, image) in found.iter().enumerate() {
        assert_eq!(image.verdict, Verdict::Converged);
        assert!(percentile(&real.values[row], image.value) > 95.0, "{} {:?}", image.value, real.best(row));
    }
    // Without anything learned the same unit rises less.
    let shuffled = visualise(&open.twin(0).unwrap(), &target, &settings, &ctx).unwrap();
    for (twin, image) in shuffled.iter().zip(&found) {
        assert!(twin.value < image.value, "{} {}", twin.value, image.value);
    }
}
