//! `golgi classify`, `vis` and `inspect` of a convolutional network.

use std::fs;

use golgi_data::images::{Picture, starter_folder};
use golgi_data::models::{catalogue, home};

use super::Golgi;

/// The installed network: the program under test has a home of its own, without models.
fn network() -> String {
    let found = catalogue().iter().find(|entry| entry.name == "efficientnet-lite0").unwrap();
    found.path(&home()).to_str().unwrap().to_owned()
}

fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

fn photographs() -> String {
    starter_folder(&home()).join("photographs").to_str().unwrap().to_owned()
}

#[test]
fn a_network_is_inspected_and_names_photographs() {
    let (golgi, network) = (Golgi::new(), network());
    let document = golgi.json("golgi.inspect/1", &["inspect", &network]);
    let described = &document["network"];
    assert_eq!((described["family"].as_str(), described["classes"].as_u64()), (Some("efficientnet_lite"), Some(1000)));
    let sites = described["sites"].as_array().unwrap();
    let head = sites.iter().find(|site| site["site"] == "_conv_head").unwrap();
    assert_eq!(head["shape"], serde_json::json!([1280, 7, 7]));
    assert!(golgi.ok(&["inspect", &network]).out.contains("relu6"));

    let cat = &*format!("{}/chelsea.png", photographs());
    let document = golgi.json("golgi.classify/1", &["classify", &network, cat, "--top", "2"]);
    let classes = document["pictures"][0]["classes"].as_array().unwrap();
    assert_eq!((classes.len(), classes[0]["name"].as_str()), (2, Some("Egyptian cat")));
    assert!(golgi.ok(&["classify", &network, cat]).out.contains("tiger cat"));
}

#[test]
fn units_become_images_and_a_report() {
    let (golgi, network, photographs) = (Golgi::new(), network(), photographs());
    let vis = |out: &'static str, more: &[&'static str]| {
        let line: [&str; 9] = ["vis", &network, "_conv_head:12", "--steps", "20", "--size", "64", "--out", out];
        let words = [&line[..], more, &["--images", &photographs]].concat();
        words.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let document = golgi.json("golgi.vis/1", &words(&vis("vis", &["--limit", "8", "--negative"])));
    let unit = &document["units"][0];
    assert_eq!((unit["verdict"].as_str(), unit["file"].as_str()), (Some("converged"), Some("_conv_head-12.png")));
    assert!(unit["value"].as_f64() > unit["start"].as_f64());
    let picture = Picture::read(&golgi.path("vis/_conv_head-12.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (64, 64));
    assert!(golgi.path("vis/_conv_head-12-lowers.png").exists());
    let page = fs::read_to_string(golgi.path("vis/vis.html")).unwrap();
    assert!(
        page.contains("data:image/jpeg;base64,") && page.contains("best real picture") && !page.contains("=\"http")
    );
    // The same seed gives the same image.
    assert!(golgi.ok(&words(&vis("again", &["--limit", "0", "--no-twin"]))).out.contains("1 of 1"));
    assert_eq!(Picture::read(&golgi.path("again/_conv_head-12.png")).unwrap().rgb(), picture.rgb());
}

#[test]
fn bad_pictures_and_units_are_refused_before_work() {
    let (golgi, network) = (Golgi::new(), network());
    fs::write(golgi.path("no.png"), b"\x89PNG\r\n\x1a\nnothing").unwrap();
    fs::write(golgi.path("no.txt"), b"text").unwrap();
    for (file, word) in [("no.png", "no.png"), ("no.txt", "no.txt"), ("absent.png", "absent.png")] {
        let said = golgi.fails(&["classify", &network, file]);
        assert!(said.contains(word) && !said.contains("panicked"), "{said}");
    }
    let vis = |unit: &str| golgi.fails(&["vis", &network, unit, "--out", "vis", "--limit", "0"]);
    assert!(vis("_conv_head:1280").contains("1280 units"));
    assert!(vis("_conv_hed:1").contains("no site `_conv_hed`"));
    golgi.worded("gpt2");
    assert!(golgi.fails(&["vis", "gpt2", "L0N3", "--out", "vis", "--limit", "0"]).contains("language model"));
    assert!(!golgi.path("vis").exists());
    let said = golgi.fails(&["prompt", &network, "--text", "a cat"]);
    assert!(said.contains("convolutional network") && said.contains("golgi vis"), "{said}");
}
