//! Adding an intervention, from the selection or from an address.

use egui::{Button, ComboBox, RichText, TextEdit, TextStyle, Ui};
use golgi_data::site::{BlockPoint, Site, SitePattern};
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Direction, Edit, Intervention};

use super::super::PanelContext;
use super::card::describe;
use crate::desktop::theme::icons;
use crate::session::command::Command;
use crate::session::document::ModelInfo;
use crate::session::text;

/// What can be changed.
#[derive(Debug, Clone, PartialEq)]
enum Target {
    /// A head, a neuron or another coordinate.
    Unit(Unit),
    /// Everything at the sites that match.
    Sites(SitePattern),
}

impl Target {
    fn name(&self) -> String {
        match self {
            Target::Unit(unit) => unit.short(),
            Target::Sites(pattern) => pattern.to_string(),
        }
    }
}

/// What is done, before its numbers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Zero,
    Mean,
    Scale,
    Set,
    Clamp,
    Add,
    ProjectOut,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Zero => "Zero",
            Kind::Mean => "Mean",
            Kind::Scale => "Scale",
            Kind::Set => "Set",
            Kind::Clamp => "Clamp",
            Kind::Add => "Add",
            Kind::ProjectOut => "Project out",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Kind::Zero => "x ← 0",
            Kind::Mean => "x ← its mean over this text",
            Kind::Scale => "x ← factor · x",
            Kind::Set => "x ← value",
            Kind::Clamp => "x ← min(max(x, lower), upper)",
            Kind::Add => "x ← x + strength · direction, in the residual stream",
            Kind::ProjectOut => "x ← x without its part along a direction, in the residual stream",
        }
    }
}

/// The form's state.
#[derive(Default)]
pub(super) struct AddForm {
    kind: Kind,
    address: String,
}

impl AddForm {
    /// Draws the form.
    pub(super) fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        let Some(model) = ctx.document().model() else {
            ui.weak("Open a model to change it.");
            return;
        };
        // What is written goes before what is selected.
        let typed = self.typed(model);
        let target = match &typed {
            Some(typed) => typed.clone().ok(),
            None => selected(ctx, model),
        };
        ui.horizontal(|ui| {
            let direction = direction(ctx, model, target.as_ref());
            let kinds = kinds(target.as_ref(), direction.is_some());
            if !kinds.contains(&self.kind) {
                self.kind = Kind::Zero;
            }
            ComboBox::from_id_salt("kind")
                .selected_text(self.kind.name())
                .width(88.0)
                .show_ui(ui, |ui| {
                    for kind in kinds {
                        ui.selectable_value(&mut self.kind, kind, kind.name()).on_hover_text(kind.about());
                    }
                })
                .response
                .accessible_name("Kind of intervention")
                .on_hover_text(self.kind.about());
            let hint = match &target {
                Some(target) => text::shortened(&target.name(), 40),
                None => "L18H6, L5N123 or a site".to_owned(),
            };
            let color = if target.is_some() { ctx.palette.text_strong } else { ctx.palette.text_weak };
            let room = ui.available_width() - 78.0;
            let field = TextEdit::singleline(&mut self.address).hint_text(RichText::new(hint).color(color)).desired_width(room);
            ui.add(field).accessible_name("What to change").on_hover_text(
                "What is selected is changed. To change something else, write its address: L18H6 (head), L5N123 (neuron), \
                 blocks.5.hook_resid_post:17, or a pattern of sites such as blocks.*.hook_attn_out",
            );
            let add = Button::new(format!("{}  Add", icons::PLUS));
            let add = ui.add_enabled(target.is_some(), add).accessible_name("Add intervention");
            if let Some(target) = target
                && add.on_disabled_hover_text("Select a head, neuron or site first").clicked()
            {
                ctx.send(Command::AddIntervention(intervention(self.kind, &target, direction)));
                self.address.clear();
            }
        });
        if let Some(Err(error)) = typed {
            ui.label(RichText::new(text::visible(&error)).text_style(TextStyle::Small).color(ctx.palette.warning));
        }
    }

    /// What the field says: a target, or why it is none; `None` where it is empty.
    fn typed(&self, model: &ModelInfo) -> Option<Result<Target, String>> {
        let address = self.address.trim();
        if address.is_empty() {
            return None;
        }
        if let Ok(unit) = address.parse::<Unit>() {
            let known = model.has_unit(&unit);
            let missing = format!("This model has no {}.", unit.short());
            return Some(if known { Ok(Target::Unit(unit)) } else { Err(missing) });
        }
        Some(match SitePattern::new(address) {
            Ok(pattern) if model.sites.iter().any(|info| pattern.matches(&info.site)) => Ok(Target::Sites(pattern)),
            Ok(_) => Err(format!("No unit and no site of this model is called “{address}”.")),
            Err(error) => Err(error.to_string()),
        })
    }
}

fn selected(ctx: &PanelContext<'_>, model: &ModelInfo) -> Option<Target> {
    let unit = ctx.selection.unit.clone().filter(|unit| model.has_unit(unit)).map(Target::Unit);
    let site =
        || ctx.selection.site.as_ref().filter(|site| model.site(site).is_some()).map(|site| Target::Sites(site.into()));
    unit.or_else(site)
}

/// The neuron that a target is, if it is one.
fn neuron(target: &Target) -> Option<(u32, &Unit)> {
    match target {
        Target::Unit(unit) if unit.site.point() == Some(BlockPoint::MlpPost) => {
            unit.site.layer().map(|layer| (layer, unit))
        }
        _ => None,
    }
}

/// A direction in the residual stream that goes with the target: what a neuron writes; for a site of the stream, the model's
/// first choice at the selected token.
fn direction(ctx: &PanelContext<'_>, model: &ModelInfo, target: Option<&Target>) -> Option<Direction> {
    let target = target?;
    if let Some((_, unit)) = neuron(target) {
        return Some(Direction::Writes(unit.clone()));
    }
    let Target::Sites(pattern) = target else { return None };
    let mut sites = model.sites.iter().filter(|info| pattern.matches(&info.site)).peekable();
    sites.peek()?;
    if !sites.all(|info| info.is_residual) {
        return None;
    }
    let stats = ctx.results().stats.shown()?;
    let first = stats.next.get(ctx.session.focus_token()?)?.first()?;
    Some(Direction::Token(first.id))
}

fn kinds(target: Option<&Target>, has_direction: bool) -> Vec<Kind> {
    let mut kinds = vec![Kind::Zero, Kind::Mean, Kind::Scale, Kind::Set, Kind::Clamp];
    if target.is_some() && has_direction {
        kinds.extend([Kind::Add, Kind::ProjectOut]);
    }
    kinds
}

/// The intervention with numbers to begin with.
fn intervention(kind: Kind, target: &Target, direction: Option<Direction>) -> Intervention {
    let edit = match (kind, direction) {
        (Kind::Mean, _) => Edit::Mean { trace: None },
        (Kind::Scale, _) => Edit::Scale { factor: 2.0 },
        (Kind::Set, _) => Edit::Set { value: 1.0 },
        (Kind::Clamp, _) => Edit::Clamp { min: Some(-1.0), max: Some(1.0) },
        (Kind::Add, Some(direction)) => Edit::Add { direction, strength: 8.0 },
        (Kind::ProjectOut, Some(direction)) => Edit::ProjectOut { direction },
        _ => Edit::Zero,
    };
    let along = matches!(edit, Edit::Add { .. } | Edit::ProjectOut { .. });
    let mut intervention = match (target, neuron(target)) {
        // A direction lives in the residual stream, behind the layer that writes it.
        (_, Some((layer, _))) if along => Intervention::new(&Site::block(layer, BlockPoint::ResidPost), edit),
        (Target::Unit(unit), _) => Intervention::of_unit(unit, edit),
        (Target::Sites(pattern), _) => Intervention::new(pattern.clone(), edit),
    };
    intervention.label = describe(&intervention);
    intervention
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neurons_direction_is_added_behind_its_layer() {
        let target = Target::Unit(Unit::neuron(5, 7));
        let added = intervention(Kind::Add, &target, Some(Direction::Writes(Unit::neuron(5, 7))));
        assert_eq!(added.site.as_str(), "blocks.5.hook_resid_post");
        assert_eq!(added.scope.units, None);
        let zeroed = intervention(Kind::Zero, &target, None);
        assert_eq!((zeroed.site.as_str(), zeroed.scope.units), ("blocks.5.mlp.hook_post", Some(vec![7])));
        assert_eq!(zeroed.label, "zero L5N7");
    }

    #[test]
    fn heads_have_no_direction_of_their_own() {
        let head = Target::Unit(Unit::head(1, 2));
        assert!(!kinds(Some(&head), false).contains(&Kind::Add));
        assert_eq!(intervention(Kind::Scale, &head, None).scope.heads, Some(vec![2]));
    }
}
