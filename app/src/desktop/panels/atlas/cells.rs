//! Columns and cells of the table of units.

use egui::{Color32, Popup, PopupCloseBehavior, RichText, ScrollArea, Ui};

use crate::desktop::theme::icons;
use crate::desktop::widgets::number;
use crate::desktop::widgets::virtual_table::{Cell, Column};
use crate::session::atlas::columns::{UnitColumn, UnitTable, Values};
use crate::session::atlas::known::{self, KNOWN};
use crate::session::text::{self, grouped};

/// Which columns are shown: those that were chosen, by name.
pub struct Shown {
    names: Vec<String>,
}

impl Default for Shown {
    fn default() -> Shown {
        let names = KNOWN.iter().filter(|known| known.shown).map(|known| known.name.to_owned()).collect();
        Shown { names }
    }
}

impl Shown {
    /// Their places in the table, in the order in which columns are offered.
    pub fn indices(&self, table: &UnitTable) -> Vec<usize> {
        let shown = |column: &UnitColumn| self.names.contains(&column.name);
        table.columns().iter().enumerate().filter(|(_, column)| shown(column)).map(|(index, _)| index).collect()
    }

    /// The button and the list to choose from.
    pub fn menu_ui(&mut self, ui: &mut Ui, table: &UnitTable) {
        let button =
            ui.button(format!("{}  Columns", icons::LIST_CHECKS)).on_hover_text("Choose which columns are shown");
        Popup::menu(&button).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
            ui.set_min_width(280.0);
            ui.horizontal(|ui| {
                if ui.small_button("All").clicked() {
                    self.names = table.columns().iter().map(|column| column.name.clone()).collect();
                }
                if ui.small_button("Usual ones").clicked() {
                    *self = Shown::default();
                }
            });
            ui.separator();
            ScrollArea::vertical().max_height(420.0).show(ui, |ui| {
                for column in table.columns() {
                    let mut on = self.names.contains(&column.name);
                    let title = text::visible(known::title(&column.name));
                    let about = known::known(&column.name).map_or("A column of this atlas only", |known| known.about);
                    if ui.checkbox(&mut on, title).on_hover_text(about).changed() {
                        if on {
                            self.names.push(column.name.clone());
                        } else {
                            self.names.retain(|name| *name != column.name);
                        }
                    }
                }
            });
        });
    }
}

/// The headings, the unit's address first.
pub fn columns<'a>(table: &'a UnitTable, shown: &[usize]) -> Vec<Column<'a>> {
    let unit = Column {
        name: "Unit",
        about: "Its short address; sorts in the order of the model",
        width: 78.0,
        numeric: false,
        sortable: true,
    };
    let column = |index: &usize| {
        let column = table.columns().get(*index)?;
        let numeric = column.numbers().is_some();
        let width = match &column.values {
            Values::Numbers(_) if matches!(column.name.as_str(), "layer" | "index") => 54.0,
            Values::Numbers(_) => 108.0,
            Values::Texts(_) => 190.0,
            Values::Choices(..) => 84.0,
            Values::Families(_) => 150.0,
        };
        let about = known::known(&column.name).map_or("", |known| known.about);
        Some(Column { name: known::title(&column.name), about, width, numeric, sortable: true })
    };
    std::iter::once(unit).chain(shown.iter().filter_map(column)).collect()
}

/// A number of a column, for people.
pub fn number_text(column: &str, value: f32) -> String {
    match column {
        _ if value.is_nan() => "–".to_owned(),
        "layer" | "index" => format!("{value}"),
        "count" => grouped(value as u64),
        "frac_active" => text::percent(value),
        _ => number::short(value),
    }
}

/// Paints a cell: the address, a number with its percentile as a bar, or a text.
pub fn paint(cell: &Cell<'_>, table: &UnitTable, shown: &[usize], id: u32) {
    let Some(at) = cell.col.checked_sub(1) else {
        cell.text(&table.short(id));
        return;
    };
    let Some((index, column)) = shown.get(at).and_then(|index| Some((*index, table.columns().get(*index)?))) else {
        return;
    };
    match column.numbers() {
        Some(numbers) => {
            let number = numbers.get(id as usize).copied().unwrap_or(f32::NAN);
            let text = number_text(&column.name, number);
            let flat = matches!(column.name.as_str(), "layer" | "index" | "count");
            match table.percentile(index, id).filter(|_| !flat) {
                Some(percentile) => cell.bar(percentile, false, &text),
                None => cell.number(&text),
            }
        }
        None => {
            if let Some(text) = column.text(id as usize) {
                cell.text(&text::visible(&text));
            }
        }
    }
}

/// How a row is read out.
pub fn describe(table: &UnitTable, shown: &[usize], id: u32) -> String {
    let mut out = table.short(id);
    for column in shown.iter().filter_map(|index| table.columns().get(*index)).take(4) {
        let value = match column.numbers() {
            Some(numbers) => numbers.get(id as usize).map(|number| number_text(&column.name, *number)),
            None => column.text(id as usize).map(|value| text::visible(&value)),
        };
        if let Some(value) = value {
            out.push_str(&format!(", {} {value}", known::title(&column.name)));
        }
    }
    out
}

/// A small button without a frame.
pub fn quiet(icon: &str, color: Color32) -> egui::Button<'_> {
    egui::Button::new(RichText::new(icon).size(12.0).color(color)).frame_when_inactive(false).small()
}
