use golgi_data::context::RunContext;
use golgi_data::images::{ImageSet, Picture, Preprocess, PreprocessSettings};
use golgi_probes::Tensor;
use golgi_probes::layers::Activation;
use golgi_probes::vision::{Conv, Extent, Network, Node, Op, OpenVision, Output, Padding};
use tch::{Device, Kind};

use super::*;

/// A filter of 3 × 3 with stride 2 for each colour: it sums what it sees of its colour. Pixels stay 0 to 1.
fn planted() -> OpenVision {
    let mut weight = vec![0f32; 3 * 3 * 9];
    (0..3).for_each(|colour| weight[(colour * 3 + colour) * 9..][..9].fill(1.0));
    let weight = Tensor::from_slice(&weight).view([3, 3, 3, 3]);
    let conv = Conv { weight, bias: None, stride: 2, padding: Padding::Zeros(1), groups: 1 };
    let node = |name: &str, op, inputs, extent| Node { site: name.parse().unwrap(), op, inputs, extent };
    let nodes = vec![
        node("input", Op::Input, vec![], Extent::Map(3)),
        node("conv", Op::Conv(conv), vec![0], Extent::Map(3)),
        node("relu", Op::Activation(Activation::Relu), vec![1], Extent::Map(3)),
        node("pool", Op::AdaptiveAvgPool(1), vec![2], Extent::Map(3)),
        node("flatten", Op::Flatten, vec![3], Extent::Vector(3)),
    ];
    let network = Network { family: "planted", nodes, output: Output::Classes, kind: Kind::Float, device: Device::Cpu };
    let fit = golgi_data::images::Fit::Stretch(16);
    let interpolation = golgi_data::images::Interpolation::Bilinear;
    let settings =
        PreprocessSettings { fit, interpolation, antialias: false, scale: 1.0 / 255.0, mean: [0.0; 3], std: [1.0; 3] };
    OpenVision::in_memory("planted", network, Preprocess::new(settings).unwrap())
}

/// Black, with one square of 4 × 4 pixels of a colour at (x, y).
fn dotted(colour: usize, (x, y): (usize, usize)) -> Picture {
    let mut rgb = vec![0; 16 * 16 * 3];
    for row in y..y + 4 {
        for column in x..x + 4 {
            rgb[(row * 16 + column) * 3 + colour] = 255;
        }
    }
    Picture::new(16, 16, rgb).unwrap()
}

#[test]
fn maps_say_which_channel_fires_where() {
    let open = planted();
    let maps = channel_maps(&open, &open.pixels(&dotted(1, (8, 4))).unwrap(), &"relu".parse().unwrap()).unwrap();
    assert_eq!((maps.channels, maps.rows, maps.columns, maps.values.len()), (3, 8, 8, 192));
    let green = maps.strengths[1];
    // Position (3, 5) sees rows 5..8 and columns 9..12, all of them green.
    assert_eq!((green.max, maps.value(1, (3, 5))), (9.0, Some(9.0)));
    assert_eq!((green.at, maps.cell(8, 4)), ((3, 5), (2, 4)));
    assert_eq!((maps.strengths[0].max, maps.strengths[2].mean), (0.0, 0.0));
    assert_eq!(maps.strongest_at((3, 5), 2), [(1, 9.0), (0, 0.0)]);
    let sees = maps.sees(green.at);
    assert_eq!((sees.top, sees.bottom, sees.left, sees.right), (5, 8, 9, 12));
    assert_eq!((maps.value(1, (8, 0)), maps.value(3, (0, 0)), maps.map(7)), (None, None, [].as_slice()));

    let vector = channel_maps(&open, &open.pixels(&dotted(1, (8, 4))).unwrap(), &"flatten".parse().unwrap()).unwrap();
    assert_eq!((vector.channels, vector.rows, vector.columns), (3, 1, 1));
    assert!((vector.values[1] - green.mean).abs() < 1e-6 && vector.cell(15, 15) == (0, 0));
    assert!(channel_maps(&open, &open.pixels(&dotted(0, (0, 0))).unwrap(), &"rely".parse().unwrap()).is_err());
}

#[test]
fn the_best_pictures_are_found_with_their_places() {
    let (open, folder) = (planted(), tempfile::tempdir().unwrap());
    for (name, colour, place) in [("a", 0, (0, 0)), ("b", 1, (8, 4)), ("c", 2, (4, 12)), ("d", 1, (15, 0))] {
        let picture = if name == "d" { dotted(1, (12, 12)) } else { dotted(colour, place) };
        std::fs::write(folder.path().join(format!("{name}.png")), picture.to_png().unwrap()).unwrap();
    }
    std::fs::write(folder.path().join("broken.png"), "no picture").unwrap();
    let set = ImageSet::open(&folder.path().to_string_lossy()).unwrap();
    let name = |best: &Best| set.entries()[best.picture].id.clone();
    let ctx = RunContext::new(0);
    let found = best_pictures(&open, &"relu".parse().unwrap(), &set, 100, &ctx).unwrap();
    assert_eq!((found.shown.len(), found.unread, found.channels), (4, 1, 3));
    let top = found.top(2, 2);
    assert_eq!((name(&top[0]), top[0].value), ("c.png".to_owned(), 9.0));
    assert_eq!((top[0].sees.top, top[0].sees.left), (13, 5));
    assert_eq!(top[1].value, 0.0);
    let green: Vec<String> = found.top(1, 2).iter().map(name).collect();
    assert_eq!(green, ["b.png", "d.png"]);
    assert!(found.means(2).iter().filter(|mean| **mean > 0.0).count() == 1);
    // Two of five, spread over the set: the first and the third.
    let few = best_pictures(&open, &"relu".parse().unwrap(), &set, 2, &ctx).unwrap();
    assert_eq!((few.shown.len() + few.unread, few.top(9, 1).len()), (2, 0));
    ctx.cancel();
    assert!(best_pictures(&open, &"relu".parse().unwrap(), &set, 4, &ctx).is_err());
}
