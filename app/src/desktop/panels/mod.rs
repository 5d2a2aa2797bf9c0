//! The panels: one file each, and one line each in [`all`].
//!
//! The menu, the palette, the help and the tests loop over that list. A panel reads the session and sends commands; it never
//! changes anything itself, never waits and computes nothing that could take longer than a frame.

use crate::session::Session;
use crate::session::command::{Command, CommandSender};
use crate::session::document::Document;
use crate::session::results::{ResultKind, Results};
use crate::session::selection::Selection;

use super::theme::Palette;
use super::widgets::placeholder;

mod atlas;
mod attention;
mod channels;
mod corpus;
mod features;
mod image;
mod interventions;
mod jobs;
mod lens;
mod map;
mod model;
mod neurons;
mod prompt;
mod runs;
mod steering;
mod toys;
mod unit;

/// What a panel sees of the program while it draws a frame.
#[derive(Clone, Copy)]
pub struct PanelContext<'a> {
    /// Everything that is open, to be read.
    pub session: &'a Session,
    /// What is selected.
    pub selection: &'a Selection,
    /// What the pointer rested on in the last frame, in whichever panel.
    pub hover: &'a Selection,
    /// Where changes are asked for.
    pub commands: &'a CommandSender,
    /// Colours with a meaning, of the theme in force.
    pub palette: &'a Palette,
}

impl<'a> PanelContext<'a> {
    /// The context of a frame.
    pub fn new(session: &'a Session, commands: &'a CommandSender, palette: &'a Palette) -> PanelContext<'a> {
        PanelContext { session, selection: &session.selection, hover: &session.hover, commands, palette }
    }

    /// What is open.
    pub fn document(&self) -> &'a Document {
        &self.session.document
    }

    /// What was computed.
    pub fn results(&self) -> &'a Results {
        &self.session.document.results
    }

    /// The position that a view of `len` tokens is about: the selected one, else the last.
    pub fn token_among(&self, len: usize) -> Option<usize> {
        let last = len.checked_sub(1)?;
        Some(self.selection.token.unwrap_or(last).min(last))
    }

    /// Asks for a change.
    pub fn send(&self, command: Command) {
        self.commands.send(command);
    }

    /// Adds to the selection.
    pub fn select(&self, selection: Selection) {
        self.commands.select(selection);
    }

    /// Says what the pointer rests on; every panel sees it in the next frame.
    pub fn set_hover(&self, selection: Selection) {
        self.commands.hover(selection);
    }
}

/// Which kind of model a panel is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Language models.
    Text,
    /// Convolutional networks.
    Pictures,
    /// Either, or none at all.
    Anything,
}

/// A panel of the window.
pub trait Panel {
    /// A name that never changes: layouts are stored with it.
    fn id(&self) -> &'static str;

    /// The heading.
    fn title(&self) -> &'static str;

    /// One character of the icon font, see [`icons`](super::theme::icons).
    fn icon(&self) -> &'static str;

    /// What it is for and how it is used, in a few sentences.
    fn help(&self) -> &'static str;

    /// Which results it draws. They are computed only while a panel that needs them is visible.
    fn needs(&self) -> &'static [ResultKind] {
        &[]
    }

    /// Which kind of model it is about; it is not drawn for the other.
    fn about(&self) -> About {
        About::Anything
    }

    /// Draws it.
    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut egui::Ui);
}

/// Draws a panel, or a sentence where it is about another kind of model than the one that is open.
pub fn panel_ui(panel: &mut dyn Panel, ctx: &mut PanelContext<'_>, ui: &mut egui::Ui) {
    let vision = ctx.document().model.shown().map(|model| model.vision.is_some());
    match (panel.about(), vision) {
        (About::Text, Some(true)) => placeholder::empty(
            ui,
            &format!("{} is for language models", panel.title()),
            "The open model is a convolutional network: it reads pictures, no text. Image, Channels and Unit show what it does.",
        ),
        (About::Pictures, Some(false)) => placeholder::empty(
            ui,
            &format!("{} is for convolutional networks", panel.title()),
            "The open model is a language model: it reads text, no pictures. Open a network such as EfficientNet-Lite0 from the start screen (Ctrl+N).",
        ),
        _ => panel.ui(ctx, ui),
    }
}

/// Every panel, in the order of the menu.
pub fn all() -> Vec<Box<dyn Panel>> {
    vec![
        Box::new(model::ModelPanel::default()),
        Box::new(prompt::PromptPanel::default()),
        Box::new(lens::LensPanel::default()),
        Box::new(attention::AttentionPanel::default()),
        Box::new(neurons::NeuronsPanel::default()),
        Box::new(unit::UnitPanel::default()),
        Box::new(interventions::InterventionsPanel::default()),
        Box::new(jobs::JobsPanel),
        Box::new(atlas::AtlasPanel::default()),
        Box::new(map::MapPanel::default()),
        Box::new(corpus::CorpusPanel::default()),
        Box::new(runs::RunsPanel::default()),
        Box::new(features::FeaturesPanel::default()),
        Box::new(steering::SteeringPanel::default()),
        Box::new(toys::ToysPanel::default()),
        Box::new(image::ImagePanel::default()),
        Box::new(channels::ChannelsPanel::default()),
    ]
}
