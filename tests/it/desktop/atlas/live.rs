//! The session reads an atlas on its own threads.

use std::path::Path;

use golgi::session::Session;
use golgi::session::atlas::Reading;
use golgi::session::build::{BuildPhase, BuildRequest};
use golgi::session::command::Command;
use golgi::session::loadable::Loadable;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;
use golgi_data::atlas::testing::Fixture;
use golgi_data::atlas::{Provisional, provisional_folder};
use golgi_data::unit::Unit;

use super::super::live::Live;
use super::detector;

fn with_atlas(mut live: Live) -> (Live, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    Fixture::default().write(folder.path()).unwrap();
    open(&mut live, folder.path());
    live.until("atlas", |session| session.atlas.open.get().is_some());
    (live, folder)
}

/// As a dropped folder is opened.
fn open(live: &mut Live, folder: &Path) {
    live.send(Command::OpenModel(folder.to_string_lossy().into_owned()));
}

#[test]
fn an_atlas_is_opened_its_pages_and_documents_arrive() {
    let (mut live, folder) = with_atlas(Live::new());
    live.send(Command::Want(vec![ResultKind::AtlasPage, ResultKind::Corpus]));
    live.send(Command::Select(Selection::of_unit(&detector())));
    live.until("page", |session| session.atlas.page.get().is_some_and(|page| page.unit == detector()));
    live.until("corpus", |session| session.atlas.corpus.get().is_some() && session.atlas.reading.is_some());
    live.send(Command::Select(Selection::of_unit(&Unit::head(2, 1))));
    live.until("next page", |session| session.atlas.page.get().is_some_and(|page| page.unit == Unit::head(2, 1)));
    // A unit that the atlas does not know is not selected.
    live.send(Command::Select(Selection::of_unit(&Unit::neuron(9, 9))));
    live.until("refused", |session| session.selection.unit.is_none());
    let recent = live.session.recent.list();
    assert_eq!((recent.len(), recent[0].name.as_str()), (1, "Atlas of planted"));
    assert!(Path::new(&recent[0].spec) == folder.path());
    live.send(Command::CloseAtlas);
    live.until("closed", |session| session.atlas.get().is_none() && session.jobs.running().next().is_none());
}

#[test]
fn an_unfinished_atlas_shows_what_is_known_and_then_the_rest() {
    let (mut live, folder) = (Live::new(), tempfile::tempdir().unwrap());
    let so_far = provisional_folder(folder.path());
    std::fs::create_dir(&so_far).unwrap();
    let fixture = Fixture { families: false, ..Fixture::default() };
    let mut manifest = fixture.write(&so_far).unwrap();
    (manifest.complete, manifest.provisional) = (false, Some(Provisional { tokens: manifest.tokens, of: 1_000_000 }));
    std::fs::write(so_far.join("atlas.json"), serde_json::to_string(&manifest).unwrap()).unwrap();
    // Tables that come last.
    for name in ["logits", "neighbours", "triggers"] {
        std::fs::remove_file(so_far.join(format!("{name}.parquet"))).unwrap();
    }
    std::fs::write(folder.path().join("build.json"), "{}").unwrap();
    open(&mut live, folder.path());
    live.until("so far", |session| session.atlas.open.get().is_some());
    assert!(live.session.atlas.get().unwrap().manifest().provisional.is_some());
    assert!(Path::new(&live.session.recent.list()[0].spec) == folder.path(), "the folder within is nobody's business");
    live.send(Command::Want(vec![ResultKind::AtlasPage]));
    live.send(Command::Select(Selection::of_unit(&detector())));
    live.until("page", |session| session.atlas.page.get().is_some_and(|page| page.promoted.is_empty()));
    // The build comes to its end.
    Fixture::default().write(folder.path()).unwrap();
    std::fs::remove_dir_all(&so_far).unwrap();
    live.send(Command::ReloadAtlas);
    live.until("whole", |session| session.atlas.get().is_some_and(|open| open.manifest().complete));
    live.until("page", |session| session.atlas.page.get().is_some_and(|page| !page.promoted.is_empty()));
    assert_eq!(live.session.notices.errors(), 0);
}

#[test]
fn queries_choose_units_and_failures_are_told() {
    let (mut live, _folder) = with_atlas(Live::new());
    let answered =
        |session: &Session| !session.atlas.answer.is_loading() && !matches!(session.atlas.answer, Loadable::Empty);
    live.send(Command::QueryAtlas("SELECT unit FROM units WHERE layer = 1 AND kind = 'head'".into()));
    live.until("answer", answered);
    assert_eq!(live.session.atlas.set.as_ref().map(|set| set.ids.len()), Some(4));
    live.send(Command::QueryAtlas("SELECT unit FROM families WHERE family = 'token detector'".into()));
    live.until("ids", |session| answered(session) && session.atlas.set.as_ref().is_some_and(|set| set.contains(46)));
    live.send(Command::QueryAtlas("SELECT nothing FROM units".into()));
    live.until("failure", |session| session.atlas.answer.failure().is_some());
    assert!(live.session.atlas.answer.failure().unwrap().details().contains("nothing"));
}

#[test]
fn what_is_no_atlas_is_refused_with_the_next_step() {
    let mut live = Live::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("atlas.json"), "{}").unwrap();
    open(&mut live, folder.path());
    live.until("refused", |session| session.atlas.open.failure().is_some());
    let details = live.session.atlas.open.failure().unwrap().details();
    assert!(details.contains("next step: Build one with"), "{details}");
    assert_eq!(live.session.notices.errors(), 1);
    assert!(live.session.recent.list().is_empty());
}

#[test]
fn texts_run_through_the_open_model() {
    let (mut live, _folder) = with_atlas(Live::opened());
    live.send(Command::Want(vec![ResultKind::Trial, ResultKind::Corpus, ResultKind::Painted]));
    live.send(Command::Select(Selection::of_unit(&detector())));
    live.send(Command::TryText("the cat sat".into()));
    live.until("trial", |session| session.atlas.trial.get().is_some());
    let trial = live.session.atlas.trial.get().unwrap().clone();
    assert_eq!((trial.tokens.len(), trial.values.len(), &trial.unit), (3, 3, &detector()));
    assert!(trial.values.iter().all(|value| value.is_finite()));
    // A head's activation is a length.
    live.send(Command::Select(Selection::of_unit(&Unit::head(1, 1))));
    live.until("head", |session| session.atlas.trial.get().is_some_and(|trial| trial.unit == Unit::head(1, 1)));
    assert!(live.session.atlas.trial.get().unwrap().values.iter().all(|value| *value > 0.0));
    // The atlas is of another model: its documents are not run through this one.
    live.send(Command::Read(Reading { document: 1, first: 0 }));
    live.until("refused", |session| session.atlas.painted.failure().is_some());
    assert!(live.session.atlas.painted.failure().unwrap().sentence.contains("not the one"));
}

#[test]
fn an_atlas_of_the_open_model_is_estimated_built_and_painted() {
    let mut live = Live::opened();
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("texts.txt");
    std::fs::write(&text, "the cat sat on a mat and the dog ran on the mat and a cat ran ".repeat(40)).unwrap();
    let model = live.session.document.model().unwrap().spec.clone();
    let request = BuildRequest {
        model,
        corpus: text.to_string_lossy().into_owned(),
        tokens: 400,
        folder: folder.path().join("atlas"),
    };
    live.send(Command::EstimateAtlas(request.clone()));
    live.until("estimate", |session| session.build.as_ref().is_some_and(|build| build.phase == BuildPhase::Estimated));
    assert!(live.session.build.as_ref().unwrap().estimate.unwrap().units > 0);
    live.send(Command::BuildAtlas(request));
    live.until("built", |session| session.build.is_none() && session.atlas.open.get().is_some());
    assert_eq!(live.session.notices.errors(), 0);

    live.send(Command::Want(vec![ResultKind::AtlasPage, ResultKind::Corpus, ResultKind::Painted]));
    live.send(Command::Select(Selection::of_unit(&Unit::neuron(1, 2))));
    live.until("painted", |session| session.atlas.painted.get().is_some() && session.atlas.page.get().is_some());
    let (page, painted) = (live.session.atlas.page.get().unwrap(), live.session.atlas.painted.get().unwrap());
    // What the model does now is what the atlas has stored.
    let mut compared = 0;
    for example in &page.examples {
        if let Some(values) = painted.values(example.context) {
            let now = values[usize::from(example.position)];
            assert!((now - example.value).abs() <= 1e-4 * example.value.abs().max(1.0), "{now} {}", example.value);
            compared += 1;
        }
    }
    assert!(compared > 0);
}

#[test]
fn a_build_that_cannot_begin_says_why() {
    let mut live = Live::opened();
    let folder = tempfile::tempdir().unwrap();
    let model = live.session.document.model().unwrap().spec.clone();
    let request =
        BuildRequest { model, corpus: "/no/such/corpus".into(), tokens: 400, folder: folder.path().join("atlas") };
    live.send(Command::BuildAtlas(request));
    live.until("failed", |session| session.build.as_ref().is_some_and(|build| !build.is_busy()));
    assert!(matches!(live.session.build.as_ref().unwrap().phase, BuildPhase::Failed(_)));
    live.send(Command::ForgetBuild);
    live.until("forgotten", |session| session.build.is_none());
}
