//! The panels of the open dictionary: features of the prompt, and steering.

use std::path::Path;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::dictionary::{OpenDictionary, SteerRequest};
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi_analysis::sae::{ActiveLatent, PromptFeatures, Steered};
use golgi_data::dictionary::{Architecture, Config, Dictionary, Part};
use golgi_data::site::{BlockPoint, Site};
use golgi_data::unit::Unit;
use golgi_sae::{Coder, LatentEdit};

use super::live::Live;
use super::stage::{Stage, TOKENS, computed, settle, stage};

/// A dictionary of 12 latents; latent i writes along coordinate i modulo the width.
fn dictionary(layer: u32, width: usize) -> Dictionary {
    let part = Part { site: Site::block(layer, BlockPoint::ResidPost).to_string(), width: width as u32 };
    let rows: Vec<f32> =
        (0..12).flat_map(|latent| (0..width).map(move |at| f32::from(u8::from(at == latent % width)))).collect();
    Dictionary {
        encoder: rows.clone(),
        encoder_bias: vec![0.0; 12],
        decoder: rows,
        decoder_bias: vec![0.0; width],
        ..Dictionary::empty(Config::autoencoder(Architecture::TopK { k: 3 }, part, 12))
    }
}

fn open(harness: &mut Harness<'_, Stage>) {
    let state = &mut harness.state_mut().session.dictionary;
    let coder = Coder::new(dictionary(1, 8)).unwrap();
    state.folder = Some("/tmp/\u{202e}run".into());
    state.open = Loadable::ready(OpenDictionary::new("/tmp/run".into(), coder));
}

/// Latent 7 speaks for the prediction at every token but the first, latent 2 against it at the last.
fn features() -> PromptFeatures {
    let active =
        |latent, activation, attribution, loss_effect| ActiveLatent { latent, activation, attribution, loss_effect };
    let at = |token: usize| match token {
        0 => vec![],
        4 => vec![active(7, 4.0, 1.5, -0.25), active(2, 9.0, -2.5, 0.5)],
        _ => vec![active(7, token as f32, 0.5, -0.125)],
    };
    PromptFeatures {
        tokens: vec![1, 2, 3, 4, 5],
        pieces: TOKENS.map(str::to_owned).to_vec(),
        active: (0..5).map(at).collect(),
        unexplained: vec![1.0, 0.5, 0.25, 0.125, 0.0],
        target: (1, " on".into()),
        foil: (2, " off".into()),
        difference: 2.0,
        error_attribution: 0.25,
    }
}

#[test]
fn without_a_dictionary_both_panels_say_how_to_open_one() {
    let mut harness = stage(Document::default(), &["features", "steering"]);
    assert_eq!(harness.get_all_by_label("No sparse dictionary is open").count(), 2);
    harness.get_all_by_label("Open a dictionary…").next().unwrap().click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::AskForDictionary]));
    let state = &mut harness.state_mut().session.dictionary;
    (state.folder, state.open) = (Some("/x".into()), Loadable::Failed(Notice::failure("It could not be opened.")));
    settle(&mut harness);
    harness.get_all_by_label("It could not be opened.").next().unwrap();
    harness.get_all_by_label("Try again").next().unwrap().click();
    settle(&mut harness);
    let sent = &harness.state().sent;
    assert!(sent.iter().any(|command| matches!(command, Command::OpenDictionary(path) if path == Path::new("/x"))));
}

#[test]
fn features_follow_the_token_and_a_click_selects_the_latent() {
    let mut harness = stage(computed(), &["features"]);
    open(&mut harness);
    harness.state_mut().session.dictionary.features.begin();
    settle(&mut harness);
    harness.get_by_label("Computing the prompt's features");
    harness.state_mut().session.dictionary.features = Loadable::Failed(Notice::failure("It does not fit."));
    settle(&mut harness);
    harness.get_by_label("It does not fit.");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent.last(), Some(Command::Retry(ResultKind::PromptFeatures))));

    harness.state_mut().session.dictionary.features = Loadable::ready(features());
    settle(&mut harness);
    harness.get_by_label("Features, 2 rows");
    harness.get_by_label_contains("latent 2 at 4");
    // All tokens.
    harness.get_by_label("At every token").click();
    settle(&mut harness);
    harness.get_by_label("Features, 5 rows");
    harness.get_by_label_contains("latent 2 at 4").click();
    settle(&mut harness);
    let selection = &harness.state().session.selection;
    assert_eq!(selection.unit, Some(Unit::latent(1, 2)));
    harness.get_by_label_contains("ACTIVATION OF LATENT 2");
    // A token of which the dictionary has nothing to say.
    let first = golgi::session::selection::Selection::of_token(0);
    harness.state().session.commands().select(first);
    settle(&mut harness);
    harness.get_by_label_contains("At The").click();
    settle(&mut harness);
    harness.get_by_label_contains("No latent is active here");
    harness.get_by_label("Close the dictionary").click();
    settle(&mut harness);
    assert!(harness.state().session.dictionary.folder.is_none());
}

#[test]
fn latents_are_changed_and_the_three_continuations_shown() {
    let mut harness = stage(computed(), &["steering"]);
    open(&mut harness);
    harness.state_mut().session.dictionary.features = Loadable::ready(features());
    settle(&mut harness);
    harness.get_by_label("Nothing steered yet");
    harness
        .state()
        .session
        .commands()
        .select(golgi::session::selection::Selection { unit: Some(Unit::latent(1, 2)), ..Default::default() });
    settle(&mut harness);
    // Twice its largest activation in the text.
    harness.get_by_label("2×").click();
    settle(&mut harness);
    harness.get_by_label_contains("Add change").click();
    settle(&mut harness);
    harness.get_by_label("add latent 2");
    harness.get_by_label_contains("Steer").click();
    settle(&mut harness);
    let asked = harness.state().session.dictionary.request.clone().unwrap();
    assert_eq!(asked.edits, [(2, LatentEdit::Add { amount: 18.0 })]);
    let steered = Steered {
        edits: asked.edits,
        plain: " as ever".into(),
        steered: " quite \u{202e}other".into(),
        control: " as ever".into(),
        control_latents: vec![5],
        kl: 1.25,
        control_kl: 0.0,
    };
    harness.state_mut().session.dictionary.steered = Loadable::ready(steered);
    settle(&mut harness);
    harness.get_by_label("latent 2 +18.00");
    harness.get_by_label("the same with latents 5");
    harness.get_by_label_contains("KL of the next token 1.250 nats");
    assert!(harness.query_by_label_contains("\u{202e}").is_none(), "what turns the writing direction is not drawn");
    harness.get_by_label("Remove the change of latent 2").click();
    settle(&mut harness);
    assert!(harness.query_by_label("add latent 2").is_none());
}

#[test]
fn a_dictionary_is_opened_read_and_steered_with() {
    let mut live = Live::opened();
    let width = live.session.document.model().unwrap().dims.d_model;
    let folder = tempfile::tempdir().unwrap();
    dictionary(1, width).write(folder.path()).unwrap();
    // Whatever names a folder may name a dictionary.
    live.send(Command::OpenModel(folder.path().to_string_lossy().into_owned()));
    live.send(Command::Want(vec![ResultKind::PromptFeatures, ResultKind::Steering]));
    live.until("features", |session| session.dictionary.features.get().is_some());
    let found = live.session.dictionary.features.get().unwrap().clone();
    assert_eq!(found.tokens.len(), found.active.len());
    assert!(found.active.iter().flatten().all(|one| one.activation > 0.0 && one.loss_effect.is_finite()));
    assert!(found.active.iter().flatten().any(|one| one.loss_effect != 0.0));
    let request = SteerRequest {
        edits: vec![(found.active[1][0].latent, LatentEdit::Add { amount: 50.0 })],
        max_tokens: 3,
        temperature: 0.0,
        seed: 3,
    };
    live.send(Command::Steer(request));
    live.until("steered", |session| session.dictionary.steered.get().is_some());
    let steered = live.session.dictionary.steered.get().unwrap().clone();
    assert!(steered.kl > 0.0 && steered.control_latents.len() == 1, "{steered:?}");
    // Another text makes other features.
    live.send(Command::SetPrompt("a dog ran".into()));
    live.until("the new text's", |session| {
        session.dictionary.features.get().is_some_and(|features| features.tokens.len() < found.tokens.len())
    });
    live.send(Command::CloseDictionary);
    live.until("closed", |session| session.dictionary.get().is_none() && session.dictionary.features.get().is_none());
    // What is no dictionary says why.
    live.send(Command::OpenDictionary(folder.path().join("nothing")));
    live.until("refused", |session| session.dictionary.open.failure().is_some());
}
