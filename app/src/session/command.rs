//! Commands: the only way in which anything changes the session.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use golgi_data::unit::Unit;
use golgi_probes::intervention::Intervention;

use super::atlas::Reading;
use super::atlas::filter::UnitSet;
use super::build::BuildRequest;
use super::dictionary::SteerRequest;
use super::jobs::JobId;
use super::notice::Notice;
use super::results::ResultKind;
use super::selection::Selection;
use super::toys::ToyRequest;
use super::vision::DrawRequest;

/// How the next token is chosen when the text is continued.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GenerateRequest {
    /// At most this many tokens.
    pub max_tokens: usize,
    /// 0 chooses the most probable token; above, tokens are drawn.
    pub temperature: f32,
    /// Seed of the draws.
    pub seed: u64,
}

/// Dark or light, or as the system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    /// As the system has it.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

/// A change of the session.
#[derive(Debug, Clone)]
pub enum Command {
    /// Opens a model: a catalogue name, a hub folder, a file, `hf://org/repo`.
    OpenModel(String),
    /// Fetches a model of the catalogue, whose licence the user has accepted, and opens it.
    FetchModel(String),
    /// Closes the model.
    CloseModel,
    /// Opens the atlas in a folder.
    OpenAtlas(PathBuf),
    /// Reads the open atlas again: it has grown.
    ReloadAtlas,
    /// Closes the atlas.
    CloseAtlas,
    /// Follows the training run in a folder.
    OpenRun(PathBuf),
    /// No longer follows it.
    CloseRun(PathBuf),
    /// Asks for the folder of a training run, in a dialog.
    AskForRun,
    /// Opens the sparse dictionary in a folder.
    OpenDictionary(PathBuf),
    /// Closes it.
    CloseDictionary,
    /// Asks for the folder of a dictionary, in a dialog.
    AskForDictionary,
    /// Continues the text with changed latents of the open dictionary, beside a continuation without and a control.
    Steer(SteerRequest),
    /// Trains toy models of superposition.
    TrainToys(ToyRequest),
    /// Stops training them.
    StopToys,
    /// Shows a picture to the open convolutional network.
    OpenPicture(PathBuf),
    /// Asks for a picture, in a dialog.
    AskForPicture,
    /// Puts pictures on the shelf: `starter`, a folder, a table.
    OpenPictures(String),
    /// Asks for a folder of pictures, in a dialog.
    AskForPictures,
    /// So many pictures of the shelf are shown, at most, to find the best ones.
    LimitPictures(usize),
    /// Looks for images that a channel responds to.
    Visualise(DrawRequest),
    /// Opens a panel and brings it to the front.
    ShowPanel(&'static str),
    /// Asks for the folder of an atlas, in a dialog.
    AskForAtlas,
    /// Asks what atlas of the open model shall be built, in a form.
    AskToBuildAtlas,
    /// Finds out what building an atlas will take.
    EstimateAtlas(BuildRequest),
    /// Builds an atlas, or goes on with one.
    BuildAtlas(BuildRequest),
    /// Stops the build; what is done is kept.
    PauseBuild,
    /// Stops the build and no longer speaks of it; what is done stays on disk.
    ForgetBuild,
    /// Asks the open atlas in SQL.
    QueryAtlas(String),
    /// Chooses some units of the atlas, or no longer any.
    ChooseUnits(Option<Arc<UnitSet>>),
    /// Reads a document of the atlas.
    Read(Reading),
    /// Runs a text of the user to see what the selected unit does along it.
    TryText(String),
    /// Replaces the prompt's text and runs it.
    SetPrompt(String),
    /// Adds to the selection: what the given selection leaves open stays.
    Select(Selection),
    /// Empties the selection.
    ClearSelection,
    /// What the pointer rests on in this frame; visible in the next. Several in one frame add up.
    Hover(Selection),
    /// Appends an intervention.
    AddIntervention(Intervention),
    /// Replaces the intervention at an index.
    EditIntervention(usize, Intervention),
    /// Switches the intervention at an index on or off.
    ToggleIntervention(usize),
    /// Moves an intervention from an index to another.
    MoveIntervention {
        /// Where it is.
        from: usize,
        /// Where it shall be.
        to: usize,
    },
    /// Removes the intervention at an index.
    RemoveIntervention(usize),
    /// Removes all interventions.
    ClearInterventions,
    /// Panels show the model as it is, although there are interventions.
    ShowOriginal(bool),
    /// Panels that are visible need these results; others are not computed.
    Want(Vec<ResultKind>),
    /// Computes a failed result again.
    Retry(ResultKind),
    /// Continues the text.
    Generate(GenerateRequest),
    /// Appends the generated text to the prompt.
    AcceptGeneration,
    /// Throws the generated text away.
    DiscardGeneration,
    /// Undoes the last change of the document.
    Undo,
    /// Does it again.
    Redo,
    /// Stops a job.
    CancelJob(JobId),
    /// Starts a job again that failed or was cancelled.
    RetryJob(JobId),
    /// Forgets finished jobs.
    ClearFinishedJobs,
    /// Shows a notice.
    Notify(Notice),
    /// Removes the notice with this number from the list.
    DismissNotice(u64),
    /// Removes all notices.
    ClearNotices,
    /// Dark or light.
    SetTheme(ThemeChoice),
    /// Removes a model from the recent ones.
    ForgetRecent(String),
    /// Writes a picture of a panel; without a path, a form asks.
    ExportPanelPng {
        /// Which panel.
        panel: &'static str,
        /// Where to.
        path: Option<PathBuf>,
    },
    /// Saves an image that was made for a unit as a PNG; without a path, a form asks.
    SaveDrawing {
        /// The unit.
        unit: Unit,
        /// 0: what raises it; 1: what lowers it.
        index: usize,
        /// Where to.
        path: Option<PathBuf>,
    },
    /// Saves the session as a probe script; without a path, a form asks.
    SaveScript(Option<PathBuf>),
}

/// Sends commands to the session. Cheap to clone; usable from any thread.
#[derive(Debug, Clone)]
pub struct CommandSender(Sender<Command>);

impl CommandSender {
    /// A sender and the end at which its commands arrive.
    pub fn channel() -> (CommandSender, Receiver<Command>) {
        let (sender, receiver) = unbounded();
        (CommandSender(sender), receiver)
    }

    /// Sends a command. It takes effect before the next frame.
    pub fn send(&self, command: Command) {
        // The receiver lives as long as the window; behind its end nobody minds.
        let _ = self.0.send(command);
    }

    /// Adds to the selection.
    pub fn select(&self, selection: Selection) {
        self.send(Command::Select(selection));
    }

    /// Says what the pointer rests on.
    pub fn hover(&self, selection: Selection) {
        self.send(Command::Hover(selection));
    }
}
