//! `golgi superposition`.

use super::Golgi;

#[test]
fn a_pentagon_is_printed_and_written() {
    let golgi = Golgi::new();
    let solve = ["superposition", "solve", "--starts", "4"];
    let text = golgi.ok(&[&solve[..], &["--out", "a.html"]].concat()).out;
    for part in ["1 × pentagon", "loss of the linear model", "D_i", "WᵀW", "first dimension", "Written to"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let page = std::fs::read_to_string(golgi.path("a.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.matches("<circle").count() == 10, "{}", page.len());
    let document = golgi.json("golgi.superposition/1", &solve);
    let part = &document["parts"][0];
    assert_eq!((&part["part"], &part["params"]["starts"]), (&"solve".into(), &4.into()));
    for feature in part["result"]["features"].as_array().unwrap() {
        assert!((feature["dimensionality"].as_f64().unwrap() - 0.4).abs() < 0.01, "{feature}");
    }
    // One seed gives one result, another seed another.
    assert_eq!(golgi.json("golgi.superposition/1", &solve)["parts"], document["parts"]);
    let other = golgi.json("golgi.superposition/1", &[&solve[..], &["--seed", "1"]].concat());
    assert_ne!(other["parts"][0]["result"]["best"], part["result"]["best"]);
}

#[test]
fn the_phase_diagram_has_its_three_regions() {
    let golgi = Golgi::new();
    let phase = ["superposition", "phase", "--cells", "6", "--fits", "10", "--out", "a.md"];
    let document = golgi.json("golgi.superposition/1", &phase);
    let cells = document["parts"][0]["result"]["cells"].as_array().unwrap();
    let fate = |importance: usize, density: usize| cells[importance * 6 + density]["fate"].as_str().unwrap();
    assert_eq!((cells.len(), fate(0, 0), fate(5, 0)), (36, "not_represented", "dedicated"));
    assert!((0..6).all(|importance| fate(importance, 5) == "superposed"));
    assert!(std::fs::read_to_string(golgi.path("a.md")).unwrap().contains("agreement with the closed forms"));
    let text = golgi.ok(&phase[..6]).out;
    assert!(text.contains("cells superposed") && text.contains("0.100") && text.contains("10.000"), "{text}");
}

#[test]
fn a_sweep_is_plotted() {
    let golgi = Golgi::new();
    let sweep = "superposition sweep --features 12 --hidden 3 --densities 3 --steps 300 --out a.json";
    let text = golgi.ok(&sweep.split(' ').collect::<Vec<_>>()).out;
    for part in ["Dimensionality of each feature", "pentagon, 2/5", "┄", "1 / (1 − S)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let report = std::fs::read_to_string(golgi.path("a.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["figures"][1]["series"][0]["points"].as_array().unwrap().len(), 36);
}

#[test]
fn what_cannot_be_trained_is_explained() {
    let golgi = Golgi::new();
    let refused = |more: &str| golgi.fails(&format!("superposition {more}").split(' ').collect::<Vec<_>>());
    assert!(refused("solve --density 0").contains("a density lies above 0"));
    assert!(refused("solve --density-of 9=0.1").contains("features have the numbers 0 to 4"));
    assert!(refused("phase --hidden 5").contains("1 or 2 dimensions"));
    assert!(refused("sweep --features 100000").contains("1 to 2000 features"));
    assert!(refused("sweep --rate 0").contains("learning rate"));
    assert!(refused("solve --out a.pdf").contains(".html"));
    assert!(!golgi.path("a.pdf").exists());
}
