//! The head of a unit's page: its address, its neighbours, the way to another unit, and what can be done to it.

use egui::{DragValue, Key, TextEdit, Ui};
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Edit, Intervention, Positions};

use crate::desktop::panels::PanelContext;
use crate::desktop::theme::icons;
use crate::session::command::Command;
use crate::session::document::ModelInfo;
use crate::session::selection::Selection;

/// What the fields of the header hold.
pub struct Header {
    address: String,
    problem: Option<String>,
    factor: f64,
    here_only: bool,
}

impl Default for Header {
    fn default() -> Header {
        Header { address: String::new(), problem: None, factor: 2.0, here_only: false }
    }
}

impl Header {
    /// Draws the way to another unit, and where one is selected its address, neighbours and changes.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, unit: Option<&Unit>) {
        ui.horizontal_wrapped(|ui| {
            if let Some(unit) = unit {
                let (short, address) = (unit.short(), unit.to_string());
                ui.heading(&short);
                // A channel has no shorter name than its address.
                let copy = if short == address { icons::COPY.to_owned() } else { format!("{} {address}", icons::COPY) };
                let copy = ui.button(copy).accessible_name(format!("{} {address}", icons::COPY));
                if copy.on_hover_text("Copies the address").clicked() {
                    ui.copy_text(address);
                }
                self.neighbours(ctx, ui, unit);
            }
            self.jump(ctx, ui);
        });
        if let Some(problem) = &self.problem {
            ui.colored_label(ctx.palette.warning, problem);
        }
        let text = ctx.document().model().filter(|model| model.vision.is_none());
        if let Some(unit) = unit.filter(|unit| text.is_some_and(|model| model.has_unit(unit))) {
            self.changes(ctx, ui, unit);
        }
    }

    fn neighbours(&self, ctx: &PanelContext<'_>, ui: &mut Ui, unit: &Unit) {
        let model = ctx.document().model();
        let known = |unit: &Unit| match (model, ctx.session.atlas.get()) {
            (Some(model), _) => model.has_unit(unit),
            (None, Some(_)) => ctx.session.atlas.id_of(unit).is_some(),
            (None, None) => true,
        };
        for (text, name, step) in [("‹", "Previous unit", -1i64), ("›", "Next unit", 1)] {
            let next = neighbour(unit, step).filter(known);
            let response =
                ui.add_enabled(next.is_some(), egui::Button::new(text)).accessible_name(name).on_hover_text(name);
            if let Some(next) = next.filter(|_| response.clicked()) {
                ctx.select(Selection::of_unit(&next));
            }
        }
    }

    fn jump(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        let vision = ctx.document().model.shown().is_some_and(|model| model.vision.is_some());
        let hint = if vision { "Go to _conv_head:12…" } else { "Go to L5N123, L18H6…" };
        let edit = TextEdit::singleline(&mut self.address).hint_text(hint).desired_width(170.0);
        let response = ui.add(edit).accessible_name("Go to a unit");
        if response.changed() {
            self.problem = None;
        }
        if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            match find(&self.address, ctx.document().model()) {
                Ok(unit) if ctx.document().model().is_none() && ctx.session.atlas.id_of(&unit).is_none() => {
                    self.problem = Some(format!("The atlas has no unit {unit}."));
                }
                Ok(unit) => {
                    ctx.select(Selection::of_unit(&unit));
                    self.address.clear();
                    self.problem = None;
                }
                Err(problem) => self.problem = Some(problem),
            }
        }
    }

    fn changes(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, unit: &Unit) {
        ui.horizontal_wrapped(|ui| {
            let zero = ui
                .button(format!("{} Zero it", icons::PROHIBIT))
                .on_hover_text("Adds an intervention: the unit's activation becomes 0");
            let scale = ui
                .button("Scale it")
                .on_hover_text("Adds an intervention: the unit's activation is multiplied by the factor");
            ui.add(DragValue::new(&mut self.factor).prefix("× ").speed(0.05).range(-100.0..=100.0).max_decimals(2))
                .accessible_name("Factor");
            let token = ctx.selection.token.or(ctx.session.focus_token());
            if token.is_some() {
                ui.checkbox(&mut self.here_only, "at the selected token only")
                    .on_hover_text("Otherwise at every position, generated ones included");
            }
            let edit = if zero.clicked() {
                Edit::Zero
            } else if scale.clicked() {
                Edit::Scale { factor: self.factor }
            } else {
                return;
            };
            let place = token.filter(|_| self.here_only).and_then(|token| i64::try_from(token).ok());
            let intervention = Intervention::of_unit(unit, edit);
            ctx.send(Command::AddIntervention(match place {
                Some(place) => intervention.at(Positions::These(vec![place])),
                None => intervention,
            }));
        });
    }
}

fn neighbour(unit: &Unit, step: i64) -> Option<Unit> {
    let index = u32::try_from(i64::from(unit.index) + step).ok()?;
    Some(Unit::new(unit.site.clone(), index))
}

/// The unit of an address, if the model has it; else a sentence for people.
fn find(address: &str, model: Option<&ModelInfo>) -> Result<Unit, String> {
    let unit: Unit = address.trim().parse().map_err(|error: golgi_data::unit::UnitError| error.to_string())?;
    let Some(model) = model else { return Ok(unit) };
    match model.site(&unit.site) {
        None => Err(format!("This model has no site `{}`; the Model panel lists its sites.", unit.site)),
        Some(site) if unit.index as usize >= site.units => {
            Err(format!("`{}` has {} units: the last is {}.", unit.site, site.units, site.units.saturating_sub(1)))
        }
        Some(_) => Ok(unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_end_at_zero() {
        assert_eq!(neighbour(&Unit::neuron(1, 0), -1), None);
        assert_eq!(neighbour(&Unit::neuron(1, u32::MAX), 1), None);
        assert_eq!(neighbour(&Unit::head(1, 4), 1), Some(Unit::head(1, 5)));
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(find(" L5N123 ", None), Ok(Unit::neuron(5, 123)));
        assert!(find("cat", None).unwrap_err().contains("L5N123"));
    }
}
