//! Latents of a dictionary as units, beside what the dictionary itself says of captured activations.

use golgi_data::atlas::{Atlas, UnitKind};
use golgi_data::context::RunContext;
use golgi_data::corpus::{ContextOptions, batches, contexts};
use golgi_data::dictionary::{Architecture, Config, Dictionary, Part};
use golgi_data::site::{BlockPoint, Site};
use golgi_data::unit::Unit;
use golgi_probes::{Batch, Capture, ForwardOptions, OpenModel, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{corpus, options};
use crate::atlas::weights::written;
use crate::atlas::{BuildOptions, Subject, build, estimate};
use crate::distribution::floats;
use crate::testing::{Family, random};

const LATENTS: usize = 70;

fn site() -> Site {
    Site::block(1, BlockPoint::ResidPost)
}

/// A TopK dictionary of random numbers; latent 3 writes what neuron 5 of layer 0 writes.
fn dictionary(model: &OpenModel, seed: u64) -> Dictionary {
    let d = model.model.dims.d_model;
    let part = Part { site: site().to_string(), width: d as u32 };
    let config = Config::autoencoder(Architecture::TopK { k: 3 }, part, LATENTS as u32);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let mut dictionary = Dictionary {
        encoder: numbers(LATENTS * d),
        encoder_bias: numbers(LATENTS),
        decoder: numbers(LATENTS * d),
        decoder_bias: numbers(d),
        ..Dictionary::empty(config)
    };
    let neurons = floats(&written(model, 0).unwrap()).unwrap();
    dictionary.decoder[3 * d..4 * d].copy_from_slice(&neurons[5 * d..6 * d]);
    dictionary
}

/// What every latent is at every counted token, `[tokens][latents]`, by the dictionary's own plain encoder.
fn plainly(model: &OpenModel, dictionary: &Dictionary) -> Vec<Vec<f32>> {
    let corpus = corpus(60, 2);
    let wanted = ContextOptions { len: 16, tokens: 900, split: None, bos: None };
    let mut contexts = contexts(&corpus, &wanted);
    contexts.retain(|context| context.len > 1);
    let mut all = Vec::new();
    for numbers in batches(&contexts, options().batch_tokens) {
        let tokens: Vec<i64> = numbers
            .iter()
            .flat_map(|number| corpus.context_tokens(&contexts[*number as usize]))
            .map(|id| i64::from(*id))
            .collect();
        let len = tokens.len() / numbers.len();
        let ids = Tensor::from_slice(&tokens).view([numbers.len() as i64, -1]);
        let mut capture = Capture::sites([&site()]);
        model.model.forward(&Batch::from_tensors(ids, None), &mut capture, ForwardOptions::default()).unwrap();
        let trace = capture.into_trace(Vec::new()).unwrap();
        let rows = floats(trace.sites.values().next().unwrap()).unwrap();
        let codes = dictionary.encode(&rows).unwrap();
        for row in (0..codes.len()).filter(|row| row % len > 0) {
            let mut dense = vec![0.0; LATENTS];
            let (latents, values) = codes.row(row);
            latents.iter().zip(values).for_each(|(latent, value)| dense[*latent as usize] = *value);
            all.push(dense);
        }
    }
    all
}

#[test]
fn latents_are_units_like_any_others() {
    let (model, folder) = (random(Family::Llama, 3), tempfile::tempdir().unwrap());
    let dictionary = dictionary(&model, 1);
    let subject = Subject::from(&model).with(dictionary.clone(), "runs/one").unwrap();
    let expected = estimate(subject.clone(), &corpus(60, 2), &options(), &RunContext::new(0)).unwrap();
    // Stopped in the middle, and gone on with.
    let stopped = RunContext::new(0);
    stopped.cancel_at(500);
    assert!(build(subject.clone(), &corpus(60, 2), &options(), folder.path(), &stopped).unwrap_err().is_cancelled());
    let manifest = build(subject, &corpus(60, 2), &options(), folder.path(), &RunContext::new(0)).unwrap();
    assert_eq!(manifest.dictionaries[0].digest, dictionary.digest());
    assert_eq!(u64::from(manifest.units()), expected.units);
    let kinds: Vec<UnitKind> = manifest.groups.iter().map(|group| group.kind).collect();
    assert!(kinds.is_sorted() && manifest.units() == 75 + LATENTS as u32, "{kinds:?}");
    assert!(manifest.active_rule.contains("latents: above 0"));

    let atlas = Atlas::open(folder.path()).unwrap();
    let truth = plainly(&model, &dictionary);
    let mut promoted = 0;
    for index in 0..LATENTS {
        let unit = Unit::latent(1, index as u32);
        let page = atlas.page(manifest.id_of(&unit).unwrap()).unwrap();
        assert_eq!((page.kind, page.short.clone()), ("latent", format!("L1F{index}")));
        let own: Vec<f64> = truth.iter().map(|row| f64::from(row[index])).collect();
        let n = own.len() as f64;
        assert_eq!(page.statistic("count"), Some(n));
        let (mean, active) = (own.iter().sum::<f64>() / n, own.iter().filter(|x| **x > 0.0).count() as f64 / n);
        assert!((page.statistic("mean").unwrap() - mean).abs() < 1e-5);
        assert!((page.statistic("frac_active").unwrap() - active).abs() < 1e-6);
        let max = own.iter().copied().fold(0.0, f64::max);
        assert!((page.statistic("max").unwrap() - max).abs() < 1e-4 * max.max(1.0));
        // The weakest band that can hold an active token does hold only active ones.
        for example in page.examples.iter().filter(|example| example.band == 1) {
            assert!(example.value > 0.0, "{index}: {example:?}");
        }
        promoted += page.promoted.len();
        let norm = |row: &[f32]| row.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
        assert!((page.statistic("norm_out").unwrap() - norm(dictionary.writes(index))).abs() < 1e-4);
    }
    assert_eq!(promoted, 10 * LATENTS);
    let page = atlas.page(manifest.id_of(&Unit::latent(1, 3)).unwrap()).unwrap();
    let nearest = &page.nearest_by_weights[0];
    assert_eq!(nearest.unit, Unit::neuron(0, 5));
    assert!(nearest.value > 0.9999, "{nearest:?}");
}

#[test]
fn an_atlas_of_latents_alone() {
    let (model, folder) = (random(Family::Gpt2, 3), tempfile::tempdir().unwrap());
    let subject = Subject::from(&model).with(dictionary(&model, 2), "one").unwrap();
    let only = BuildOptions { neurons: false, heads: false, residual: false, ..options() };
    let none = build(&model, &corpus(60, 2), &only, folder.path(), &RunContext::new(0)).unwrap_err();
    assert!(none.to_string().contains("nothing is left to describe"), "{none}");
    let folder = tempfile::tempdir().unwrap();
    let manifest = build(subject, &corpus(60, 2), &only, folder.path(), &RunContext::new(0)).unwrap();
    assert_eq!(manifest.units() as usize, LATENTS);
    let page = Atlas::open(folder.path()).unwrap().page(3).unwrap();
    assert!(page.nearest_by_weights.iter().all(|near| near.unit.site == site().latents()));
    assert_eq!(page.promoted.len(), 10);
    // Another dictionary of the same form is another atlas.
    let other = Subject::from(&model).with(dictionary(&model, 9), "two").unwrap();
    let error = build(other, &corpus(60, 2), &only, folder.path(), &RunContext::new(0)).unwrap_err();
    assert!(error.to_string().contains("dictionaries"), "{error}");
}

#[test]
fn dictionaries_of_other_places_are_refused() {
    let model = random(Family::Gpt2, 3);
    let refused = |change: &dyn Fn(&mut Dictionary)| {
        let mut own = dictionary(&model, 1);
        change(&mut own);
        Subject::from(&model).with(own, "runs/one").unwrap_err().to_string()
    };
    assert!(refused(&|own| own.config.inputs[0].width = 5).contains("reads 5 numbers at blocks.1.hook_resid_post"));
    assert!(refused(&|own| own.config.inputs[0].site = "blocks.9.hook_resid_post".into()).contains("has no site"));
    assert!(refused(&|own| own.config.inputs[0].site = "blocks.1.attn.hook_pattern".into()).contains("has no site"));
    assert!(refused(&|own| own.config.inputs.push(own.config.inputs[0].clone())).contains("several sites"));
    assert!(refused(&|own| own.decoder[0] = f32::NAN).contains("runs/one"));
    let one = Subject::from(&model).with(dictionary(&model, 1), "one").unwrap();
    let error = one.with(dictionary(&model, 2), "two").unwrap_err().to_string();
    assert!(error.contains("there is a dictionary of blocks.1.hook_resid_post already"), "{error}");
}
