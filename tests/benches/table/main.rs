//! How long it takes to filter and sort the units of an atlas: a table of 1,000,000 rows, as the Atlas panel lists it.
//!
//! `cargo bench -p golgi-tests --bench table` prints the median and the slowest of each kind of listing. The aim is 50 ms for a filtered
//! and sorted table.

use std::sync::Arc;
use std::time::Instant;

use golgi::session::atlas::columns::UnitTable;
use golgi::session::atlas::filter::{Filter, Test, Want};
use golgi::session::atlas::listing::{Listing, Order};
use golgi::session::atlas::points::{Axis, Choice, Points};
use golgi_data::atlas::{UnitGroup, UnitKind};
use golgi_data::tables::Columns;
use golgi_data::tables::arrow::RecordBatch;

const LAYERS: u32 = 40;
const PER_LAYER: u32 = 25_000;
const ROWS: usize = (LAYERS * PER_LAYER) as usize;
const RUNS: usize = 11;

/// A number in 0..1 that looks drawn, the same in every run.
fn drawn(index: usize, column: u64) -> f32 {
    let mut z = (index as u64 ^ column << 40).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
}

fn groups() -> Vec<UnitGroup> {
    let group = |layer| UnitGroup {
        kind: UnitKind::Neuron,
        layer,
        site: format!("blocks.{layer}.mlp.hook_post"),
        start: layer * PER_LAYER,
        count: PER_LAYER,
    };
    (0..LAYERS).map(group).collect()
}

fn units() -> RecordBatch {
    let numbers = |column: u64, of: fn(f32) -> f32| (0..ROWS).map(|row| of(drawn(row, column))).collect::<Vec<f32>>();
    let words = [" river", " house", " Datei", " maison", " return", " ファイル", " הבית", " apple"];
    let text = |row: usize| {
        let word = |part: u64| words[(drawn(row, 100 + part) * 8.0) as usize];
        format!("{}{} · {}", word(0), row % 1009, word(1))
    };
    Columns::new()
        .text("kind", vec!["neuron"; ROWS])
        .i32("layer", (0..ROWS).map(|row| (row as u32 / PER_LAYER) as i32).collect::<Vec<i32>>())
        .f32("max", numbers(1, |x| -(1.0 - x).ln() * 3.0))
        .f32("mean", numbers(2, |x| x - 0.5))
        .f32("kurtosis", numbers(3, |x| 3.0 / (1.001 - x)))
        .f32("frac_active", numbers(4, |x| x * x))
        .text("top_language", (0..ROWS).map(|row| ["en", "de", "fr", "ja", "he", "code"][row % 6]).collect::<Vec<_>>())
        .text("top_promoted", (0..ROWS).map(text).collect::<Vec<_>>())
        .build()
        .expect("columns of one length")
}

fn measure(name: &str, mut work: impl FnMut() -> usize) {
    let mut millis = Vec::new();
    let mut rows = 0;
    for _ in 0..RUNS {
        let started = Instant::now();
        rows = work();
        millis.push(started.elapsed().as_secs_f64() * 1e3);
    }
    millis.sort_by(f64::total_cmp);
    println!("{name:<62}{:>9.1}{:>9.1}{rows:>12}", millis[RUNS / 2], millis[RUNS - 1]);
}

fn main() {
    let (groups, units) = (groups(), units());
    println!("{ROWS} units, {} threads", std::thread::available_parallelism().map_or(1, usize::from));
    println!("{:<62}{:>9}{:>9}{:>12}", "", "ms", "slowest", "rows");
    let fresh = || Arc::new(UnitTable::new(groups.clone(), &units, None).expect("a table of units"));
    let by = |table: &UnitTable, name: &str| Order { column: table.index_of(name), descending: true };
    let between = |column: &str, low, high| Test { column: column.into(), want: Want::Between(Some(low), Some(high)) };
    let filter = Filter {
        layers: Some((5, 35)),
        tests: vec![between("frac_active", 0.01, 0.5), between("mean", -0.25, 0.5)],
        ..Filter::default()
    };
    // A new table each time: no order is known yet.
    let mut cold: Vec<Arc<UnitTable>> = (0..2 * RUNS).map(|_| fresh()).collect();
    measure("sort by a column, nothing known", || {
        let table = cold.pop().expect("one for each run");
        Listing::new(&table, &Filter::default(), by(&table, "max")).ids.len()
    });
    measure("filter by layers and two ranges and sort, nothing known", || {
        let table = cold.pop().expect("one for each run");
        Listing::new(&table, &filter, by(&table, "kurtosis")).ids.len()
    });
    let table = fresh();
    measure("filter by layers and two ranges and sort, order known", || {
        Listing::new(&table, &filter, by(&table, "kurtosis")).ids.len()
    });
    let choice = Test { column: "top_language".into(), want: Want::OneOf(vec!["de".into(), "ja".into()]) };
    let choice = Filter { tests: vec![choice], ..Filter::default() };
    measure("filter by language and sort, order known", || {
        Listing::new(&table, &choice, by(&table, "kurtosis")).ids.len()
    });
    let text = Test { column: "top_promoted".into(), want: Want::Contains("datei42 ".into()) };
    let text = Filter { tests: vec![text], ..Filter::default() };
    measure("filter by text and sort, order known", || Listing::new(&table, &text, by(&table, "kurtosis")).ids.len());
    let mut cold: Vec<Arc<UnitTable>> = (0..RUNS).map(|_| fresh()).collect();
    measure("sort by a text, nothing known", || {
        let table = cold.pop().expect("one for each run");
        Listing::new(&table, &Filter::default(), by(&table, "top_promoted")).ids.len()
    });
    let mut ranked: Vec<Arc<UnitTable>> = (0..RUNS).map(|_| fresh()).collect();
    ranked.iter().for_each(|table| table.rank_texts());
    measure("sort by a text, some moments after the atlas was opened", || {
        let table = ranked.pop().expect("one for each run");
        Listing::new(&table, &Filter::default(), by(&table, "top_promoted")).ids.len()
    });
    let listing = Listing::new(&table, &filter, by(&table, "kurtosis"));
    let last = *listing.ids.last().expect("some pass");
    measure("find the row of a unit", || listing.row_of(last).map_or(0, |row| row + 1));
    let axis = |name: &str, log| Axis { column: name.into(), log };
    let choice = Choice { x: axis("frac_active", true), y: axis("kurtosis", true), colour: "layer".into(), kind: None };
    measure("place all units on the map", || Points::new(&table, &choice).ids.len());
    let points = Points::new(&table, &choice);
    let lasso: Vec<(f32, f32)> =
        (0..100).map(|step| (step as f32 * 0.0628).sin_cos()).map(|(s, c)| (-1.0 + s, 1.0 + c)).collect();
    measure("choose with a lasso of 100 corners", || points.inside(&lasso).len());
    let colours = [egui::Color32::WHITE; 256];
    measure("draw the map at 1200 × 800 pixels", || {
        use golgi::desktop::widgets::scatter::picture::{Dots, Picture, Window};
        let (ids, x, y, codes) = (&points.ids, &points.x, &points.y, &points.codes);
        let dots = Dots { ids, x, y, codes, colours: &colours, chosen: None };
        Picture::draw(&dots, Window::around(points.bounds.expect("there are points")), [1200, 800], 1.0).visible
    });
}
