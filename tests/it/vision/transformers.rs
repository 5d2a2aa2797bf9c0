//! Vision transformers, and CLIP's text tower, against the reference (`assets/reference/vision/make_vision.py` and `make_reference.py`).

use std::collections::BTreeSet;

use golgi_data::context::RunContext;
use golgi_data::models::Resolver;
use golgi_data::site::SitePattern;
use golgi_data::weights::Weights;
use golgi_probes::layers::Loader;
use golgi_probes::vision::{self, Network, OpenVision, Output, Rule, arch};
use golgi_probes::{Batch, Capture, Device, ForwardOptions, GradientTap, Kind, OpenOptions, ProbeError, Tensor, Trace};

use crate::parity::reference_folder;

/// Agreement asked for in f32: largest absolute difference.
const TOLERANCE: f64 = 5e-5;

fn stored(name: &str) -> Weights {
    Weights::open(&reference_folder("vision").join(name).join("expected.safetensors")).unwrap()
}

fn tensor(weights: &Weights, name: &str) -> Tensor {
    let shape: Vec<i64> = weights.info(name).unwrap().shape.iter().map(|n| *n as i64).collect();
    Tensor::from_slice(&weights.read_f32(name).unwrap()).view(shape.as_slice())
}

fn open(name: &str) -> OpenVision {
    let folder = reference_folder("vision").join(name);
    let (resolver, ctx) = (Resolver::default(), RunContext::new(0));
    vision::open(folder.to_str().unwrap(), &resolver, &OpenOptions::default(), &ctx).unwrap()
}

fn difference(one: &Tensor, other: &Tensor) -> f64 {
    assert_eq!(one.size(), other.size());
    (one - other).abs().max().double_value(&[])
}

/// Runs the network and compares every stored site; returns everything and what came out.
fn check(network: &Network, expected: &Weights, at_least: usize) -> (Trace, Tensor) {
    let pixels = tensor(expected, "pixel_values");
    let mut capture = Capture::new(vec![SitePattern::new("*").unwrap()]);
    let out = network.forward(&pixels, &mut capture, true).unwrap().unwrap();
    let trace = capture.into_trace(Vec::new()).unwrap();
    let (height, width) = (pixels.size()[2], pixels.size()[3]);
    for (node, sizes) in network.nodes.iter().zip(network.spatial(height, width).unwrap()) {
        let promised = [vec![2], node.extent.shape(sizes)].concat();
        assert_eq!(trace.get(&node.site).unwrap().size(), promised, "{}", node.site);
    }
    let sites: Vec<&str> = expected.names().filter(|name| name.starts_with("blocks.")).collect();
    assert!(sites.len() >= at_least, "{sites:?}");
    for site in sites {
        let found = difference(trace.get(&site.parse().unwrap()).unwrap(), &tensor(expected, site));
        assert!(found < TOLERANCE, "{}: {site} differs by {found:e}", network.family);
    }
    (trace, out)
}

#[test]
fn every_family_agrees_with_the_reference() {
    let mut families = BTreeSet::new();
    for (name, output) in
        [("vit", "logits"), ("dinov2", "last_hidden_state"), ("clip", "image_embeds"), ("dinov2_registers", "logits")]
    {
        let (open, expected) = (open(name), stored(name));
        families.insert(open.network.family);
        let (trace, out) = check(&open.network, &expected, 5);
        let wanted = tensor(&expected, output);
        let found = match name {
            "dinov2" => trace.get(&"ln_final.hook_normalized".parse().unwrap()).unwrap().shallow_clone(),
            // What is compared with texts has length 1.
            "clip" => &out / out.norm_scalaropt_dim(2, [-1i64], true),
            _ => out,
        };
        let found = difference(&found, &wanted);
        assert!(found < TOLERANCE, "{name}: {output} differs by {found:e}");
    }
    assert_eq!(families, arch::TRANSFORMERS.iter().map(|family| family.name).collect());
    // Positions are resampled for a picture of another size.
    let _ = check(&open("dinov2").network, &stored("dinov2_resampled"), 3);
}

/// The same weights under the names that older files have.
fn renamed(name: &str, pairs: &[(&str, &str)]) -> Weights {
    let weights = Weights::open(&reference_folder("vision").join(name).join("model.safetensors")).unwrap();
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for tensor in weights.names() {
        let begin = data.len();
        data.extend(weights.read_f32(tensor).unwrap().iter().flat_map(|value| value.to_le_bytes()));
        let old = pairs.iter().fold(tensor.to_owned(), |name, (new, old)| name.replace(new, old));
        let shape = &weights.info(tensor).unwrap().shape;
        header.insert(old, serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]}));
    }
    let header = serde_json::to_vec(&header).unwrap();
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    Weights::from_bytes(file, "model.safetensors").unwrap()
}

#[test]
fn older_names_of_weights_are_understood() {
    let attention = [
        ("attention.q_proj", "attention.attention.query"),
        ("attention.k_proj", "attention.attention.key"),
        ("attention.v_proj", "attention.attention.value"),
        ("attention.o_proj", "attention.output.dense"),
    ];
    let vit = [("vit.layers", "vit.encoder.layer"), ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense")];
    for (name, more) in [("vit", &vit[..]), ("dinov2", &[])] {
        let config = std::fs::read(reference_folder("vision").join(name).join("config.json")).unwrap();
        let config = serde_json::from_slice(&config).unwrap();
        let (weights, ctx) = (renamed(name, &[&attention[..], more].concat()), RunContext::new(0));
        assert!(weights.names().any(|name| name.ends_with("attention.attention.query.weight")));
        let loader = Loader::new(&weights, &ctx, Kind::Float, Device::Cpu);
        let network = (arch::transformer(&config).unwrap().build)(&config, &loader).unwrap();
        let _ = check(&network, &stored(name), 5);
    }
}

#[test]
fn the_text_tower_gives_the_reference_s_embeddings() {
    let folder = reference_folder("vision").join("clip");
    let (resolver, ctx) = (Resolver::default(), RunContext::new(0));
    let text = golgi_probes::open(folder.to_str().unwrap(), &resolver, &OpenOptions::default(), &ctx).unwrap();
    assert_eq!((text.model.family, text.model.has_logits()), ("clip_text", false));
    let expected = stored("clip_text");
    let tokens = Tensor::from_slice(&expected.read_i64("tokens").unwrap()).view([2, 6]);
    let mut capture = Capture::new(vec![SitePattern::new("*").unwrap()]);
    let batch = Batch::from_tensors(tokens.shallow_clone(), None);
    text.model.forward(&batch, &mut capture, ForwardOptions::default()).unwrap();
    let trace = capture.into_trace(Vec::new()).unwrap();
    assert_eq!(trace.sites.len(), text.model.sites().len());
    for site in expected.names().filter(|name| *name != "tokens") {
        let found = difference(trace.get(&site.parse().unwrap()).unwrap(), &tensor(&expected, site));
        assert!(found < TOLERANCE, "{site} differs by {found:e}");
    }
    let batch = Batch::from_tensors(tokens, None);
    let refused = text.model.forward(&batch, &mut golgi_probes::NoTap, ForwardOptions::logits());
    assert!(matches!(refused, Err(ProbeError::NoLogits(_))));
}

#[test]
fn gradients_maps_and_twins_work_on_tokens() {
    let open = open("vit");
    let (network, pixels) = (&open.network, tensor(&stored("vit"), "pixel_values"));
    let site = "blocks.1.mlp.hook_post".parse().unwrap();
    let node = network.find(&site).unwrap();
    // Node by node as by automatic differentiation through the whole pass.
    let mut tap = GradientTap::new(vec![SitePattern::new("input").unwrap(), SitePattern::from(&site)]);
    network.forward(&pixels, &mut tap, false).unwrap();
    let scalar = tap.activations()[&site].select(2, 7).mean(None::<Kind>);
    let automatic = tap.gradients(&scalar).unwrap().remove(&"input".parse().unwrap()).unwrap();
    let record = network.record(&pixels, node).unwrap();
    let value = record.target().unwrap();
    let seed = value.zeros_like();
    let _ = seed.select(2, 7).fill_(1.0 / value.select(2, 7).numel() as f64);
    let by_rule = network.backward(&record, &seed, 0, Rule::Gradient).unwrap();
    let scale = automatic.abs().max().double_value(&[]);
    assert!(scale > 0.0 && difference(&automatic, &by_rule) < 1e-4 * scale);
    // Tokens lie where their patches do.
    let map = network.as_map(node, value, (32, 32)).unwrap();
    assert_eq!(map.size(), [2, 64, 4, 4]);
    assert_eq!(map.double_value(&[1, 9, 2, 3]), value.double_value(&[1, 1 + 2 * 4 + 3, 9]));
    let pattern = network.find(&"blocks.0.attn.hook_pattern".parse().unwrap()).unwrap();
    let weights = network.activation(&pixels, pattern).unwrap();
    let map = network.as_map(pattern, &weights, (32, 32)).unwrap();
    assert_eq!(map.double_value(&[0, 3, 1, 2]), weights.double_value(&[0, 3, 0, 1 + 4 + 2]));
    // A twin has the same sizes and other values.
    let twin = open.twin(1).unwrap();
    assert_eq!(twin.network.parameters(), network.parameters());
    assert!(difference(&twin.network.logits(&pixels).unwrap(), &network.logits(&pixels).unwrap()) > 1e-3);
    assert!(network.multiplications(32, 32).unwrap() > 100_000);
}

#[test]
fn what_does_not_fit_is_refused() {
    let clip = open("clip");
    assert_eq!((clip.network.output, clip.network.classes()), (Output::Features, 0));
    let picture = golgi_data::images::Picture::new(8, 8, vec![7; 192]).unwrap();
    assert!(matches!(clip.classify(&picture, 3), Err(ProbeError::NoClasses(_))));
    let (resolver, ctx) = (Resolver::default(), RunContext::new(0));
    let options = OpenOptions::default();
    let gpt2 = reference_folder("gpt2");
    let refused = vision::open(gpt2.to_str().unwrap(), &resolver, &options, &ctx).unwrap_err();
    assert!(refused.to_string().contains("is a language model"), "{refused}");
    let vit = reference_folder("vision").join("vit");
    let refused = golgi_probes::open(vit.to_str().unwrap(), &resolver, &options, &ctx).unwrap_err();
    assert!(refused.to_string().contains("network for images"), "{refused}");
    // A configuration whose sizes the weights contradict, or that makes no sense.
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(vit.join("config.json")).unwrap()).unwrap();
    for (key, value) in [("hidden_size", 48), ("num_attention_heads", 5), ("num_hidden_layers", 9), ("hidden_size", 0)]
    {
        let mut config = config.clone();
        config[key] = value.into();
        let weights = Weights::open(&vit.join("model.safetensors")).unwrap();
        let loader = Loader::new(&weights, &ctx, Kind::Float, Device::Cpu);
        assert!((arch::transformer(&config).unwrap().build)(&config, &loader).is_err(), "{key} = {value}");
    }
}
