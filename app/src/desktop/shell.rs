//! The whole window around one session: bars, start screen or panels, palette, dialogs, notices.
//!
//! [`Workbench`] needs no window system: tests draw it into any [`egui::Ui`].

use std::path::PathBuf;

use egui::{Align2, CentralPanel, Color32, Frame, Margin, Panel as Bar, RichText, Stroke, Ui};

use super::actions::{self, Action, Deed};
use super::build_form::BuildForm;
use super::command_palette::CommandPalette;
use super::dialogs::{self, Ask, SaveForm, Saved};
use super::dock::{Dock, Layout};
use super::panels::{self, PanelContext};
use super::start::StartScreen;
use super::status::StatusBar;
use super::theme::{self, Palette, busy, icons};
use super::{menus, screenshot, toasts};
use crate::session::Session;
use crate::session::command::{Command, ThemeChoice};
use crate::session::loadable::Loadable;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;

/// The session and everything that is drawn around it.
pub struct Workbench {
    /// What is open.
    pub session: Session,
    dock: Dock,
    start: StartScreen,
    /// The start screen is asked for although a model is open.
    show_start: bool,
    palette: CommandPalette,
    status: StatusBar,
    shortcuts: bool,
    saving: Option<SaveForm>,
    building: Option<BuildForm>,
    wanted: Vec<ResultKind>,
    theme: Option<ThemeChoice>,
    /// Whether the model that was opened last is a convolutional network.
    kind: Option<bool>,
}

impl Workbench {
    /// A window for a session. The models of the catalogue lie under `home`.
    pub fn new(session: Session, home: Option<PathBuf>) -> Workbench {
        Workbench {
            session,
            dock: Dock::new(panels::all()),
            start: StartScreen::new(home),
            show_start: false,
            palette: CommandPalette::default(),
            status: StatusBar::default(),
            shortcuts: false,
            saving: None,
            building: None,
            wanted: Vec::new(),
            theme: None,
            kind: None,
        }
    }

    /// The panels and where they are.
    pub fn dock(&mut self) -> &mut Dock {
        &mut self.dock
    }

    /// The arrangement of the panels, to be stored.
    pub fn layout(&self) -> &Layout {
        self.dock.layout()
    }

    /// Whether the start screen is shown.
    pub fn shows_start(&self) -> bool {
        let nothing = self.session.document.model.shown().is_none() && self.session.atlas.get().is_none();
        self.show_start || nothing
    }

    /// Takes in what has arrived since the last frame. Called before each frame, and while the window is hidden.
    pub fn update(&mut self, ctx: &egui::Context) {
        let kind = |session: &Session| session.document.model().map(|model| model.vision.is_some());
        let (before, had_spec) = (kind(&self.session), self.session.document.model().map(|model| model.spec.clone()));
        let had_atlas = self.session.atlas.get().map(|open| open.atlas.folder().to_owned());
        self.session.update();
        if let Some(open) = self.session.atlas.get()
            && had_atlas.as_deref() != Some(open.atlas.folder())
        {
            self.show_start = false;
            self.dock.show_atlas(self.session.document.model().is_none());
        }
        if let Some(vision) = kind(&self.session) {
            if before.is_none() || self.session.document.model().map(|model| &model.spec) != had_spec.as_ref() {
                self.show_start = false;
            }
            if self.kind != Some(vision) {
                self.kind = Some(vision);
                self.dock.show_model(vision);
            }
        }
        if self.session.jobs.running().next().is_some() {
            ctx.request_repaint_after(busy::pace(ctx));
        }
        if self.theme != Some(self.session.settings.theme) {
            self.theme = Some(self.session.settings.theme);
            ctx.set_theme(match self.session.settings.theme {
                ThemeChoice::System => egui::ThemePreference::System,
                ThemeChoice::Dark => egui::ThemePreference::Dark,
                ThemeChoice::Light => egui::ThemePreference::Light,
            });
        }
        for request in self.session.take_window_requests() {
            self.carry_out(ctx, request);
        }
    }

    fn carry_out(&mut self, ctx: &egui::Context, request: Command) {
        let (panel, path) = match request {
            Command::ExportPanelPng { panel, path } => (panel, path),
            Command::ShowPanel(id) => {
                self.show_start = false;
                self.dock.open(id);
                return;
            }
            Command::AskToBuildAtlas => {
                self.building = match self.session.document.model() {
                    Some(model) if model.vision.is_some() => {
                        let notice = crate::session::notice::Notice::info("Atlases are built of language models.");
                        let step = "The Unit panel lists the pictures that excite a channel most";
                        self.session.notify(notice.with_next_step(step));
                        None
                    }
                    Some(model) => Some(BuildForm::new(&model.spec, &model.name)),
                    None => {
                        let notice = crate::session::notice::Notice::info("No model is open.");
                        self.session.notify(notice.with_next_step("Open the model whose atlas shall be built"));
                        None
                    }
                };
                return;
            }
            Command::AskForAtlas => {
                dialogs::ask_to_open(Ask::Atlas, self.session.commands(), ctx.clone());
                return;
            }
            Command::AskForRun => {
                dialogs::ask_to_open(Ask::Run, self.session.commands(), ctx.clone());
                return;
            }
            Command::AskForPicture | Command::AskForPictures => {
                let ask = if matches!(request, Command::AskForPicture) { Ask::Picture } else { Ask::Pictures };
                dialogs::ask_to_open(ask, self.session.commands(), ctx.clone());
                return;
            }
            Command::AskForDictionary => {
                dialogs::ask_to_open(Ask::Dictionary, self.session.commands(), ctx.clone());
                return;
            }
            Command::SaveDrawing { unit, index, .. } => {
                self.saving = Some(SaveForm::new(Saved::Drawing { unit, index }));
                return;
            }
            Command::SaveScript(_) => {
                self.saving = Some(SaveForm::new(Saved::Script));
                return;
            }
            _ => return,
        };
        let Some(known) = self.dock.panels().iter().find(|known| known.id() == panel) else { return };
        match (path, self.dock.rect(panel)) {
            (None, _) => self.saving = Some(SaveForm::new(Saved::Picture { panel: known.id(), title: known.title() })),
            (Some(path), Some(rect)) => screenshot::request(ctx, rect, path, self.session.commands()),
            (Some(_), None) => {
                let notice =
                    crate::session::notice::Notice::warning(format!("{} is not on the screen.", known.title()));
                self.session.notify(notice.with_next_step("Open the panel and save the picture again"));
            }
        }
    }

    /// Draws a frame.
    pub fn ui(&mut self, ui: &mut Ui) {
        let palette = *Palette::of(ui.visuals());
        let open: Vec<bool> = self.dock.panels().iter().map(|panel| self.dock.is_open(panel.id())).collect();
        let panels = self.dock.panels().iter().map(Box::as_ref).zip(open);
        let actions = actions::all(&self.session, panels);
        let mut deed = actions::pressed(ui.ctx(), &actions).map(|action| action.deed.clone());

        let bar = |fill: Color32, margin: Margin| Frame::new().fill(fill).inner_margin(margin);
        Bar::top("menus").frame(bar(palette.backdrop, Margin::symmetric(8, 5))).show_separator_line(false).show(
            ui,
            |ui| {
                deed = menus::bar_ui(ui, &palette, &self.session, &actions).or(deed.take());
            },
        );
        let status = Bar::bottom("status").exact_size(26.0).frame(bar(palette.backdrop, Margin::symmetric(12, 0)));
        status.show_separator_line(false).show(ui, |ui| {
            deed = self.status.ui(ui, &palette, &self.session).or(deed.take());
        });
        let start = self.shows_start();
        let margin = if start { Margin::ZERO } else { Margin { left: 6, right: 6, top: 2, bottom: 2 } };
        CentralPanel::default().frame(bar(palette.backdrop, margin)).show(ui, |ui| {
            if start {
                deed = self.start.ui(ui, &palette, &self.session).or(deed.take());
            } else {
                let commands = self.session.commands();
                let mut ctx = PanelContext::new(&self.session, &commands, &palette);
                self.dock.ui(&mut ctx, ui);
            }
        });
        self.over_ui(ui, &palette, &actions, &mut deed);
        if let Some(deed) = deed {
            self.act(ui, deed);
        }
        self.want(start);
        if !ui.input(|input| input.pointer.any_down()) && !ui.ctx().text_edit_focused() {
            self.session.undo.settle();
        }
        if self.session.collect() {
            // What was asked for, or is hovered now, shows in the frame that follows.
            ui.ctx().request_repaint();
        }
    }

    /// What lies over the rest.
    fn over_ui(&mut self, ui: &mut Ui, palette: &Palette, actions: &[Action], deed: &mut Option<Deed>) {
        let commands = self.session.commands();
        if let Some(action) = self.palette.ui(ui, palette, actions) {
            *deed = Some(action.deed);
        }
        if self.shortcuts && dialogs::shortcuts_ui(ui, palette, actions) {
            self.shortcuts = false;
        }
        if self.saving.as_mut().is_some_and(|form| form.ui(ui, &commands)) {
            self.saving = None;
        }
        if self.building.as_mut().is_some_and(|form| form.ui(ui, &self.session, palette)) {
            self.building = None;
        }
        toasts::ui(ui, palette, &self.session.notices, &commands);
        let vision = self.session.document.model().is_some_and(|model| model.vision.is_some());
        drop_ui(ui, palette, vision);
        for file in ui.input(|input| input.raw.dropped_files.clone()) {
            commands.send(Command::OpenModel(file.path().to_string_lossy().into_owned()));
        }
    }

    fn act(&mut self, ui: &Ui, deed: Deed) {
        let ctx = ui.ctx();
        match deed {
            Deed::Send(command) => self.session.commands().send(command),
            Deed::Start => self.show_start = !self.show_start,
            Deed::OpenFile => dialogs::ask_to_open(Ask::File, self.session.commands(), ctx.clone()),
            Deed::OpenFolder => dialogs::ask_to_open(Ask::Folder, self.session.commands(), ctx.clone()),
            Deed::OpenRun => dialogs::ask_to_open(Ask::Run, self.session.commands(), ctx.clone()),
            Deed::OpenAtlas => dialogs::ask_to_open(Ask::Atlas, self.session.commands(), ctx.clone()),
            Deed::AtlasLayout => {
                self.show_start = false;
                self.dock.arrange_for_atlas();
            }
            Deed::PicturesLayout => {
                self.show_start = false;
                self.dock.arrange_for_pictures();
            }
            Deed::MoveToken(by) => {
                if let (Some(at), Some(stats)) =
                    (self.session.focus_token(), self.session.document.results.stats.shown())
                {
                    let last = stats.tokens.len().saturating_sub(1);
                    let to = at.saturating_add_signed(by).min(last);
                    self.session.commands().select(Selection::of_token(to));
                }
            }
            Deed::TogglePanel(id) => {
                let front = self.dock.visible().any(|panel| panel.id() == id);
                if front && !self.shows_start() {
                    self.dock.close(id);
                } else {
                    self.show_start = false;
                    self.dock.open(id);
                }
            }
            Deed::ResetLayout => self.dock.reset(),
            Deed::Palette => self.palette.toggle(),
            Deed::Shortcuts => self.shortcuts = !self.shortcuts,
            Deed::Zoom(0) => ctx.set_zoom_factor(1.0),
            Deed::Zoom(step) => ctx.set_zoom_factor((ctx.zoom_factor() + 0.1 * f32::from(step)).clamp(0.6, 2.5)),
            Deed::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
        ctx.request_repaint();
    }

    /// Says which results the visible panels need.
    fn want(&mut self, start: bool) {
        let mut wanted: Vec<ResultKind> = if start {
            Vec::new()
        } else {
            self.dock.visible().flat_map(|panel| panel.needs().iter().copied()).collect()
        };
        wanted.sort_unstable();
        wanted.dedup();
        if wanted != self.wanted {
            self.wanted.clone_from(&wanted);
            self.session.commands().send(Command::Want(wanted));
        }
    }

    /// Restores a stored arrangement.
    pub fn restore(&mut self, layout: Layout) {
        self.dock.restore(layout);
    }

    /// Whether a model is being opened, with nothing else to show.
    pub fn is_opening(&self) -> bool {
        matches!(self.session.document.model, Loadable::Loading { previous: None, .. })
    }
}

/// Gives a context Golgi's look and fonts.
pub fn prepare(ctx: &egui::Context) {
    theme::apply(ctx);
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
}

/// While a file is held over the window: what letting go will do.
fn drop_ui(ui: &Ui, palette: &Palette, vision: bool) {
    if ui.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let rect = ui.ctx().content_rect();
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop"));
    let painter = ui.ctx().layer_painter(layer);
    painter.rect_filled(rect, 0.0, palette.backdrop.gamma_multiply(0.86));
    painter.rect_stroke(rect.shrink(16.0), 12.0, Stroke::new(2.0, palette.accent), egui::StrokeKind::Inside);
    let what = if vision { "picture, model or atlas" } else { "model or atlas" };
    let text = RichText::new(format!("{}  Let go to open this {what}", icons::FOLDER_OPEN));
    painter.text(
        rect.center(),
        Align2::CENTER_CENTER,
        text.text(),
        egui::FontId::proportional(22.0),
        palette.text_strong,
    );
}
