//! The map of units.

use egui::{Pos2, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use golgi::desktop::widgets::scatter::picture::Window;
use golgi::session::atlas::points::{Axis, Choice, Points};
use golgi::session::command::Command;
use golgi_data::atlas::UnitKind;

use super::super::stage::{Stage, settle};
use super::{UNITS, on_stage, units};

/// The points that the map shows at first.
fn points(harness: &Harness<'_, Stage>) -> Points {
    let axis = |column: &str| Axis { column: column.into(), log: true };
    let choice =
        Choice { x: axis("frac_active"), y: axis("kurtosis"), colour: "layer".into(), kind: Some(UnitKind::Neuron) };
    Points::new(&units(harness), &choice)
}

/// Where a place lies on the screen.
fn screen(harness: &Harness<'_, Stage>, bounds: [f32; 4], (x, y): (f32, f32)) -> Pos2 {
    let rect = harness.get_by_label_contains("Map of units, ").rect();
    let window = Window::around(bounds);
    pos2(
        rect.left() + rect.width() * ((f64::from(x) - window.left) / window.width()) as f32,
        rect.top() + rect.height() * ((window.top - f64::from(y)) / window.height()) as f32,
    )
}

fn click(harness: &mut Harness<'_, Stage>, pos: Pos2) {
    harness.hover_at(pos);
    settle(harness);
    harness.drag_at(pos);
    harness.drop_at(pos);
    settle(harness);
}

#[test]
fn points_are_hovered_and_selected() {
    let mut harness = on_stage(&["map", "atlas"]);
    let points = points(&harness);
    harness.get_by_label(&format!("Map of units, {} points", points.ids.len()));
    // A point far from all others, so that no other can be meant.
    let [left, right, low, high] = points.bounds.unwrap();
    let place = |at: usize| ((points.x[at] - left) / (right - left), (points.y[at] - low) / (high - low));
    let distance = |a: usize, b: usize| (place(a).0 - place(b).0).hypot(place(a).1 - place(b).1);
    let count = points.ids.len();
    let alone = |at: usize| (0..count).filter(|b| *b != at).map(|b| distance(at, b)).fold(f32::INFINITY, f32::min);
    let lonely = (0..count).max_by(|a, b| alone(*a).total_cmp(&alone(*b))).unwrap();
    let pos = screen(&harness, points.bounds.unwrap(), (points.x[lonely], points.y[lonely]));
    let unit = units(&harness).unit(points.ids[lonely]);
    harness.hover_at(pos);
    settle(&mut harness);
    assert_eq!(harness.state().session.hover.unit, unit);
    click(&mut harness, pos);
    assert_eq!(harness.state().session.selection.unit, unit);
}

#[test]
fn a_rectangle_chooses_units_for_the_table() {
    let mut harness = on_stage(&["map", "atlas"]);
    harness.get_by_label("Choose units in a rectangle").click();
    settle(&mut harness);
    let rect = harness.get_by_label_contains("Map of units, ").rect();
    harness.hover_at(rect.left_top() + egui::vec2(3.0, 3.0));
    settle(&mut harness);
    harness.drag_at(rect.left_top() + egui::vec2(3.0, 3.0));
    harness.step();
    for share in [0.2, 0.5, 1.0] {
        harness.hover_at(rect.left_top() + (rect.size() - egui::vec2(4.0, 4.0)) * share);
        harness.step();
    }
    harness.drop_at(rect.right_bottom() - egui::vec2(4.0, 4.0));
    for _ in 0..200 {
        settle(&mut harness);
        if harness.state().session.atlas.set.is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let count = points(&harness).ids.len();
    assert_eq!(harness.state().session.atlas.set.as_ref().map(|set| set.ids.len()), Some(count));
    settle(&mut harness);
    harness.get_by_label(&format!("{count} of {UNITS} units"));
    harness.get_by_label("Choose no units").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent.last(), Some(Command::ChooseUnits(None))));
}

#[test]
fn axes_and_colours_can_be_chosen() {
    let mut harness = on_stage(&["map"]);
    harness.get_by_label("y axis").click();
    settle(&mut harness);
    harness.get_by_role_and_label(egui::Role::Button, "Mean").click();
    settle(&mut harness);
    harness.get_by_label("y axis in powers of ten").click();
    settle(&mut harness);
    let shown = points(&harness).ids.len();
    harness.get_by_label(&format!("Map of units, {shown} points"));
    harness.get_by_label("Colour").click();
    settle(&mut harness);
    // Far down in a long list.
    harness.get_by_role_and_label(egui::Role::Button, "Language").click_accesskit();
    settle(&mut harness);
    harness.get_by_label("de");
    // What moves by itself would ask for frames for ever.
    harness.run();
}
