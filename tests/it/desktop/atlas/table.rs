//! The table of units.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::Key;
use egui_kittest::kittest::Queryable;
use golgi::session::atlas::columns::UnitTable;
use golgi::session::atlas::filter::UnitSet;
use golgi::session::atlas::{Answer, OpenAtlas};
use golgi::session::build::{Build, BuildPhase, BuildRequest};
use golgi::session::command::Command;
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::selection::Selection;
use golgi_data::atlas::{UnitGroup, UnitKind};
use golgi_data::tables::Columns;
use golgi_data::unit::Unit;

use super::super::stage::{is_lit, opened, settle, stage};
use super::{UNITS, copied, detector, on_stage, units};

#[test]
fn every_state_has_its_sentence() {
    for panel in ["atlas", "map", "corpus"] {
        let mut harness = stage(Document::default(), &[panel]);
        harness.get_by_label("No atlas is open");
        harness.get_by_label_contains("open a model first");
        harness.get_by_label_contains("Open an atlas folder").click();
        settle(&mut harness);
        assert!(matches!(harness.state().sent[..], [Command::AskForAtlas]), "{panel}");
        harness.state_mut().session.document = opened();
        settle(&mut harness);
        harness.get_by_label_contains("Build one of this model").click();
        settle(&mut harness);
        assert!(matches!(harness.state().sent[1..], [Command::AskToBuildAtlas]), "{panel}");

        harness.state_mut().session.atlas.folder = Some(PathBuf::from("somewhere"));
        harness.state_mut().session.atlas.open.begin();
        settle(&mut harness);
        harness.get_by_label("Reading the atlas");
        harness.state_mut().session.atlas.open = Loadable::Failed(Notice::failure("No atlas there."));
        settle(&mut harness);
        harness.get_by_label("No atlas there.");
        harness.get_by_label("Try again").click();
        settle(&mut harness);
        assert!(matches!(&harness.state().sent[2..], [Command::OpenAtlas(folder)] if folder.ends_with("somewhere")));
    }
}

#[test]
fn rows_and_the_page_are_one_selection() {
    let mut harness = on_stage(&["atlas", "unit"]);
    assert!(is_lit(&harness, &row(&harness, 46)), "the selected unit is scrolled to");
    harness.get_by_label("Next unit").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.selection.unit, Some(Unit::neuron(1, 7)));
    assert!(is_lit(&harness, &row(&harness, 47)));
    harness.get_by_label(&row(&harness, 46)).click();
    settle(&mut harness);
    assert_eq!(harness.state().session.selection.unit, Some(detector()));
}

/// How the row of a unit is read out.
fn row(harness: &egui_kittest::Harness<'_, super::Stage>, id: u32) -> String {
    let table = units(harness);
    let short = format!("{},", table.short(id));
    let rows: Vec<String> = harness
        .query_all_by_label_contains(&short)
        .filter_map(|node| {
            use egui_kittest::kittest::NodeT;
            node.accesskit_node().label().filter(|label| label.starts_with(&short))
        })
        .collect();
    rows.into_iter().next().unwrap_or_else(|| panic!("{short} is not to be seen"))
}

#[test]
fn headings_sort_and_keys_move() {
    let mut harness = on_stage(&["atlas"]);
    let table = units(&harness);
    let most = table.order(table.index_of("max"), true);
    harness.get_by_label("Max").click();
    settle(&mut harness);
    harness.get_by_label("Max, sorted, largest first");
    for (key, id) in
        [(Key::Home, most[0]), (Key::ArrowDown, most[1]), (Key::End, most[UNITS - 1]), (Key::ArrowUp, most[UNITS - 2])]
    {
        harness.key_press(key);
        settle(&mut harness);
        assert_eq!(harness.state().session.selection.unit, table.unit(id), "{key:?}");
    }
}

#[test]
fn filters_add_up_and_can_be_taken_away() {
    let mut harness = on_stage(&["atlas"]);
    harness.get_by_label(&format!("{UNITS} units"));
    harness.get_by_label("Filter by address").focus();
    harness.step();
    harness.get_by_label("Filter by address").type_text("L1N");
    settle(&mut harness);
    harness.get_by_label(&format!("40 of {UNITS} units"));

    harness.get_by_label_contains("  Filter").click();
    settle(&mut harness);
    harness.get_by_role_and_label(egui::Role::Button, "Max").click();
    settle(&mut harness);
    let table = units(&harness);
    let most = table.column("max").unwrap().numbers().unwrap();
    let above = (40..80).filter(|id| most[*id] >= 1.5).count();
    assert!((1..40).contains(&above));
    harness.get_by_label("Max at least").focus();
    harness.step();
    harness.get_by_label("Max at least").type_text("1.5");
    settle(&mut harness);
    harness.get_by_label(&format!("{above} of {UNITS} units"));
    harness.get_by_label("Remove the filter Max").click();
    settle(&mut harness);
    harness.get_by_label(&format!("40 of {UNITS} units"));
    harness.get_by_label("Clear").click();
    settle(&mut harness);
    harness.get_by_label(&format!("{UNITS} units"));
}

#[test]
fn chosen_units_are_listed_alone_and_copied() {
    let mut harness = on_stage(&["atlas"]);
    let set = Arc::new(UnitSet::new("map's choice", vec![46, 3, 170]));
    harness.state().session.commands().send(Command::ChooseUnits(Some(set)));
    settle(&mut harness);
    harness.get_by_label(&format!("3 of {UNITS} units"));
    harness.get_by_label_contains("CSV").click();
    let text = copied(&mut harness).expect("the rows were copied");
    // A text in a cell may hold a line break.
    let first: Vec<&str> = text.lines().filter_map(|line| line.split(',').next()).collect();
    let first: Vec<&str> = first.into_iter().filter(|name| *name == "unit" || name.starts_with("blocks.")).collect();
    assert_eq!(first, ["unit", "blocks.0.mlp.hook_post:3", "blocks.1.mlp.hook_post:6", "blocks.2.hook_resid_post:6"]);
    harness.get_by_label("only 3 of the map's choice").click();
    settle(&mut harness);
    harness.get_by_label(&format!("{UNITS} units"));
    harness.get_by_label("Forget the chosen units").click();
    settle(&mut harness);
    assert!(harness.state().session.atlas.set.is_none());
}

#[test]
fn queries_are_asked_and_answers_shown() {
    let mut harness = on_stage(&["atlas"]);
    harness.get_by_label("SQL").click();
    settle(&mut harness);
    harness.get_by_label("SQL query").focus();
    harness.step();
    harness.get_by_label("SQL query").type_text("SELECT 1");
    settle(&mut harness);
    harness.get_by_label("Run the query").click();
    settle(&mut harness);
    assert!(matches!(&harness.state().sent[..], [Command::QueryAtlas(query)] if query == "SELECT 1"));

    let table = Columns::new().text("family", vec!["dead", "entropy"]).i64("n", vec![7i64, 2]).build().unwrap();
    let answer = Answer { query: "SELECT 1".into(), table, units: None };
    harness.state_mut().session.atlas.answer = Loadable::ready(answer);
    settle(&mut harness);
    harness.get_by_label("dead, 7");
    harness.get_by_label("2 rows");
    let notice = Notice::failure("The query was not answered.");
    harness.state_mut().session.atlas.answer = Loadable::Failed(notice);
    settle(&mut harness);
    harness.get_by_label_contains("The query was not answered.");
    harness.get_by_label(&format!("{UNITS} units"));
}

#[test]
fn nothing_passes_says_what_to_do() {
    let mut harness = on_stage(&["atlas"]);
    harness.get_by_label("Filter by address").focus();
    harness.step();
    harness.get_by_label("Filter by address").type_text("L9");
    settle(&mut harness);
    harness.get_by_label("No unit passes the filters");
    harness.state_mut().session.selection = Selection::default();
    settle(&mut harness);
}

/// A million units: listed and drawn on threads of their own, and a frame draws only what is seen.
#[test]
fn a_million_units_do_not_hold_a_frame_up() {
    const ROWS: u32 = 1_000_000;
    let group = |layer: u32| UnitGroup {
        kind: UnitKind::Neuron,
        layer,
        site: format!("blocks.{layer}.mlp.hook_post"),
        start: layer * (ROWS / 10),
        count: ROWS / 10,
    };
    let drawn = |row: u32| (row.wrapping_mul(2_654_435_761) >> 8) as f32 / (1u32 << 24) as f32;
    let column = |of: fn(f32) -> f32| (0..ROWS).map(|row| of(drawn(row))).collect::<Vec<f32>>();
    let units = Columns::new()
        .f32("max", column(|x| x * 9.0))
        .f32("frac_active", column(|x| x * x + 1e-6))
        .f32("kurtosis", column(|x| 3.0 / (1.01 - x)))
        .build()
        .unwrap();
    let table = UnitTable::new((0..10).map(group).collect(), &units, None).unwrap();
    for panel in ["atlas", "map"] {
        let mut harness = on_stage(&[panel]);
        let atlas = Arc::clone(&harness.state().session.atlas.get().unwrap().atlas);
        let units = Arc::new(UnitTable::new(table.groups().to_vec(), &units, None).unwrap());
        harness.state_mut().session.atlas.open = Loadable::ready(OpenAtlas { atlas, units });
        let unit = Unit::neuron(7, 12_345);
        harness.state_mut().session.selection = Selection::of_unit(&unit);
        let there = if panel == "atlas" { "L7N12345, Max" } else { "Map of units, 1000000 points" };
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut slowest = Duration::ZERO;
        while harness.query_by_label_contains(there).is_none() {
            assert!(Instant::now() < deadline, "{panel}: never there");
            std::thread::sleep(Duration::from_millis(5));
            let started = Instant::now();
            harness.step();
            slowest = slowest.max(started.elapsed());
        }
        assert!(slowest < Duration::from_secs(1), "{panel}: a frame took {slowest:?}");
        let started = Instant::now();
        harness.run_steps(10);
        assert!(started.elapsed() < Duration::from_secs(1), "{panel}: ten frames took {:?}", started.elapsed());
    }
}

#[test]
fn a_build_under_way_is_told_above_the_table() {
    let mut harness = on_stage(&["atlas"]);
    let request = BuildRequest {
        model: "tiny".into(),
        corpus: "starter".into(),
        tokens: 1000,
        folder: PathBuf::from("somewhere"),
    };
    let build = |phase| Some(Build { request: request.clone(), phase, estimate: None, job: None });
    harness.state_mut().session.build = build(BuildPhase::Running);
    settle(&mut harness);
    harness.get_by_label("Progress of the build");
    harness.get_by_label_contains("Pause").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent.last(), Some(Command::PauseBuild)));
    harness.state_mut().session.build = build(BuildPhase::Paused);
    settle(&mut harness);
    harness.get_by_label("The build is paused");
    harness.get_by_label_contains("Resume").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent.last(), Some(Command::BuildAtlas(again)) if *again == request));
    harness.state_mut().session.build = build(BuildPhase::Failed(Notice::failure("The disk is full.")));
    settle(&mut harness);
    harness.get_by_label("The disk is full.");
}
