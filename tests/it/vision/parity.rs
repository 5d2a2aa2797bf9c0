//! Every family against torchvision, operation by operation.

use std::collections::BTreeSet;

use golgi_data::site::SitePattern;
use golgi_data::weights::Weights;
use golgi_probes::vision::Network;
use golgi_probes::vision::arch::FAMILIES;
use golgi_probes::{Capture, Kind, Tensor};

use super::formula::{image, network};
use crate::parity::reference_folder;

/// The largest difference of `ours` from `theirs`, beside the largest of `theirs`.
fn relative(ours: &Tensor, theirs: &[f32]) -> f64 {
    let theirs = Tensor::from_slice(theirs).to_kind(Kind::Double);
    let scale = theirs.abs().max().double_value(&[]).max(1e-12);
    (ours.to_kind(Kind::Double) - theirs).abs().max().double_value(&[]) / scale
}

fn names(prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(reference_folder("torchvision")).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut found: Vec<String> =
        files.filter_map(|file| Some(file.strip_prefix(prefix)?.strip_suffix(".safetensors")?.to_owned())).collect();
    found.sort();
    found
}

fn check(name: &str, network: &Network) {
    let mut capture = Capture::new(vec![SitePattern::new("*").unwrap()]);
    let logits = network.forward(&image(), &mut capture, true).unwrap().unwrap();
    let trace = capture.into_trace(Vec::new()).unwrap();
    // Shapes are those promised.
    let sizes = network.spatial(64, 64).unwrap();
    for (node, (height, width)) in network.nodes.iter().zip(sizes) {
        let promised = [vec![1], node.extent.shape((height, width))].concat();
        assert_eq!(trace.get(&node.site).unwrap().size(), promised, "{name}: {}", node.site);
    }
    // Every operation that torchvision has, and no other.
    let stored = Weights::open(&reference_folder("torchvision").join(format!("nodes_{name}.safetensors"))).unwrap();
    let ours: BTreeSet<String> = network.nodes[1..].iter().map(|node| node.site.to_string()).collect();
    let theirs: BTreeSet<String> = stored.names().map(str::to_owned).collect();
    assert_eq!(ours, theirs, "{name}");
    for site in &theirs {
        let value = trace.get(&site.parse().unwrap()).unwrap().to_kind(Kind::Double);
        let axes: Vec<i64> = (0..value.dim() as i64).filter(|axis| *axis != 1).collect();
        let channels = value.mean_dim(axes.as_slice(), false, None::<Kind>);
        let first = channels.narrow(0, 0, channels.size()[0].min(6));
        let found = Tensor::cat(&[value.mean(None::<Kind>).view([1]), value.std(true).view([1]), first], 0);
        let difference = relative(&found, &stored.read_f32(site).unwrap());
        assert!(difference < 1e-4, "{name}: {site} differs by {difference:e}");
    }
    // And the published means of every convolution.
    let path = reference_folder("torchvision").join(format!("torchvision_{name}.safetensors"));
    if !path.exists() {
        return;
    }
    let stored = Weights::open(&path).unwrap();
    assert!(relative(&logits.view([-1]), &stored.read_f32("logits").unwrap()) < 1e-4, "{name}");
    for tensor in stored.names().filter(|tensor| *tensor != "logits") {
        let site = tensor.strip_prefix("mean.").unwrap().parse().unwrap();
        let means = trace.get(&site).unwrap().mean_dim([0i64, 2, 3].as_slice(), false, None::<Kind>);
        let difference = relative(&means, &stored.read_f32(tensor).unwrap());
        assert!(difference < 1e-4, "{name}: {tensor} differs by {difference:e}");
    }
}

#[test]
fn every_operation_agrees_with_torchvision() {
    let mut families: BTreeSet<&str> = BTreeSet::new();
    let listed = names("nodes_");
    assert!(names("torchvision_").iter().all(|name| listed.contains(name)) && listed.len() >= 14, "{listed:?}");
    for name in listed {
        let network = network(&name);
        families.insert(network.family);
        check(&name, &network);
    }
    // EfficientNet-Lite is compared with its own implementation, on real photographs.
    families.insert("efficientnet_lite");
    assert_eq!(families, FAMILIES.iter().map(|family| family.name).collect());
}
