//! Applying commands.

use std::path::{Path, PathBuf};

use golgi_data::atlas::is_atlas;
use golgi_data::unit::Unit;

use super::Session;
use super::atlas::AtlasState;
use super::command::Command;
use super::dictionary::DictionaryState;
use super::document::{Document, Generated};
use super::loadable::Loadable;
use super::notice::Notice;
use super::results::{ResultKind, Results};
use super::selection::Selection;
use super::undo::Edited;
use super::vision::is_picture;

impl Session {
    /// Applies one command.
    pub(super) fn apply(&mut self, command: Command) {
        match command {
            Command::Select(selection) => self.select(&selection),
            Command::ClearSelection => self.selection = Selection::default(),
            Command::Hover(hover) => self.hover.merge(&hover),
            Command::Want(kinds) => self.wanted = kinds,
            // Whatever names a folder may name an atlas: a dropped one, a recent one, one on the command line.
            Command::OpenModel(spec) if is_atlas(Path::new(&spec)) => {
                self.apply(Command::OpenAtlas(PathBuf::from(spec)));
            }
            Command::OpenModel(spec) if Path::new(&spec).join(golgi_sae::train::RUN).is_file() => {
                self.apply(Command::OpenRun(PathBuf::from(spec)));
            }
            Command::OpenModel(spec) if is_picture(Path::new(&spec)) => {
                self.apply(Command::OpenPicture(PathBuf::from(spec)));
            }
            Command::OpenPicture(path) => self.open_picture(path),
            Command::OpenPictures(spec) => {
                // Empty: the backend reads it.
                self.vision.shelf = Loadable::Empty;
                self.vision.shelf_spec = spec;
            }
            Command::LimitPictures(limit) => self.vision.limit = limit.max(1),
            Command::Visualise(_) => self.ask_backend(command),
            Command::OpenRun(folder) => {
                self.runs.open(folder);
                self.window_requests.push(Command::ShowPanel("runs"));
            }
            Command::CloseRun(folder) => self.runs.close(&folder),
            Command::OpenModel(spec) if Path::new(&spec).join(golgi_data::dictionary::CONFIG).is_file() => {
                self.apply(Command::OpenDictionary(PathBuf::from(spec)));
            }
            Command::OpenDictionary(folder) => {
                self.dictionary = DictionaryState { folder: Some(folder.clone()), ..DictionaryState::default() };
                self.dictionary.open.begin();
                self.window_requests.push(Command::ShowPanel("features"));
                self.ask_backend(Command::OpenDictionary(folder));
            }
            Command::CloseDictionary => {
                self.dictionary = DictionaryState::default();
                self.ask_backend(command);
            }
            Command::Steer(request) => {
                self.dictionary.request = Some(request);
                self.ask_backend(Command::Retry(ResultKind::Steering));
            }
            Command::TrainToys(ref request) => {
                self.toys.begin(request);
                self.ask_backend(command);
            }
            Command::StopToys => self.ask_backend(command),
            Command::OpenAtlas(folder) => {
                self.atlas = AtlasState { folder: Some(folder.clone()), ..AtlasState::default() };
                self.atlas.open.begin();
                self.selection.place = None;
                self.ask_backend(Command::OpenAtlas(folder));
            }
            Command::ReloadAtlas | Command::EstimateAtlas(_) | Command::BuildAtlas(_) | Command::PauseBuild => {
                self.ask_backend(command);
            }
            Command::ForgetBuild => {
                self.build = None;
                self.ask_backend(Command::PauseBuild);
            }
            Command::CloseAtlas => {
                self.atlas = AtlasState::default();
                self.selection.place = None;
                self.ask_backend(command);
            }
            Command::QueryAtlas(_) => {
                self.atlas.answer.begin();
                self.ask_backend(command);
            }
            Command::ChooseUnits(set) => self.atlas.set = set,
            Command::Read(reading) => self.atlas.reading = Some(reading),
            Command::TryText(text) => self.atlas.trial_text = text,
            Command::OpenModel(_) | Command::FetchModel(_) | Command::Generate(_) | Command::Retry(_) => {
                self.ask_backend(command);
            }
            Command::CloseModel => {
                self.document = Document::default();
                self.vision.forget_results();
                self.selection = Selection::default();
                self.undo = Default::default();
                self.ask_backend(command);
            }
            Command::SetPrompt(_)
            | Command::AddIntervention(_)
            | Command::EditIntervention(..)
            | Command::ToggleIntervention(_)
            | Command::MoveIntervention { .. }
            | Command::RemoveIntervention(_)
            | Command::ClearInterventions
            | Command::AcceptGeneration => self.edit(command),
            Command::ShowOriginal(show) => self.document.show_original = show,
            Command::DiscardGeneration => {
                self.document.generated = None;
                self.ask_backend(command);
            }
            Command::Undo => {
                self.undo.undo(&mut self.document);
            }
            Command::Redo => {
                self.undo.redo(&mut self.document);
            }
            Command::CancelJob(id) => self.jobs.cancel(id),
            Command::RetryJob(id) => {
                if let Some(retry) = self.jobs.get(id).and_then(|job| job.retry.clone()) {
                    self.apply(retry);
                }
            }
            Command::ClearFinishedJobs => self.jobs.clear_finished(),
            Command::Notify(notice) => self.notices.push(notice),
            Command::DismissNotice(id) => self.notices.dismiss(id),
            Command::ClearNotices => self.notices.clear(),
            Command::SetTheme(theme) => {
                self.settings.theme = theme;
                self.store_settings();
                self.window_requests.push(command);
            }
            Command::ForgetRecent(spec) => {
                self.recent.forget(&spec);
                self.store_recent();
            }
            Command::SaveScript(Some(path)) => {
                let notice = super::script_export::save(&self.document, &self.selection, &path);
                self.notices.push(notice);
            }
            Command::SaveDrawing { unit, index, path: Some(path) } => {
                let notice = self.vision.save(&unit, index, &path);
                self.notices.push(notice);
            }
            Command::SaveScript(None)
            | Command::SaveDrawing { path: None, .. }
            | Command::ExportPanelPng { .. }
            | Command::ShowPanel(_)
            | Command::AskForAtlas
            | Command::AskForRun
            | Command::AskForDictionary
            | Command::AskForPicture
            | Command::AskForPictures
            | Command::AskToBuildAtlas => {
                self.window_requests.push(command);
            }
        }
    }

    /// Shows a picture to the open network; it is kept for later where none is open.
    fn open_picture(&mut self, path: PathBuf) {
        match self.document.model() {
            Some(model) if model.vision.is_some() => self.window_requests.push(Command::ShowPanel("image")),
            Some(_) => {
                let notice = Notice::info("The open model is a language model: it reads text, no pictures.");
                self.notices.push(notice.with_next_step("Open a convolutional network from the start screen"));
            }
            None => {
                let notice = Notice::info("A picture needs a convolutional network to look at it.");
                self.notices
                    .push(notice.with_next_step("Open one, such as EfficientNet-Lite0: the picture is shown to it"));
            }
        }
        if self.vision.picture.as_ref() == Some(&path) {
            // The file may have changed.
            self.ask_backend(Command::Retry(ResultKind::Picture));
            self.ask_backend(Command::Retry(ResultKind::ChannelMaps));
        }
        self.vision.picture = Some(path);
    }

    fn select(&mut self, selection: &Selection) {
        self.selection.merge(selection);
        // A selection may come from a text field, from an older model or an older atlas.
        let (model, atlas, dictionary) = (self.document.model(), self.atlas.get(), self.dictionary.get());
        if model.is_none() && atlas.is_none() {
            return;
        }
        let known = |unit: &Unit| {
            model.is_some_and(|model| model.has_unit(unit))
                || atlas.is_some_and(|open| open.units.id_of(unit).is_some())
                || dictionary.is_some_and(|open| open.latent(unit).is_some())
        };
        if self.selection.unit.as_ref().is_some_and(|unit| !known(unit)) {
            self.selection.unit = None;
            self.selection.head = None;
        }
        let side = model.and_then(|model| model.vision.as_ref()).map_or(0, |vision| vision.side());
        self.selection.spot = self.selection.spot.filter(|spot| spot.x < side && spot.y < side);
        let layers =
            model.map_or(0, |model| model.dims.n_layers).max(atlas.map_or(0, |open| open.units.layers() as usize));
        self.selection.layer = self.selection.layer.filter(|layer| (*layer as usize) < layers);
    }

    /// A change of the document that can be undone.
    fn edit(&mut self, command: Command) {
        let before = Edited::of(&self.document);
        let list = &mut self.document.interventions;
        let (name, interaction) = match command {
            Command::SetPrompt(text) => {
                self.document.prompt = text;
                self.document.generated = None;
                ("Edit text", None)
            }
            Command::AcceptGeneration => {
                if let Some(Generated { text, .. }) = self.document.generated.take() {
                    self.document.prompt.push_str(&text);
                }
                ("Keep continuation", None)
            }
            Command::AddIntervention(intervention) => {
                list.push(intervention);
                ("Add intervention", None)
            }
            Command::EditIntervention(index, intervention) => {
                if let Some(slot) = list.get_mut(index) {
                    *slot = intervention;
                }
                ("Edit intervention", Some(index))
            }
            Command::ToggleIntervention(index) => {
                if let Some(intervention) = list.get_mut(index) {
                    intervention.enabled = !intervention.enabled;
                }
                ("Switch intervention", None)
            }
            Command::MoveIntervention { from, to } => {
                if from < list.len() && to < list.len() {
                    let moved = list.remove(from);
                    list.insert(to, moved);
                }
                ("Move intervention", None)
            }
            Command::RemoveIntervention(index) => {
                if index < list.len() {
                    list.remove(index);
                }
                ("Remove intervention", None)
            }
            Command::ClearInterventions => {
                list.clear();
                ("Remove all interventions", None)
            }
            _ => return,
        };
        if before != Edited::of(&self.document) {
            self.undo.record(name, before, interaction);
        }
    }

    /// Hands a command to the backend. Without one (in tests of panels) the document just shows that it was asked.
    fn ask_backend(&mut self, command: Command) {
        match self.backend.take() {
            Some(mut backend) => {
                backend.command(self, command);
                self.backend = Some(backend);
            }
            None => {
                if let Command::OpenModel(_) = command {
                    self.document.model = Loadable::Loading { progress: Default::default(), previous: None };
                }
            }
        }
    }

    /// Starts over with another model: what was computed is gone, text and selection of a token stay.
    pub(super) fn forget_results(&mut self) {
        self.document.results = Results::default();
        self.document.generated = None;
        self.vision.forget_results();
        self.selection = Selection::default();
    }

    pub(super) fn store_recent(&mut self) {
        if let Err(error) = self.recent.store() {
            self.notices.push(Notice::error("The list of recent models could not be saved.", &error));
        }
    }

    fn store_settings(&mut self) {
        if let Err(error) = self.settings.store() {
            self.notices.push(Notice::error("The settings could not be saved.", &error));
        }
    }
}

#[cfg(test)]
mod tests {
    use golgi_probes::intervention::{Edit, Intervention};

    use super::*;

    fn zero(index: u32) -> Intervention {
        Intervention::of_unit(&Unit::head(1, index), Edit::Zero)
    }

    fn labels(session: &Session) -> Vec<String> {
        session.document.interventions.iter().map(Intervention::title).collect()
    }

    #[test]
    fn interventions_are_edited_moved_and_undone() {
        let mut session = Session::for_tests(Document::default());
        for index in 0..3 {
            session.apply(Command::AddIntervention(zero(index)));
        }
        session.apply(Command::MoveIntervention { from: 0, to: 2 });
        assert_eq!(labels(&session), ["zero L1H1", "zero L1H2", "zero L1H0"]);
        session.apply(Command::ToggleIntervention(0));
        assert_eq!(session.document.active_interventions(), 2);
        session.apply(Command::RemoveIntervention(9));
        assert_eq!(session.undo.undo_name(), Some("Switch intervention"), "what changes nothing is no step");
        session.apply(Command::Undo);
        session.apply(Command::Undo);
        assert_eq!(labels(&session), ["zero L1H0", "zero L1H1", "zero L1H2"]);
        session.apply(Command::Redo);
        assert_eq!(labels(&session), ["zero L1H1", "zero L1H2", "zero L1H0"]);
    }

    #[test]
    fn a_continuation_becomes_part_of_the_text() {
        let mut session = Session::for_tests(Document { prompt: "a".into(), ..Document::default() });
        session.document.generated = Some(Generated { text: " b".into(), ..Generated::default() });
        session.apply(Command::AcceptGeneration);
        assert_eq!(session.document.prompt, "a b");
        assert!(session.document.generated.is_none());
        session.apply(Command::Undo);
        assert_eq!(session.document.prompt, "a");
    }

    #[test]
    fn hover_lasts_one_frame() {
        let mut session = Session::for_tests(Document::default());
        session.commands().hover(Selection::of_token(2));
        session.commands().hover(Selection::of_layer(1));
        assert!(session.update());
        assert_eq!((session.hover.token, session.hover.layer), (Some(2), Some(1)));
        assert!(session.update());
        assert!(session.hover.is_empty());
        assert!(!session.update());
    }

    #[test]
    fn a_resting_pointer_asks_for_no_frame() {
        let mut session = Session::for_tests(Document::default());
        session.commands().hover(Selection::of_token(2));
        assert!(session.collect());
        session.update();
        session.commands().hover(Selection::of_token(2));
        assert!(!session.collect(), "the same as before");
        session.update();
        assert_eq!(session.hover.token, Some(2));
        assert!(session.collect(), "the pointer has left");
        session.commands().send(Command::ClearSelection);
        assert!(session.collect());
    }
}
