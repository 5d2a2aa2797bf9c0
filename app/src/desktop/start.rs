//! The start screen: the starter model in one click, models opened before, files, and the catalogue.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui::{
    Align, Button, Checkbox, Color32, CornerRadius, Frame, Layout, Margin, RichText, ScrollArea, Sense, Stroke,
    TextEdit, TextStyle, Ui, vec2,
};
use golgi_data::context::bytes_text;
use golgi_data::models::{CatalogueEntry, catalogue};

use super::actions::Deed;
use super::theme::{Palette, icons, progress_bar};
use super::toasts;
use crate::session::Session;
use crate::session::command::Command;
use crate::session::jobs::Job;
use crate::session::loadable::Loadable;
use crate::session::notice::Notice;
use crate::session::recent::RecentModel;
use crate::session::text;

/// The widest that the screen's column runs.
const COLUMN: f32 = 1020.0;
const GAP: f32 = 14.0;
/// Space between a card's edge and what is in it.
const CARD: i8 = 14;
/// Height of what is in a card of the catalogue.
const ENTRY: f32 = 104.0;
/// How often it is looked whether a model of the catalogue is there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The start screen's state.
pub struct StartScreen {
    home: Option<PathBuf>,
    /// What is written into the field for an address.
    address: String,
    /// Licences that the user has accepted, by model.
    accepted: BTreeMap<&'static str, bool>,
    installed: Option<(Instant, Vec<bool>)>,
    /// Height of the card to begin with, as drawn in the last frame: its neighbour has the same.
    card_height: f32,
}

impl StartScreen {
    /// The models of the catalogue lie under `home`.
    pub fn new(home: Option<PathBuf>) -> StartScreen {
        StartScreen { home, address: String::new(), accepted: BTreeMap::new(), installed: None, card_height: 240.0 }
    }

    /// Whether each model of the catalogue is there, as last looked up.
    fn installed(&mut self) -> Vec<bool> {
        match &self.installed {
            Some((at, installed)) if at.elapsed() < LOOK_EVERY => installed.clone(),
            _ => {
                let home = self.home.as_deref();
                let look = |entry: &CatalogueEntry| home.is_some_and(|home| entry.is_installed(home));
                let installed: Vec<bool> = catalogue().iter().map(look).collect();
                self.installed = Some((Instant::now(), installed.clone()));
                installed
            }
        }
    }

    /// Draws it. Returns what was chosen.
    pub fn ui(&mut self, ui: &mut Ui, palette: &Palette, session: &Session) -> Option<Deed> {
        let installed = self.installed();
        let mut deed = None;
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let width = COLUMN.min(ui.available_width() - 48.0);
            let side = (ui.available_width() - width) / 2.0;
            ui.horizontal_top(|ui| {
                ui.add_space(side);
                ui.vertical(|ui| {
                    ui.set_width(width);
                    ui.spacing_mut().item_spacing = vec2(8.0, 8.0);
                    ui.add_space(((ui.ctx().content_rect().height() - 780.0) / 2.0).clamp(18.0, 90.0));
                    head_ui(ui, palette, session, &mut deed);
                    ui.add_space(14.0);
                    state_ui(ui, palette, session, &mut deed);
                    ui.horizontal_top(|ui| {
                        ui.spacing_mut().item_spacing.x = GAP;
                        let left = (width - GAP) * 0.56;
                        column(ui, left, |ui| self.begin_ui(ui, palette, session, &installed, &mut deed));
                        column(ui, width - GAP - left, |ui| {
                            recent_ui(ui, palette, session, self.card_height, &mut deed)
                        });
                    });
                    ui.add_space(14.0);
                    caption(ui, palette, "Catalogue");
                    self.catalogue_ui(ui, palette, session, &installed, &mut deed);
                    ui.add_space(24.0);
                });
            });
        });
        deed
    }

    fn begin_ui(
        &mut self,
        ui: &mut Ui,
        palette: &Palette,
        session: &Session,
        installed: &[bool],
        deed: &mut Option<Deed>,
    ) {
        caption(ui, palette, "Begin");
        let drawn = card(ui, palette, palette.panel, |ui| {
            let starter = &catalogue()[0];
            let there = installed.first() == Some(&true);
            let fetching = fetch_job(session, starter);
            let size = bytes_text(starter.bytes());
            let label =
                if there { format!("Open {}", starter.title) } else { format!("Get {} ({size})", starter.title) };
            let text =
                RichText::new(label).text_style(TextStyle::Name("strong".into())).size(15.0).color(palette.on_accent);
            let busy = fetching.is_some() || is_opening(session);
            let button = Button::new(text).fill(palette.accent_fill).min_size(vec2(ui.available_width(), 42.0));
            if ui.add_enabled(!busy, button).clicked() {
                *deed = Some(Deed::Send(if there {
                    Command::OpenModel(starter.name.into())
                } else {
                    Command::FetchModel(starter.name.into())
                }));
            }
            if let Some(job) = fetching {
                job_ui(ui, palette, job, deed);
            } else {
                ui.label(RichText::new(starter.description).color(palette.text_weak));
            }
            ui.add_space(4.0);
            ui.separator();
            ui.add_space(2.0);
            ui.label("Or open a model of your own: drop a file or folder anywhere, or");
            ui.horizontal(|ui| {
                if ui.button(format!("{}  Choose a file…", icons::FILE)).accessible_name("Choose a file").clicked() {
                    *deed = Some(Deed::OpenFile);
                }
                if ui
                    .button(format!("{}  Choose a folder…", icons::FOLDER_OPEN))
                    .accessible_name("Choose a folder")
                    .clicked()
                {
                    *deed = Some(Deed::OpenFolder);
                }
            });
            ui.horizontal(|ui| {
                let hint = RichText::new("Path, catalogue name or hf://org/model").color(palette.text_weak);
                let field =
                    TextEdit::singleline(&mut self.address).hint_text(hint).desired_width(ui.available_width() - 74.0);
                let field = ui.add(field.margin(Margin::symmetric(8, 5))).accessible_name("Address of a model");
                let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
                let usable = !self.address.trim().is_empty();
                if ui.add_enabled(usable, Button::new("Open").min_size(vec2(60.0, 0.0))).clicked() || entered && usable
                {
                    *deed = Some(Deed::Send(Command::OpenModel(self.address.trim().to_owned())));
                }
            });
            ui.label(
                RichText::new(
                    "GGUF, safetensors, PyTorch files and Hugging Face folders. Nothing in them is executed.",
                )
                .small()
                .color(palette.text_weak),
            );
        });
        // Less the frame: its margin and its line, on both sides.
        self.card_height = drawn - 2.0 * (f32::from(CARD) + 1.0);
    }

    fn catalogue_ui(
        &mut self,
        ui: &mut Ui,
        palette: &Palette,
        session: &Session,
        installed: &[bool],
        deed: &mut Option<Deed>,
    ) {
        let width = ui.available_width();
        let columns = if width > 760.0 { 2 } else { 1 };
        let each = (width - GAP * (columns - 1) as f32) / columns as f32;
        let entries: Vec<(&CatalogueEntry, bool)> = catalogue().iter().zip(installed.iter().copied()).collect();
        for row in entries.chunks(columns) {
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = GAP;
                for (entry, there) in row {
                    column(ui, each, |ui| self.entry_ui(ui, palette, session, entry, *there, deed));
                }
            });
            ui.add_space(GAP - 8.0);
        }
    }

    fn entry_ui(
        &mut self,
        ui: &mut Ui,
        palette: &Palette,
        session: &Session,
        entry: &CatalogueEntry,
        there: bool,
        deed: &mut Option<Deed>,
    ) {
        card(ui, palette, palette.panel, |ui| {
            ui.set_min_height(ENTRY);
            let top = ui.cursor().top();
            ui.horizontal(|ui| {
                ui.label(strong(entry.title, palette));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.label(RichText::new(bytes_text(entry.bytes())).small().color(palette.text_weak));
                    if there {
                        ui.label(RichText::new(format!("{} installed", icons::CHECK)).small().color(palette.good));
                    }
                });
            });
            ui.label(RichText::new(entry.description).color(palette.text_weak));
            if let Some(job) = fetch_job(session, entry) {
                job_ui(ui, palette, job, deed);
                return;
            }
            ui.add_space((ENTRY - ui.spacing().interact_size.y - (ui.cursor().top() - top)).max(0.0));
            ui.horizontal(|ui| {
                let mut ready = true;
                if there {
                    if ui
                        .add_enabled(!is_opening(session), Button::new("Open"))
                        .accessible_name(format!("Open {}", entry.title))
                        .clicked()
                    {
                        *deed = Some(Deed::Send(Command::OpenModel(entry.name.into())));
                    }
                } else {
                    if entry.needs_consent {
                        let accepted = self.accepted.entry(entry.name).or_default();
                        ui.add(Checkbox::new(accepted, "I accept the terms"))
                            .accessible_name(format!("I accept the terms of {}", entry.title));
                        ready = *accepted;
                    }
                    let get = Button::new(format!("{}  Get", icons::DOWNLOAD_SIMPLE));
                    let get = ui.add_enabled(ready, get).accessible_name(format!("Get {}", entry.title));
                    if get.on_disabled_hover_text("Read and accept its terms first.").clicked() {
                        *deed = Some(Deed::Send(Command::FetchModel(entry.name.into())));
                    }
                }
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.hyperlink_to(RichText::new(entry.licence).small(), entry.licence_url);
                });
            });
        });
    }
}

fn head_ui(ui: &mut Ui, palette: &Palette, session: &Session, deed: &mut Option<Deed>) {
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(54.0, 54.0), Sense::hover());
        super::icon::paint(ui.painter(), rect, palette.accent);
        ui.add_space(8.0);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.label(RichText::new("Golgi").text_style(TextStyle::Name("title".into())).color(palette.text_strong));
            let line = "See what every neuron, head and layer of a model does. Change it. Take the evidence away.";
            ui.label(RichText::new(line).color(palette.text_weak).size(14.0));
        });
        if session.document.model().is_some() {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button("Back to the panels").clicked() {
                    *deed = Some(Deed::Start);
                }
            });
        }
    });
}

/// What is being opened, or what went wrong.
fn state_ui(ui: &mut Ui, palette: &Palette, session: &Session, deed: &mut Option<Deed>) {
    match &session.document.model {
        Loadable::Loading { .. } => {
            card(ui, palette, palette.raised, |ui| {
                match session.jobs.running().find(|job| job.title.starts_with("Open ")) {
                    Some(job) => job_ui(ui, palette, job, deed),
                    None => {
                        ui.label("Opening a model…");
                    }
                }
            });
            ui.add_space(8.0);
        }
        Loadable::Failed(notice) => {
            failure_ui(ui, palette, session, notice, deed);
            ui.add_space(8.0);
        }
        _ => {}
    }
}

fn failure_ui(ui: &mut Ui, palette: &Palette, session: &Session, notice: &Notice, deed: &mut Option<Deed>) {
    let frame =
        Frame::new().fill(palette.panel).stroke(Stroke::new(1.0, palette.error)).corner_radius(CornerRadius::same(8));
    frame.inner_margin(Margin::same(14)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            ui.label(RichText::new(icons::WARNING_CIRCLE).size(18.0).color(palette.error));
            ui.vertical(|ui| {
                toasts::body_ui(ui, palette, notice);
                ui.horizontal(|ui| {
                    let retry = session.jobs.list().iter().rev().find(|job| job.title.starts_with("Open "));
                    if let Some(job) = retry
                        && ui.button("Try again").clicked()
                    {
                        *deed = Some(Deed::Send(Command::RetryJob(job.id)));
                    }
                    if ui.button("Copy details").clicked() {
                        ui.ctx().copy_text(notice.details());
                    }
                });
            });
        });
    });
}

fn recent_ui(ui: &mut Ui, palette: &Palette, session: &Session, height: f32, deed: &mut Option<Deed>) {
    caption(ui, palette, "Opened before");
    card(ui, palette, palette.panel, |ui| {
        ui.set_min_height(height);
        ui.spacing_mut().item_spacing.y = 2.0;
        if session.recent.list().is_empty() {
            ui.add_space((height / 2.0 - 34.0).max(8.0));
            ui.vertical_centered(|ui| {
                ui.label(RichText::new(icons::CLOCK_COUNTER_CLOCKWISE).size(26.0).color(palette.text_weak));
                ui.label(RichText::new("Models that you open will be listed here.").color(palette.text_weak));
            });
            return;
        }
        ScrollArea::vertical().max_height(height).show(ui, |ui| {
            for model in session.recent.list() {
                recent_row_ui(ui, palette, model, deed);
            }
        });
    });
}

fn recent_row_ui(ui: &mut Ui, palette: &Palette, model: &RecentModel, deed: &mut Option<Deed>) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 44.0), Sense::click());
    let name = text::shortened(&text::visible(&model.name), 40);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Open {name} again")));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 6.0, palette.raised);
    }
    let mut inner = ui.new_child(
        egui::UiBuilder::new().max_rect(rect.shrink2(vec2(8.0, 4.0))).layout(Layout::left_to_right(Align::Center)),
    );
    inner.label(RichText::new(icons::STACK).size(18.0).color(palette.text_weak));
    inner.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.label(strong(&name, palette));
        let about = format!("{} · {}", text::visible(&model.about), model.ago());
        ui.label(RichText::new(text::shortened(&about, 60)).small().color(palette.text_weak));
    });
    inner.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let forget =
            Button::new(RichText::new(icons::X).size(11.0).color(palette.text_weak)).frame_when_inactive(false);
        if ui.add(forget).accessible_name(format!("Forget {name}")).on_hover_text("Forget").clicked() {
            *deed = Some(Deed::Send(Command::ForgetRecent(model.spec.clone())));
        }
    });
    if response.on_hover_text(text::visible(&model.spec)).clicked() && deed.is_none() {
        *deed = Some(Deed::Send(Command::OpenModel(model.spec.clone())));
    }
}

/// A job's progress with a button to stop it.
fn job_ui(ui: &mut Ui, palette: &Palette, job: &Job, deed: &mut Option<Deed>) {
    ui.horizontal(|ui| {
        ui.label(text::visible(&job.title));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("Cancel").accessible_name(format!("Cancel {}", job.title)).clicked() {
                *deed = Some(Deed::Send(Command::CancelJob(job.id)));
            }
            if let Some(left) = job.time_left() {
                ui.weak(format!("{} s left", left.as_secs().max(1)));
            }
            ui.weak(text::visible(&job.progress.stage));
        });
    });
    ui.add(progress_bar(palette, job.progress.fraction())).accessible_name(&job.title);
}

fn fetch_job<'s>(session: &'s Session, entry: &CatalogueEntry) -> Option<&'s Job> {
    session.jobs.running().find(|job| job.title == format!("Fetch {}", entry.title))
}

fn is_opening(session: &Session) -> bool {
    session.document.model.is_loading()
}

fn strong(text: &str, palette: &Palette) -> RichText {
    RichText::new(text).text_style(TextStyle::Name("strong".into())).color(palette.text_strong)
}

fn caption(ui: &mut Ui, palette: &Palette, text: &str) {
    ui.label(RichText::new(text.to_uppercase()).text_style(TextStyle::Name("caption".into())).color(palette.text_weak));
}

fn column(ui: &mut Ui, width: f32, add: impl FnOnce(&mut Ui)) {
    ui.vertical(|ui| {
        ui.set_width(width);
        add(ui);
    });
}

/// Returns the card's height.
fn card(ui: &mut Ui, palette: &Palette, fill: Color32, add: impl FnOnce(&mut Ui)) -> f32 {
    let frame = Frame::new().fill(fill).stroke(Stroke::new(1.0, palette.line)).corner_radius(CornerRadius::same(8));
    let shown = frame.inner_margin(Margin::same(CARD)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        add(ui);
    });
    shown.response.rect.height()
}
