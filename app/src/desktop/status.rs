//! The bar at the bottom: device, element type, memory, selection, what is running.

use std::time::{Duration, Instant};

use egui::{Align, Button, Layout, RichText, Ui};
use golgi_data::context::bytes_text;

use super::actions::Deed;
use super::theme::{Palette, icons, progress_bar};
use crate::session::Session;
use crate::session::command::Command;
use crate::session::text;

/// How often the memory is measured.
const EVERY: Duration = Duration::from_secs(4);

/// The bar's state: the memory as last measured.
#[derive(Default)]
pub struct StatusBar {
    measured: Option<(Instant, Option<u64>)>,
}

impl StatusBar {
    /// Draws the bar. Returns what was chosen.
    pub fn ui(&mut self, ui: &mut Ui, palette: &Palette, session: &Session) -> Option<Deed> {
        let mut chosen = None;
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 14.0;
            ui.style_mut().override_text_style = Some(egui::TextStyle::Small);
            let weak = |text: String| RichText::new(text).color(palette.text_weak);
            if let Some(model) = session.document.model() {
                ui.label(weak(format!("{}  {} · {}", icons::CPU, model.device, model.dtype)))
                    .on_hover_text("Where the model runs and what it computes in");
            }
            if let Some(bytes) = self.memory() {
                ui.label(weak(format!("{}  {}", icons::MEMORY, bytes_text(bytes))))
                    .on_hover_text("Memory that this program holds");
                ui.ctx().request_repaint_after(EVERY);
            }
            if let Some(stats) = session.document.results.stats.shown() {
                let tokens = stats.tokens.len();
                let loss = stats.mean_loss.map_or(String::new(), |loss| format!(" · loss {loss:.3} nats/token"));
                ui.label(weak(format!("{tokens} tokens{loss}")))
                    .on_hover_text("Length of the prompt and its mean loss");
            }
            if let Some(seen) = session.vision.seen.shown() {
                let name = seen.path.file_name().unwrap_or_default().to_string_lossy();
                let class = seen.classes.first().map_or(String::new(), |class| format!(" · {}", class.name));
                ui.label(weak(text::shortened(&text::visible(&format!("{name}{class}")), 60)))
                    .on_hover_text("The picture, and what the network takes it for");
            }
            let selected = selection_text(session);
            if !selected.is_empty() {
                ui.label(weak(format!("{}  {selected}", icons::CROSSHAIR)))
                    .on_hover_text("What is selected; Esc clears it");
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| right_ui(ui, palette, session, &mut chosen));
        });
        chosen
    }

    fn memory(&mut self) -> Option<u64> {
        match self.measured {
            Some((at, bytes)) if at.elapsed() < EVERY => bytes,
            _ => {
                let bytes = resident_bytes();
                self.measured = Some((Instant::now(), bytes));
                bytes
            }
        }
    }
}

fn right_ui(ui: &mut Ui, palette: &Palette, session: &Session, chosen: &mut Option<Deed>) {
    let errors = session.notices.errors();
    if errors > 0 {
        let text = RichText::new(format!("{}  {errors}", icons::WARNING_CIRCLE)).color(palette.error);
        let button = ui.add(Button::new(text).frame_when_inactive(false).small());
        if button.accessible_name(format!("{errors} errors")).on_hover_text("Show jobs and notices").clicked() {
            *chosen = Some(Deed::TogglePanel("jobs"));
        }
    }
    let running: Vec<_> = session.jobs.running().collect();
    // Answers to a click come at once; only what takes time is worth a bar.
    let Some(job) = running.iter().find(|job| job.elapsed() > Duration::from_millis(250)) else {
        if running.is_empty() {
            ui.label(RichText::new("Ready").color(palette.text_weak));
        } else {
            ui.label(RichText::new("Computing…").color(palette.text_weak));
        }
        return;
    };
    let cancel = Button::new(RichText::new(icons::X).size(11.0)).frame_when_inactive(false).small();
    if ui.add(cancel).accessible_name(format!("Cancel {}", job.title)).on_hover_text("Cancel").clicked() {
        *chosen = Some(Deed::Send(Command::CancelJob(job.id)));
    }
    ui.add(progress_bar(palette, job.progress.fraction()).desired_width(120.0)).accessible_name(&job.title);
    let more = if running.len() > 1 { format!(" (+{})", running.len() - 1) } else { String::new() };
    ui.label(RichText::new(format!("{}{more}", job.title)).color(palette.text));
}

fn selection_text(session: &Session) -> String {
    let selection = &session.selection;
    let token = selection.token.map(|pos| format!("token {pos}"));
    let spot = selection.spot.map(|spot| format!("pixel {}, {}", spot.x, spot.y));
    let place = match (&selection.unit, &selection.site, selection.layer) {
        (Some(unit), _, _) => Some(unit.short()),
        (None, Some(site), _) => Some(site.to_string()),
        (None, None, layer) => layer.map(|layer| format!("layer {layer}")),
    };
    token.into_iter().chain(spot).chain(place).collect::<Vec<_>>().join(", ")
}

/// What the process holds in main memory, where the system says so.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
