//! There and back.

use super::*;

/// A dictionary of every architecture, of numbers that f32 has.
pub(super) fn small(architecture: Architecture, transcoder: bool, skip: bool) -> Dictionary {
    let numbers = |n: usize, seed: f32| (0..n).map(|i| ((i as f32 + seed) * 1.7).sin()).collect::<Vec<f32>>();
    let site = Part { site: "blocks.2.hook_resid_post".into(), width: 3 };
    let mut config = Config::autoencoder(architecture.clone(), site, 8);
    if transcoder {
        config.inputs[0].site = "blocks.2.ln2.hook_normalized".into();
        config.outputs[0].site = "blocks.2.hook_mlp_out".into();
        config.subtract_decoder_bias = false;
    }
    config.model = Some("gemma-2-2b".into());
    config.model_digest = Some("1234".into());
    config.skip_first = true;
    config.conversions = vec!["Something was changed.".into()];
    config.source = Some("elsewhere".into());
    config.training = Some(json!({ "steps": 1000, "lr": 1e-3 }));
    Dictionary {
        encoder: numbers(24, 0.1),
        encoder_bias: numbers(8, 0.5),
        decoder: numbers(24, 0.3),
        decoder_bias: numbers(3, 0.7),
        threshold: architecture.has_threshold().then(|| numbers(8, 0.9)),
        magnitude: (architecture == Architecture::Gated)
            .then(|| Magnitude { log_scale: numbers(8, 0.2), bias: numbers(8, 0.6) }),
        skip: skip.then(|| numbers(9, 0.4)),
        config,
    }
}

fn there_and_back(dictionary: &Dictionary, format: &str) -> Dictionary {
    let folder = tempfile::tempdir().unwrap();
    write(dictionary, Format::find(format).unwrap(), folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    one(folder.path())
}

fn architectures() -> [Architecture; 6] {
    [
        Architecture::Standard,
        Architecture::Gated,
        Architecture::TopK { k: 2 },
        Architecture::BatchTopK { k: 2 },
        Architecture::JumpRelu,
        Architecture::Matryoshka { k: 2, prefixes: vec![2, 8] },
    ]
}

#[test]
fn what_is_written_comes_back_bit_for_bit() {
    for architecture in architectures() {
        for normalisation in [Normalisation::None, Normalisation::RowNorm, Normalisation::LayerNorm] {
            let mut dictionary = small(architecture.clone(), false, false);
            dictionary.config.normalisation = normalisation;
            assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
            dictionary.config.subtract_decoder_bias = false;
            assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
        }
        let transcodes = architecture == Architecture::Standard || architecture.has_threshold();
        for skip in [false, true].into_iter().filter(|_| transcodes) {
            let dictionary = small(architecture.clone(), true, skip);
            assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
        }
    }
    for (transcoder, skip) in [(false, false), (false, true), (true, false), (true, true)] {
        let dictionary = small(Architecture::TopK { k: 2 }, transcoder, skip);
        assert_eq!(there_and_back(&dictionary, "sparsify"), dictionary);
    }
    // Without a layer of its own in the name, and with a site that is not TransformerLens'.
    let mut dictionary = small(Architecture::Standard, false, false);
    dictionary.config.inputs[0].site = "layer3.0.conv2".into();
    dictionary.config.outputs = dictionary.config.inputs.clone();
    assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
}

#[test]
fn what_was_imported_can_be_exported_and_imported_again() {
    for name in
        ["standard", "topk_by_norm", "matryoshka_training", "jumprelu_skip_transcoder", "v3_gated", "v3_finetuned"]
    {
        let dictionary = one(&reference(&format!("sae_lens/{name}")));
        assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary, "{name}");
    }
    let dictionary = one(&reference("sparsify/run/layers.3.mlp"));
    assert_eq!(there_and_back(&dictionary, "sparsify"), dictionary);
    let dictionary = one(&reference("llama_scope/Llama3_1-8B-Base-L15R-8x")).folded().unwrap();
    assert_eq!(there_and_back(&dictionary, "sae_lens"), dictionary);
}

#[test]
fn folding_a_scale_changes_nothing() {
    for architecture in architectures() {
        for subtract in [false, true] {
            let mut dictionary = small(architecture.clone(), false, !subtract);
            dictionary.config.subtract_decoder_bias = subtract;
            let output = if subtract { 1.5 } else { 0.75 };
            dictionary.config.normalisation = Normalisation::Scale { input: 1.5, output };
            let folded = dictionary.folded().unwrap();
            assert_eq!(folded.config.normalisation, Normalisation::None);
            let x: Vec<f32> = (0..30).map(|i| (i as f32 * 0.77).cos()).collect();
            let (before, after) = (dictionary.encode(&x).unwrap(), folded.encode(&x).unwrap());
            assert!(off(&dense(&before, 8), &dense(&after, 8)) < TOLERANCE);
            let (before, after) = (dictionary.decode(&before, &x).unwrap(), folded.decode(&after, &x).unwrap());
            assert!(off(&before, &after) < TOLERANCE);
        }
    }
    let mut apart = small(Architecture::Standard, false, false);
    apart.config.normalisation = Normalisation::Scale { input: 2.0, output: 3.0 };
    assert!(apart.folded().unwrap_err().to_string().contains("one bias"));
}

#[test]
fn what_a_form_cannot_say_is_refused_with_the_reason() {
    let why = |dictionary: &Dictionary, format: &str| {
        let folder = tempfile::tempdir().unwrap();
        let error = write(dictionary, Format::find(format).unwrap(), folder.path()).unwrap_err().to_string();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        error
    };
    let standard = small(Architecture::Standard, false, false);
    let top_k = small(Architecture::TopK { k: 2 }, false, false);
    let changed = |dictionary: &Dictionary, change: &dyn Fn(&mut Dictionary)| {
        let mut dictionary = dictionary.clone();
        change(&mut dictionary);
        dictionary
    };
    let scaled = |d: &mut Dictionary| d.config.normalisation = Normalisation::Scale { input: 2.0, output: 2.0 };
    let two = |d: &mut Dictionary| {
        d.config.subtract_decoder_bias = false;
        d.config.outputs.push(Part { site: "blocks.3.hook_resid_post".into(), width: 3 });
        d.decoder.extend(vec![0.5; 24]);
        d.decoder_bias.extend([0.5; 3]);
    };
    for (dictionary, format, expected) in [
        (changed(&standard, &scaled), "sae_lens", "fold it into the weights first"),
        (changed(&standard, &two), "sae_lens", "writes 2, where"),
        (small(Architecture::Standard, false, true), "sae_lens", "skip connections in transcoders only"),
        (small(Architecture::Gated, true, false), "sae_lens", "no transcoder of the architecture `gated`"),
        (
            changed(&small(Architecture::Standard, true, false), &|d| d.config.normalisation = Normalisation::RowNorm),
            "sae_lens",
            "does not undo",
        ),
        (changed(&standard, &|d| d.threshold = Some(vec![1.0; 8])), "sae_lens", "has a threshold"),
        (standard.clone(), "sparsify", "sparsify has TopK only"),
        (changed(&top_k, &scaled), "sparsify", "fold it into the weights first"),
        (changed(&top_k, &two), "sparsify", "writes 2, where"),
        (changed(&top_k, &|d| d.config.subtract_decoder_bias = false), "sparsify", "always subtracts"),
        (changed(&top_k, &|d| d.config.normalisation = Normalisation::LayerNorm), "sparsify", "does not normalise"),
        (standard.clone(), "gemma_scope", "cannot be written as gemma_scope; choose one of sae_lens, sparsify"),
        (changed(&standard, &|d| d.encoder[0] = f32::NAN), "sae_lens", "NaN"),
    ] {
        let error = why(&dictionary, format);
        assert!(error.contains(expected), "{error}");
    }
}
