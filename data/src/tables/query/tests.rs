use super::super::{Columns, TextColumn, f32s, f64s, i64s};
use super::*;

fn units() -> RecordBatch {
    let names: Vec<String> = (0..100).map(|index| format!("L{}N{}", index / 10, index % 10)).collect();
    Columns::new()
        .text("unit", names)
        .i32("layer", (0..100).map(|index| index / 10).collect::<Vec<i32>>())
        .f32_lists("profile", &vec![vec![1.0]; 100])
        .f32("mean", (0..100).map(|index| (index != 7).then_some(index as f32)).collect::<Vec<_>>())
        .build()
        .unwrap()
}

fn tokens() -> RecordBatch {
    let unit: Vec<u32> = (0..300).map(|row| row / 3).collect();
    let value: Vec<f32> = (0..300).map(|row| row as f32 * 0.1).collect();
    Columns::new().u32("unit", unit).f32("value", value).build().unwrap()
}

#[test]
fn filters_groups_and_sorts() {
    let units = units();
    let answer = sql(
        &[("units", &units)],
        "SELECT layer, COUNT(*) AS n, AVG(mean) AS mean, median(mean) AS median, stddev(mean) AS s FROM units \
         WHERE unit LIKE 'L%' AND layer IN (0, 3) GROUP BY layer ORDER BY layer DESC",
    )
    .unwrap();
    assert_eq!(i64s(&answer, "layer").unwrap().values().to_vec(), [3, 0]);
    assert_eq!(i64s(&answer, "n").unwrap().values().to_vec(), [10, 10]);
    assert_eq!(f64s(&answer, "mean").unwrap().value(1), 38.0 / 9.0);
    assert_eq!(f32s(&answer, "median").unwrap().value(0), 34.5);
    assert!((f64s(&answer, "s").unwrap().value(0) - 9.166_666_f64.sqrt()).abs() < 1e-6);
    let answer = sql(&[("units", &units)], "SELECT unit FROM units WHERE mean IS NULL").unwrap();
    assert_eq!(TextColumn::of(&answer, "unit").unwrap().get(0), Some("L0N7"));
}

#[test]
fn joins_go_by_rowid_and_by_unit() {
    let (units, tokens) = (units(), tokens());
    let tables = [("units", &units), ("tokens", &tokens)];
    for query in [
        "SELECT u.unit, SUM(t.value) AS total FROM units u JOIN tokens t ON t.unit = u.rowid GROUP BY u.unit ORDER BY total DESC",
        "SELECT u.unit, SUM(t.value) AS total FROM tokens t JOIN units u ON u.rowid = t.unit GROUP BY u.unit ORDER BY total DESC",
    ] {
        let answer = sql(&tables, query).unwrap();
        assert_eq!(answer.num_rows(), 100);
        assert_eq!(TextColumn::of(&answer, "unit").unwrap().get(0), Some("L9N9"));
        assert!((f64s(&answer, "total").unwrap().value(0) - 89.4).abs() < 1e-4);
    }
    // What is no whole number, too large, or another type is compared as SQLite does.
    for (condition, rows) in [
        ("t.unit = 5", 3),
        ("t.unit = 5.0", 3),
        ("t.unit = 5.5", 0),
        ("t.unit = -1", 0),
        ("t.unit = 1e12", 0),
        ("t.rowid = 299", 1),
        ("t.rowid = 300", 0),
    ] {
        let answer = sql(&tables, &format!("SELECT t.value FROM tokens t WHERE {condition}")).unwrap();
        assert_eq!(answer.num_rows(), rows, "{condition}");
    }
    assert_eq!(f32s(&sql(&tables, "SELECT value FROM tokens WHERE unit = 1").unwrap(), "value").unwrap().value(0), 0.3);
}

#[test]
fn a_bad_query_says_what_is_wrong() {
    let units = units();
    let ask = |query: &str| sql(&[("units", &units)], query).unwrap_err().to_string();
    assert!(ask("SELECT nothing FROM units").contains("nothing"));
    assert!(ask("SELEC unit").contains("SELEC"));
    assert!(ask("SELECT * FROM elsewhere").contains("elsewhere"));
    assert!(ask("SELECT profile FROM units").contains("profile"));
    assert!(ask("").contains("SELECT"));
    assert!(ask(&" ".repeat(MAX_QUERY_BYTES + 1)).contains("more than"));
}

#[test]
fn nothing_is_written_and_no_file_opened() {
    let units = units();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stolen.db");
    for query in [
        format!("ATTACH '{}' AS other", file.display()),
        format!("VACUUM INTO '{}'", file.display()),
        "CREATE TABLE t(x)".to_owned(),
        "DELETE FROM units".to_owned(),
        "PRAGMA journal_mode = WAL".to_owned(),
        "SELECT load_extension('x')".to_owned(),
    ] {
        assert!(sql(&[("units", &units)], &query).is_err(), "{query}");
    }
    assert!(!file.exists());
}
