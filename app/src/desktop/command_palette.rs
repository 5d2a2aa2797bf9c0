//! The command palette: every action by a few letters of its name. It knows nothing of particular actions.

use egui::{
    Align2, Area, FontId, Frame, Id, Key, Order, RichText, Role, ScrollArea, Sense, TextEdit, Ui, WidgetInfo, vec2,
};

use super::actions::Action;
use super::theme::{Palette, icons};

const WIDTH: f32 = 560.0;
const ROW: f32 = 32.0;

/// The palette's state.
#[derive(Default)]
pub struct CommandPalette {
    open: bool,
    query: String,
    chosen: usize,
}

impl CommandPalette {
    /// Opens it, or closes it.
    pub fn toggle(&mut self) {
        *self = CommandPalette { open: !self.open, ..CommandPalette::default() };
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Draws it, if it is open. Returns the action that was chosen.
    pub fn ui(&mut self, ui: &mut Ui, palette: &Palette, actions: &[Action]) -> Option<Action> {
        if !self.open {
            return None;
        }
        let mut found: Vec<(i32, &Action)> =
            actions.iter().filter(|a| a.enabled).filter_map(|a| Some((score(&self.query, &a.name)?, a))).collect();
        // Stable: without a query the order is that of the menus.
        found.sort_by_key(|(score, _)| -score);
        let last = found.len().saturating_sub(1);
        let (down, up, enter, escape) = ui.input_mut(|input| {
            (
                input.count_and_consume_key(egui::Modifiers::NONE, Key::ArrowDown),
                input.count_and_consume_key(egui::Modifiers::NONE, Key::ArrowUp),
                input.consume_key(egui::Modifiers::NONE, Key::Enter),
                input.consume_key(egui::Modifiers::NONE, Key::Escape),
            )
        });
        self.chosen = (self.chosen + down).min(last).saturating_sub(up);
        let mut picked = if enter { found.get(self.chosen).map(|(_, action)| (*action).clone()) } else { None };
        let mut outside = false;
        let id = Id::unique("command palette");
        let area = Area::new(id).order(Order::Foreground).anchor(Align2::CENTER_TOP, vec2(0.0, 90.0));
        let shown = area.role(Role::Dialog).accessible_name("Command palette").show(ui.ctx(), |ui| {
            Frame::popup(ui.style()).inner_margin(8).show(ui, |ui| {
                ui.set_width(WIDTH);
                let hint = RichText::new("What do you want to do?").color(palette.text_weak);
                let field = TextEdit::singleline(&mut self.query)
                    .hint_text(hint)
                    .desired_width(WIDTH)
                    .font(FontId::proportional(16.0));
                let field = ui.add(field.margin(8)).accessible_name("Command to find");
                field.request_focus();
                if field.changed() {
                    self.chosen = 0;
                }
                ui.add_space(4.0);
                if found.is_empty() {
                    ui.add_space(6.0);
                    ui.weak("Nothing of that name. Try a panel's name, or “theme”.");
                    ui.add_space(6.0);
                }
                ScrollArea::vertical().max_height(ROW * 10.0).show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    for (index, (_, action)) in found.iter().enumerate() {
                        if row(ui, palette, action, index == self.chosen, down + up > 0) {
                            picked = Some((*action).clone());
                        }
                    }
                });
            })
        });
        if ui.input(|input| input.pointer.any_pressed())
            && let Some(pos) = ui.input(|input| input.pointer.interact_pos())
        {
            outside = !shown.response.rect.contains(pos);
        }
        if picked.is_some() || escape || outside {
            *self = CommandPalette::default();
        }
        picked
    }
}

fn row(ui: &mut Ui, palette: &Palette, action: &Action, chosen: bool, moved: bool) -> bool {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::MenuItem, true, chosen, &action.name));
    if chosen || response.hovered() {
        let fill = if chosen { palette.accent_veil } else { palette.raised };
        ui.painter().rect_filled(rect, 5.0, fill);
    }
    if chosen && moved {
        ui.scroll_to_rect(rect, None);
    }
    let color = if chosen { palette.text_strong } else { palette.text };
    let painter = ui.painter();
    painter.text(
        rect.left_center() + vec2(18.0, 0.0),
        Align2::CENTER_CENTER,
        action.icon,
        FontId::proportional(15.0),
        color,
    );
    painter.text(
        rect.left_center() + vec2(36.0, 0.0),
        Align2::LEFT_CENTER,
        &action.name,
        FontId::proportional(14.0),
        color,
    );
    let mut right = rect.right() - 10.0;
    if let Some(keys) = &action.keys {
        let text = ui.ctx().format_shortcut(keys);
        let drawn = painter.text(
            egui::pos2(right, rect.center().y),
            Align2::RIGHT_CENTER,
            text,
            FontId::proportional(12.0),
            palette.text_weak,
        );
        right = drawn.left() - 10.0;
    }
    if action.ticked == Some(true) {
        let at = egui::pos2(right, rect.center().y);
        painter.text(at, Align2::RIGHT_CENTER, icons::CHECK, FontId::proportional(13.0), palette.accent);
    }
    response.clicked()
}

/// How well `name` answers `query`: every letter in order, better where words begin and where letters stand together. An empty
/// query is answered by every name alike.
fn score(query: &str, name: &str) -> Option<i32> {
    if query.trim().is_empty() {
        return Some(0);
    }
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (mut total, mut at, mut last) = (0, 0, None);
    for wanted in query.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let found = (at..name.len()).find(|index| name[*index] == wanted)?;
        total += match found {
            0 => 12,
            _ if last == Some(found - 1) => 8,
            _ if name[found - 1] == ' ' => 10,
            _ => 1,
        };
        (at, last) = (found + 1, Some(found));
    }
    Some(total * 4 - name.len() as i32 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_words_win() {
        assert!(score("dt", "Dark theme") > score("dt", "Command palette"));
        assert!(score("pal", "Command palette").is_some());
        assert_eq!(score("xyz", "Command palette"), None);
        assert_eq!(score("", "Anything"), score(" ", "Quit"));
    }
}
