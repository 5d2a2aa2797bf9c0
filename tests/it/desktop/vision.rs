//! The session and the window with the real EfficientNet-Lite0.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use golgi::desktop::fonts;
use golgi::desktop::shell::{Workbench, prepare};
use golgi::session::command::Command;
use golgi::session::loadable::Loadable;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;
use golgi::session::vision::{DrawRequest, Drawn};
use golgi_analysis::visualise::{Aim, Verdict};
use golgi_data::images::starter_folder;
use golgi_data::models::{catalogue, home};
use golgi_data::unit::Unit;

use super::live::Live;

fn photographs() -> PathBuf {
    starter_folder(&home()).join("photographs")
}

/// The network with the photographs on its shelf; every result is wanted.
fn opened() -> Live {
    let mut live = Live::new();
    let found = catalogue().iter().find(|entry| entry.name == "efficientnet-lite0").unwrap();
    live.send(Command::Want(ResultKind::ALL.to_vec()));
    live.send(Command::OpenPictures(photographs().to_string_lossy().into_owned()));
    live.send(Command::OpenModel(found.path(&home()).to_string_lossy().into_owned()));
    live.until("open", |session| session.document.model().is_some());
    live
}

fn head(channel: u32) -> Unit {
    Unit::new("_conv_head".parse().unwrap(), channel)
}

#[test]
fn a_network_opens_and_sees_a_picture_at_once() {
    let mut live = opened();
    let model = live.session.document.model().unwrap().clone();
    assert_eq!((model.vision.as_ref().unwrap().side(), model.parameters() > 4_000_000), (224, true));
    assert!(model.has_unit(&head(1279)) && !model.has_unit(&head(1280)));
    assert!(live.session.recent.list()[0].about.starts_with("efficientnet_lite, 4."));
    live.until("classes", |session| session.vision.seen.get().is_some());
    let seen = live.session.vision.seen.get().unwrap();
    assert!(seen.path.ends_with("chelsea.png") && seen.classes[0].name == "Egyptian cat", "{:?}", seen.classes);
    live.until("maps", |session| session.vision.maps.get().is_some());
    let site = model.chosen_site(&live.session.selection).unwrap();
    assert_eq!(live.session.vision.maps.get().unwrap().site, *site);

    // A selection of a channel takes its site along; a position outside the input is none.
    live.send(Command::Select(Selection::of_unit(&"_conv_stem:3".parse().unwrap())));
    live.send(Command::Select(Selection::of_spot(500, 3)));
    live.until("maps of the stem", |session| {
        session.vision.maps.get().is_some_and(|maps| (maps.channels, maps.rows, maps.columns) == (32, 112, 112))
    });
    assert_eq!(live.session.selection.spot, None);

    // What is about text stays away.
    live.send(Command::SetPrompt("text".into()));
    for _ in 0..10 {
        live.session.update();
    }
    assert!(matches!(live.session.document.results.stats, Loadable::Empty));
}

#[test]
fn bad_pictures_are_refused_and_the_next_one_is_seen() {
    let mut live = opened();
    live.until("maps", |session| session.vision.maps.get().is_some());
    let before = live.session.vision.seen.get().unwrap().path.clone();
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.png");
    std::fs::write(&bad, "no picture").unwrap();
    live.send(Command::OpenPicture(bad));
    live.until("refused", |session| session.vision.seen.failure().is_some());
    let notice = live.session.vision.seen.failure().unwrap();
    assert!(notice.causes.iter().any(|cause| cause.contains("no picture that Golgi reads")), "{notice:?}");
    live.until("no maps of it", |session| session.jobs.running().next().is_none());
    assert!(matches!(live.session.vision.maps, Loadable::Empty), "a bad picture is said once, and has no maps");
    live.send(Command::OpenPicture(before));
    live.until("maps again", |session| session.vision.maps.get().is_some());
    // A dropped file arrives as a model does.
    let file =
        photographs().read_dir().unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_file()).unwrap();
    live.send(Command::OpenModel(file.to_string_lossy().into_owned()));
    live.until("seen", |session| session.vision.seen.get().is_some_and(|seen| seen.path == file));
}

#[test]
fn best_pictures_and_a_visualisation_come_while_clicks_are_answered() {
    let mut live = opened();
    live.send(Command::LimitPictures(8));
    live.send(Command::Select(Selection::of_unit(&head(12))));
    live.until("best", |session| session.vision.best.get().is_some());
    let best = live.session.vision.best.get().unwrap();
    assert_eq!((best.channels, best.site.to_string()), (1280, "_conv_head".to_owned()));
    let top = best.top(12, 3);
    assert!(top[0].value >= top[1].value && top[1].value >= top[2].value);

    let request =
        |aim| DrawRequest { opposite: true, twin: true, aim, size: 64, steps: 24, ..DrawRequest::new(head(12)) };
    live.send(Command::Visualise(request(Aim::Channel)));
    live.until("a first look", |session| session.vision.drawing(&head(12)).is_some_and(|d| d.pictures.len() == 2));
    // Another one takes its place.
    live.send(Command::Visualise(request(Aim::Neuron)));
    live.until("drawn", |session| {
        session.vision.drawing(&head(12)).is_some_and(|drawing| matches!(drawing.state, Drawn::Done(_)))
    });
    let drawing = live.session.vision.drawing(&head(12)).unwrap();
    let Drawn::Done(found) = &drawing.state else { panic!("it was done") };
    assert_eq!(
        (drawing.request.aim, found.images.len(), found.images[0].verdict),
        (Aim::Neuron, 2, Verdict::Converged)
    );
    assert_eq!((found.twins.len(), drawing.pictures.len()), (2, 4));
    assert_ne!(found.twins[0].picture.rgb(), found.images[0].picture.rgb());

    // A long one is stopped.
    live.send(Command::Visualise(DrawRequest { steps: 50_000, size: 64, ..DrawRequest::new(head(13)) }));
    live.until("running", |session| session.vision.drawing(&head(13)).is_some_and(|drawing| drawing.step > 0));
    let job = live.session.vision.drawing(&head(13)).unwrap().job;
    live.send(Command::CancelJob(job));
    live.until("stopped", |session| {
        session.vision.drawing(&head(13)).is_some_and(|drawing| matches!(drawing.state, Drawn::Stopped))
    });
    live.send(Command::CloseModel);
    live.until("closed", |session| matches!(session.vision.seen, Loadable::Empty));
    assert!(live.session.vision.drawing(&head(12)).is_none());
}

/// Draws frames until `done`.
fn until(harness: &mut Harness<'_, Workbench>, what: &str, done: impl Fn(&Harness<'_, Workbench>) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done(harness) {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
        harness.run_steps(2);
    }
}

#[test]
fn the_window_arranges_itself_for_a_network_and_every_panel_follows_a_click() {
    let live = opened();
    let workbench = Workbench::new(live.session, None);
    let mut harness = Harness::builder()
        .with_size([1600.0, 1000.0])
        .allow_missing_glyphs()
        .with_context_setup(|ctx| {
            ctx.set_fonts(fonts::definitions());
            prepare(ctx);
        })
        .build_ui_state(
            |ui, workbench: &mut Workbench| {
                workbench.update(&ui.ctx().clone());
                workbench.ui(ui);
            },
            workbench,
        );
    let has =
        |name: &'static str| move |harness: &Harness<'_, Workbench>| harness.query_all_by_label(name).next().is_some();
    until(&mut harness, "classes", has("Egyptian cat"));
    harness.get_by_label_contains("efficientnet_lite · 1\u{2009}000 classes");
    until(&mut harness, "channels", has("channel 112, 6.000"));
    harness.get_by_label("channel 112, 6.000").click();
    until(&mut harness, "the channel's page", has("_swish_1:112"));
    harness.get_by_label("Visualise");
    harness.get_by_label("Opacity");
    harness.get_by_label("chelsea.png as the network sees it").click();
    until(&mut harness, "what fires there", has("row 3, column 3, the strongest first"));
    // Another site, chosen in Model, ends the selection of the channel and is drawn.
    harness.get_by_label("_conv_stem").click();
    until(&mut harness, "the maps of the stem", has("32 · 112 × 112"));
    harness.get_by_label("No channel selected");
}
