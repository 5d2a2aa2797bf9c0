//! What stands between the session and the model's thread.
//!
//! Before each frame [`Backend::update`] compares what is there with what is wanted. Every result carries the [`Subject`] it is
//! about; where that differs from the present one, work under way is cancelled, its answer is dropped, and the work for the present
//! one is submitted. So nothing has to be invalidated by hand, and a stale answer cannot arrive. Nothing here waits.

mod activation;
mod aliases;
mod atlas;
mod build;
mod compute;
mod dictionary;
mod generate;
mod open;
mod reader;
mod runs;
mod slot;
mod studio;
mod toys;
mod vision;

use std::path::PathBuf;
use std::sync::Arc;

use golgi_data::context::RunContext;
use golgi_data::models::Resolver;
use golgi_data::unit::Unit;
use golgi_probes::OpenOptions;
use golgi_probes::host::ModelHost;
use golgi_probes::intervention::Intervention;

use super::Session;
use super::atlas::Reading;
use super::atlas::corpus::Corpus;
use super::command::Command;
use super::loadable::Loadable;
use super::results::{ResultKind, Results};
use generate::Generating;
use open::{Fetching, Opening};
use slot::Slot;

/// A text that needs more is refused with a sentence instead of filling the memory.
const DEFAULT_BUDGET_BYTES: u64 = 4 << 30;

/// How models are found and opened.
#[derive(Debug, Clone)]
pub struct BackendOptions {
    /// Finds them.
    pub resolver: Resolver,
    /// The folder into which models of the catalogue are fetched.
    pub home: PathBuf,
    /// Device and element type.
    pub open: OpenOptions,
    /// The most memory that captured activations may take, in bytes; 4 GiB where nothing is said.
    pub budget_bytes: Option<u64>,
}

/// What a result is about. Two equal subjects have equal results.
#[derive(Debug, Clone, PartialEq, Default)]
struct Subject {
    model: u64,
    prompt: String,
    interventions: Vec<Intervention>,
    position: Option<usize>,
    unit: Option<Unit>,
    passage: Option<Passage>,
    about: Option<dictionary::About>,
    sight: Option<vision::Sight>,
}

/// Part of a document of the open atlas.
#[derive(Debug, Clone)]
struct Passage {
    corpus: Arc<Corpus>,
    reading: Reading,
    /// The digest of the model that the atlas was made of.
    model_digest: String,
}

impl PartialEq for Passage {
    fn eq(&self, other: &Passage) -> bool {
        Arc::ptr_eq(&self.corpus, &other.corpus) && self.reading == other.reading
    }
}

/// Why work brought no result.
enum Failure {
    /// Somebody asked it to stop.
    Cancelled,
    /// It failed; this says why.
    Failed(super::notice::Notice),
}

impl Failure {
    /// The failure of work with this context, described as `doing`.
    fn of(doing: &str, error: &(dyn std::error::Error + 'static), ctx: &RunContext) -> Failure {
        if ctx.check().is_err() {
            Failure::Cancelled
        } else {
            Failure::Failed(super::notice::Notice::error(doing, error))
        }
    }
}

/// The session's other side.
pub struct Backend {
    host: ModelHost,
    options: BackendOptions,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// Counts the models opened, so that results of an earlier one are told apart.
    model: u64,
    opening: Option<Opening>,
    fetching: Vec<Fetching>,
    generating: Option<Generating>,
    slots: Slots,
    desk: atlas::Desk,
    building: Option<build::Building>,
    follower: runs::Follower,
    librarian: dictionary::Librarian,
    trainer: toys::Trainer,
    studio: studio::Studio,
}

#[derive(Default)]
struct Slots {
    stats: Slot<golgi_analysis::prompt::token_stats::TokenStats>,
    lens: Slot<golgi_analysis::prompt::logit_lens::LogitLens>,
    attention: Slot<golgi_analysis::prompt::attention::AttentionMaps>,
    neurons: Slot<golgi_analysis::units::table::NeuronTable>,
    unit: Slot<golgi_analysis::units::page::UnitPage>,
    effect: Slot<golgi_analysis::prompt::effect::Effect>,
    attribution: Slot<golgi_analysis::prompt::attribution::Attribution>,
    painted: Slot<super::atlas::corpus::Painted>,
    trial: Slot<super::atlas::Trial>,
    seen: Slot<super::vision::Seen>,
    maps: Slot<golgi_analysis::channels::ChannelMaps>,
}

impl Backend {
    /// Starts the model's thread. `wake` is called whenever there is something to take in.
    pub(super) fn start(options: BackendOptions, wake: Arc<dyn Fn() + Send + Sync>) -> Backend {
        let host = ModelHost::start(Arc::clone(&wake));
        let (opening, fetching, generating, slots) = (None, Vec::new(), None, Slots::default());
        let desk = atlas::Desk::start(Arc::clone(&wake));
        Backend {
            host,
            options,
            wake,
            model: 0,
            opening,
            fetching,
            generating,
            slots,
            desk,
            building: None,
            follower: runs::Follower::default(),
            librarian: dictionary::Librarian::default(),
            trainer: toys::Trainer::default(),
            studio: studio::Studio::default(),
        }
    }

    /// Carries out a command that concerns the model's thread.
    pub(super) fn command(&mut self, session: &mut Session, command: Command) {
        match command {
            Command::OpenModel(spec) => self.open(session, spec),
            Command::FetchModel(name) => self.fetch(session, &name),
            Command::CloseModel => self.close(session),
            Command::Generate(request) => self.generate(session, request),
            Command::DiscardGeneration => self.stop_generating(),
            Command::Retry(kind) => self.forget(kind),
            Command::OpenAtlas(_) | Command::ReloadAtlas | Command::CloseAtlas => self.desk.turn_over(),
            Command::QueryAtlas(query) => self.desk.ask(query),
            Command::EstimateAtlas(request) => self.build(session, request, true),
            Command::BuildAtlas(request) => self.build(session, request, false),
            Command::PauseBuild => self.pause_build(),
            Command::OpenDictionary(folder) => self.open_dictionary(folder),
            Command::TrainToys(request) => self.train_toys(session, request),
            Command::StopToys => self.stop_toys(),
            Command::Visualise(request) => self.draw(session, request),
            _ => {}
        }
    }

    /// Takes in what has arrived and submits what is wanted and missing.
    pub(super) fn update(&mut self, session: &mut Session) {
        self.update_fetching(session);
        self.update_opening(session);
        self.update_generating(session);
        self.update_building(session);
        self.update_atlas(session);
        self.update_runs(session);
        self.update_dictionary(session);
        self.update_toys(session);
        self.update_vision(session);
        self.update_results(session);
    }

    fn forget(&mut self, kind: ResultKind) {
        match kind {
            ResultKind::TokenStats => self.slots.stats.forget(),
            ResultKind::LogitLens => self.slots.lens.forget(),
            ResultKind::AttentionMaps => self.slots.attention.forget(),
            ResultKind::NeuronTable => self.slots.neurons.forget(),
            ResultKind::UnitPage => self.slots.unit.forget(),
            ResultKind::Effect => self.slots.effect.forget(),
            ResultKind::Attribution => self.slots.attribution.forget(),
            ResultKind::Painted => self.slots.painted.forget(),
            ResultKind::Trial => self.slots.trial.forget(),
            ResultKind::PromptFeatures | ResultKind::Steering => self.librarian.forget(kind),
            ResultKind::AtlasPage | ResultKind::Corpus => self.desk.forget(kind),
            ResultKind::Picture => self.slots.seen.forget(),
            ResultKind::ChannelMaps => self.slots.maps.forget(),
            ResultKind::BestPictures => self.studio.forget(),
        }
    }

    fn update_results(&mut self, session: &mut Session) {
        self.update_activations(session);
        let document = &session.document;
        let model = document.model.get().filter(|model| model.has_tokenizer && !document.prompt.is_empty());
        let Some(model) = model.cloned() else {
            self.slots.abandon(&mut session.jobs);
            if !matches!(document.model, Loadable::Loading { .. }) {
                session.document.results = Results::default();
            }
            return;
        };
        let enabled: Vec<Intervention> = document.interventions.iter().filter(|i| i.enabled).cloned().collect();
        let shown = if document.show_original { Vec::new() } else { enabled.clone() };
        let subject = |position, unit| Subject {
            model: self.model,
            prompt: document.prompt.clone(),
            interventions: shown.clone(),
            position,
            unit,
            passage: None,
            about: None,
            sight: None,
        };
        let whole = subject(None, None);
        // About a token: the selected one, else the last one, which only the model's thread may know as yet.
        let position = session.selection.token.map(|_| session.focus_token()).unwrap_or_default();
        let at_token = subject(position, None);
        let unit = session.selection.unit.clone().filter(|unit| model.has_unit(unit));
        let of_unit = unit.map(|unit| subject(None, Some(unit)));
        let changed = (!enabled.is_empty()).then(|| Subject { interventions: enabled, ..at_token.clone() });
        let wanted = |kind| session.wanted.contains(&kind);
        let want = |kind, subject: &Subject| wanted(kind).then(|| subject.clone());

        let budget = self.options.budget_bytes.or(Some(DEFAULT_BUDGET_BYTES));
        let mut round = slot::Round { host: &self.host, jobs: &mut session.jobs, budget };
        let (slots, results) = (&mut self.slots, &mut session.document.results);
        use ResultKind as K;
        // Statistics come first and always: every other panel needs the tokens.
        slots.stats.turn(&mut results.stats, Some(whole.clone()), K::TokenStats, &mut round, compute::stats);
        if changed.is_none() {
            results.effect = Loadable::Empty;
        }
        let effect = changed.filter(|_| session.wanted.contains(&K::Effect));
        slots.effect.turn(&mut results.effect, effect, K::Effect, &mut round, compute::effect);
        slots.lens.turn(&mut results.lens, want(K::LogitLens, &whole), K::LogitLens, &mut round, compute::lens);
        let attention = want(K::AttentionMaps, &whole);
        slots.attention.turn(&mut results.attention, attention, K::AttentionMaps, &mut round, compute::attention);
        let neurons = want(K::NeuronTable, &at_token);
        slots.neurons.turn(&mut results.neurons, neurons, K::NeuronTable, &mut round, compute::neurons);
        if of_unit.is_none() {
            results.unit = Loadable::Empty;
        }
        let page = of_unit.filter(|_| session.wanted.contains(&K::UnitPage));
        slots.unit.turn(&mut results.unit, page, K::UnitPage, &mut round, compute::unit);
        let attribution = want(K::Attribution, &at_token);
        slots.attribution.turn(&mut results.attribution, attribution, K::Attribution, &mut round, compute::attribution);
    }
}

impl Backend {
    /// One unit over a document of the atlas, and over a text of the user.
    fn update_activations(&mut self, session: &mut Session) {
        let (document, state) = (&session.document, &mut session.atlas);
        let model = document.model.get().cloned();
        let unit =
            session.selection.unit.clone().filter(|unit| model.as_ref().is_some_and(|model| model.has_unit(unit)));
        let subject = |passage: Option<Passage>, prompt: String, interventions| Subject {
            model: self.model,
            prompt,
            interventions,
            position: None,
            unit: unit.clone(),
            passage,
            about: None,
            sight: None,
        };
        let wanted = |kind| session.wanted.contains(&kind);
        let passage = state.corpus.get().zip(state.reading).zip(state.open.get()).map(|((corpus, reading), open)| {
            Passage { corpus: Arc::clone(corpus), reading, model_digest: open.manifest().model_digest.clone() }
        });
        let painted =
            passage.filter(|_| unit.is_some()).map(|passage| subject(Some(passage), String::new(), Vec::new()));
        let shown = |intervention: &&Intervention| intervention.enabled && !document.show_original;
        let interventions: Vec<Intervention> = document.interventions.iter().filter(shown).cloned().collect();
        let tried = model.is_some_and(|model| model.has_tokenizer) && unit.is_some() && !state.trial_text.is_empty();
        let trial = tried.then(|| subject(None, state.trial_text.clone(), interventions));
        if painted.is_none() {
            state.painted = Loadable::Empty;
        }
        if trial.is_none() {
            state.trial = Loadable::Empty;
        }
        let (painted, trial) =
            (painted.filter(|_| wanted(ResultKind::Painted)), trial.filter(|_| wanted(ResultKind::Trial)));
        let budget = self.options.budget_bytes.or(Some(DEFAULT_BUDGET_BYTES));
        let mut round = slot::Round { host: &self.host, jobs: &mut session.jobs, budget };
        let slots = &mut self.slots;
        slots.painted.turn(&mut state.painted, painted, ResultKind::Painted, &mut round, activation::painted);
        slots.trial.turn(&mut state.trial, trial, ResultKind::Trial, &mut round, activation::trial);
    }
}

impl Slots {
    fn abandon(&mut self, jobs: &mut super::jobs::Jobs) {
        self.stats.abandon(jobs);
        self.lens.abandon(jobs);
        self.attention.abandon(jobs);
        self.neurons.abandon(jobs);
        self.unit.abandon(jobs);
        self.effect.abandon(jobs);
        self.attribution.abandon(jobs);
    }
}
