//! Image, Channels and the page of a channel, around a small network whose channels are planted: one for each colour.

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::{Document, ModelInfo, SiteInfo, VisionInfo};
use golgi::session::jobs::JobId;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi::session::selection::{Selection, Spot};
use golgi::session::vision::{DrawRequest, Drawing, Drawn, Found, Seen, Shelf, VisionState};
use golgi_analysis::channels::{best_pictures, channel_maps};
use golgi_analysis::visualise::{Optimised, Verdict};
use golgi_data::context::RunContext;
use golgi_data::images::{Fit, ImageSet, Interpolation, Picture, Preprocess, PreprocessSettings};
use golgi_data::unit::Unit;
use golgi_probes::layers::Activation;
use golgi_probes::vision::{ClassScore, Conv, Extent, Network, Node, Op, OpenVision, Output, Padding};
use golgi_probes::{Device, Kind, Tensor};

use super::stage::{Stage, is_lit, opened, settle, stage};

const SIDE: usize = 16;

/// Channel c of `relu` sums what its 2 × 2 pixels have of colour c; the fourth sums nothing.
fn planted() -> OpenVision {
    let mut weight = vec![0f32; 4 * 3 * 4];
    (0..3).for_each(|colour| weight[(colour * 3 + colour) * 4..][..4].fill(1.0));
    let weight = Tensor::from_slice(&weight).view([4, 3, 2, 2]);
    let conv = Conv { weight, bias: None, stride: 2, padding: Padding::Zeros(0), groups: 1 };
    let node = |name: &str, op, inputs, channels| Node {
        site: name.parse().unwrap(),
        op,
        inputs,
        extent: Extent::Map(channels),
    };
    let nodes = vec![
        node("input", Op::Input, vec![], 3),
        node("layer1.0.conv", Op::Conv(conv), vec![0], 4),
        node("layer1.0.relu", Op::Activation(Activation::Relu), vec![1], 4),
    ];
    let network = Network { family: "planted", nodes, output: Output::Classes, kind: Kind::Float, device: Device::Cpu };
    let settings = PreprocessSettings {
        fit: Fit::Stretch(SIDE as u32),
        interpolation: Interpolation::Bilinear,
        antialias: false,
        scale: 1.0 / 255.0,
        mean: [0.0; 3],
        std: [1.0; 3],
    };
    OpenVision::in_memory("planted", network, Preprocess::new(settings).unwrap())
}

/// Black; green in its upper left quarter.
fn picture() -> Picture {
    let pixel = |at: usize| if at % SIDE < SIDE / 2 && at / SIDE < SIDE / 2 { [0, 255, 0] } else { [0, 0, 0] };
    Picture::new(SIDE as u32, SIDE as u32, (0..SIDE * SIDE).flat_map(pixel).collect()).unwrap()
}

fn document() -> Document {
    let base = opened().model().unwrap().clone();
    let (open, names) = (planted(), ["input", "layer1.0.conv", "layer1.0.relu"]);
    let site = |name: &str| SiteInfo {
        site: name.parse().unwrap(),
        shape: "[batch, 4, 8, 8]".into(),
        about: "planted".into(),
        alias: None,
        units: if name == "input" { 3 } else { 4 },
        has_heads: false,
        is_residual: false,
    };
    let vision = VisionInfo { preprocess: open.preprocess, classes: 2, maps: vec![(16, 16), (8, 8), (8, 8)] };
    let sites = names.map(site).to_vec();
    let model = ModelInfo { name: "planted".into(), sites, vision: Some(vision), has_tokenizer: false, ..base };
    Document { model: Loadable::ready(model), ..Document::default() }
}

fn green(channel: u32) -> Unit {
    Unit::new("layer1.0.relu".parse().unwrap(), channel)
}

/// A stage with the picture seen and its maps computed.
fn on(names: &[&str]) -> Harness<'static, Stage> {
    let mut harness = stage(document(), names);
    let open = planted();
    let maps = channel_maps(&open, &open.pixels(&picture()).unwrap(), &green(0).site).unwrap();
    let class =
        |index: usize, name: &str, probability| ClassScore { index, name: name.into(), logit: 1.0, probability };
    let seen = Seen {
        path: PathBuf::from("/pictures/gr\u{202e}een.png"),
        size: (64, 48),
        remarks: vec!["greyscale spread to RGB".into()],
        input: picture(),
        classes: vec![class(0, "meadow", 0.75), class(1, "night", 0.25)],
    };
    let state = &mut harness.state_mut().session.vision;
    state.picture = Some(seen.path.clone());
    (state.seen, state.maps) = (Loadable::ready(seen), Loadable::ready(maps));
    settle(&mut harness);
    harness
}

fn selection(harness: &Harness<'_, Stage>) -> Selection {
    harness.state().session.selection.clone()
}

#[test]
fn panels_say_which_kind_of_model_they_are_for() {
    for name in ["prompt", "lens", "attention", "neurons", "interventions", "features", "steering"] {
        stage(document(), &[name]).get_by_label_contains("is for language models");
        assert!(stage(opened(), &[name]).query_by_label_contains("is for").is_none(), "{name}");
    }
    for name in ["image", "channels"] {
        stage(opened(), &[name]).get_by_label_contains("is for convolutional networks");
        stage(Document::default(), &[name]).get_by_label("No network is open");
    }
    stage(document(), &["unit"]).get_by_label("No channel selected");
    let mut harness = stage(document(), &["model"]);
    settle(&mut harness);
    harness.get_by_label_contains("layer1.0.relu");
    harness.get_by_label("stretched");
}

#[test]
fn a_position_of_the_picture_says_which_channels_fire_there() {
    let mut harness = on(&["image", "channels"]);
    harness.get_by_label("meadow");
    harness.get_by_label("75.0 %");
    harness.get_by_label_contains("Click a position");
    // The middle of the picture is the first pixel of the black quarter.
    harness.get_by_label("gr‹U+202E›een.png as the network sees it").click();
    settle(&mut harness);
    assert_eq!(selection(&harness).spot, Some(Spot { x: 8, y: 8 }));
    harness.get_by_label("row 4, column 4, the strongest first");
    harness.state().session.commands().select(Selection::of_spot(2, 5));
    settle(&mut harness);
    harness.get_by_label("row 2, column 1, the strongest first");
    harness.get_by_label("4.000");
    harness.get_by_label("channel 1").click();
    settle(&mut harness);
    assert_eq!(selection(&harness).unit, Some(green(1)));
    assert!(is_lit(&harness, "channel 1, 4.000"), "Channels follows");
    harness.get_by_label_contains("Colour: activation, from 0 to 4");
}

#[test]
fn channels_are_sorted_filtered_and_selected() {
    let mut harness = on(&["channels"]);
    harness.get_by_label("4 · 8 × 8");
    let place = |harness: &Harness<'_, Stage>, name: &str| harness.get_by_label(name).rect().left();
    assert!(place(&harness, "channel 1, 4.000") < place(&harness, "channel 0, 0"), "the strongest is first");
    harness.get_by_label("Filter channels by number").focus();
    harness.step();
    harness.get_by_label("Filter channels by number").type_text("2-3");
    settle(&mut harness);
    harness.get_by_label("2 of 4 · 8 × 8");
    assert!(harness.query_by_label("channel 1, 4.000").is_none());
    harness.get_by_label("channel 3, 0").click();
    settle(&mut harness);
    assert_eq!(selection(&harness), Selection::of_unit(&green(3)));
    // Another site ends the selection of the channel.
    harness.state().session.commands().select(Selection::of_site(&"layer1.0.conv".parse().unwrap()));
    settle(&mut harness);
    assert_eq!(selection(&harness).unit, None);
    harness.get_by_label("Filter channels by number").focus();
    harness.step();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.get_by_label("Filter channels by number").type_text("cat");
    settle(&mut harness);
    harness.get_by_label("numbers and ranges, such as 3, 10-20");
}

#[test]
fn bad_pictures_are_said_to_be_bad() {
    let mut harness = on(&["image", "channels"]);
    let notice = Notice::failure("The picture could not be shown to the network.");
    harness.state_mut().session.vision.seen = Loadable::Failed(notice);
    harness.state_mut().session.vision.maps = Loadable::Empty;
    settle(&mut harness);
    harness.get_by_label("The picture could not be shown to the network.");
    harness.get_by_label_contains("Image says why");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::Retry(ResultKind::Picture)]));
    harness.get_by_label("Path of a picture").focus();
    harness.step();
    harness.get_by_label("Path of a picture").type_text("/pictures/other.png");
    settle(&mut harness);
    harness.key_press(Key::Enter);
    settle(&mut harness);
    assert_eq!(harness.state().session.vision.picture, Some(PathBuf::from("/pictures/other.png")));
}

/// Pictures of one colour each, the planted network's answers to them, and a drawing.
fn with_shelf(harness: &mut Harness<'_, Stage>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, rgb) in [("red", [255, 0, 0]), ("grass", [0, 255, 0]), ("dusk", [0, 90, 0])] {
        let picture = Picture::new(20, 20, rgb.repeat(400)).unwrap();
        std::fs::write(folder.path().join(format!("{name}.png")), picture.to_png().unwrap()).unwrap();
    }
    let set = ImageSet::open(&folder.path().to_string_lossy()).unwrap();
    let best = best_pictures(&planted(), &green(0).site, &set, 10, &RunContext::new(0)).unwrap();
    let state = &mut harness.state_mut().session.vision;
    state.shelf = Loadable::ready(Shelf { set, home: folder.path().join("home") });
    state.best = Loadable::ready(best);
    harness.state().session.commands().select(Selection::of_unit(&green(1)));
    settle(harness);
    folder
}

#[test]
fn the_page_of_a_channel_lists_its_best_pictures() {
    let mut harness = on(&["unit"]);
    let folder = with_shelf(&mut harness);
    harness.get_by_label("layer1.0.relu:1");
    harness.get_by_label("4.000 at row 0, column 0");
    harness.get_by_label("1 of 4 channels by their mean");
    let left = |name: &str| harness.get_by_label(name).rect().left();
    assert!(left("grass.png, 4.000") < left("dusk.png, 1.412") && left("dusk.png, 1.412") < left("red.png, 0"));
    harness.get_by_label("dusk.png, 1.412").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.vision.picture, Some(folder.path().join("dusk.png")));
    assert!(harness.query_by_label_contains("Zero it").is_none(), "interventions change language models");
}

fn drawing(verdict: Option<Verdict>) -> Drawing {
    let one = |verdict| Optimised {
        name: "a".into(),
        picture: picture(),
        value: 3.5,
        start: 0.25,
        curve: Vec::new(),
        verdict,
    };
    let state = verdict.map_or(Drawn::Running, |verdict| {
        Drawn::Done(Arc::new(Found { images: vec![one(verdict)], twins: Vec::new() }))
    });
    let request = DrawRequest::new(green(1));
    Drawing { request, step: 8, pictures: Arc::new(vec![picture()]), state, job: JobId(7) }
}

#[test]
fn a_visualisation_is_asked_for_watched_and_judged() {
    let mut harness = on(&["unit"]);
    let folder = with_shelf(&mut harness);
    harness.get_by_label("opposite too").click();
    settle(&mut harness);
    harness.get_by_label("Visualise").click();
    settle(&mut harness);
    let asked =
        harness.state().sent.iter().any(
            |command| matches!(command, Command::Visualise(request) if request.opposite && request.unit == green(1)),
        );
    assert!(asked, "{:?}", harness.state().sent);

    let mut show = |verdict| {
        harness.state_mut().session.vision.add(drawing(verdict));
        settle(&mut harness);
        let has = |name: &str| harness.query_by_label(name).is_some();
        (has("Stop visualising"), has("mean 3.500 from 0.250"), has("Save the image"))
    };
    assert_eq!(show(None), (true, false, false));
    assert_eq!(show(Some(Verdict::Converged)), (false, true, true));
    // What did not converge is said and not saved.
    assert_eq!(show(Some(Verdict::NeverExcited)), (false, true, false));

    let file = folder.path().join("image.png");
    let notice = harness.state().session.vision.save(&green(1), 0, &file);
    assert!(notice.sentence.contains("saved") && Picture::read(&file).unwrap().rgb() == picture().rgb());
    assert!(VisionState::default().save(&green(1), 0, &file).next_step.is_some());
}
