//! The look of egui's own widgets: type, spacing, corners, colours.

use egui::epaint::Shadow;
use egui::style::{ScrollStyle, Selection, WidgetVisuals, Widgets};
use egui::{Color32, Context, CornerRadius, FontId, Margin, Stroke, Style, TextStyle, Theme, Visuals, vec2};

use super::Palette;

/// Font families beyond egui's two.
pub mod family {
    use egui::FontFamily;

    /// For headings and names.
    pub fn semibold() -> FontFamily {
        FontFamily::Name("semibold".into())
    }
}

/// Gives both themes Golgi's look.
pub fn apply(ctx: &Context) {
    for (theme, palette) in [(Theme::Dark, Palette::DARK), (Theme::Light, Palette::LIGHT)] {
        ctx.style_mut_of(theme, |style| restyle(style, &palette));
    }
}

fn restyle(style: &mut Style, palette: &Palette) {
    let semibold = |size| FontId::new(size, family::semibold());
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(11.5)),
        (TextStyle::Body, FontId::proportional(13.5)),
        (TextStyle::Button, FontId::proportional(13.5)),
        (TextStyle::Monospace, FontId::monospace(12.5)),
        (TextStyle::Heading, semibold(16.0)),
        (TextStyle::Name("strong".into()), semibold(13.5)),
        (TextStyle::Name("caption".into()), semibold(11.0)),
        (TextStyle::Name("title".into()), semibold(30.0)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(8.0, 6.0);
    spacing.button_padding = vec2(10.0, 4.0);
    spacing.menu_margin = Margin::same(6);
    spacing.window_margin = Margin::same(14);
    spacing.indent = 16.0;
    spacing.interact_size.y = 26.0;
    spacing.icon_width = 15.0;
    spacing.icon_width_inner = 9.0;
    spacing.combo_width = 90.0;
    spacing.tooltip_width = 420.0;
    spacing.scroll = ScrollStyle { bar_width: 8.0, floating: true, ..ScrollStyle::thin() };
    style.interaction.tooltip_delay = 0.35;
    style.interaction.selectable_labels = false;
    style.animation_time = 0.12;
    style.visuals = visuals(palette);
}

fn visuals(p: &Palette) -> Visuals {
    let radius = CornerRadius::same(5);
    let state = |fill: Color32, border: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, border),
        corner_radius: radius,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let shadow = |blur, alpha| Shadow { offset: [0, 6], blur, spread: 0, color: Color32::from_black_alpha(alpha) };
    let base = if p.dark { Visuals::dark() } else { Visuals::light() };
    Visuals {
        dark_mode: p.dark,
        weak_text_color: Some(p.text_weak),
        widgets: Widgets {
            noninteractive: state(p.panel, p.line, p.text),
            // The stronger fill is that of check boxes and rails, which have no border.
            inactive: WidgetVisuals { bg_fill: p.line_strong, ..state(p.control, Color32::TRANSPARENT, p.text) },
            hovered: state(p.control_hovered, p.line_strong, p.text_strong),
            active: state(p.control_pressed, p.accent, p.text_strong),
            open: state(p.control_hovered, p.line_strong, p.text_strong),
        },
        selection: Selection { bg_fill: p.accent_veil, stroke: Stroke::new(1.0, p.accent) },
        hyperlink_color: p.accent,
        faint_bg_color: p.raised,
        extreme_bg_color: p.sunken,
        text_edit_bg_color: Some(p.sunken),
        code_bg_color: p.raised,
        warn_fg_color: p.warning,
        error_fg_color: p.error,
        window_corner_radius: CornerRadius::same(9),
        window_shadow: shadow(28, if p.dark { 140 } else { 50 }),
        window_fill: p.panel,
        window_stroke: Stroke::new(1.0, if p.dark { p.line_strong } else { p.line }),
        menu_corner_radius: CornerRadius::same(7),
        panel_fill: p.panel,
        popup_shadow: shadow(16, if p.dark { 120 } else { 40 }),
        indent_has_left_vline: false,
        slider_trailing_fill: true,
        striped: false,
        ..base
    }
}
