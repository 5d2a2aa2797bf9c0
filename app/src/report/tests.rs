use golgi_analysis::report::{Fact, Figure, Level, Provenance, Report, Series, Shown, Table};
use golgi_analysis::units::page::{Measure, ScoredToken, TokenEnds, UnitKind, UnitPage};
use golgi_data::unit::Unit;
use serde_json::{Value, json};

use super::*;

/// Text that tries to get out of every kind of quoting.
const NASTY: &str = "</script><script>alert('x')</script>\"&`|_*\u{202e}\u{1b}[31m\u{0}\nשלום";

fn provenance() -> Provenance {
    Provenance {
        model: NASTY.into(),
        model_digest: "ab".repeat(32),
        tokens: 3,
        interventions: vec![NASTY.into()],
        ..Provenance::default()
    }
}

fn series(labels: Vec<String>) -> Series {
    Series { name: NASTY.into(), points: vec![[0.0, 1.0], [2.0, -1.0]], labels, joined: true }
}

fn nasty_report() -> Report {
    let mut report = Report::new(NASTY, NASTY, provenance());
    report.summary.push(Fact::new(NASTY, NASTY).by(NASTY));
    report.controls.push(Fact::new(NASTY, 0.25));
    report.tables.push(Table {
        name: NASTY.into(),
        columns: vec![NASTY.into(), "n".into()],
        rows: vec![vec![json!(NASTY), json!(1.5)], vec![Value::Null, json!(-2)], vec![json!([NASTY]), Value::Null]],
    });
    let texts = vec![NASTY.to_owned(), String::new()];
    let values = vec![Some(-1.0), None];
    report.figures.push(Figure::Tokens {
        title: NASTY.into(),
        tokens: texts.clone(),
        values: values.clone(),
        signed: true,
    });
    report.figures.push(Figure::Bars {
        title: NASTY.into(),
        labels: texts.clone(),
        values: vec![f32::NAN, 2.0],
        signed: false,
    });
    for labels in [vec![], texts.clone()] {
        report.figures.push(Figure::Heatmap {
            title: NASTY.into(),
            rows: vec![NASTY.into()],
            columns: texts.clone(),
            values: values.clone(),
            labels,
            signed: false,
        });
    }
    report.figures.push(Figure::Scatter {
        title: NASTY.into(),
        x: NASTY.into(),
        y: NASTY.into(),
        log_x: false,
        square: false,
        series: vec![series(vec![NASTY.into(), "b".into()]), series(vec![])],
        levels: vec![Level { name: NASTY.into(), y: 0.5 }],
    });
    let shown = |jpeg: &str| Shown { caption: NASTY.into(), detail: NASTY.into(), size: [2, 2], jpeg: jpeg.into() };
    report.figures.push(Figure::Pictures { title: NASTY.into(), pictures: vec![shown("AAAA"), shown(NASTY)] });
    report.warnings.push(NASTY.into());
    report
}

fn page(text: &str) -> UnitPage {
    let scored = |score| ScoredToken { id: 1, text: text.into(), score };
    UnitPage {
        unit: Unit::neuron(5, 123),
        kind: UnitKind::Neuron,
        measures: vec![Measure { name: text.into(), value: 0.5, formula: text.into() }],
        ends: vec![TokenEnds {
            name: text.into(),
            formula: text.into(),
            top: vec![scored(2.0)],
            bottom: vec![scored(-1.0)],
        }],
        tokens: vec![text.into(), "b".into()],
        activations: vec![1.0, -0.5],
        activation_formula: text.into(),
        attributions: vec![0.1, 0.2],
        predictions: vec![text.into(), "c".into()],
    }
}

fn documents() -> Vec<Document> {
    let units = Document::of_units(vec![page(NASTY), page("plain")], NASTY, provenance());
    vec![Document::of_report(nasty_report()), units]
}

#[test]
fn no_text_becomes_markup() {
    for document in documents() {
        let html = document.render(Format::Html);
        // The page's own style and script are the only ones.
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("</script").count(), 1);
        assert!(html.contains("&lt;script&gt;"));
        assert!(!html.contains(['\u{202e}', '\u{1b}', '\u{0}']));
        let markdown = document.render(Format::Markdown);
        assert!(!markdown.contains("<script") && !markdown.contains(['\u{202e}', '\u{1b}', '\u{0}']));
    }
}

#[test]
fn a_page_asks_nothing_of_the_network() {
    for document in documents() {
        let html = document.render(Format::Html);
        for needle in ["http://", "https://", "@import", "url(", "<link"] {
            assert!(!html.contains(needle), "{needle}");
        }
        // Pictures are inside, and nothing but letters of base64 gets into their addresses.
        for address in html.split("src=").skip(1) {
            let data = address.strip_prefix("\"data:image/jpeg;base64,").expect(address);
            let data = data.split('"').next().unwrap();
            assert!(data.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c)), "{data}");
        }
        assert!(html.contains("default-src 'none'"));
    }
}

#[test]
fn every_tag_is_closed() {
    for document in documents() {
        let html = document.render(Format::Html);
        for tag in [
            "section",
            "div",
            "table",
            "tr",
            "td",
            "th",
            "figure",
            "figcaption",
            "svg",
            "dl",
            "dt",
            "dd",
            "bdi",
            "p",
            "ol",
            "li",
            "h3",
            "button",
            "nav",
        ] {
            let open = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
            assert_eq!(open, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}

#[test]
fn markdown_tables_keep_their_columns() {
    let markdown = Document::of_report(nasty_report()).render(Format::Markdown);
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<&str> =
        markdown.lines().skip_while(|line| !line.contains("| n |")).take_while(|line| !line.is_empty()).collect();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| bars(row) == 3), "{rows:?}");
}

#[test]
fn one_analysis_keeps_its_own_json_and_pages_are_a_document() {
    let mut report = nasty_report();
    // JSON has no word for what is no number.
    report.figures.retain(|figure| !matches!(figure, Figure::Bars { .. }));
    let value = Document::of_report(report.clone()).json();
    assert_eq!(value["schema"], golgi_analysis::report::SCHEMA);
    assert_eq!(serde_json::from_value::<Report>(value).unwrap(), report);
    let units = Document::of_units(vec![page("a")], "text", provenance());
    assert_eq!(units.title, format!("L5N123 in {NASTY}"));
    let text = units.render(Format::Json);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&value["schema"], &value["sections"][0]["unit"]["unit"]),
        (&json!(SCHEMA), &json!("blocks.5.mlp.hook_post:123"))
    );
}

#[test]
fn the_ending_decides_the_format() {
    for (name, format) in
        [("a.html", Format::Html), ("a.HTM", Format::Html), ("x/a.md", Format::Markdown), ("a.json", Format::Json)]
    {
        assert_eq!(Format::of(Path::new(name)), Ok(format));
    }
    let error = Format::of(Path::new("a.pdf")).unwrap_err().to_string();
    assert!(error.contains(".html"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    assert!(Document::of_report(nasty_report()).save(&folder.path().join("a")).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
