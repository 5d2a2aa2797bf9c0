//! `golgi classify`, `vis` and `inspect` of a convolutional network.

use std::fs;

use golgi_data::images::{Picture, starter_folder};
use golgi_data::models::home;

use super::Golgi;

#[test]
fn a_network_is_inspected_and_names_photographs() {
    let golgi = Golgi::new();
    let document = golgi.json("golgi.inspect/1", &["inspect", "efficientnet-lite0"]);
    let network = &document["network"];
    assert_eq!((network["family"].as_str(), network["classes"].as_u64()), (Some("efficientnet_lite"), Some(1000)));
    let sites = network["sites"].as_array().unwrap();
    let head = sites.iter().find(|site| site["site"] == "_conv_head").unwrap();
    assert_eq!(head["shape"], serde_json::json!([1280, 7, 7]));
    assert!(golgi.ok(&["inspect", "efficientnet-lite0"]).out.contains("relu6"));

    let cat = starter_folder(&home()).join("photographs/chelsea.png");
    let cat = cat.to_str().unwrap();
    let document = golgi.json("golgi.classify/1", &["classify", "efficientnet-lite0", cat, "--top", "2"]);
    let classes = document["pictures"][0]["classes"].as_array().unwrap();
    assert_eq!((classes.len(), classes[0]["name"].as_str()), (2, Some("Egyptian cat")));
    assert!(golgi.ok(&["classify", "efficientnet-lite0", cat]).out.contains("tiger cat"));
}

#[test]
fn units_become_images_and_a_report() {
    let golgi = Golgi::new();
    let vis = |out: &'static str, more: &[&'static str]| {
        let line = ["vis", "efficientnet-lite0", "_conv_head:12", "--steps", "20", "--size", "64", "--out", out];
        [&line[..], more].concat()
    };
    let document = golgi.json("golgi.vis/1", &vis("vis", &["--limit", "8", "--negative"]));
    let unit = &document["units"][0];
    assert_eq!((unit["verdict"].as_str(), unit["file"].as_str()), (Some("converged"), Some("_conv_head-12.png")));
    assert!(unit["value"].as_f64() > unit["start"].as_f64());
    let picture = Picture::read(&golgi.path("vis/_conv_head-12.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (64, 64));
    assert!(golgi.path("vis/_conv_head-12-lowers.png").exists());
    let page = fs::read_to_string(golgi.path("vis/vis.html")).unwrap();
    assert!(page.contains("data:image/jpeg;base64,") && page.contains("best real picture") && !page.contains("http"));
    // The same seed gives the same image.
    assert!(golgi.ok(&vis("again", &["--limit", "0", "--no-twin"])).out.contains("1 of 1"));
    assert_eq!(Picture::read(&golgi.path("again/_conv_head-12.png")).unwrap().rgb(), picture.rgb());
}

#[test]
fn bad_pictures_and_units_are_refused_before_work() {
    let golgi = Golgi::new();
    fs::write(golgi.path("no.png"), b"\x89PNG\r\n\x1a\nnothing").unwrap();
    fs::write(golgi.path("no.txt"), b"text").unwrap();
    for (file, word) in [("no.png", "no.png"), ("no.txt", "no.txt"), ("absent.png", "absent.png")] {
        let said = golgi.fails(&["classify", "efficientnet-lite0", file]);
        assert!(said.contains(word) && !said.contains("panicked"), "{said}");
    }
    let vis = |unit: &str| golgi.fails(&["vis", "efficientnet-lite0", unit, "--out", "vis", "--limit", "0"]);
    assert!(vis("_conv_head:1280").contains("1280 units"));
    assert!(vis("_conv_hed:1").contains("no site `_conv_hed`"));
    assert!(golgi.fails(&["vis", "smollm2", "L5N3", "--out", "vis", "--limit", "0"]).contains("language model"));
    assert!(!golgi.path("vis").exists());
}
