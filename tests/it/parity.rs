//! Every family against the reference implementation, site by site.
//!
//! The folders of `assets/reference/` hold tiny models with random weights and the activations that PyTorch and
//! transformers computed for them (`make_reference.py` there).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use golgi_data::context::RunContext;
use golgi_data::site::{Site, SitePattern};
use golgi_data::weights::Weights;
use golgi_probes::arch::{FAMILIES, recognise};
use golgi_probes::layers::Loader;
use golgi_probes::{Batch, Capture, Device, ForwardOptions, Kind, NoTap, Tensor, Transformer};

/// Agreement asked for in f32: largest absolute difference.
const TOLERANCE: f64 = 5e-5;

pub fn reference_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/reference").join(name)
}

pub fn reference_names() -> Vec<String> {
    let entries = std::fs::read_dir(reference_folder("")).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("expected.safetensors").exists());
    let mut names: Vec<String> = folders.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn tiny(name: &str, kind: Kind) -> Transformer {
    let folder = reference_folder(name);
    let config = serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    let weights = Weights::open(&folder.join("model.safetensors")).unwrap();
    let ctx = RunContext::new(0);
    (recognise(&config).unwrap().build)(&config, &Loader::new(&weights, &ctx, kind, Device::Cpu)).unwrap()
}

pub fn reference_tokens(name: &str) -> Tensor {
    let expected = Weights::open(&reference_folder(name).join("expected.safetensors")).unwrap();
    let shape: Vec<i64> = expected.info("tokens").unwrap().shape.iter().map(|n| *n as i64).collect();
    Tensor::from_slice(&expected.read_i64("tokens").unwrap()).view(shape.as_slice())
}

fn everything() -> Vec<SitePattern> {
    vec![SitePattern::new("*").unwrap()]
}

#[test]
fn every_stored_site_agrees_with_the_reference() {
    let mut families = BTreeSet::new();
    for name in reference_names() {
        let model = tiny(&name, Kind::Float);
        families.insert(model.family);
        let expected = Weights::open(&reference_folder(&name).join("expected.safetensors")).unwrap();
        let mut capture = Capture::new(everything());
        let batch = Batch::from_tensors(reference_tokens(&name), None);
        model.forward(&batch, &mut capture, ForwardOptions::logits()).unwrap();
        let trace = capture.into_trace(Vec::new()).unwrap();
        let mut compared = 0;
        for site_name in expected.names().filter(|site| *site != "tokens") {
            let site: Site = site_name.parse().unwrap();
            let ours = trace.get(&site).unwrap();
            let info = expected.info(site_name).unwrap();
            let theirs = Tensor::from_slice(&expected.read_f32(site_name).unwrap());
            let shape: Vec<usize> = ours.size().iter().map(|n| *n as usize).collect();
            // The reference OPT flattens batch and position inside its MLP.
            let flattened = [vec![shape[0] * shape[1]], shape[2..].to_vec()].concat();
            assert!(info.shape == shape || (model.family == "opt" && info.shape == flattened), "{name}: {site_name}");
            let difference = (ours.reshape([-1]) - theirs).abs().max().double_value(&[]);
            assert!(difference < TOLERANCE, "{name}: {site_name} differs by {difference:e}");
            compared += 1;
        }
        assert!(compared >= 14, "{name}: only {compared} sites were compared");
    }
    // CLIP's text tower predicts no tokens; it is compared in `vision/transformers.rs`.
    families.insert("clip_text");
    let registered: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(families, registered, "every registered family needs a reference");
}

#[test]
fn a_pass_visits_exactly_the_sites_that_the_model_lists_with_the_shapes_it_promises() {
    for name in reference_names() {
        let model = tiny(&name, Kind::Float);
        let batch = Batch::from_tensors(reference_tokens(&name), None);
        let (rows, pos) = batch.shape();
        let mut capture = Capture::new(everything());
        model.forward(&batch, &mut capture, ForwardOptions::default()).unwrap();
        let trace = capture.into_trace(Vec::new()).unwrap();
        let listed = model.sites();
        assert_eq!(trace.sites.len(), listed.len(), "{name}");
        for spec in listed {
            let shape: Vec<i64> =
                spec.shape(&model.dims, rows as usize, pos as usize).iter().map(|n| *n as i64).collect();
            assert_eq!(trace.get(&spec.site).unwrap().size(), shape, "{name}: {}", spec.site);
        }
    }
}

#[test]
fn contributions_add_up_to_the_residual_stream() {
    for name in reference_names() {
        let model = tiny(&name, Kind::Float);
        let mut capture = Capture::new(everything());
        let batch = Batch::from_tensors(reference_tokens(&name), None);
        model.forward(&batch, &mut capture, ForwardOptions::default()).unwrap();
        let trace = capture.into_trace(Vec::new()).unwrap();
        let at = |site: &str| trace.get(&site.parse().unwrap()).unwrap().shallow_clone();
        for (layer, block) in model.blocks.iter().enumerate() {
            let at = |point: &str| at(&format!("blocks.{layer}.{point}"));
            let results = at("attn.hook_result").sum_dim_intlist(-2, false, None::<Kind>);
            let heads = match &block.attn.o.bias {
                Some(bias) => results + bias,
                None => results,
            };
            let normed = matches!(block.layout, golgi_probes::transformer::Layout::Sandwich { .. });
            if !normed {
                assert!(heads.allclose(&at("hook_attn_out"), 1e-4, 1e-5, false), "{name}: heads of layer {layer}");
            }
            if matches!(block.layout, golgi_probes::transformer::Layout::PostNorm) {
                continue;
            }
            let sum = at("hook_resid_pre") + at("hook_attn_out") + at("hook_mlp_out");
            assert!(sum.allclose(&at("hook_resid_post"), 1e-4, 1e-5, false), "{name}: layer {layer}");
        }
    }
}

#[test]
fn padding_on_either_side_and_batching_change_nothing() {
    for name in reference_names() {
        let model = tiny(&name, Kind::Float);
        let (long, short): (Vec<u32>, Vec<u32>) = ((4..15).collect(), (20..26).collect());
        let alone = |row: &[u32]| {
            let batch = Batch::single(row).unwrap();
            model.forward(&batch, &mut NoTap, ForwardOptions::logits()).unwrap().unwrap()
        };
        let (long_alone, short_alone) = (alone(&long), alone(&short));
        let right = Batch::padded(&[long.clone(), short.clone()], 1).unwrap();
        let logits = model.forward(&right, &mut NoTap, ForwardOptions::logits()).unwrap().unwrap();
        let close = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]) < 1e-5;
        assert!(close(&logits.narrow(0, 0, 1), &long_alone), "{name}: the long row");
        assert!(close(&logits.narrow(0, 1, 1).narrow(1, 0, 6), &short_alone), "{name}: padded on the right");
        assert_eq!(right.row(1).unwrap(), short);

        let pad = vec![1; 5];
        let left: Vec<i64> = long.iter().chain(&pad).chain(&short).map(|id| i64::from(*id)).collect();
        let mask: Vec<bool> = (0..22).map(|i| !(11..16).contains(&i)).collect();
        let left =
            Batch::from_tensors(Tensor::from_slice(&left).view([2, 11]), Some(Tensor::from_slice(&mask).view([2, 11])));
        let logits = model.forward(&left, &mut NoTap, ForwardOptions::logits()).unwrap().unwrap();
        assert!(close(&logits.narrow(0, 1, 1).narrow(1, 5, 6), &short_alone), "{name}: padded on the left");
    }
}

#[test]
fn bfloat16_stays_near_float32() {
    for name in reference_names() {
        let batch = || Batch::from_tensors(reference_tokens(&name), None);
        let run = |kind| tiny(&name, kind).forward(&batch(), &mut NoTap, ForwardOptions::logits()).unwrap().unwrap();
        let (exact, rounded) = (run(Kind::Float), run(Kind::BFloat16));
        assert_eq!(rounded.kind(), Kind::BFloat16);
        let error = (rounded.to_kind(Kind::Float) - &exact).norm().double_value(&[]) / exact.norm().double_value(&[]);
        // bfloat16 keeps 8 bits; a handful of layers lose a few of them.
        assert!(error < 0.05 && error > 1e-4, "{name}: relative error {error}");
    }
}
