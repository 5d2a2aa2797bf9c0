//! The filters above the table: address, kind and layers always, any column on request.

use egui::{Button, ComboBox, DragValue, Popup, PopupCloseBehavior, RichText, ScrollArea, TextEdit, Ui};
use golgi_data::atlas::UnitKind;

use super::cells::quiet;
use crate::desktop::theme::icons;
use crate::session::atlas::columns::{UnitColumn, UnitTable, Values};
use crate::session::atlas::filter::{Filter, Test, Want};
use crate::session::atlas::known;
use crate::session::text::{count_text, shortened, visible};

/// A filter of a column as it is being written.
struct TestForm {
    column: String,
    fields: Fields,
}

enum Fields {
    Between { low: String, high: String },
    Text { text: String, regex: bool },
    OneOf(Vec<String>),
}

/// What the fields hold.
#[derive(Default)]
pub struct FilterForm {
    address: String,
    kind: Option<UnitKind>,
    layers: Option<(u32, u32)>,
    tests: Vec<TestForm>,
}

impl TestForm {
    fn new(column: &UnitColumn) -> TestForm {
        let fields = match &column.values {
            Values::Numbers(_) => Fields::Between { low: String::new(), high: String::new() },
            Values::Texts(_) => Fields::Text { text: String::new(), regex: false },
            Values::Choices(..) | Values::Families(_) => Fields::OneOf(Vec::new()),
        };
        TestForm { column: column.name.clone(), fields }
    }

    fn want(&self) -> Want {
        match &self.fields {
            Fields::Between { low, high } => Want::Between(parsed(low), parsed(high)),
            Fields::Text { text, regex: true } => Want::Matches(text.clone()),
            Fields::Text { text, regex: false } => Want::Contains(text.clone()),
            Fields::OneOf(names) => Want::OneOf(names.clone()),
        }
    }
}

/// The number in a field; `None` where there is none. A comma may stand for the point, `%` for a hundredth.
fn parsed(text: &str) -> Option<f32> {
    let text = text.trim().replace(',', ".").replace('−', "-");
    match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f32>().ok().map(|value| value / 100.0),
        None => text.parse().ok(),
    }
    .filter(|value: &f32| !value.is_nan())
}

/// The plural of a kind's name.
pub fn kinds(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Neuron => "Neurons",
        UnitKind::Latent => "Latents",
        UnitKind::Head => "Heads",
        UnitKind::Residual => "Residual dimensions",
    }
}

impl FilterForm {
    /// The filter that the fields describe.
    pub fn filter(&self) -> Filter {
        let test = |form: &TestForm| Test { column: form.column.clone(), want: form.want() };
        Filter {
            kind: self.kind,
            layers: self.layers,
            address: self.address.clone(),
            tests: self.tests.iter().map(test).filter(|test| !test.want.is_empty()).collect(),
            set: None,
        }
    }

    /// The fields that are always there, and the button for more.
    pub fn ui(&mut self, ui: &mut Ui, table: &UnitTable) {
        let problem = self.filter().address_problem(table);
        let field = TextEdit::singleline(&mut self.address).hint_text("L5N123, L5, H6…").desired_width(126.0);
        let field = ui.add(field).accessible_name("Filter by address");
        if let Some(problem) = problem {
            field.on_hover_text(problem);
            ui.label(RichText::new("not an address").color(ui.visuals().warn_fg_color).small());
        }
        let occurring = table.kinds();
        if occurring.len() > 1 {
            let text = self.kind.map_or("All kinds", kinds);
            let combo = ComboBox::from_id_salt("kind").selected_text(text).width(96.0);
            let combo = combo.show_ui(ui, |ui| {
                ui.selectable_value(&mut self.kind, None, "All kinds");
                for kind in occurring {
                    ui.selectable_value(&mut self.kind, Some(kind), kinds(kind));
                }
            });
            combo.response.accessible_name("Kind of unit");
        }
        self.layers_ui(ui, table.layers().saturating_sub(1));
        self.add_ui(ui, table);
        if !self.filter().is_empty() && ui.button("Clear").on_hover_text("Lists all units again").clicked() {
            *self = FilterForm::default();
        }
    }

    fn layers_ui(&mut self, ui: &mut Ui, last: u32) {
        let (mut low, mut high) = self.layers.unwrap_or((0, last));
        ui.weak("layers");
        let first = ui.add(DragValue::new(&mut low).range(0..=last).speed(0.1)).accessible_name("First layer");
        ui.weak("–");
        let second = ui.add(DragValue::new(&mut high).range(0..=last).speed(0.1)).accessible_name("Last layer");
        if first.changed() || second.changed() {
            let high = if first.changed() { high.max(low) } else { high };
            let low = low.min(high);
            self.layers = ((low, high) != (0, last)).then_some((low, high));
        }
    }

    fn add_ui(&mut self, ui: &mut Ui, table: &UnitTable) {
        let button = ui.button(format!("{}  Filter", icons::FUNNEL)).on_hover_text("Filter by any column");
        Popup::menu(&button).show(|ui| {
            ui.set_min_width(180.0);
            ScrollArea::vertical().max_height(420.0).show(ui, |ui| {
                for column in table.columns().iter().filter(|column| !matches!(column.name.as_str(), "layer" | "kind"))
                {
                    let there = self.tests.iter().any(|form| form.column == column.name);
                    let add = ui.add_enabled(!there, Button::new(visible(known::title(&column.name))));
                    let about = known::known(&column.name).map_or("A column of this atlas only", |known| known.about);
                    if add.on_hover_text(about).clicked() {
                        self.tests.push(TestForm::new(column));
                        ui.close();
                    }
                }
            });
        });
    }

    /// The filters by column.
    pub fn tests_ui(&mut self, ui: &mut Ui, table: &UnitTable) {
        if self.tests.is_empty() {
            return;
        }
        let mut gone = None;
        ui.horizontal_wrapped(|ui| {
            for (index, form) in self.tests.iter_mut().enumerate() {
                ui.push_id(form.column.clone(), |ui| {
                    let title = visible(known::title(&form.column));
                    ui.label(&title);
                    fields_ui(ui, &title, form, table);
                    let color = ui.visuals().weak_text_color();
                    let remove = ui.add(quiet(icons::X, color)).accessible_name(format!("Remove the filter {title}"));
                    if remove.on_hover_text("Removes this filter").clicked() {
                        gone = Some(index);
                    }
                    ui.add_space(8.0);
                });
            }
        });
        if let Some(index) = gone {
            self.tests.remove(index);
        }
    }
}

fn fields_ui(ui: &mut Ui, title: &str, form: &mut TestForm, table: &UnitTable) {
    let problem = form.want().problem();
    match &mut form.fields {
        Fields::Between { low, high } => {
            for (text, hint, name) in [(low, "from", "at least"), (high, "to", "at most")] {
                let wrong = !text.trim().is_empty() && parsed(text).is_none();
                let color = if wrong { ui.visuals().warn_fg_color } else { ui.visuals().text_color() };
                let field = TextEdit::singleline(text).hint_text(hint).desired_width(54.0).text_color(color);
                let field = ui.add(field).accessible_name(format!("{title} {name}"));
                if wrong {
                    field.on_hover_text("A number is wanted here, such as 0.5, −3 or 2 %");
                }
            }
        }
        Fields::Text { text, regex } => {
            let hint = if *regex { "pattern" } else { "contains" };
            let color = if problem.is_some() { ui.visuals().warn_fg_color } else { ui.visuals().text_color() };
            let field = TextEdit::singleline(text).hint_text(hint).desired_width(110.0).text_color(color);
            let field = ui.add(field).accessible_name(format!("{title} contains"));
            if let Some(problem) = problem {
                field.on_hover_text(problem);
            }
            let toggle = ui.add(Button::selectable(*regex, RichText::new(".*").monospace()).small());
            if toggle.accessible_name("Regular expression").on_hover_text("Take it as a regular expression").clicked() {
                *regex = !*regex;
            }
        }
        Fields::OneOf(chosen) => {
            let Some(column) = table.column(&form.column) else { return };
            let text = match chosen.as_slice() {
                [] => "any".to_owned(),
                [one] => shortened(&visible(one), 24),
                more => format!("{} chosen", more.len()),
            };
            let button =
                ui.button(format!("{text}  {}", icons::CARET_DOWN)).accessible_name(format!("{title} is one of"));
            Popup::menu(&button).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
                ui.set_min_width(190.0);
                ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
                    for name in column.choices().unwrap_or_default() {
                        let mut on = chosen.contains(name);
                        let members = table.families().filter(|_| form.column == "family");
                        let count = members.and_then(|families| {
                            let at = families.names.iter().position(|family| family == name)?;
                            Some(format!("  ({})", count_text(families.members.get(at)?.len() as u64)))
                        });
                        let label = format!("{}{}", visible(name), count.unwrap_or_default());
                        if ui.checkbox(&mut on, label).changed() {
                            if on {
                                chosen.push(name.clone());
                            } else {
                                chosen.retain(|other| other != name);
                            }
                        }
                    }
                });
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(parsed(" 0,5 "), Some(0.5));
        assert_eq!(parsed("2 %"), Some(0.02));
        assert_eq!(parsed("−3"), Some(-3.0));
        assert_eq!((parsed(""), parsed("cat"), parsed("nan")), (None, None, None));
    }
}
