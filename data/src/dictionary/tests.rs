use proptest::prelude::*;

use super::*;

fn small(architecture: Architecture) -> Dictionary {
    let site = Part { site: "blocks.1.hook_resid_post".into(), width: 3 };
    let numbers = |n: usize, seed: f32| (0..n).map(|i| ((i as f32 + seed) * 1.7).sin()).collect::<Vec<f32>>();
    let latents = 8;
    let magnitude = Magnitude { log_scale: numbers(latents, 0.2), bias: numbers(latents, 0.6) };
    Dictionary {
        encoder: numbers(latents * 3, 0.1),
        encoder_bias: numbers(latents, 0.5),
        decoder: numbers(latents * 3, 0.3),
        decoder_bias: numbers(3, 0.7),
        threshold: architecture.has_threshold().then(|| vec![0.4; latents]),
        magnitude: (architecture == Architecture::Gated).then_some(magnitude),
        ..Dictionary::empty(Config::autoencoder(architecture, site, latents as u32))
    }
}

fn all() -> Vec<Dictionary> {
    let matryoshka = Architecture::Matryoshka { k: 2, prefixes: vec![2, 8] };
    [
        Architecture::Standard,
        Architecture::Gated,
        Architecture::TopK { k: 2 },
        Architecture::BatchTopK { k: 2 },
        Architecture::JumpRelu,
        matryoshka,
    ]
    .map(small)
    .into()
}

#[test]
fn every_architecture_comes_back_from_disk() {
    for mut dictionary in all() {
        dictionary.config.normalisation = Normalisation::Scale { input: 0.5, output: 0.5 };
        dictionary.skip = Some(vec![0.25; 9]);
        let folder = tempfile::tempdir().unwrap();
        dictionary.write(folder.path()).unwrap();
        assert_eq!(Dictionary::read(folder.path()).unwrap(), dictionary);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

#[test]
fn normalisations_are_undone() {
    // A dictionary that reconstructs everything: two latents per dimension, one for each sign.
    let site = Part { site: "blocks.1.hook_resid_post".into(), width: 2 };
    let weights = vec![1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, -1.0];
    let mut dictionary = Dictionary {
        encoder: weights.clone(),
        encoder_bias: vec![0.0; 4],
        decoder: weights,
        decoder_bias: vec![0.5, -0.25],
        ..Dictionary::empty(Config::autoencoder(Architecture::Standard, site, 4))
    };
    let rows = [3.0, -4.0, 0.5, 2.0];
    let scale = Normalisation::Scale { input: 0.1, output: 0.1 };
    for normalisation in [Normalisation::None, scale, Normalisation::RowNorm, Normalisation::LayerNorm] {
        dictionary.config.normalisation = normalisation;
        let codes = dictionary.encode(&rows).unwrap();
        for (found, expected) in dictionary.decode(&codes, &rows).unwrap().iter().zip(rows) {
            assert!((found - expected).abs() < 1e-5, "{normalisation:?}: {found} against {expected}");
        }
    }
}

#[test]
fn a_gate_decides_and_the_magnitude_counts() {
    let dictionary = small(Architecture::Gated);
    let row = [0.3, -1.0, 2.0];
    let codes = dictionary.encode(&row).unwrap();
    let magnitude = dictionary.magnitude.clone().unwrap();
    let mut expected = Vec::new();
    for latent in 0..8 {
        let projection: f32 =
            (0..3).map(|d| (row[d] - dictionary.decoder_bias[d]) * dictionary.encoder[latent * 3 + d]).sum();
        let value = magnitude.log_scale[latent].exp() * projection + magnitude.bias[latent];
        if projection + dictionary.encoder_bias[latent] > 0.0 && value > 0.0 {
            expected.push((latent as u32, value));
        }
    }
    assert!(!expected.is_empty() && expected.len() < 8);
    assert_eq!(codes.row(0).0, expected.iter().map(|one| one.0).collect::<Vec<_>>());
    for (found, (_, expected)) in codes.row(0).1.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5);
    }
}

#[test]
fn ties_go_to_the_lower_latent() {
    let site = Part { site: "x".into(), width: 1 };
    let dictionary = Dictionary {
        encoder: vec![1.0; 4],
        encoder_bias: vec![0.0; 4],
        decoder: vec![1.0; 4],
        decoder_bias: vec![0.0],
        ..Dictionary::empty(Config::autoencoder(Architecture::TopK { k: 2 }, site, 4))
    };
    assert_eq!(dictionary.encode(&[3.0]).unwrap().row(0).0, [0, 1]);
    // Nothing below 0 is kept, however few there are.
    assert!(dictionary.encode(&[-3.0]).unwrap().row(0).0.is_empty());
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let message = |change: &dyn Fn(&mut Dictionary)| {
        let mut dictionary = small(Architecture::BatchTopK { k: 2 });
        change(&mut dictionary);
        dictionary.check().unwrap_err().to_string()
    };
    for (change, expected) in [
        (&|d: &mut Dictionary| d.encoder[3] = f32::NAN, "W_enc holds NaN at 3"),
        (&|d: &mut Dictionary| d.encoder_bias.truncate(2), "b_enc has 2 numbers"),
        (&|d: &mut Dictionary| d.threshold = None, "threshold is missing"),
        (&|d: &mut Dictionary| d.config.architecture = Architecture::TopK { k: 9 }, "k is 9, but it has 8 latents"),
        (&|d: &mut Dictionary| d.config.inputs[0].width = 0, "inputs have 1 sites and 0 dimensions"),
        (&|d: &mut Dictionary| d.config.outputs[0].site = "y".into(), "subtracts the decoder's bias"),
        (
            &|d: &mut Dictionary| d.config.architecture = Architecture::Matryoshka { k: 1, prefixes: vec![4, 4, 8] },
            "do not ascend",
        ),
    ] as [(&dyn Fn(&mut Dictionary), &str); 7]
    {
        let message = message(change);
        assert!(message.contains(expected), "{message}");
    }
    let dictionary = small(Architecture::Standard);
    assert!(dictionary.encode(&[1.0; 4]).unwrap_err().to_string().contains("not rows of 3"));
    let mut codes = Codes::default();
    codes.push([(8, 1.0)]);
    assert!(dictionary.decode(&codes, &[0.0; 3]).unwrap_err().to_string().contains("latent 8"));
}

#[test]
fn folders_from_strangers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let read = || Dictionary::read(folder.path()).unwrap_err().to_string();
    assert!(read().contains("has no `dictionary.json`"));
    std::fs::write(folder.path().join(CONFIG), "{\"schema\": \"golgi.dictionary/9\"}").unwrap();
    assert!(read().contains("this version reads `golgi.dictionary/1`"), "{}", read());
    let dictionary = small(Architecture::Standard);
    dictionary.write(folder.path()).unwrap();
    let text = std::fs::read_to_string(folder.path().join(CONFIG)).unwrap();
    std::fs::write(folder.path().join(CONFIG), text.replace("\"latents\": 8", "\"latents\": 9")).unwrap();
    assert!(read().contains("shape"), "{}", read());
    std::fs::write(folder.path().join(CONFIG), text.replace("\"latents\": 8", "\"latents\": 8, \"evil\": 1")).unwrap();
    assert!(read().contains("evil"), "{}", read());
}

proptest! {
    #[test]
    fn any_bytes_as_configuration_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(CONFIG), bytes).unwrap();
        prop_assert!(Dictionary::read(folder.path()).is_err());
    }
}
