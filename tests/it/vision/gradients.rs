//! Going back through networks, parts of passes, and receptive fields.

use golgi_data::site::{Site, SitePattern};
use golgi_probes::vision::{Network, Rule};
use golgi_probes::{Capture, GradientTap, Kind, ProbeError, Tensor};

use super::formula::{image, network};

fn site(name: &str) -> Site {
    name.parse().unwrap()
}

/// The derivative of the mean of channel `channel` at `target` by the image, by automatic differentiation through the whole pass.
fn automatic(network: &Network, target: &str, channel: i64) -> Tensor {
    let mut tap = GradientTap::new(vec![SitePattern::new("input").unwrap(), SitePattern::from(&site(target))]);
    network.forward(&image(), &mut tap, false).unwrap();
    let scalar = tap.activations()[&site(target)].select(1, channel).mean(None::<Kind>);
    tap.gradients(&scalar).unwrap().remove(&site("input")).unwrap()
}

fn by_rule(network: &Network, target: &str, channel: i64, rule: Rule) -> Tensor {
    let node = network.find(&site(target)).unwrap();
    let record = network.record(&image(), node).unwrap();
    let value = record.target().unwrap();
    let share = 1.0 / value.select(1, channel).numel() as f64;
    let seed = value.zeros_like();
    let _ = seed.select(1, channel).fill_(share);
    network.backward(&record, &seed, 0, rule).unwrap()
}

#[test]
fn going_back_node_by_node_gives_the_gradient() {
    for (name, target) in [
        ("resnet18", "layer3.1.add"),
        ("mobilenet_v2", "features.7.conv.2"),
        ("densenet121", "features.denseblock2.denselayer3.conv2"),
        ("efficientnet_b0", "features.3.1.add"),
        ("convnext_tiny", "features.3.1.mul"),
        ("googlenet", "inception4a.cat"),
    ] {
        let network = network(name);
        let (expected, found) = (automatic(&network, target, 3), by_rule(&network, target, 3, Rule::Gradient));
        let scale = expected.abs().max().double_value(&[]);
        let difference = (&expected - &found).abs().max().double_value(&[]) / scale;
        assert!(scale > 0.0 && difference < 1e-4, "{name}: {difference:e} of {scale:e}");
    }
}

#[test]
fn rules_change_what_comes_back() {
    let network = network("squeezenet1_1");
    let target = "features.6.cat";
    let [gradient, guided, deconvnet] =
        [Rule::Gradient, Rule::Guided, Rule::Deconvnet].map(|rule| by_rule(&network, target, 5, rule));
    for (one, other) in [(&gradient, &guided), (&guided, &deconvnet), (&gradient, &deconvnet)] {
        assert!((one - other).abs().max().double_value(&[]) > 1e-6);
    }
    // Where everything is open and nothing negative comes back, the rules agree: one rectifier behind one convolution, whose seed is positive.
    let one = by_rule(&network, "features.1", 5, Rule::Gradient);
    let same = by_rule(&network, "features.1", 5, Rule::Guided);
    assert_eq!((one - same).abs().max().double_value(&[]), 0.0);
}

#[test]
fn only_what_is_asked_for_is_computed() {
    // With a broken last layer the earlier ones still run, and the whole does not.
    let mut network = network("squeezenet1_1");
    let last = network.nodes.len() - 4;
    network.nodes[last].op = golgi_probes::vision::Op::Scale(Tensor::from_slice(&[1f32, 2.0, 3.0]));
    let asked = site("features.6.cat");
    let mut capture = Capture::sites([&asked]);
    assert!(network.forward(&image(), &mut capture, false).unwrap().is_none());
    assert_eq!(capture.into_trace(Vec::new()).unwrap().sites.keys().collect::<Vec<_>>(), [&asked]);
    assert!(network.logits(&image()).is_err());
}

#[test]
fn pixels_outside_the_receptive_field_do_not_matter() {
    for (name, target) in
        [("resnet18", "layer2.0.relu_1"), ("mobilenet_v2", "features.6.add"), ("googlenet", "inception3a.cat")]
    {
        let network = network(name);
        let node = network.find(&site(target)).unwrap();
        let field = network.fields(64, 64).unwrap()[node];
        let place = (1, 2);
        let crop = field.crop(place, (64, 64));
        let mut tap = GradientTap::new(vec![SitePattern::new("input").unwrap(), SitePattern::from(&site(target))]);
        network.forward(&image(), &mut tap, false).unwrap();
        let value = &tap.activations()[&site(target)];
        let scalar = value.select(2, place.0).select(2, place.1).sum(None::<Kind>);
        let gradient = tap.gradients(&scalar).unwrap().remove(&site("input")).unwrap().abs().sum_dim_intlist(
            [0i64, 1].as_slice(),
            false,
            None::<Kind>,
        );
        let inside =
            |row: i64, column: i64| (crop.top..crop.bottom).contains(&row) && (crop.left..crop.right).contains(&column);
        let mut reached = 0;
        for row in 0..64 {
            for column in 0..64 {
                let moves = gradient.double_value(&[row, column]) > 0.0;
                assert!(!moves || inside(row, column), "{name}: {row}, {column} outside {crop:?}");
                reached += usize::from(moves);
            }
        }
        let size = ((crop.bottom - crop.top) * (crop.right - crop.left)) as usize;
        assert!(reached * 2 > size && size < 64 * 64, "{name}: {reached} of {size}, {crop:?}");
    }
}

#[test]
fn bad_images_and_weights_are_refused() {
    let network = network("squeezenet1_1");
    let said = |pixels: &Tensor| network.logits(pixels).unwrap_err().to_string();
    assert!(said(&Tensor::zeros([1, 1, 64, 64], (Kind::Float, golgi_probes::Device::Cpu))).contains("[1, 1, 64, 64]"));
    assert!(said(&image().narrow(2, 0, 2)).contains("too small"));
    assert!(said(&(image() / 0.0)).contains("not finite"));
    let unit = "features.6.cat:9999".parse().unwrap();
    assert!(matches!(network.check(&unit), Err(ProbeError::UnknownUnit { size: 384 | 256, .. })));
    let error = network.find(&site("features.99.cat")).unwrap_err().to_string();
    assert!(error.contains("features.3.cat"), "{error}");
}
