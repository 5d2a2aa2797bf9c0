//! The session with a real, tiny model on its own thread: open, run, change, continue, fail, retry.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use golgi::session::Session;
use golgi::session::backend::BackendOptions;
use golgi::session::command::{Command, GenerateRequest};
use golgi::session::jobs::JobState;
use golgi::session::loadable::Loadable;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;
use golgi_data::models::Resolver;
use golgi_data::unit::Unit;
use golgi_probes::OpenOptions;
use golgi_probes::intervention::{Edit, Intervention};
use tempfile::TempDir;

/// A session with a home of its own.
pub struct Live {
    /// The session.
    pub session: Session,
    home: TempDir,
}

impl Live {
    /// Nothing is open.
    pub fn new() -> Live {
        let home = tempfile::tempdir().unwrap();
        let resolver = Resolver { home: home.path().to_owned(), offline: true, ..Resolver::default() };
        let options = BackendOptions {
            resolver,
            home: home.path().to_owned(),
            open: OpenOptions::default(),
            budget_bytes: Some(1 << 30),
        };
        let session = Session::new(Some(home.path().to_owned()), options, Arc::new(|| {}));
        Live { session, home }
    }

    /// Asks for a change.
    pub fn send(&self, command: Command) {
        self.session.commands().send(command);
    }

    /// Lets the session work until `done`, as a window would.
    pub fn until(&mut self, what: &str, done: impl Fn(&Session) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            self.session.update();
            if done(&self.session) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {:?}", self.session.jobs.list());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The tiny llama with a tokenizer of whole words, opened.
    pub fn opened() -> Live {
        let mut live = Live::new();
        let folder = worded(live.home.path());
        live.send(Command::SetPrompt("the cat sat on the mat".into()));
        live.send(Command::OpenModel(folder.to_string_lossy().into_owned()));
        live.until("open", |session| session.document.model().is_some());
        live
    }
}

const WORDS: &str = "[UNK] the cat sat on a mat and dog ran";

fn worded(home: &Path) -> PathBuf {
    let folder = home.join("tiny");
    std::fs::create_dir(&folder).unwrap();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/reference/llama");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(reference.join(name), folder.join(name)).unwrap();
    }
    let vocab: serde_json::Map<String, serde_json::Value> =
        WORDS.split(' ').enumerate().map(|(id, word)| (word.to_owned(), id.into())).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" },
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    folder
}

#[test]
fn a_prompt_is_run_and_everything_wanted_arrives() {
    let mut live = Live::opened();
    live.send(Command::Want(ResultKind::ALL.to_vec()));
    live.send(Command::Select(Selection::of_unit(&Unit::neuron(1, 2)).at_token(3)));
    live.until("results", |session| {
        let results = &session.document.results;
        results.stats.get().is_some()
            && results.lens.get().is_some()
            && results.attention.get().is_some()
            && results.neurons.get().is_some_and(|table| table.position == 3)
            && results.unit.get().is_some_and(|page| page.unit == Unit::neuron(1, 2))
            && results.attribution.get().is_some_and(|attribution| attribution.position == 3)
    });
    let document = &live.session.document;
    assert_eq!(document.tokens().len(), 6);
    assert!(matches!(document.results.effect, Loadable::Empty), "nothing is changed");
    assert_eq!(live.session.recent.list().len(), 1);
    assert!(live.session.jobs.running().next().is_none());
}

#[test]
fn an_intervention_changes_what_is_shown_and_undo_takes_it_back() {
    let mut live = Live::opened();
    live.send(Command::Want(vec![ResultKind::TokenStats, ResultKind::Effect]));
    live.until("first run", |session| session.document.results.stats.get().is_some());
    let before = Arc::clone(live.session.document.results.stats.get().unwrap());
    let change = Intervention::of_unit(&Unit::head(0, 0), Edit::Scale { factor: 5.0 });
    live.send(Command::AddIntervention(change));
    live.until("effect", |session| session.document.results.effect.get().is_some_and(|effect| effect.kl > 0.0));
    live.until("changed run", |session| session.document.results.stats.get().is_some_and(|stats| **stats != *before));

    live.send(Command::ShowOriginal(true));
    live.until("original run", |session| session.document.results.stats.get().is_some_and(|stats| **stats == *before));
    live.send(Command::ShowOriginal(false));
    live.send(Command::Undo);
    live.until("undone", |session| {
        let results = &session.document.results;
        matches!(results.effect, Loadable::Empty) && results.stats.get().is_some_and(|stats| **stats == *before)
    });
}

#[test]
fn only_the_latest_text_arrives() {
    let mut live = Live::opened();
    for n in 1..30 {
        live.send(Command::SetPrompt("the cat ".repeat(n)));
        live.session.update();
    }
    live.until("last text", |session| {
        session.document.results.stats.get().is_some_and(|stats| stats.tokens.len() == 58)
    });
    live.until("rest", |session| session.jobs.running().next().is_none());
    assert_eq!(live.session.document.tokens().len(), 58, "no stale answer came behind it");
}

#[test]
fn a_continuation_streams_and_can_be_kept_or_cancelled() {
    let mut live = Live::opened();
    live.send(Command::Generate(GenerateRequest { max_tokens: 5, temperature: 1.0, seed: 3 }));
    live.until("continuation", |session| session.document.generated.as_ref().is_some_and(|g| !g.running));
    let generated = live.session.document.generated.clone().unwrap();
    assert_eq!(generated.tokens.len(), 5);
    assert!(generated.tokens.iter().all(|(_, prob)| (0.0..=1.0).contains(prob)));
    live.send(Command::AcceptGeneration);
    live.until("kept", |session| session.document.prompt.ends_with(generated.text.trim_start()));

    live.send(Command::Generate(GenerateRequest { max_tokens: 4000, temperature: 0.0, seed: 0 }));
    live.until("running", |session| session.jobs.running().any(|job| job.title == "Continue the text"));
    let job = live.session.jobs.running().find(|job| job.title == "Continue the text").unwrap().id;
    live.send(Command::CancelJob(job));
    live.until("stopped", |session| session.jobs.get(job).is_some_and(|job| !job.is_running()));
    assert!(!live.session.document.generated.as_ref().unwrap().running);
}

#[test]
fn failures_are_told_and_the_open_model_stays() {
    let mut live = Live::opened();
    let nothing = live.home.path().join("nothing.gguf").to_string_lossy().into_owned();
    live.send(Command::OpenModel(nothing));
    live.until("refused", |session| session.notices.errors() > 0);
    assert!(live.session.document.model().is_some(), "the model that was open still is");
    let failed = live.session.jobs.list().iter().any(|job| matches!(job.state, JobState::Failed(_)));
    assert!(failed);

    live.send(Command::SetPrompt("the cat ".repeat(100_000)));
    live.until("too long", |session| session.document.results.stats.failure().is_some());
    let notice = live.session.document.results.stats.failure().unwrap();
    assert!(!notice.causes.is_empty(), "{notice:?}");
    live.send(Command::Undo);
    live.until("run again", |session| session.document.results.stats.get().is_some());

    live.send(Command::CloseModel);
    live.until("closed", |session| matches!(session.document.model, Loadable::Empty));
}

#[test]
fn a_model_without_a_tokenizer_opens_and_runs_no_text() {
    let mut live = Live::new();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/reference/gpt2");
    live.send(Command::OpenModel(reference.to_string_lossy().into_owned()));
    live.until("open", |session| session.document.model().is_some());
    assert!(!live.session.document.model().unwrap().has_tokenizer);
    live.send(Command::SetPrompt("text".into()));
    for _ in 0..20 {
        live.session.update();
    }
    assert!(matches!(live.session.document.results.stats, Loadable::Empty));
}

#[test]
fn a_session_is_saved_as_a_script_that_says_the_same() {
    use golgi_probes::script::Script;
    let mut live = Live::opened();
    let change = Intervention::of_unit(&Unit::head(1, 0), Edit::Zero);
    live.send(Command::AddIntervention(change.clone()));
    live.send(Command::Select(Selection::of_unit(&Unit::neuron(0, 5)).at_token(2)));
    let path = live.home.path().join("session.toml");
    live.send(Command::SaveScript(Some(path.clone())));
    live.until("saved", |_| path.exists());
    let script = Script::load(&path, &[]).unwrap();
    assert_eq!(script.inputs[0].text.as_deref(), Some("the cat sat on the mat"));
    assert_eq!(script.interventions, [change]);
    assert!(script.analyses.iter().any(|call| call.name == "effect"));
    // And it runs.
    let resolver = Resolver { home: live.home.path().to_owned(), offline: true, ..Resolver::default() };
    let ctx = golgi_data::context::RunContext::new(0);
    let model = golgi_probes::open(&script.model, &resolver, &OpenOptions::default(), &ctx).unwrap();
    let outcome = golgi_analysis::script::run(&model, &script, live.home.path(), &ctx).unwrap();
    assert_eq!(outcome.reports.len(), script.analyses.len());
}
