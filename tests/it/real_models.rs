//! The real models against what reference implementations compute. The circuits that SmolLM2 is known to have are checked by
//! the example scripts, in `scripts.rs`.

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site, SitePattern};
use golgi_probes::generate::{GenerateOptions, generate};
use golgi_probes::intervention::{Edit, Edits, Intervention, Traces};
use golgi_probes::{Batch, Capture, ForwardOptions, Kind, NoTap, OpenModel, Tensor};
use serde_json::Value;

use crate::models::{MINILM, SMOLLM2, gemma};
use crate::parity::reference_folder;

fn reference(model: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(reference_folder("real_models.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[model].as_array().unwrap().clone()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn resid_norm(model: &OpenModel, tokens: &[u32], pos: i64) -> Vec<f64> {
    let patterns = ["*.hook_resid_pre", "*.hook_resid_post"].map(|p| SitePattern::new(p).unwrap());
    let mut capture = Capture::new(patterns.to_vec());
    model.model.forward(&Batch::single(tokens).unwrap(), &mut capture, ForwardOptions::default()).unwrap();
    let trace = capture.into_trace(vec![]).unwrap();
    let norm = |site: Site| trace.get(&site).unwrap().select(1, pos).norm().double_value(&[]);
    let after = (0..model.model.blocks.len()).map(|layer| norm(Site::block(layer as u32, BlockPoint::ResidPost)));
    std::iter::once(norm(Site::block(0, BlockPoint::ResidPre))).chain(after).collect()
}

fn close(found: f64, expected: f64, digits: f64) -> bool {
    // The reference is rounded to `digits`; beyond that, float32 in another order of summation.
    (found - expected).abs() <= digits + 2e-4 * expected.abs()
}

#[test]
fn smollm2_agrees_with_the_reference_implementation() {
    for case in reference("SmolLM2-135M-Instruct.Q4_1.gguf") {
        SMOLLM2.run(move |model| {
            let prompt = case["prompt"].as_str().unwrap();
            let tokens = model.encode(prompt).unwrap();
            assert_eq!(tokens, ids(&case["tokens"]), "{prompt:?}");
            let batch = Batch::single(&tokens).unwrap();
            let logits = model.model.forward(&batch, &mut NoTap, ForwardOptions::logits()).unwrap().unwrap();
            let logits = logits.squeeze_dim(0);
            let (values, indices) = logits.select(0, -1).topk(10, -1, true, true);
            let found = Vec::<f64>::try_from(values.to_kind(Kind::Double)).unwrap();
            let top: Vec<u32> = Vec::<i64>::try_from(indices).unwrap().into_iter().map(|id| id as u32).collect();
            assert_eq!(top, ids(&case["top_tokens"]), "{prompt:?}");
            for (found, expected) in found.iter().zip(numbers(&case["top_logits"])) {
                assert!(close(*found, expected, 1e-3), "{prompt:?}: logit {found} against {expected}");
            }
            let targets = Tensor::from_slice(&tokens[1..].iter().map(|id| i64::from(*id)).collect::<Vec<_>>());
            let loss =
                logits.narrow(0, 0, tokens.len() as i64 - 1).cross_entropy_for_logits(&targets).double_value(&[]);
            assert!(close(loss, case["mean_loss"].as_f64().unwrap(), 1e-4), "{prompt:?}: loss {loss}");
            let norms = resid_norm(model, &tokens, -1);
            for (layer, (found, expected)) in norms.iter().zip(numbers(&case["resid_norm_last"])).enumerate() {
                assert!(close(*found, expected, 1e-3), "{prompt:?}: residual {layer}: {found} against {expected}");
            }
        });
    }
}

#[test]
fn minilm_agrees_with_the_reference_implementation() {
    for case in reference("all-MiniLM-L6-v2") {
        MINILM.run(move |model| {
            let text = case["text"].as_str().unwrap();
            let tokens = model.encode(text).unwrap();
            assert_eq!(tokens, ids(&case["tokens"]), "{text:?}");
            let last = Site::block(5, BlockPoint::ResidPost);
            let mut capture = Capture::sites([&last]);
            model.model.forward(&Batch::single(&tokens).unwrap(), &mut capture, ForwardOptions::default()).unwrap();
            let trace = capture.into_trace(vec![]).unwrap();
            let mean = trace.get(&last).unwrap().mean_dim([0i64, 1].as_slice(), false, None::<Kind>);
            let unit = &mean / mean.norm();
            for (index, expected) in numbers(&case["embedding_first8"]).into_iter().enumerate() {
                let found = unit.double_value(&[index as i64]);
                assert!((found - expected).abs() < 2e-5, "{text:?}: {found} against {expected}");
            }
            for (found, expected) in resid_norm(model, &tokens, 0).iter().zip(numbers(&case["resid_norm_cls"])) {
                assert!(close(*found, expected, 1e-3), "{text:?}: {found} against {expected}");
            }
            let refused = model.model.forward(&Batch::single(&tokens).unwrap(), &mut NoTap, ForwardOptions::logits());
            assert!(refused.unwrap_err().to_string().contains("no unembedding"));
        });
    }
}

#[test]
fn an_intervention_that_changes_nothing_changes_no_bit_of_smollm2() {
    SMOLLM2.run(|model| {
        let batch = Batch::single(&model.encode("The capital of France is").unwrap()).unwrap();
        let plain = model.model.forward(&batch, &mut NoTap, ForwardOptions::logits()).unwrap().unwrap();
        let everywhere = [Intervention::new(SitePattern::new("*").unwrap(), Edit::Scale { factor: 1.0 })];
        let traces = Traces::new();
        let mut edits = Edits::new(&model.model, &everywhere, &traces).unwrap();
        let same = model.model.forward(&batch, &mut edits, ForwardOptions::logits()).unwrap().unwrap();
        assert!(same.equal(&plain));
    });
}

/// Continuations of `gemma3_270m.json` are compared where no step was a nearer tie than this, in nats.
const TIE: f64 = 0.01;

#[test]
fn gemma_continues_sentences_as_the_reference_does() {
    let Some(gemma) = gemma() else {
        eprintln!(
            "Gemma 3 270M is not installed, so it was not tried: `golgi models fetch gemma3-270m` after reading its terms"
        );
        return;
    };
    let text = std::fs::read_to_string(reference_folder("gemma3_270m.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.iter().filter(|case| case["gap"].as_f64().unwrap() > TIE).count() >= 5);
    gemma.run(move |model| {
        for case in cases {
            let prompt = case["prompt"].as_str().unwrap();
            let tokens = model.encode(prompt).unwrap();
            assert_eq!(tokens, ids(&case["tokens"]), "{prompt:?}");
            let batch = Batch::single(&tokens).unwrap();
            let logits = model.model.forward(&batch, &mut NoTap, ForwardOptions::logits()).unwrap().unwrap();
            let log_probs = logits.squeeze_dim(0).select(0, -1).log_softmax(-1, Kind::Double);
            for (id, expected) in ids(&case["top_tokens"]).into_iter().zip(numbers(&case["top_log_probs"])) {
                let found = log_probs.double_value(&[i64::from(id)]);
                assert!((found - expected).abs() < 2e-3, "{prompt:?}: token {id}: {found} against {expected}");
            }
            let options = GenerateOptions { max_tokens: 12, ..GenerateOptions::default() };
            let ctx = RunContext::new(0);
            let generation = generate(&model.model, &tokens, &options, &mut NoTap, &ctx, &mut |_| {}).unwrap();
            let text = model.tokenizer.as_ref().unwrap().decode(&generation.tokens());
            if case["gap"].as_f64().unwrap() > TIE {
                assert_eq!(generation.tokens(), ids(&case["continuation"]), "{prompt:?} is continued with {text:?}");
                assert_eq!(text, case["text"].as_str().unwrap(), "{prompt:?}");
            }
        }
    });
}
