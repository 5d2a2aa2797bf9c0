//! The Prompt panel.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::{Document, Generated};
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;
use golgi_data::unit::Unit;

use super::given::everything;
use super::stage::{is_lit, opened, settle, stage};

#[test]
fn its_four_states() {
    stage(Document::default(), &["prompt"]).get_by_label("No text has been run");

    let mut document = opened();
    document.results.stats.begin();
    stage(document, &["prompt"]).get_by_label("Computing the tokens");

    let mut document = opened();
    document.results.stats = Loadable::Failed(Notice::failure("The text has 9 tokens, the context holds 8."));
    let mut harness = stage(document, &["prompt"]);
    harness.get_by_label("The text has 9 tokens, the context holds 8.");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::Retry(ResultKind::TokenStats)]));

    let harness = stage(everything(), &["prompt"]);
    harness.get_by_label("token 1 ·cat, 1.000");
    harness.get_by_label("token 3 ‹U+202E›sat, 3.000");
    harness.get_by_label("·down 50.0 %");
}

#[test]
fn a_click_selects_the_token_for_every_panel() {
    let mut harness = stage(everything(), &["prompt", "lens"]);
    harness.get_by_label("token 1 ·cat, 1.000").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.selection.token, Some(1));
    assert!(is_lit(&harness, "token 1 ·cat, 1.000"));
    harness.get_by_label("at 1");
    // And the other way: the lens selects, the strip lights up.
    harness.get_by_label("depth 1, token 2: d2k0 75.0 %").click();
    settle(&mut harness);
    assert!(is_lit(&harness, "token 2 ↵, 2.000"));
}

#[test]
fn a_text_runs_with_ctrl_enter_or_after_a_pause() {
    let mut harness = stage(everything(), &["prompt"]);
    harness.get_by_label("Prompt").focus();
    harness.run_steps(2);
    harness.get_by_label("Prompt").type_text("More");
    harness.run_steps(2);
    assert!(harness.state().sent.is_empty(), "not while typing");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run_steps(2);
    let before = harness.state().session.document.prompt.clone();
    assert!(before.contains("More") && !before.contains("More\n"), "{before:?}");

    harness.get_by_label("Prompt").type_text("!");
    // Steps of a quarter of a second: the pause is longer than one and shorter than four.
    harness.run_steps(1);
    assert_eq!(harness.state().session.document.prompt, before);
    harness.run_steps(8);
    assert_ne!(harness.state().session.document.prompt, before);
}

#[test]
fn an_undone_text_comes_back_into_the_field() {
    let mut harness = stage(everything(), &["prompt"]);
    harness.state().session.commands().send(Command::SetPrompt("Other".into()));
    harness.run_steps(2);
    assert_eq!(harness.get_by_label("Prompt").value().as_deref(), Some("Other"));
    harness.state().session.commands().send(Command::Undo);
    harness.run_steps(2);
    assert_ne!(harness.get_by_label("Prompt").value().as_deref(), Some("Other"));
}

#[test]
fn tokens_are_coloured_by_the_selected_unit() {
    let mut harness = stage(everything(), &["prompt"]);
    harness.state_mut().session.selection = Selection::of_unit(&Unit::neuron(1, 2));
    harness.get_by_label("Colour tokens by").click();
    harness.run_steps(3);
    harness.get_by_label("Selected unit").click();
    harness.run_steps(3);
    harness.get_by_label("token 1 ·cat, 2.500");
}

#[test]
fn a_continuation_streams_and_is_kept() {
    let mut document = everything();
    let tokens = vec![(" mat".to_owned(), 0.5)];
    document.generated = Some(Generated { tokens, text: " mat".into(), running: true });
    let mut harness = stage(document, &["prompt"]);
    harness.get_by_label("1 tokens so far");
    harness.get_by_label("Stop");
    harness.state_mut().session.document.generated.as_mut().unwrap().running = false;
    harness.run_steps(2);
    harness.get_by_label("Keep the continuation").click();
    settle(&mut harness);
    assert!(harness.state().session.document.prompt.ends_with(" mat"));
    assert!(harness.state().session.document.generated.is_none());
    harness.get_by_label("Continue").click();
    settle(&mut harness);
    assert!(harness.state().sent.iter().any(|command| matches!(command, Command::Generate(_))));
}
