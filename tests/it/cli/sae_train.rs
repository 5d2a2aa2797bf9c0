//! `golgi sae train`, `eval`, `prompt` and `steer` on a tiny model: whole runs, runs that are killed, and bad input.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use golgi_data::dictionary::Dictionary;

use super::Golgi;
use super::broken_off::{Random, files};

fn ready() -> Golgi {
    let golgi = Golgi::new();
    golgi.worded("gpt2");
    let words = ["the", "cat", "sat", "on", "a", "mat", "and", "w20", "w30", "dog", "ran"];
    let text = |i: usize| (0..60).map(|k| words[(i * 7 + k * k) % words.len()]).collect::<Vec<_>>().join(" ");
    let line = |i: usize| format!("{{\"text\": \"{} w{}\"}}\n", text(i), 40 + i % 50);
    fs::write(golgi.path("corpus.jsonl"), (0..300).map(line).collect::<String>()).unwrap();
    golgi
}

const FLAGS: &str = "sae train gpt2 --corpus corpus.jsonl --site blocks.1.hook_resid_post --architecture top_k jump_relu --latents 64 --k 4 \
    --tokens 8000 --steps 400 --set batch=256 --set rate=0.003 --set warm_up=10 --set bandwidth=0.1 --set threshold=0.05";

fn line<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    FLAGS.split_whitespace().chain(["--out", out]).chain(more.iter().copied()).collect()
}

#[test]
fn dictionaries_are_trained_judged_read_and_used() {
    let golgi = ready();
    let document = golgi.json("golgi.sae.train/1", &line("run", &[]));
    assert_eq!(document["report"]["steps"], 800);
    let dictionary = Dictionary::read(&golgi.path("run/top_k")).unwrap();
    assert_eq!(dictionary.config.latents, 64);
    assert!(dictionary.config.model_digest.is_some() && dictionary.config.training.is_some());

    let document =
        golgi.json("golgi.sae.eval/1", &["sae", "eval", "run/top_k", "--tokens", "1500", "--splice-tokens", "300"]);
    let evaluation = &document["evaluation"];
    let explained = evaluation["quality"]["explained_variance"].as_f64().unwrap();
    assert!(evaluation["quality"]["l0"].as_f64().unwrap() <= 4.0);
    assert_eq!(evaluation["sites"][0][0], "blocks.1.hook_resid_post");
    assert!((evaluation["sites"][0][1].as_f64().unwrap() - explained).abs() < 1e-6);
    // The words of this corpus have no spaces in front, and its documents no labels.
    assert!(evaluation["probing"]["tasks"].as_array().unwrap().is_empty());
    let baselines = evaluation["baselines"].as_array().unwrap();
    assert_eq!(baselines.len(), 3);
    for baseline in baselines {
        let theirs = baseline[1]["explained_variance"].as_f64().unwrap();
        assert!(explained > theirs, "{}: {theirs} against {explained}", baseline[0]);
    }
    let splice = evaluation["splice"].as_array().unwrap();
    let names: Vec<&str> = splice.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["nothing", "zeros", "the mean", "dictionary", "PCA", "random directions", "coordinates"]);
    assert_eq!(
        (splice[0]["recovered_from_zero"].as_f64(), splice[1]["recovered_from_zero"].as_f64()),
        (Some(1.0), Some(0.0))
    );
    assert_eq!(splice[0]["kl"].as_f64(), Some(0.0));
    assert!(splice[3]["kl"].as_f64().unwrap() > 0.0);

    // An atlas of its latents, without the neurons' and with them, and a page of one that is not dead.
    let build = |out: &'static str, more: &[&'static str]| {
        let line = "atlas build gpt2 --corpus corpus.jsonl --tokens 2000 --context-len 24 --sae run/top_k --no-heads --no-residual --out";
        golgi.json("golgi.atlas.build/1", &[&line.split_whitespace().collect::<Vec<_>>()[..], &[out], more].concat())
    };
    let manifest = build("latents", &["--no-neurons"])["manifest"].clone();
    assert_eq!(manifest["groups"][0]["count"], 64);
    let source = manifest["dictionaries"][0].clone();
    assert_eq!((&source["source"], &source["about"]), (&"run/top_k".into(), &"top_k, 64 latents".into()));
    assert_eq!(source["digest"], dictionary.digest());
    let info = golgi.ok(&["atlas", "info", "latents"]).out;
    assert!(info.contains("64 latents") && info.contains("blocks.1.hook_resid_post (top_k, 64 latents)"), "{info}");
    let found = golgi.ok(&["atlas", "query", "latents", "SELECT short FROM units ORDER BY max DESC LIMIT 1"]).out;
    let short = found.lines().last().unwrap().trim().to_owned();
    assert!(short.starts_with("L1F"), "{found}");
    golgi.ok(&["report", "--atlas", "latents", "--units", &short, "--out", "latent.html"]);
    let page = fs::read_to_string(golgi.path("latent.html")).unwrap();
    assert!(page.contains("latent of a dictionary") && page.contains(&short));
    let both = build("both", &[])["manifest"].clone();
    assert_eq!(both["groups"].as_array().unwrap().last().unwrap()["kind"], "latent");
    // Another dictionary of the same site is another atlas.
    let line = "atlas build gpt2 --corpus corpus.jsonl --tokens 2000 --context-len 24 --sae run/jump_relu --no-heads --no-residual --no-neurons --resume --out latents";
    assert!(golgi.fails(&line.split_whitespace().collect::<Vec<_>>()).contains("dictionaries"));
    let nothing =
        "atlas build gpt2 --corpus corpus.jsonl --context-len 24 --no-heads --no-residual --no-neurons --out none";
    assert!(golgi.fails(&nothing.split_whitespace().collect::<Vec<_>>()).contains("nothing is left to describe"));

    let document = golgi.json("golgi.sae.prompt/1", &["sae", "prompt", "run/top_k", "--text", "the cat sat on a mat"]);
    let active = document["features"]["active"].as_array().unwrap();
    assert_eq!(active.len(), 6);
    let strongest = active
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .max_by(|a, b| a["activation"].as_f64().unwrap().total_cmp(&b["activation"].as_f64().unwrap()));
    let latent = strongest.unwrap()["latent"].as_u64().unwrap();
    let steer = |change: String| {
        let args =
            ["sae", "steer", "run/top_k", "--text", "the cat sat on a mat", "--max-tokens", "5", "--latent", &change];
        golgi.json("golgi.sae.steer/1", &args)["steered"].clone()
    };
    // Nothing added changes nothing; much added changes the prediction.
    let nothing = steer(format!("{latent}=add:0"));
    assert_eq!(nothing["kl"].as_f64(), Some(0.0));
    assert_eq!(nothing["plain"], nothing["steered"]);
    assert!(steer(format!("{latent}=add:50"))["kl"].as_f64().unwrap() > 1e-6);
    assert!(
        golgi.ok(&["sae", "steer", "run/top_k", "--tokens", "1,2,3", "--latent", "0=clamp:3"]).out.contains("control")
    );
}

#[test]
fn a_running_model_trains_the_same_dictionary_every_time() {
    let golgi = ready();
    let fly =
        |out: &'static str, more: &[&'static str]| [&line(out, &["--on-the-fly", "--buffer", "4"])[..], more].concat();
    let document = golgi.json("golgi.sae.train/1", &fly("run", &[]));
    assert_eq!((&document["report"]["steps"], &document["script"]["on_the_fly"]), (&800.into(), &true.into()));
    assert!(!golgi.path("run/activations").exists());
    golgi.ok(&fly("again", &["--resume"]));
    let expected = files(&golgi.path("run"));
    assert!(expected == files(&golgi.path("again")));
    assert_eq!(expected.keys().filter(|name| name.ends_with("weights.safetensors")).count(), 2);
    assert!(golgi.fails(&fly("run", &[])).contains("--resume"));
    // A script says it as a name, and another buffer is another run.
    fs::write(
        golgi.path("fly.toml"),
        "model = \"gpt2\"\ncorpus = \"corpus.jsonl\"\ntokens = 4000\non_the_fly = true\nbuffer = 3\n\
         [[dictionaries]]\nname = \"both\"\nsites = [\"blocks.0.hook_resid_post\", \"blocks.1.hook_resid_post\"]\n\
         architecture = { kind = \"standard\" }\nlatents = 32\nsteps = 40\nbatch = 200\n",
    )
    .unwrap();
    golgi.ok(&["sae", "train", "fly.toml", "--out", "both"]);
    let config = Dictionary::read(&golgi.path("both")).unwrap().config;
    assert_eq!((config.inputs.len(), config.output_scales.len(), config.subtract_decoder_bias), (2, 2, false));
    assert!(golgi.ok(&["sae", "info", "both"]).out.contains("crosscoder"));
    let changed = golgi.fails(&["sae", "train", "fly.toml", "--out", "both", "--resume", "--buffer", "5"]);
    assert!(changed.contains("other activations"), "{changed}");
    // A crosscoder is judged site by site.
    let document = golgi.json("golgi.sae.eval/1", &["sae", "eval", "both", "--tokens", "1500", "--words", "0"]);
    let evaluation = &document["evaluation"];
    assert_eq!(
        (evaluation["sites"].as_array().unwrap().len(), evaluation["site_shares"].as_array().unwrap().len()),
        (2, 32)
    );
    assert!(evaluation["splice"].as_array().unwrap().is_empty());
}

#[test]
fn a_cross_layer_transcoder_is_trained_by_flags() {
    let golgi = ready();
    let sites = |kind: &str| [0, 1].map(|layer| format!("blocks.{layer}.{kind}"));
    let (reads, writes) = (sites("hook_resid_mid"), sites("hook_mlp_out"));
    let mut args = vec![
        "sae",
        "train",
        "gpt2",
        "--corpus",
        "corpus.jsonl",
        "--architecture",
        "jump_relu",
        "--cross-layer",
        "--site",
    ];
    args.extend(reads.iter().map(String::as_str));
    args.push("--predict");
    args.extend(writes.iter().map(String::as_str));
    let more = "--latents 48 --tokens 4000 --steps 60 --set batch=200 --set rate=0.003 --out run";
    golgi.ok(&[&args[..], &more.split(' ').collect::<Vec<_>>()].concat());
    let dictionary = Dictionary::read(&golgi.path("run")).unwrap();
    let width = dictionary.config.d_out() / 2;
    // The second layer's latents do not write to the first.
    assert!((24..48).all(|latent| dictionary.writes(latent)[..width].iter().all(|value| *value == 0.0)));
    assert!((0..24).any(|latent| dictionary.writes(latent)[width..].iter().any(|value| *value != 0.0)));
    assert!(golgi.ok(&["sae", "info", "run"]).out.contains("cross-layer transcoder"));
    let odd = golgi
        .run(&[&args[..], &more.replace("48", "49").replace("run", "odd").split(' ').collect::<Vec<_>>()].concat());
    assert!(odd.code == 2 && odd.err.contains("shared evenly") && !golgi.path("odd").exists(), "{}", odd.err);
}

#[test]
fn few_latents_tell_the_language_of_a_labelled_corpus() {
    let golgi = ready();
    let languages = [("xx", ["the", "cat", "sat", "w20"]), ("yy", ["dog", "ran", "mat", "w30"])];
    let line = |i: usize| {
        let (language, words) = languages[i % 2];
        let text = (0..70).map(|k| words[(i * 7 + k * k) % 4]).collect::<Vec<_>>().join(" ");
        format!("{{\"text\": \"{text} w{}\", \"language\": \"{language}\"}}\n", 40 + i % 50)
    };
    fs::write(golgi.path("labelled.jsonl"), (0..400).map(line).collect::<String>()).unwrap();
    let train = FLAGS.replace("corpus.jsonl", "labelled.jsonl").replace("top_k jump_relu", "top_k");
    golgi.ok(&[&train.split_whitespace().collect::<Vec<_>>()[..], &["--out", "run"]].concat());
    let document = golgi.json(
        "golgi.sae.eval/1",
        &["sae", "eval", "run", "--tokens", "1500", "--splice-tokens", "200", "--against", "run"],
    );
    let evaluation = &document["evaluation"];
    let tasks = evaluation["probing"]["tasks"].as_array().unwrap();
    assert_eq!(
        tasks.iter().map(|task| task["task"].as_str().unwrap()).collect::<Vec<_>>(),
        ["language xx", "language yy"]
    );
    let names = ["dictionary", "coordinates", "PCA", "random directions"];
    for task in tasks {
        let found: Vec<&str> =
            task["accuracy"].as_array().unwrap().iter().map(|one| one[0].as_str().unwrap()).collect();
        assert_eq!(found, names);
        // Several latents share the words of a language: with five of them it is told.
        assert!(task["accuracy"][0][1][2].as_f64().unwrap() > 0.9 && task["dense"].as_f64().unwrap() > 0.9, "{task}");
    }
    let perturbation = evaluation["probing"]["perturbation"].as_array().unwrap();
    assert!(perturbation.iter().any(|one| one["name"] == "dictionary" && one["removed"] == 5), "{perturbation:?}");
    // Every latent is its own partner.
    assert_eq!(evaluation["stability"]["matched"].as_f64(), Some(1.0));
    let text = golgi.ok(&["sae", "eval", "run", "--tokens", "1500", "--splice-tokens", "200", "--words", "0"]).out;
    assert!(text.contains("probing with one latent") && text.contains("targeted probe perturbation"), "{text}");
}

#[test]
fn training_that_is_killed_ends_with_the_same_bytes() {
    let golgi = ready();
    golgi.ok(&line("first", &[]));
    let start = Instant::now();
    golgi.ok(&line("whole", &[]));
    let usual = start.elapsed();
    let expected = files(&golgi.path("whole"));
    assert!(files(&golgi.path("first")) == expected);
    assert_eq!(expected.keys().filter(|name| name.ends_with("weights.safetensors")).count(), 2);
    let args = line("killed", &["--resume"]);
    let checkpoints = ["top_k", "jump_relu"].map(|name| golgi.path("killed").join(name).join("checkpoint.safetensors"));
    let written = || checkpoints.each_ref().map(|path| fs::metadata(path).and_then(|about| about.modified()).ok());
    let mut interrupted = 0;
    // By turns at any instant of the run's beginning and soon after a checkpoint, with training behind it and before it.
    let mut random = Random::new();
    for instant in 0..6 {
        let before = written();
        let reached = || instant % 2 == 0 || written() != before;
        let pause = if instant % 2 == 0 { usual.mul_f64(0.3 * random.next()) } else { Duration::from_millis(instant) };
        interrupted += usize::from(golgi.kill(&args, reached, pause) && instant % 2 == 1);
    }
    golgi.ok(&args);
    let found = files(&golgi.path("killed"));
    // A file that was being written when the process died stays behind under a name of its own.
    let found: BTreeMap<_, _> =
        found.into_iter().filter(|(name, _)| !name.contains("/.tmp") && !name.starts_with(".tmp")).collect();
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
    assert!(interrupted > 0, "no run was interrupted while it trained");
}

#[test]
fn impossible_training_is_refused_before_it_begins() {
    let golgi = ready();
    let with = |from: &str, to: &str| {
        let args: Vec<String> = line("run", &[]).iter().map(|arg| arg.replace(from, to)).collect();
        golgi.fails(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert!(with("blocks.1.hook_resid_post", "blocks.1.hook_resid_pots").contains("hook_resid_post"));
    assert!(with("rate=0.003", "speed=1").contains("`speed` is no setting"));
    assert!(!golgi.path("run").exists());
    let args = [line("run", &[])[..].to_vec(), vec!["--k", "4"]].concat();
    assert!(golgi.run(&args).code == 2);
    fs::write(
        golgi.path("script.toml"),
        "model = \"gpt2\"\ncorpus = \"corpus.jsonl\"\ntokens = 9\nsparkle = 1\ndictionaries = []",
    )
    .unwrap();
    let message = golgi.fails(&["sae", "train", "script.toml", "--out", "run"]);
    assert!(message.contains("sparkle"), "{message}");
    assert!(golgi.fails(&["sae", "eval", "nowhere"]).contains("dictionary.json"));
    assert!(!golgi.path("run").exists());
}
