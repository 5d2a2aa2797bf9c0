//! One intervention of the list: its switch, numbers, positions, place.

use egui::{
    Align, Button, Checkbox, ComboBox, CornerRadius, DragValue, Frame, Layout, Margin, RichText, Stroke, TextEdit, Ui,
};
use golgi_data::site::{BlockPoint, Site};
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Direction, Edit, Intervention, Positions};

use super::super::PanelContext;
use crate::desktop::theme::icons;
use crate::session::command::Command;
use crate::session::selection::Selection;
use crate::session::text;

/// Draws the intervention at `index` of `count`.
pub(super) fn ui(ctx: &PanelContext<'_>, ui: &mut Ui, index: usize, count: usize, intervention: &Intervention) {
    let palette = ctx.palette;
    let unit = unit_of(intervention);
    let lit = unit.is_some() && (ctx.hover.unit == unit || ctx.selection.unit == unit);
    let line = if lit { palette.accent } else { palette.line };
    let frame = Frame::new().fill(palette.raised).stroke(Stroke::new(1.0, line)).corner_radius(CornerRadius::same(6));
    let shown = frame.inner_margin(Margin::symmetric(8, 6)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.push_id(index, |ui| {
            head_ui(ctx, ui, index, count, intervention, unit.as_ref());
            ui.add_enabled_ui(intervention.enabled, |ui| {
                ui.horizontal_wrapped(|ui| {
                    let mut edited = intervention.clone();
                    let mut changed = edit_ui(ctx, ui, &mut edited.edit);
                    changed |= positions_ui(ctx, ui, &mut edited.scope.positions);
                    if changed && edited != *intervention {
                        edited.label = describe(&edited);
                        ctx.send(Command::EditIntervention(index, edited));
                    }
                });
            });
        });
    });
    if let Some(unit) = unit.filter(|_| shown.response.contains_pointer()) {
        ctx.set_hover(Selection::of_unit(&unit));
    }
    if let Some(from) = shown.response.dnd_release_payload::<usize>().filter(|from| **from != index) {
        ctx.send(Command::MoveIntervention { from: *from, to: index });
    }
}

fn head_ui(
    ctx: &PanelContext<'_>,
    ui: &mut Ui,
    index: usize,
    count: usize,
    intervention: &Intervention,
    unit: Option<&Unit>,
) {
    let palette = ctx.palette;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let handle = ui.scope_id().with("handle");
        let dragged = ui.dnd_drag_source(handle, index, |ui| {
            ui.label(RichText::new(icons::DOTS_SIX_VERTICAL).color(palette.text_weak));
        });
        dragged.response.on_hover_text("Drag to reorder");
        let title = describe(intervention);
        let mut enabled = intervention.enabled;
        if ui.add(Checkbox::without_text(&mut enabled)).accessible_name(format!("Apply {title}")).changed() {
            ctx.send(Command::ToggleIntervention(index));
        }
        let shown = RichText::new(text::shortened(&text::visible(&title), 46))
            .text_style(egui::TextStyle::Name("strong".into()));
        let shown = shown.color(if intervention.enabled { palette.text_strong } else { palette.text_weak });
        let label = ui.add(egui::Label::new(shown).sense(egui::Sense::click()));
        if let Some(unit) = unit.filter(|_| label.on_hover_text("Click to select it").clicked()) {
            ctx.select(Selection::of_unit(unit));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            ui.spacing_mut().button_padding.x = 5.0;
            let small = |icon: &str| Button::new(RichText::new(icon).size(13.0)).frame_when_inactive(false).small();
            if ui.add(small(icons::TRASH)).accessible_name(format!("Remove {title}")).on_hover_text("Remove").clicked()
            {
                ctx.send(Command::RemoveIntervention(index));
            }
            let down = ui.add_enabled(index + 1 < count, small(icons::ARROW_DOWN));
            if down.accessible_name(format!("Move {title} down")).on_hover_text("Later").clicked() {
                ctx.send(Command::MoveIntervention { from: index, to: index + 1 });
            }
            let up = ui.add_enabled(index > 0, small(icons::ARROW_UP));
            if up.accessible_name(format!("Move {title} up")).on_hover_text("Earlier").clicked() {
                ctx.send(Command::MoveIntervention { from: index, to: index - 1 });
            }
        });
    });
}

/// The kind and its numbers. Returns whether something was changed.
fn edit_ui(ctx: &PanelContext<'_>, ui: &mut Ui, edit: &mut Edit) -> bool {
    let mut changed = false;
    let directed = matches!(edit, Edit::Add { .. } | Edit::ProjectOut { .. });
    ComboBox::from_id_salt("edit")
        .selected_text(kind_name(edit))
        .width(82.0)
        .show_ui(ui, |ui| {
            let offered = if directed { directed_edits(edit) } else { plain_edits() };
            for other in offered {
                let same = kind_name(&other) == kind_name(edit);
                if ui.selectable_label(same, kind_name(&other)).clicked() && !same {
                    *edit = other;
                    changed = true;
                }
            }
        })
        .response
        .accessible_name("What is done");
    let mut number = |ui: &mut Ui, value: &mut f64, speed: f64, name: &str| {
        changed |= ui
            .add(DragValue::new(value).speed(speed).max_decimals(3))
            .accessible_name(name)
            .on_hover_text(name)
            .changed();
    };
    match edit {
        Edit::Set { value } => number(ui, value, 0.05, "value"),
        Edit::Scale { factor } => number(ui, factor, 0.02, "factor"),
        Edit::Add { strength, .. } => number(ui, strength, 0.1, "strength"),
        Edit::Clamp { min, max } => {
            for (bound, name) in [(min, "lower bound"), (max, "upper bound")] {
                let mut value = bound.unwrap_or(0.0);
                let before = value;
                number(ui, &mut value, 0.05, name);
                if value != before {
                    *bound = Some(value);
                }
            }
        }
        _ => {}
    }
    if let Edit::Add { direction, .. } | Edit::ProjectOut { direction } = edit {
        changed |= direction_ui(ctx, ui, direction);
    }
    changed
}

fn kind_name(edit: &Edit) -> &'static str {
    match edit {
        Edit::Zero => "Zero",
        Edit::Mean { .. } => "Mean",
        Edit::Set { .. } => "Set to",
        Edit::Scale { .. } => "Scale by",
        Edit::Add { .. } => "Add",
        Edit::Clamp { .. } => "Clamp to",
        Edit::Patch { .. } => "Patch",
        Edit::ProjectOut { .. } => "Project out",
    }
}

fn plain_edits() -> Vec<Edit> {
    vec![
        Edit::Zero,
        Edit::Mean { trace: None },
        Edit::Scale { factor: 2.0 },
        Edit::Set { value: 1.0 },
        Edit::Clamp { min: Some(-1.0), max: Some(1.0) },
    ]
}

fn directed_edits(edit: &Edit) -> Vec<Edit> {
    let (Edit::Add { direction, .. } | Edit::ProjectOut { direction }) = edit else { return Vec::new() };
    vec![
        Edit::Add { direction: direction.clone(), strength: 8.0 },
        Edit::ProjectOut { direction: direction.clone() },
        Edit::Zero,
        Edit::Mean { trace: None },
        Edit::Scale { factor: 2.0 },
    ]
}

/// The direction: one that is, or one of the tokens that the model expects at the selected position.
fn direction_ui(ctx: &PanelContext<'_>, ui: &mut Ui, direction: &mut Direction) -> bool {
    let mut changed = false;
    let candidates = ctx
        .results()
        .stats
        .shown()
        .zip(ctx.session.focus_token())
        .and_then(|(stats, pos)| stats.next.get(pos).cloned())
        .unwrap_or_default();
    let name = |direction: &Direction| match direction {
        Direction::Token(id) => {
            let known = candidates.iter().find(|candidate| candidate.id == *id);
            known.map_or(format!("token {id}"), |candidate| text::shortened(&text::token_label(&candidate.text), 16))
        }
        other => direction_name(other),
    };
    let shown = name(direction);
    let combo = ComboBox::from_id_salt("direction").selected_text(shown).width(110.0).show_ui(ui, |ui| {
        for candidate in &candidates {
            let other = Direction::Token(candidate.id);
            if ui.selectable_label(*direction == other, text::token_label(&candidate.text)).clicked() {
                *direction = other;
                changed = true;
            }
        }
        if let Some(unit) = ctx.selection.unit.as_ref().filter(|unit| unit.site.point() == Some(BlockPoint::MlpPost)) {
            let other = Direction::Writes(unit.clone());
            if ui.selectable_label(*direction == other, direction_name(&other)).clicked() {
                *direction = other;
                changed = true;
            }
        }
    });
    combo.response.accessible_name("Direction").on_hover_text(
        "The direction: what a selected neuron writes, or the unembedding of a token that is expected at the selected position",
    );
    changed
}

fn direction_name(direction: &Direction) -> String {
    match direction {
        Direction::Values(values) => format!("{} numbers", values.len()),
        Direction::Writes(unit) => format!("what {} writes", unit.short()),
        Direction::Token(id) => format!("token {id}"),
    }
}

/// Where along the text. Returns whether something was changed.
fn positions_ui(ctx: &PanelContext<'_>, ui: &mut Ui, positions: &mut Positions) -> bool {
    let before = positions.clone();
    let name = |positions: &Positions| match positions {
        Positions::All => "at every token",
        Positions::Prompt => "in the prompt",
        Positions::Generated => "in what is generated",
        Positions::Last => "at the last token",
        Positions::These(_) => "at positions",
    };
    let combo = ComboBox::from_id_salt("positions").selected_text(name(positions)).width(128.0).show_ui(ui, |ui| {
        for other in [Positions::All, Positions::Prompt, Positions::Generated, Positions::Last] {
            let label = name(&other);
            ui.selectable_value(positions, other, label);
        }
        let here = ctx.session.focus_token().unwrap_or(0) as i64;
        let label = format!("at the selected token ({here})");
        if ui.selectable_label(matches!(positions, Positions::These(_)), label).clicked() {
            *positions = Positions::These(vec![here]);
        }
    });
    combo.response.accessible_name("Positions");
    if let Positions::These(list) = positions {
        let id = ui.scope_id().with("positions text");
        let written = list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut draft = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_else(|| written.clone());
        let field = ui.add(TextEdit::singleline(&mut draft).desired_width(70.0)).accessible_name("Which positions");
        let field = field.on_hover_text("Numbers from 0, separated by commas; −1 is the prompt's last token");
        if field.has_focus() {
            ui.data_mut(|data| data.insert_temp(id, draft.clone()));
        } else {
            ui.data_mut(|data| data.remove::<String>(id));
        }
        if field.changed() || field.lost_focus() {
            let parsed: Option<Vec<i64>> =
                draft.split(',').map(|part| part.trim().replace('−', "-").parse().ok()).collect();
            if let Some(parsed) = parsed.filter(|parsed| !parsed.is_empty()) {
                *list = parsed;
            }
        }
    }
    *positions != before
}

/// The unit that an intervention is about, if it is about just one.
pub(super) fn unit_of(intervention: &Intervention) -> Option<Unit> {
    let site: Site = intervention.site.as_str().parse().ok()?;
    match (&intervention.scope.heads, &intervention.scope.units) {
        (Some(heads), None) if heads.len() == 1 => Some(Unit::new(site, heads[0])),
        (None, Some(units)) if units.len() == 1 => Some(Unit::new(site, units[0])),
        _ => None,
    }
}

/// What is done, in a few words: `zero L18H6`.
pub(super) fn describe(intervention: &Intervention) -> String {
    let verb = match &intervention.edit {
        Edit::Add { direction, .. } => return format!("add {} to {}", direction_name(direction), intervention.site),
        Edit::ProjectOut { direction } => {
            return format!("remove {} from {}", direction_name(direction), intervention.site);
        }
        edit => edit.name(),
    };
    match unit_of(intervention) {
        Some(unit) => format!("{verb} {}", unit.short()),
        None => {
            let list = |name: &str, list: &Option<Vec<u32>>| {
                list.as_ref().map_or(String::new(), |list| {
                    format!(" {name} {}", list.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
                })
            };
            let (heads, units) = (list("heads", &intervention.scope.heads), list("units", &intervention.scope.units));
            format!("{verb} {}{heads}{units}", intervention.site)
        }
    }
}
