//! The session: what is open, what is selected, what is running. It knows no window.
//!
//! Panels read a [`Session`] and send [`Command`]s; [`Session::update`] applies them between frames, takes in finished work and
//! asks the model's thread for whatever is wanted and missing. Nothing here ever waits.
//!
//! ```
//! use golgi::session::{Session, command::Command, document::Document, selection::Selection};
//!
//! let mut session = Session::for_tests(Document::default());
//! session.commands().send(Command::Select(Selection::of_head(18, 6)));
//! session.update();
//! assert!(session.selection.is_head(18, 6));
//! ```

pub mod atlas;
pub mod backend;
pub mod build;
pub mod command;
pub mod dictionary;
pub mod document;
pub mod jobs;
pub mod loadable;
pub mod notice;
pub mod notices;
pub mod recent;
pub mod results;
pub mod runs;
pub mod script_export;
pub mod selection;
pub mod settings;
pub mod text;
pub mod toys;
pub mod undo;
pub mod vision;

mod apply;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use atlas::AtlasState;
use backend::Backend;
use build::Build;
use command::{Command, CommandSender};
use dictionary::DictionaryState;
use document::Document;
use jobs::Jobs;
use loadable::Loadable;
use notice::Notice;
use notices::Notices;
use recent::Recent;
use results::ResultKind;
use runs::Runs;
use selection::Selection;
use settings::Settings;
use toys::Toys;
use undo::UndoStack;
use vision::VisionState;

/// Everything behind the window.
pub struct Session {
    /// What is open.
    pub document: Document,
    /// What is selected.
    pub selection: Selection,
    /// What the pointer rested on in the last frame.
    pub hover: Selection,
    /// The opened atlas.
    pub atlas: AtlasState,
    /// The atlas that is being built, or was to be.
    pub build: Option<Build>,
    /// Training runs that are followed.
    pub runs: Runs,
    /// The sparse dictionary that is open.
    pub dictionary: DictionaryState,
    /// Toy models of superposition.
    pub toys: Toys,
    /// Pictures, and what a convolutional network makes of them.
    pub vision: VisionState,
    /// What is running.
    pub jobs: Jobs,
    /// What there is to tell.
    pub notices: Notices,
    /// Models opened before.
    pub recent: Recent,
    /// What the user has set.
    pub settings: Settings,
    /// What can be undone.
    pub undo: UndoStack,
    wanted: Vec<ResultKind>,
    backend: Option<Backend>,
    commands: CommandSender,
    arriving: Receiver<Command>,
    /// Commands that [`Session::collect`] has seen.
    waiting: VecDeque<Command>,
    window_requests: Vec<Command>,
}

impl Session {
    /// A session that opens models. `home` is the folder in which recent models and settings are kept; `wake` is called from
    /// other threads whenever [`Session::update`] has something to take in.
    pub fn new(home: Option<PathBuf>, options: backend::BackendOptions, wake: Arc<dyn Fn() + Send + Sync>) -> Session {
        let mut session = Session::for_tests(Document::default());
        session.recent = Recent::load(home.as_deref().map(|home| home.join("recent.json")));
        session.settings = Settings::load(home.map(|home| home.join("settings.json")));
        session.backend = Some(Backend::start(options, wake));
        session
    }

    /// A session around a document that is given as plain data: nothing is computed, nothing is stored.
    pub fn for_tests(document: Document) -> Session {
        let (commands, arriving) = CommandSender::channel();
        Session {
            document,
            selection: Selection::default(),
            hover: Selection::default(),
            atlas: AtlasState::default(),
            build: None,
            runs: Runs::default(),
            dictionary: DictionaryState::default(),
            toys: Toys::default(),
            vision: VisionState::default(),
            jobs: Jobs::default(),
            notices: Notices::default(),
            recent: Recent::default(),
            settings: Settings::default(),
            undo: UndoStack::default(),
            wanted: Vec::new(),
            backend: None,
            commands,
            arriving,
            waiting: VecDeque::new(),
            window_requests: Vec::new(),
        }
    }

    /// Where changes are asked for.
    pub fn commands(&self) -> CommandSender {
        self.commands.clone()
    }

    /// What the visible panels need.
    pub fn wanted(&self) -> &[ResultKind] {
        &self.wanted
    }

    /// To be called once before each frame: applies the commands of the last one, takes in what has arrived and starts what is
    /// wanted. Never waits. Returns whether the hover has changed.
    pub fn update(&mut self) -> bool {
        let before = std::mem::take(&mut self.hover);
        self.waiting.extend(self.arriving.try_iter());
        while let Some(command) = self.waiting.pop_front() {
            self.apply(command);
        }
        self.atlas.follow(self.selection.place);
        if let Some(mut backend) = self.backend.take() {
            backend.update(self);
            self.backend = Some(backend);
        }
        self.jobs.refresh();
        self.hover != before
    }

    /// To be called behind each frame. Returns whether the commands of that frame change anything, so that another frame must
    /// follow: a pointer that rests where it was does not.
    pub fn collect(&mut self) -> bool {
        let mut hover = Selection::default();
        let mut changes = false;
        for command in self.arriving.try_iter() {
            match &command {
                Command::Hover(on) => hover.merge(on),
                _ => changes = true,
            }
            self.waiting.push_back(command);
        }
        changes || hover != self.hover
    }

    /// Commands that only the window can carry out (dialogs, pictures, the theme), since the last call.
    pub fn take_window_requests(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.window_requests)
    }

    /// Puts a notice into the list.
    pub fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// The position that panels about one token are about: the selected one, else the last one of the prompt.
    pub fn focus_token(&self) -> Option<usize> {
        let tokens = self.document.results.stats.shown()?.tokens.len();
        let last = tokens.checked_sub(1)?;
        Some(self.selection.token.unwrap_or(last).min(last))
    }

    /// Whether the panels show a model that is changed by interventions.
    pub fn shows_changed_model(&self) -> bool {
        !self.document.show_original && self.document.active_interventions() > 0
    }

    /// The failure of a result, if it has failed.
    pub fn failure(&self, kind: ResultKind) -> Option<&Notice> {
        let results = &self.document.results;
        match kind {
            ResultKind::TokenStats => results.stats.failure(),
            ResultKind::LogitLens => results.lens.failure(),
            ResultKind::AttentionMaps => results.attention.failure(),
            ResultKind::NeuronTable => results.neurons.failure(),
            ResultKind::UnitPage => results.unit.failure(),
            ResultKind::Effect => results.effect.failure(),
            ResultKind::Attribution => results.attribution.failure(),
            ResultKind::AtlasPage => self.atlas.page.failure(),
            ResultKind::PromptFeatures => self.dictionary.features.failure(),
            ResultKind::Steering => self.dictionary.steered.failure(),
            ResultKind::Corpus => self.atlas.corpus.failure(),
            ResultKind::Painted => self.atlas.painted.failure(),
            ResultKind::Trial => self.atlas.trial.failure(),
            ResultKind::Picture => self.vision.seen.failure(),
            ResultKind::ChannelMaps => self.vision.maps.failure(),
            ResultKind::BestPictures => self.vision.best.failure(),
        }
    }

    /// Whether a model is open or being opened.
    pub fn has_model(&self) -> bool {
        matches!(self.document.model, Loadable::Ready(_) | Loadable::Loading { .. })
    }
}
