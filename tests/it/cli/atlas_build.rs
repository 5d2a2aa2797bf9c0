//! `golgi atlas build`: runs that are killed, unfinished ones that are looked at, and what cannot be built.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use golgi_data::atlas::Manifest;

use super::Golgi;
use super::broken_off::{Random, files};
use super::harvest::ready;

/// Some 25 batches.
fn line(out: &str) -> Vec<&str> {
    let line =
        "atlas build gpt2 --corpus corpus.jsonl --tokens 3000 --split all --context-len 24 --batch-tokens 128 --out";
    line.split_whitespace().chain([out]).collect()
}

/// The same, with its state on disk after every batch and a provisional atlas after every third.
fn eager(out: &str) -> Vec<&str> {
    [&line(out)[..], &["--resume", "--checkpoint-batches", "1", "--snapshot-batches", "3"]].concat()
}

/// The tokens in the checkpoint of a build: its head is 24 bytes that name the layout, a key of 32, batches, tokens.
fn tokens(folder: &Path) -> u64 {
    let saved = fs::read(folder.join("checkpoint.bin")).unwrap_or_default();
    saved.get(64..72).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

/// Tables in the folder itself.
fn tables(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "parquet")).count()
}

/// The folder of a build that was killed when it had shown some of what it knows.
fn unfinished(golgi: &Golgi) {
    let folder = golgi.path("atlas");
    let shown = || folder.join("provisional/atlas.json").is_file();
    assert!(golgi.kill(&eager("atlas"), shown, Duration::ZERO), "the build was too quick");
    assert!(tokens(&folder) > 0 && tables(&folder) == 0);
}

#[test]
fn a_build_that_is_killed_at_any_instant_ends_with_the_same_bytes() {
    let golgi = ready();
    golgi.ok(&line("whole"));
    let expected = files(&golgi.path("whole"));
    assert_eq!(expected.len(), 10, "{:?}", expected.keys());
    let all = Manifest::read(&golgi.path("whole")).unwrap();
    let counted = all.tokens - all.contexts * u64::from(all.skip_first);
    // A run that has nothing to do: what every run spends before it goes on.
    let start = Instant::now();
    golgi.ok(&[line("whole"), vec!["--resume"]].concat());
    let startup = start.elapsed();
    let folder = golgi.path("killed");
    let (mut random, mut killed, mut while_collecting, mut while_writing) = (Random::new(), 0, 0, 0);
    for instant in 0..20 {
        // Every fifth kill comes at any instant of the run's beginning, the others at instants all over the build: 12 while it
        // collects, 4 while it writes tables.
        let through = (f64::from(instant) + random.next()) / 20.0;
        let (enough, written, pause) = match instant {
            _ if instant % 5 == 0 => (0, 0, startup.mul_f64(random.next())),
            0..16 => ((through / 0.8 * counted as f64) as u64, 0, Duration::from_secs_f64(0.04 * random.next())),
            _ => (counted, ((through - 0.8) * 40.0) as usize, Duration::from_secs_f64(0.01 * random.next())),
        };
        let reached = || tokens(&folder) >= enough && tables(&folder) >= written;
        killed += usize::from(golgi.kill(&eager("killed"), reached, pause));
        let (saved, complete) = (tokens(&folder), folder.join("atlas.json").exists());
        while_collecting += usize::from(saved > 0 && saved < counted);
        while_writing += usize::from(tables(&folder) > 0 && !complete);
        if complete {
            fs::remove_dir_all(&folder).unwrap();
        }
    }
    golgi.ok(&eager("killed"));
    assert!(killed >= 17, "only {killed} of 20 runs were still going on when they were to be killed");
    assert!(while_collecting >= 8 && while_writing >= 2, "{while_collecting} and {while_writing}");
    let found = files(&folder);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
}

#[test]
fn an_unfinished_atlas_shows_what_is_known_so_far() {
    let golgi = ready();
    let begun = || golgi.path("atlas/build.json").is_file();
    golgi.kill(&line("atlas"), begun, Duration::ZERO);
    let message = golgi.fails(&["atlas", "info", "atlas"]);
    assert!(message.contains("has no tables yet") && message.contains("--resume"), "{message}");

    unfinished(&golgi);
    let info = golgi.json("golgi.atlas.info/1", &["atlas", "info", "atlas"]);
    let so_far = &info["manifest"]["provisional"];
    assert_eq!((&so_far["of"], &info["manifest"]["complete"]), (&3000.into(), &false.into()));
    assert!(so_far["tokens"].as_u64().unwrap() < 3000 && so_far["tokens"] == info["manifest"]["tokens"], "{so_far}");
    assert!(golgi.ok(&["atlas", "info", "atlas"]).out.contains("of 3 000 tokens so far"));
    let sql = "SELECT units.short, MAX(examples.value) AS v, units.max FROM units JOIN examples ON units.rowid = examples.unit \
               GROUP BY units.short";
    let answer = golgi.ok(&["atlas", "query", "atlas", sql, "--csv"]);
    assert!(answer.err.contains("provisional"), "{}", answer.err);
    // Its tables belong together: a unit's best example is its maximum.
    for row in answer.out.lines().skip(1) {
        let values: Vec<&str> = row.split(',').collect();
        assert_eq!(values[1], values[2], "{row}");
    }
    assert_eq!(
        answer.out.lines().count(),
        1 + info["manifest"]["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| { group["count"].as_u64().unwrap() as usize })
            .sum::<usize>()
    );
    golgi.ok(&["report", "--atlas", "atlas", "--units", "L0N3,L1H2", "--out", "units.html"]);
    assert!(fs::read_to_string(golgi.path("units.html")).unwrap().contains("not finished"));
    let message = golgi.fails(&["find", "families", "atlas"]);
    assert!(message.contains("not finished") && message.contains("--resume"), "{message}");

    golgi.ok(&eager("atlas"));
    assert!(!golgi.path("atlas/provisional").exists());
    let info = golgi.json("golgi.atlas.info/1", &["atlas", "info", "atlas"]);
    assert!(info["manifest"].get("provisional").is_none() && info["manifest"]["tokens"] == 3000);
    assert!(!golgi.ok(&["atlas", "query", "atlas", sql]).err.contains("provisional"));
    golgi.ok(&["find", "families", "atlas", "--no-model"]);
}

#[test]
fn bad_input_is_refused_before_the_estimate() {
    let golgi = ready();
    let with = |from: &str, to: &str| -> String {
        let args: Vec<&str> = line("atlas").into_iter().map(|arg| if arg == from { to } else { arg }).collect();
        golgi.fails(&args)
    };
    fs::write(golgi.path("bad.txt"), b"good text\nbad \xff byte").unwrap();
    fs::write(golgi.path("empty.txt"), "").unwrap();
    fs::create_dir(golgi.path("nothing")).unwrap();
    let message = with("corpus.jsonl", "bad.txt");
    assert!(message.contains("bad.txt") && message.contains("byte 14") && message.contains("lossy"), "{message}");
    assert!(with("corpus.jsonl", "empty.txt").contains("holds no text"));
    assert!(with("corpus.jsonl", "nothing").contains("holds no text"));
    assert!(with("corpus.jsonl", "absent.txt").contains("there is no corpus `absent.txt`"));
    let message = golgi.fails(&line("corpus.jsonl/atlas"));
    assert!(message.contains("no atlas can be written to corpus.jsonl/atlas"), "{message}");
    assert!(message.contains("help: Name a folder where you may write"), "{message}");
    assert!(golgi.fails(&line(".")).contains("holds other files"));
    assert!(!golgi.path("atlas").exists());
    // A single odd byte can be asked to be overlooked.
    let lossy: Vec<&str> =
        line("lossy").into_iter().map(|arg| if arg == "corpus.jsonl" { "bad.txt" } else { arg }).collect();
    golgi.ok(&[&lossy[..], &["--lossy"]].concat());
}

#[test]
fn a_build_goes_on_only_with_what_it_began_with() {
    let golgi = ready();
    golgi.ok(&line("whole"));
    unfinished(&golgi);
    let before = files(&golgi.path("atlas"));
    let message = golgi.fails(&line("atlas"));
    assert!(message.contains("unfinished build") && message.contains("--resume"), "{message}");
    // One byte of the weights changes.
    let weights = golgi.path("gpt2/model.safetensors");
    let original = fs::read(&weights).unwrap();
    let mut bytes = original.clone();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let message = golgi.fails(&eager("atlas"));
    assert!(message.contains("begun from another model") && message.contains("model_digest"), "{message}");
    assert!(message.contains("another folder"), "{message}");
    let message = golgi.fails(&["find", "families", "whole", "--model", "gpt2"]);
    assert!(message.contains("weights are other ones") && message.contains("build it again"), "{message}");
    fs::write(&weights, original).unwrap();
    // A document is added.
    let corpus = fs::read_to_string(golgi.path("corpus.jsonl")).unwrap();
    fs::write(golgi.path("corpus.jsonl"), format!("{corpus}{{\"text\": \"the cat ran\"}}\n")).unwrap();
    let message = golgi.fails(&eager("atlas"));
    assert!(message.contains("corpus_digest"), "{message}");
    fs::write(golgi.path("corpus.jsonl"), corpus).unwrap();
    assert!(files(&golgi.path("atlas")) == before, "a refused build has changed something");
    golgi.ok(&eager("atlas"));
    assert!(files(&golgi.path("atlas")) == files(&golgi.path("whole")));
}

#[cfg(target_os = "linux")]
mod full_disks {
    use super::*;

    const FULL: &str = "No space left on device";

    /// Runs `command` where it must fail, and puts its exit status and its errors into files.
    fn failing(command: &[&str]) -> String {
        format!("code=0; \"$GOLGI\" {} >out.txt 2>err.txt || code=$?; echo $code >code.txt;", command.join(" "))
    }

    #[track_caller]
    fn refused(golgi: &Golgi, expected: &[&str]) {
        let error = golgi.written("err.txt");
        assert_eq!((golgi.written("code.txt").trim(), golgi.written("out.txt").as_str()), ("2", ""), "{error}");
        assert!(expected.iter().all(|part| error.to_lowercase().contains(&part.to_lowercase())), "{error}");
        assert!(error.contains("  help: "), "no next step: {error}");
    }

    #[test]
    fn a_build_on_a_full_disk_goes_on_when_there_is_room() {
        let golgi = ready();
        golgi.ok(&line("whole"));
        // One checkpoint has room, two have not.
        let script = format!(
            "mount -t tmpfs -o size=5m tmpfs small; {} cp -r small/atlas broken; mount -o remount,size=100m small; \
             \"$GOLGI\" {} >/dev/null 2>&1; cp -r small/atlas mended",
            failing(&eager("small/atlas")),
            eager("small/atlas").join(" ")
        );
        if !golgi.with_mounts(&script) {
            return;
        }
        refused(&golgi, &[FULL, "checkpoint.bin cannot be written", "what was done before is kept", "--resume"]);
        assert!(tokens(&golgi.path("broken")) > 0, "nothing was kept");
        assert!(files(&golgi.path("broken")).keys().all(|name| !name.ends_with(".part")));
        assert!(files(&golgi.path("mended")) == files(&golgi.path("whole")));
    }

    #[test]
    fn a_harvest_on_a_full_disk_goes_on_when_there_is_room() {
        let golgi = ready();
        let line = |out: &str| {
            let line = "harvest gpt2 --corpus corpus.jsonl --sites 'blocks.*.hook_resid_post' --tokens 6000 --shard 0.1 --resume";
            format!("{line} --out {out}")
        };
        let whole = line("whole").replace('\'', "");
        golgi.ok(&whole.split_whitespace().collect::<Vec<_>>());
        let script = format!(
            "mount -t tmpfs -o size=1m tmpfs small; {} cp -r small/store broken; mount -o remount,size=100m small; \
             \"$GOLGI\" {} >/dev/null 2>&1; cp -r small/store mended",
            failing(&[&line("small/store")]),
            line("small/store")
        );
        if !golgi.with_mounts(&script) {
            return;
        }
        refused(&golgi, &[FULL, "Free some space and go on with --resume", "what is written so far is kept"]);
        let kept = files(&golgi.path("broken"));
        assert!(kept.keys().any(|name| name.ends_with(".arrow")), "nothing was kept: {:?}", kept.keys());
        assert!(files(&golgi.path("mended")) == files(&golgi.path("whole")));
    }

    #[test]
    fn families_and_reports_leave_nothing_behind_on_a_full_disk() {
        let golgi = ready();
        golgi.ok(&line("atlas"));
        let find = ["find", "families", "small/atlas", "--no-model"];
        let report = ["report", "--atlas", "atlas", "--units", "L0N1,L1N2", "--out", "small/units.html"];
        let fill = "mount -t tmpfs -o size=4m tmpfs small; cp -r atlas small/atlas; cat /dev/zero >small/fill 2>/dev/null || true;";
        for (command, expected) in [
            (&find[..], &["families.json cannot be written", "nothing was changed"]),
            (&report[..], &["units.html` could not be written", "Free some space"]),
        ] {
            let script = format!(
                "{fill} {} rm -r after 2>/dev/null || true; ls -A small small/atlas >after; rm small/fill; \"$GOLGI\" {} >/dev/null 2>&1",
                failing(command),
                command.join(" ")
            );
            if !golgi.with_mounts(&script) {
                return;
            }
            refused(&golgi, &[&[FULL][..], &expected[..]].concat());
            let left = golgi.written("after");
            assert!(!["families", "units.html", ".part", ".golgi"].iter().any(|name| left.contains(name)), "{left}");
        }
    }

    #[test]
    fn what_can_only_be_read_is_not_written_to() {
        let golgi = ready();
        golgi.ok(&line("atlas"));
        let stay = "mount -t tmpfs tmpfs small; cp -r atlas small/atlas; mount -o remount,ro small;";
        let harvest =
            "harvest gpt2 --corpus corpus.jsonl --sites blocks.0.hook_resid_post --tokens 600 --out small/store"
                .split(' ')
                .collect();
        let commands: [(Vec<&str>, &str); 5] = [
            (line("small/new"), "no atlas can be written to small/new"),
            (eager("small/atlas"), "no atlas can be written to small/atlas"),
            (harvest, "Name a folder where you may write"),
            (vec!["find", "families", "small/atlas", "--no-model"], "families.parquet cannot be written"),
            (
                vec!["report", "--atlas", "atlas", "--units", "L0N1", "--out", "small/a.html"],
                "Name a file where you may write",
            ),
        ];
        for (command, expected) in commands {
            if !golgi.with_mounts(&format!("{stay} {}", failing(&command))) {
                return;
            }
            refused(&golgi, &["Read-only file system", expected]);
            // No estimate, no remark stands before it.
            assert!(golgi.written("err.txt").starts_with("error: "), "{}", golgi.written("err.txt"));
        }
    }
}
