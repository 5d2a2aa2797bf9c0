//! The sites of a convolutional network, in groups as its modules nest.

use egui::{CollapsingHeader, Ui};

use super::{ModelPanel, matches};
use crate::desktop::panels::PanelContext;
use crate::desktop::widgets::highlight::{Light, veil};
use crate::session::document::{ModelInfo, SiteInfo};
use crate::session::text;

/// Modules of this depth have a group of their own.
const DEPTH: usize = 2;

/// The module that a site's group is named after: the first two parts of its path, less its own name; nothing for one at the top.
pub(super) fn group(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    parts[..parts.len().saturating_sub(1).min(DEPTH)].join(".")
}

impl ModelPanel {
    /// Draws the sites. Returns whether anything was drawn.
    pub(super) fn network_ui(&self, ctx: &PanelContext<'_>, ui: &mut Ui, model: &ModelInfo, filter: &str) -> bool {
        let chosen = model.chosen_site(ctx.selection);
        let mut found = false;
        for sites in model.sites.chunk_by(|a, b| group(&a.site.to_string()) == group(&b.site.to_string())) {
            let shown: Vec<&SiteInfo> = sites.iter().filter(|site| matches(site, filter)).collect();
            let Some(first) = shown.first() else { continue };
            found = true;
            let title = group(&first.site.to_string());
            if title.is_empty() {
                shown.iter().for_each(|site| self.site_ui(ctx, ui, site));
                continue;
            }
            let here = sites.iter().any(|site| Some(&site.site) == chosen);
            let hovered = sites.iter().any(|site| ctx.hover.site.as_ref() == Some(&site.site));
            let top = ui.cursor().min;
            let row = egui::Rect::from_min_size(top, egui::vec2(ui.available_width(), super::ROW));
            let light = Light::of(here && ctx.selection.site.is_some(), hovered);
            if let Some(fill) = veil(ui.visuals(), light) {
                ui.painter().rect_filled(row, 4.0, fill);
            }
            let open = (!filter.is_empty() || here && self.seen_site.as_ref() != chosen).then_some(true);
            let id = ("group", sites.first().map(|site| site.site.to_string()));
            let header = CollapsingHeader::new(text::visible(&title)).id_salt(id).open(open);
            let header = header.show(ui, |ui| shown.iter().for_each(|site| self.site_ui(ctx, ui, site)));
            let at = egui::pos2(row.right() - 6.0, header.header_response.rect.center().y);
            let font = egui::TextStyle::Small.resolve(ui.style());
            let count = format!("{} sites", shown.len());
            ui.painter().text(at, egui::Align2::RIGHT_CENTER, count, font, ctx.palette.text_weak);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_grouped_by_their_modules() {
        assert_eq!(group("_conv_head"), "");
        assert_eq!(group("_blocks.3._bn1"), "_blocks.3");
        assert_eq!(group("features.0"), "features");
        assert_eq!(group("features.denseblock1.denselayer2.conv1"), "features.denseblock1");
    }
}
