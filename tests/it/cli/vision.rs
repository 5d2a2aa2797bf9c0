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

fn correlation(one: &[u8], other: &[u8]) -> f64 {
    let mean = |values: &[u8]| values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
    let means = [mean(one), mean(other)];
    let pairs = one.iter().zip(other).map(|(a, b)| (f64::from(*a) - means[0], f64::from(*b) - means[1]));
    let (ab, aa, bb) = pairs.fold((0.0, 0.0, 0.0), |(ab, aa, bb), (a, b)| (ab + a * b, aa + a * a, bb + b * b));
    ab / (aa * bb).sqrt()
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
    // The same seed gives the same image, up to what the order of sums changes, which is the machine's; another seed another image.
    assert!(golgi.ok(&words(&vis("again", &["--limit", "0", "--no-twin"]))).out.contains("1 of 1"));
    golgi.ok(&words(&vis("other", &["--limit", "0", "--no-twin", "--seed", "2"])));
    let alike = |folder: &str| {
        let other = Picture::read(&golgi.path(&format!("{folder}/_conv_head-12.png"))).unwrap();
        correlation(picture.rgb(), other.rgb())
    };
    let (again, other) = (alike("again"), alike("other"));
    assert!(again > 0.95 && other < 0.5, "{again}, {other}");
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
    assert!(said.contains("network for images") && said.contains("`vis`"), "{said}");
    let attribute = |more: &[&str]| {
        let line = ["attribute", &network, &format!("{}/chelsea.png", photographs()), "--out", "maps"];
        golgi.fails(&[&line, more].concat())
    };
    assert!(attribute(&["--class", "1000"]).contains("1000 units"));
    assert!(attribute(&["--class", "cat"]).contains("may be"));
    assert!(attribute(&["--class", "unicorn"]).contains("no class"));
    assert!(attribute(&["--methods", "tea-leaves"]).contains("grad-cam"));
    assert!(attribute(&["--layer", "_fc"]).contains("has none"));
    assert!(!golgi.path("maps").exists());
    let facets = golgi.fails(&["vis", &network, "_conv_head:1", "--out", "vis", "--limit", "0", "--facets"]);
    assert!(facets.contains("--limit above 0"), "{facets}");
}

#[test]
fn a_class_is_traced_back_to_pixels() {
    let (golgi, network) = (Golgi::new(), network());
    let cat = format!("{}/chelsea.png", photographs());
    let line = ["attribute", &network, &cat, "--out", "maps", "--steps", "2", "--methods", "saliency,guided,grad-cam"];
    let document = golgi.json("golgi.attribute/1", &line);
    let picture = &document["pictures"][0];
    assert_eq!((picture["name"].as_str(), picture["unit"].as_str()), (Some("Egyptian cat"), Some("_fc:285")));
    assert_eq!(picture["layer"], "_swish_1");
    let maps = picture["maps"].as_array().unwrap();
    assert_eq!(
        maps.iter().map(|map| map["method"].as_str().unwrap()).collect::<Vec<_>>(),
        ["saliency", "guided", "grad-cam"]
    );
    for map in maps {
        let steps = map["cascade"]["steps"].as_array().unwrap();
        assert_eq!((steps.len(), steps[1]["share"].as_f64()), (2, Some(1.0)));
        assert!(map["sensitivity"]["correlation"].as_f64().is_some());
        let drawn = Picture::read(&golgi.path(&format!("maps/{}", map["file"].as_str().unwrap()))).unwrap();
        assert_eq!((drawn.width(), drawn.height()), (224, 224));
    }
    // The gradient forgets a shuffled network more than guided backpropagation does.
    let left = |at: usize| maps[at]["cascade"]["steps"][1]["similarity"]["spearman_abs"].as_f64().unwrap();
    assert!(left(0) < left(1), "{} {}", left(0), left(1));
    let page = fs::read_to_string(golgi.path("maps/attribution.html")).unwrap();
    assert!(page.contains("guided, twin") && page.contains("Egyptian cat") && !page.contains("=\"http"));
}

#[test]
fn units_are_named_by_scenes() {
    let (golgi, network) = (Golgi::new(), network());
    let line = ["dissect", &network, "_blocks.2.add", "--limit", "24", "--out", "names.html"];
    let document = golgi.json("golgi.dissect/1", &line);
    let found = &document["dissection"];
    let units = found["units"].as_array().unwrap();
    assert_eq!((units.len(), found["pictures"].as_u64()), (24, Some(24)));
    let colours = units.iter().filter(|unit| unit["interpretable"] == true && unit["concept"]["category"] == "colour");
    assert!(colours.count() >= 2, "{units:?}");
    assert!(units.iter().all(|unit| unit["null_iou"].as_f64().unwrap() < 0.04));
    assert!(fs::read_to_string(golgi.path("names.html")).unwrap().contains("shifted labels"));
    let photographs = photographs();
    let refused = golgi.fails(&["dissect", &network, "_blocks.2.add", "--images", &photographs]);
    assert!(refused.contains("no label maps"), "{refused}");
    assert!(golgi.fails(&["dissect", &network, "_blocks.99.add"]).contains("no site"));
}

#[test]
fn facets_come_with_exemplars_and_controls() {
    let (golgi, network, photographs) = (Golgi::new(), network(), photographs());
    let line = [
        "vis",
        &network,
        "_blocks.0._project_conv:3",
        "--steps",
        "2",
        "--size",
        "32",
        "--no-twin",
        "--out",
        "vis",
        "--images",
        &photographs,
        "--limit",
        "12",
        "--facets",
        "2",
    ];
    let document = golgi.json("golgi.vis/1", &line);
    let found = &document["units"][0]["facets"];
    let facets = found["facets"].as_array().unwrap();
    assert_eq!(facets.len(), 2);
    assert_eq!(facets.iter().map(|facet| facet["size"].as_u64().unwrap()).sum::<u64>(), 6);
    for facet in facets {
        assert!(facet["value"].as_f64() > facet["start"].as_f64() && facet["exemplars"][0].is_string());
        let image = Picture::read(&golgi.path(&format!("vis/{}", facet["file"].as_str().unwrap()))).unwrap();
        assert_eq!((image.width(), image.height()), (32, 32));
    }
    assert!(found["explained"].as_f64().is_some() && found["explained_shuffled"].as_f64().is_some());
    let page = fs::read_to_string(golgi.path("vis/vis.html")).unwrap();
    assert!(page.contains("facet 1") && page.contains("mean of the exemplars"));
}
