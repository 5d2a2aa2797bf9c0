//! The window as a whole: start screen, panels, menus, palette, keys, notices.

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use golgi::desktop::shell::{Workbench, prepare};
use golgi::desktop::{fonts, panels};
use golgi::session::Session;
use golgi::session::command::{Command, ThemeChoice};
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;

use super::given::{ablation, changed, everything};

/// The whole window around a document.
fn window(document: Document, size: [f32; 2]) -> Harness<'static, Workbench> {
    let mut workbench = Workbench::new(Session::for_tests(document), None);
    workbench.session.recent.add("/models/tiny", "tiny \u{202e}model", "llama, 1 M parameters".into());
    Harness::builder()
        .with_size(egui::Vec2::from(size))
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
        )
}

const LARGE: [f32; 2] = [1600.0, 1000.0];

fn press(harness: &mut Harness<'_, Workbench>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run_steps(4);
}

#[test]
fn the_start_screen_offers_models_and_shows_what_failed() {
    let mut harness = window(Document::default(), LARGE);
    harness.get_by_label_contains("Get SmolLM2 135M Instruct (");
    harness.get_by_label("Open tiny ‹U+202E›model again").click();
    harness.run_steps(3);
    assert!(matches!(harness.state().session.document.model, Loadable::Loading { .. }));

    let failure = Notice::failure("The model could not be opened: x.gguf").with_next_step("Download it again");
    harness.state_mut().session.document.model = Loadable::Failed(failure);
    harness.run_steps(3);
    harness.get_by_label("The model could not be opened: x.gguf");
    harness.get_by_label("Download it again");
    harness.get_by_label("Copy details");
}

#[test]
fn a_licence_must_be_accepted_before_its_model_is_fetched() {
    let mut harness = window(Document::default(), LARGE);
    let get = |harness: &Harness<'_, Workbench>| {
        use egui_kittest::kittest::NodeT;
        harness.get_by_label("Get Gemma 3 270M").accesskit_node().is_disabled()
    };
    assert!(get(&harness));
    harness.get_by_label("I accept the terms of Gemma 3 270M").click();
    harness.run_steps(3);
    assert!(!get(&harness));
}

#[test]
fn every_panel_has_a_tab_closes_and_opens_again() {
    for size in [LARGE, [1280.0, 720.0]] {
        let mut harness = window(everything(), size);
        harness.run_steps(3);
        for panel in panels::all() {
            harness.state_mut().dock().open(panel.id());
            harness.run_steps(2);
            harness.get_by_role_and_label(egui::Role::Tab, panel.title());
            harness.get_by_label(&format!("Close {}", panel.title())).click();
            harness.run_steps(3);
            assert!(!harness.state_mut().dock().is_open(panel.id()), "{}", panel.title());
            assert!(harness.query_by_role_and_label(egui::Role::Tab, panel.title()).is_none());
        }
        harness.get_by_label("Every panel is closed");
        press(&mut harness, Modifiers::COMMAND, Key::Num2);
        assert!(harness.state_mut().dock().is_open("prompt"));
    }
}

#[test]
fn the_palette_finds_actions_by_a_few_letters() {
    let mut harness = window(everything(), LARGE);
    press(&mut harness, Modifiers::COMMAND, Key::P);
    harness.get_by_label("Command to find").type_text("light");
    harness.run_steps(3);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(harness.state().session.settings.theme, ThemeChoice::Light);
    assert!(harness.query_by_label("Command to find").is_none(), "it closes behind the choice");
}

#[test]
fn keys_undo_redo_move_the_token_and_show_help() {
    let mut harness = window(everything(), LARGE);
    harness.state().session.commands().send(Command::AddIntervention(ablation()));
    harness.run_steps(3);
    assert_eq!(harness.state().session.document.interventions.len(), 1);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert!(harness.state().session.document.interventions.is_empty());
    press(&mut harness, Modifiers::COMMAND, Key::Y);
    assert_eq!(harness.state().session.document.interventions.len(), 1);

    press(&mut harness, Modifiers::ALT, Key::ArrowLeft);
    assert_eq!(harness.state().session.selection.token, Some(3));
    press(&mut harness, Modifiers::ALT, Key::ArrowRight);
    assert_eq!(harness.state().session.selection.token, Some(4));
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.state().session.selection.is_empty());

    press(&mut harness, Modifiers::NONE, Key::F1);
    harness.get_by_label("Run the text now");
    // The list finds its size.
    harness.run_steps(6);
    harness.get_by_label("Close the list of shortcuts").click();
    harness.run_steps(6);
    assert!(harness.query_by_label("Close the list of shortcuts").is_none());
}

#[test]
fn menus_show_their_keys() {
    let mut harness = window(everything(), LARGE);
    harness.get_by_role_and_label(egui::Role::Button, "View").click();
    harness.run_steps(3);
    harness.get_by_label("Reset layout");
    harness.get_by_role_and_label(egui::Role::Button, "Dark theme").click();
    harness.run_steps(3);
    assert_eq!(harness.state().session.settings.theme, ThemeChoice::Dark);
}

#[test]
fn hovering_a_token_is_known_to_every_panel() {
    let mut harness = window(everything(), LARGE);
    harness.run_steps(2);
    harness.get_by_label("token 2 ↵, 2.000").hover();
    harness.run_steps(3);
    assert_eq!(harness.state().session.hover.token, Some(2));
    harness.remove_cursor();
    harness.run_steps(3);
    assert_eq!(harness.state().session.hover.token, None, "a hover lasts as long as the pointer rests");
}

#[test]
fn notices_float_and_can_be_dismissed() {
    let mut harness = window(everything(), LARGE);
    let notice = Notice::warning("Something is \u{1b}[31m odd.").with_next_step("Look at it");
    harness.state().session.commands().send(Command::Notify(notice));
    harness.run_steps(3);
    harness.get_by_label("Something is ‹U+001B›[31m odd.");
    harness.get_by_label("Dismiss").click();
    harness.run_steps(3);
    assert!(harness.state().session.notices.list().is_empty());
}

#[test]
fn a_picture_is_asked_for_with_its_place() {
    let mut harness = window(everything(), LARGE);
    harness.run_steps(2);
    harness.get_by_label("Save a picture of Prompt").click();
    harness.run_steps(3);
    harness.get_by_label("The panel is saved as it is on the screen.");
    harness.get_by_label("Cancel").click();
    harness.run_steps(3);
    assert!(harness.query_by_label("Cancel").is_none());
}

#[test]
fn an_idle_window_draws_no_frames() {
    for document in [Document::default(), everything(), changed()] {
        let mut harness = window(document, LARGE);
        harness.run_steps(30);
        for name in ["attention", "interventions", "jobs"] {
            harness.state_mut().dock().open(name);
        }
        harness.run_steps(30);
        // Fails where frames are still asked for at once.
        harness.run();
    }
}

#[test]
fn only_what_visible_panels_need_is_wanted() {
    use golgi::session::results::ResultKind;
    let mut harness = window(everything(), LARGE);
    harness.run_steps(4);
    assert!(harness.state().session.wanted().contains(&ResultKind::LogitLens));
    assert!(!harness.state().session.wanted().contains(&ResultKind::AttentionMaps), "it is behind another tab");
    harness.state_mut().dock().open("attention");
    harness.run_steps(4);
    assert!(harness.state().session.wanted().contains(&ResultKind::AttentionMaps));
    assert!(!harness.state().session.wanted().contains(&ResultKind::LogitLens));
}
