//! `golgi atlas` and `golgi report --atlas`, and their pages in a browser.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use golgi_data::atlas::testing::Fixture;
use serde_json::Value;

use super::{Golgi, json};

/// An atlas of 180 units in the folder `atlas`.
fn with_atlas(hostile: bool) -> Golgi {
    let golgi = Golgi::new();
    std::fs::create_dir(golgi.path("atlas")).unwrap();
    Fixture { hostile, ..Fixture::default() }.write(&golgi.path("atlas")).unwrap();
    golgi
}

#[test]
fn an_atlas_is_built_described_queried_and_reported() {
    let golgi = Golgi::new();
    let model = golgi.worded("llama");
    let line = "the cat sat on a mat and the dog ran on and on\n";
    for document in 0..20 {
        let name = format!("corpus-{document}.txt");
        std::fs::write(golgi.path(&name), format!("{document} {}", line.repeat(8))).unwrap();
    }
    std::fs::create_dir(golgi.path("corpus")).unwrap();
    for document in 0..20 {
        let name = format!("corpus-{document}.txt");
        std::fs::rename(golgi.path(&name), golgi.path("corpus").join(&name)).unwrap();
    }
    let build =
        ["atlas", "build", &model, "--corpus", "corpus", "--tokens", "600", "--context-len", "24", "--split", "all"];
    let build = [&build[..], &["--out", "atlas"]].concat();
    let planned = golgi.json("golgi.atlas.build/1", &[&build[..], &["--dry-run"]].concat());
    assert_eq!(planned["manifest"], Value::Null);
    assert!(planned["estimate"]["memory_bytes"].as_u64().unwrap() > 0);
    assert!(!golgi.path("atlas").exists());
    let refused = golgi.fails(&[&build[..], &["--budget", "1kB"]].concat());
    assert!(refused.contains("of memory") && refused.contains("--batch-tokens"), "{refused}");

    let built = golgi.ok(&build);
    assert!(built.err.contains("memory") && built.err.contains("time"), "{}", built.err);
    assert!(built.out.contains("over 600 tokens") && built.out.contains("golgi atlas info"), "{}", built.out);
    let info = golgi.json("golgi.atlas.info/1", &["atlas", "info", "atlas"]);
    assert_eq!((&info["manifest"]["tokens"], &info["manifest"]["complete"]), (&600.into(), &true.into()));
    assert!(golgi.ok(&["atlas", "info", "atlas"]).out.contains("units"));

    let sql = "SELECT unit, max FROM units WHERE kind = 'neuron' ORDER BY max DESC";
    let found = golgi.json("golgi.atlas.query/1", &["atlas", "query", "atlas", sql, "--limit", "3"]);
    assert_eq!(found["rows"].as_array().unwrap().len(), 3);
    golgi.ok(&["report", "--atlas", "atlas", "--query", sql, "--limit", "3", "--out", "units.html"]);
    let html = std::fs::read_to_string(golgi.path("units.html")).unwrap();
    assert!(html.contains(found["rows"][0][0].as_str().unwrap()));

    // A complete atlas stays as it is; other options want another folder.
    assert_eq!(golgi.run(&build).code, 0);
    let other: Vec<&str> = build.iter().map(|word| if *word == "600" { "500" } else { *word }).collect();
    let refused = golgi.fails(&other);
    assert!(refused.contains("error: atlas holds an atlas") && refused.contains("tokens: 600, now 500"), "{refused}");
}

#[test]
fn queries_are_answered_as_a_table_as_csv_and_as_json() {
    let golgi = with_atlas(false);
    let sql =
        "SELECT short, frac_active, top_activating FROM units WHERE layer = 1 AND kind = 'head' ORDER BY \"index\"";
    let query = ["atlas", "query", "atlas", sql];
    let table = golgi.ok(&query).out;
    assert!(table.lines().next().unwrap().contains("frac_active") && table.contains("L1H3"), "{table}");
    assert_eq!(table.lines().count(), 5);
    let csv = golgi.ok(&[&query[..], &["--csv", "--limit", "2"]].concat()).out;
    assert!(csv.starts_with("short,frac_active,top_activating\nL1H0,"), "{csv}");
    assert_eq!(csv.lines().count(), 3);
    let document = golgi.json("golgi.atlas.query/1", &query);
    assert_eq!((&document["found"], &document["rows"][3][0]), (&4.into(), &"L1H3".into()));
    let error = golgi.fails(&["atlas", "query", "atlas", "SELECT nothing FROM units"]);
    assert!(error.contains("nothing") && error.contains("cannot be answered"), "{error}");
    let error = golgi.fails(&["atlas", "query", "elsewhere", "SELECT 1"]);
    assert!(error.contains("no atlas") && error.contains("golgi atlas build"), "{error}");
}

#[test]
fn reports_are_written_in_every_format() {
    let golgi = with_atlas(false);
    let base = ["report", "--atlas", "atlas", "--units", "L0N3,l1n6, L2H1,L0N3,blocks.1.hook_resid_post:7", "--out"];
    for name in ["units.html", "units.md", "units.json"] {
        let done = golgi.ok(&[&base[..], &[name]].concat());
        assert!(done.out.contains("4 pages") && done.out.contains(name), "{}", done.out);
    }
    golgi.ok(&[&base[..], &["np.json", "--format", "neuronpedia"]].concat());
    let read = |name: &str| std::fs::read_to_string(golgi.path(name)).unwrap();
    let document: Value = serde_json::from_str(&read("units.json")).unwrap();
    json::check("golgi.units/1", &document);
    assert_eq!(document["units"].as_array().unwrap().len(), 4);
    let features: Value = serde_json::from_str(&read("np.json")).unwrap();
    assert_eq!(features[1]["index"], "6");
    assert!(golgi.path("units.assets/L1N6.svg").is_file() && read("units.md").contains("units.assets/L1N6.svg"));
    let sql = "SELECT unit FROM families WHERE family = 'positional'";
    let args = ["report", "--atlas", "atlas", "--query", sql, "--limit", "2", "--out", "few.html"];
    let document = golgi.json("golgi.report.atlas/1", &args);
    assert_eq!(document["units"].as_array().unwrap().len(), 2);
    assert!(document["found"].as_u64().unwrap() > 2);
    assert!(read("few.html").contains("The query finds"));
}

#[test]
fn what_cannot_be_reported_is_explained() {
    let golgi = with_atlas(false);
    let report = |rest: &[&str]| golgi.fails(&[&["report", "--atlas", "atlas"], rest].concat());
    assert!(report(&["--out", "a.html"]).contains("--units"));
    assert!(report(&["--units", "L9N1", "--out", "a.html"]).contains("L9N1"));
    assert!(report(&["--units", "nothing", "--out", "a.html"]).contains("L5N123"));
    assert!(report(&["--units", "L0N1", "--out", "a.pdf"]).contains(".html"));
    assert!(report(&["--units", "L0N1", "--out", "no/such/a.html"]).contains("does not exist"));
    assert!(report(&["--query", "SELECT short FROM units", "--out", "a.html"]).contains("column `unit`"));
    assert!(report(&["--query", "SELECT unit FROM units WHERE layer > 9", "--out", "a.html"]).contains("no unit"));
    assert_eq!(golgi.files(), ["atlas"]);
    std::fs::write(golgi.path("atlas/units.parquet"), "no table").unwrap();
    assert!(report(&["--units", "L0N1", "--out", "a.html"]).contains("damaged"));
}

/// Programs that show a page without a window.
fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let named = std::env::var_os("GOLGI_CHROMIUM").map(PathBuf::from);
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    named.into_iter().chain(found).find(|path| path.is_file())
}

/// What the browser made of a page, and what it wrote to its console.
fn open(browser: &Path, page: &Path) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().unwrap();
    let switches = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
        // Nothing outside can be reached, whatever the page or the browser itself should try.
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--enable-logging=stderr",
        "--virtual-time-budget=10000",
        "--dump-dom",
    ];
    let mut command = Command::new(browser);
    command.args(switches).arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("file://{}", page.display())).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let console = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    (String::from_utf8_lossy(&output.stdout).into_owned(), console)
}

#[test]
fn a_hundred_units_open_in_a_browser_without_errors_or_requests() {
    let golgi = with_atlas(true);
    let args =
        ["report", "--atlas", "atlas", "--query", "SELECT unit FROM units", "--limit", "100", "--out", "units.html"];
    golgi.ok(&args);
    let page = golgi.path("units.html");
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    let Some(browser) = browser() else {
        // Not by a macro, whose words the test harness keeps to itself.
        let words = "\n*** SKIPPED: no Chromium is installed, so the report was not opened in a browser. Install the package \
                     chromium, or name the program in GOLGI_CHROMIUM. ***\n";
        std::io::stderr().write_all(words.as_bytes()).unwrap();
        return;
    };
    let (dom, console) = open(&browser, &page);
    assert_eq!(console, [""; 0]);
    assert_eq!(dom.matches("<article class=\"unit\"").count(), 100);
    // The corpus' markup is text, and the page's own two scripts are the only ones.
    assert_eq!(dom.matches("<script").count(), 2);
    assert!(!dom.contains("<img") && dom.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert!(!dom.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{1b}']));

    // The browser does say when a page asks for something or runs what it should not; else the above would prove nothing.
    for (broken, word) in
        [("<img src=\"http://127.0.0.1:9/x.png\">", "violates"), ("<script>alert(1)</script>", "violates")]
    {
        let path = golgi.path("broken.html");
        std::fs::write(&path, html.replacen("</main>", &format!("{broken}</main>"), 1)).unwrap();
        let (_, console) = open(&browser, &path);
        assert!(console.iter().any(|line| line.contains(word)), "{broken}: {console:?}");
    }
}
