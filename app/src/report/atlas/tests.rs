use golgi_data::atlas::testing::Fixture;
use serde_json::json;

use super::*;

const FORMATS: [UnitFormat; 4] = [UnitFormat::Html, UnitFormat::Markdown, UnitFormat::Json, UnitFormat::Neuronpedia];

fn report(fixture: &Fixture, ids: &[u32]) -> UnitReport {
    let folder = tempfile::tempdir().unwrap();
    fixture.write(folder.path()).unwrap();
    UnitReport::new(&Atlas::open(folder.path()).unwrap(), ids, &RunContext::new(0)).unwrap()
}

/// One of every kind and family, a head and a residual dimension.
fn every_kind(hostile: bool) -> UnitReport {
    report(&Fixture { hostile, ..Fixture::default() }, &[0, 1, 2, 3, 4, 5, 46, 121, 140])
}

/// The part of a page that holds the data.
fn data(html: &str) -> Value {
    let start = html.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let end = start + html[start..].find("</script>").unwrap();
    serde_json::from_str(&html[start..end]).unwrap()
}

/// Every text in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Turns text around it, hides, or steers a terminal.
fn harmful(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{200e}' | '\u{200f}')
}

#[test]
fn a_hostile_corpus_stays_text() {
    let report = every_kind(true);
    let html = report.render(UnitFormat::Html);
    // The page's own data and script are the only ones.
    assert_eq!(html.matches("<script").count(), 2);
    assert_eq!(html.matches("</script").count(), 2);
    assert_eq!(html.matches("<!--").count(), 0);
    assert!(!html.contains("<img") && !html.contains(harmful));
    let data = data(&html);
    let texts = texts(&data);
    // Numbers of the page itself are not among what must be made visible.
    assert!(!texts.iter().any(|text| text.contains("U+202F")) && !html.contains("U+202F"));
    assert!(texts.contains(&"<script>") && texts.contains(&"<img src=x onerror=alert(1)>"));
    assert!(!texts.iter().any(|text| text.contains(harmful)));
    let markdown = report.render(UnitFormat::Markdown);
    assert!(!markdown.contains("<script") && !markdown.contains("<img") && !markdown.contains(harmful));
    for page in &report.pages {
        for svg in [drawing::figure(&report, page), strips::figure(&report, page)] {
            assert!(!svg.contains("<script") && !svg.contains("<img") && !svg.contains(harmful));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}

#[test]
fn a_page_asks_nothing_of_the_network_and_admits_only_its_own_script() {
    let html = every_kind(true).render(UnitFormat::Html);
    let shell = &html[..html.find("id=\"data\">").unwrap()];
    for needle in ["http://", "https://", " src=", "@import", "url(", "<link", "unsafe-inline", "unsafe-eval"] {
        assert!(!shell.contains(needle), "{needle}");
    }
    for needle in ["default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "base-uri 'none'"] {
        assert!(shell.contains(needle), "{needle}");
    }
    // Markup is never made of text.
    let script = &html[html.rfind("<script>").unwrap()..];
    for needle in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "import("] {
        assert!(!script.contains(needle), "{needle}");
    }
}

#[test]
fn fifty_units_take_less_than_a_megabyte_whatever_the_corpus() {
    for hostile in [false, true] {
        let fixture = Fixture {
            layers: 2,
            heads: 0,
            residual: 0,
            contexts: 120,
            context_len: 128,
            examples: 40,
            reach: 48,
            hostile,
            ..Fixture::default()
        };
        let report = report(&fixture, &(0..50).collect::<Vec<u32>>());
        let html = report.render(UnitFormat::Html);
        assert!(html.len() < 1_000_000, "{} bytes", html.len());
        // What was left out is said, and most is there.
        let data = data(&html);
        for (unit, page) in data["units"].as_array().unwrap().iter().zip(&report.pages) {
            let shown = unit["x"].as_array().unwrap().len();
            assert_eq!(shown as u64 + unit["cut"].as_u64().unwrap(), page.examples.len() as u64);
            assert!(shown >= page.examples.len().min(6), "{shown} of {}", page.examples.len());
        }
    }
}

#[test]
fn a_report_of_few_units_leaves_nothing_out() {
    let data = data(&every_kind(false).render(UnitFormat::Html));
    assert!(data["units"].as_array().unwrap().iter().all(|unit| unit["cut"] == 0));
}

#[test]
fn every_format_holds_every_unit() {
    let report = every_kind(false);
    for format in FORMATS {
        let text = report.render(format);
        for page in &report.pages {
            let name =
                if format == UnitFormat::Neuronpedia { page.unit.site.to_string() } else { page.unit.to_string() };
            assert!(text.contains(&name), "{format:?}: {name}");
        }
        assert!(text.ends_with('\n'), "{format:?}");
    }
}

#[test]
fn json_says_everything_that_is_known() {
    let report = every_kind(false);
    let value: Value = serde_json::from_str(&report.render(UnitFormat::Json)).unwrap();
    assert_eq!(value["schema"], UNITS_SCHEMA);
    assert_eq!(value["manifest"]["schema"], "golgi.atlas/1");
    let unit = &value["units"][6];
    assert_eq!((&unit["unit"], &unit["short"]), (&json!("blocks.1.mlp.hook_post:6"), &json!("L1N6")));
    assert_eq!(unit["families"][0]["family"], "token detector");
    assert_eq!(unit["examples"].as_array().unwrap().len(), report.pages[6].examples.len());
}

#[test]
fn neuronpedia_gets_its_own_fields() {
    let report = every_kind(false);
    let value: Value = serde_json::from_str(&report.render(UnitFormat::Neuronpedia)).unwrap();
    let (feature, page) = (&value[6], &report.pages[6]);
    assert_eq!(
        (&feature["modelId"], &feature["layer"], &feature["index"]),
        (&json!("planted"), &json!("1"), &json!("6"))
    );
    for (texts, values) in [("pos_str", "pos_values"), ("neg_str", "neg_values")] {
        assert_eq!(feature[texts].as_array().unwrap().len(), feature[values].as_array().unwrap().len());
        assert!(!feature[texts].as_array().unwrap().is_empty());
    }
    let list = |name: &str| feature[name].as_array().unwrap().len();
    assert_eq!(list("freq_hist_data_bar_heights"), list("freq_hist_data_bar_values"));
    assert_eq!(list("topkCosSimIndices"), list("topkCosSimValues"));
    assert!((feature["frac_nonzero"].as_f64().unwrap() - page.statistic("frac_active").unwrap()).abs() < 1e-9);
    let activations = feature["activations"].as_array().unwrap();
    assert_eq!(activations.len(), page.examples.len());
    for (activation, example) in activations.iter().zip(&page.examples) {
        let peak = activation["maxValueTokenIndex"].as_u64().unwrap() as usize;
        assert_eq!(activation["values"][peak], activation["maxValue"]);
        assert_eq!(activation["tokens"].as_array().unwrap().len(), activation["values"].as_array().unwrap().len());
        match example.band {
            0 => assert_eq!(activation["binContains"], -1.0),
            _ => assert!(activation["binMin"].as_f64().unwrap() <= activation["binMax"].as_f64().unwrap()),
        }
    }
}

#[test]
fn markdown_tables_keep_their_columns_and_figures_are_where_it_says() {
    for hostile in [false, true] {
        let report = every_kind(hostile);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my units.md");
        let figures = report.save(&path, UnitFormat::Markdown).unwrap().unwrap();
        assert_eq!(figures, folder.path().join("my units.assets"));
        let text = std::fs::read_to_string(&path).unwrap();
        let links: Vec<&str> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        let images: Vec<&&str> = links.iter().filter(|link| link.ends_with(".svg")).collect();
        assert_eq!(images.len(), std::fs::read_dir(&figures).unwrap().count());
        for image in images {
            assert!(folder.path().join(image.replace("%20", " ")).is_file(), "{image}");
        }
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        let mut expected = None;
        for line in text.lines() {
            match (line.starts_with('|'), expected) {
                (true, None) => expected = Some(bars(line)),
                (true, Some(n)) => assert_eq!(bars(line), n, "{line}"),
                (false, _) => expected = None,
            }
        }
    }
}

#[test]
fn a_unit_without_anything_can_be_shown() {
    let mut report = every_kind(false);
    let page = &mut report.pages[3];
    page.examples.clear();
    page.histogram.clear();
    page.positions.clear();
    page.languages.clear();
    page.top_tokens.clear();
    page.promoted.clear();
    page.nearest_by_weights.clear();
    page.statistics.iter_mut().for_each(|statistic| (statistic.value, statistic.percentile) = (None, None));
    let page = &report.pages[3];
    for text in [drawing::figure(&report, page), strips::figure(&report, page), report.render(UnitFormat::Markdown)] {
        assert!(!text.contains("NaN") && !text.contains("inf\""), "{text}");
    }
    assert_eq!(data(&report.render(UnitFormat::Html))["units"][3]["h"], Value::Null);
    assert!(report.render(UnitFormat::Neuronpedia).contains("\"index\": \"3\""));
}

#[test]
fn the_ending_or_the_name_decides_the_format() {
    let of = |name: Option<&str>, path: &str| UnitFormat::of(name, Path::new(path));
    assert_eq!(of(None, "a.html"), Ok(UnitFormat::Html));
    assert_eq!(of(None, "a.md"), Ok(UnitFormat::Markdown));
    assert_eq!(of(Some("neuronpedia"), "a.json"), Ok(UnitFormat::Neuronpedia));
    assert!(of(None, "a.pdf").is_err() && of(Some("pdf"), "a.html").is_err());
}

#[test]
fn explanations_stand_on_every_page() {
    let folder = tempfile::tempdir().unwrap();
    Fixture::default().write(folder.path()).unwrap();
    let line = json!({
        "id": 46, "unit": "L1N6", "by": "me", "text": "<b>rivers</b>\u{202e}", "judge": "rule",
        "scores": { "detection": { "score": 0.875, "null": 0.5 }, "fuzzing": { "score": null } },
    });
    std::fs::write(folder.path().join("explanations.jsonl"), format!("{line}\n")).unwrap();
    let report = UnitReport::new(&Atlas::open(folder.path()).unwrap(), &[46], &RunContext::new(0)).unwrap();
    let html = report.render(UnitFormat::Html);
    let told = &data(&html)["units"][0]["e"][0];
    assert_eq!((&told[1], &told[3][0]), (&json!("me"), &json!(["detection", 0.875, 0.5])));
    assert!(told[0].as_str().unwrap().starts_with("<b>rivers</b>") && !html.contains("<b>rivers"));
    let markdown = report.render(UnitFormat::Markdown);
    assert!(markdown.contains("rivers") && markdown.contains("detection 0.875, others 0.5"), "{markdown}");
    let features = neuronpedia::value(&report);
    assert_eq!(features[0]["explanations"][0]["scores"][0]["value"], 0.875);
    assert_eq!(report.json()["units"][0]["explanations"][0]["by"], "me");
    // In JSON, Neuronpedia's too, texts are data.
    let data = |format: &UnitFormat| matches!(format, UnitFormat::Json | UnitFormat::Neuronpedia);
    assert!(FORMATS.iter().all(|format| data(format) || !report.render(*format).contains('\u{202e}')));
}
