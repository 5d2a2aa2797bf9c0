//! The menu of a network's sites.

use egui::{ComboBox, PopupCloseBehavior, ScrollArea, TextEdit, Ui};
use golgi_data::site::Site;

use crate::desktop::panels::PanelContext;
use crate::session::document::ModelInfo;
use crate::session::selection::Selection;
use crate::session::text;

/// The menu's state.
#[derive(Default)]
pub struct SiteMenu {
    filter: String,
}

impl SiteMenu {
    /// Draws the menu; a choice is selected everywhere.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, model: &ModelInfo, chosen: Option<&Site>) {
        let name = chosen.map_or_else(String::new, Site::to_string);
        let menu = ComboBox::from_id_salt("site").selected_text(text::shortened(&name, 22)).width(130.0).height(360.0);
        let menu = menu.close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        let shown = menu.show_ui(ui, |ui| {
            ui.set_min_width(330.0);
            let field = TextEdit::singleline(&mut self.filter).hint_text("Filter sites").desired_width(f32::INFINITY);
            ui.add(field).accessible_name("Filter the sites of the menu");
            let wanted = self.filter.trim().to_lowercase();
            let passing: Vec<_> =
                model.sites.iter().filter(|info| info.site.to_string().to_lowercase().contains(&wanted)).collect();
            if passing.is_empty() {
                ui.weak("No site has such a name.");
            }
            let row = ui.spacing().interact_size.y;
            ScrollArea::vertical().max_height(300.0).show_rows(ui, row, passing.len(), |ui, range| {
                for info in &passing[range] {
                    let label = info.site.to_string();
                    let button = egui::Button::selectable(chosen == Some(&info.site), text::shortened(&label, 40));
                    let button = button.right_text(egui::RichText::new(sizes(&info.shape)).weak().small());
                    let button = ui.add(button.min_size(egui::vec2(ui.available_width(), 0.0)));
                    if button.accessible_name(format!("Site {label}")).clicked() {
                        ctx.select(Selection::of_site(&info.site));
                        ui.close();
                    }
                }
            });
        });
        shown.response.accessible_name("Site").on_hover_text(name);
    }
}

/// A shape without the batch: `1280 × 7 × 7`.
fn sizes(shape: &str) -> String {
    let inner = shape.trim_matches(['[', ']']).trim_start_matches("batch").trim_start_matches(", ");
    inner.replace(", ", " × ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_leave_out_the_batch() {
        assert_eq!(sizes("[batch, 1280, 7, 7]"), "1280 × 7 × 7");
        assert_eq!(sizes("[batch, 1000]"), "1000");
    }
}
