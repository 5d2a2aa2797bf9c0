//! The bar at the top: menus, the model's name, undo and redo, the palette.

use egui::{Align, Button, Layout, MenuBar, RichText, Ui};

use super::actions::{Action, Deed, Menu};
use super::theme::{Palette, busy, icons};
use crate::session::Session;
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::text;

/// Draws the bar. Returns what was chosen.
pub fn bar_ui(ui: &mut Ui, palette: &Palette, session: &Session, actions: &[Action]) -> Option<Deed> {
    let mut chosen = None;
    MenuBar::new().ui(ui, |ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        ui.spacing_mut().button_padding = egui::vec2(8.0, 3.0);
        mark_ui(ui, palette);
        for menu in Menu::ALL {
            ui.menu_button(menu.title(), |ui| {
                ui.set_min_width(250.0);
                for action in actions.iter().filter(|action| action.menu == menu) {
                    if action.begins_group {
                        ui.separator();
                    }
                    if item_ui(ui, palette, action) {
                        chosen = Some(action.deed.clone());
                        ui.close();
                    }
                }
            });
        }
        ui.add_space(10.0);
        model_ui(ui, palette, session);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let icon = |icon: &str| Button::new(RichText::new(icon).size(16.0)).frame_when_inactive(false);
            let dark = palette.dark;
            let (glyph, name, theme) = if dark {
                (icons::SUN, "Light theme", crate::session::command::ThemeChoice::Light)
            } else {
                (icons::MOON, "Dark theme", crate::session::command::ThemeChoice::Dark)
            };
            if ui
                .add(icon(glyph))
                .accessible_name(format!("Switch to {}", name.to_lowercase()))
                .on_hover_text(name)
                .clicked()
            {
                chosen = Some(Deed::Send(Command::SetTheme(theme)));
            }
            let find = RichText::new(format!("{}  Find a command", icons::MAGNIFYING_GLASS)).color(palette.text_weak);
            let find = ui.add(Button::new(find).min_size(egui::vec2(190.0, 0.0)).shortcut_text("Ctrl+P"));
            if find.accessible_name("Find a command").clicked() {
                chosen = Some(Deed::Palette);
            }
            for (glyph, command, name) in [
                (icons::ARROW_U_UP_RIGHT, Command::Redo, session.undo.redo_name().map(|name| ("Redo", name))),
                (icons::ARROW_U_UP_LEFT, Command::Undo, session.undo.undo_name().map(|name| ("Undo", name))),
            ] {
                let verb = if matches!(command, Command::Undo) { "Undo" } else { "Redo" };
                let button = ui.add_enabled(name.is_some(), icon(glyph)).accessible_name(verb);
                let hint = name
                    .map_or(format!("Nothing to {}", verb.to_lowercase()), |(verb, name)| format!("{verb}: {name}"));
                if button.on_hover_text(&hint).on_disabled_hover_text(&hint).clicked() {
                    chosen = Some(Deed::Send(command));
                }
            }
            let active = session.document.active_interventions();
            if active > 0 {
                changed_ui(ui, palette, session, active, &mut chosen);
            }
        });
    });
    chosen
}

/// The program's mark: a cell body with its branches.
fn mark_ui(ui: &mut Ui, palette: &Palette) {
    let (rect, _) = ui.allocate_exact_size(egui::vec2(26.0, 22.0), egui::Sense::hover());
    super::icon::paint(
        ui.painter(),
        egui::Rect::from_center_size(rect.center(), egui::vec2(20.0, 20.0)),
        palette.accent,
    );
}

fn item_ui(ui: &mut Ui, palette: &Palette, action: &Action) -> bool {
    let icon = match action.ticked {
        Some(true) => RichText::new(icons::CHECK).color(palette.accent),
        Some(false) => RichText::new(icons::CHECK).color(egui::Color32::TRANSPARENT),
        None => RichText::new(action.icon).color(palette.text_weak),
    };
    let mut button = Button::new((icon.size(15.0), action.name.as_str()));
    if let Some(keys) = &action.keys {
        button = button.shortcut_text(ui.ctx().format_shortcut(keys));
    }
    ui.add_enabled(action.enabled, button).accessible_name(&action.name).clicked()
}

fn model_ui(ui: &mut Ui, palette: &Palette, session: &Session) {
    match &session.document.model {
        Loadable::Ready(model) => {
            let name = text::shortened(&text::visible(&model.name), 48);
            ui.label(RichText::new(name).text_style(egui::TextStyle::Name("strong".into())).color(palette.text_strong))
                .on_hover_text(text::visible(&model.spec));
            ui.add_space(6.0);
            let size = match &model.vision {
                Some(vision) => format!("{} classes", text::grouped(vision.classes as u64)),
                None => format!("{} layers", model.dims.n_layers),
            };
            let about = format!("{} · {size} · {} parameters", model.family, text::count_text(model.parameters()));
            ui.label(RichText::new(about).color(palette.text_weak))
                .on_hover_text(format!("{} parameters", text::grouped(model.parameters())));
        }
        Loadable::Loading { .. } => {
            busy::busy(ui);
            ui.weak("Opening a model…");
        }
        Loadable::Failed(_) | Loadable::Empty => {
            ui.weak("No model is open");
        }
    }
}

/// What the panels show while there are interventions: the changed model, or the original one.
fn changed_ui(ui: &mut Ui, palette: &Palette, session: &Session, active: usize, chosen: &mut Option<Deed>) {
    let original = session.document.show_original;
    let word = if active == 1 { "intervention" } else { "interventions" };
    let (text, color) = if original {
        (format!("{}  Original model", icons::EYE_SLASH), palette.text_weak)
    } else {
        (format!("{}  {active} {word}", icons::SLIDERS_HORIZONTAL), palette.changed)
    };
    let button = Button::new(RichText::new(text).color(color)).frame_when_inactive(false);
    let hint = if original {
        "The panels show the model as it is. Click to see it with your interventions."
    } else {
        "The panels show the model with your interventions. Click to see it as it is."
    };
    if ui.add(button).accessible_name("Switch between original and changed model").on_hover_text(hint).clicked() {
        *chosen = Some(Deed::Send(Command::ShowOriginal(!original)));
    }
    ui.add_space(6.0);
}
