//! Runs that were stopped.

use golgi_data::atlas::explanations_file;

use super::*;

fn run(atlas: &Atlas, ids: &[u32], resume: bool, ctx: &RunContext) -> Outcome {
    let (mut describer, mut rule) = (Describer, ByRule);
    let mut parties = Parties { explainer: &mut describer, judge: &mut rule, embedder: None, model: None };
    explain(atlas, ids, &Options::default(), &mut parties, resume, ctx).unwrap()
}

#[test]
fn a_run_that_was_stopped_ends_with_the_same_file() {
    let (folder, atlas) = planted();
    let ids: Vec<u32> = (0..140).map(|n| (n * 7) % 141).filter(|id| *id < 108 + 9).collect();
    let path = explanations_file(folder.path());
    let whole = run(&atlas, &ids, false, &RunContext::new(0));
    assert_eq!((whole.records.len(), whole.resumed, whole.stopped), (ids.len(), 0, false));
    let expected = std::fs::read(&path).unwrap();
    for stop_at in [1, 3, 64, ids.len() as u64 - 1] {
        std::fs::remove_file(&path).unwrap();
        let ctx = RunContext::new(0);
        ctx.cancel_at(stop_at);
        let part = run(&atlas, &ids, false, &ctx);
        assert_eq!((part.stopped, part.records.len() as u64), (true, stop_at));
        // Killed in the middle of a line.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 5);
        std::fs::write(&path, bytes).unwrap();
        let rest = run(&atlas, &ids, true, &RunContext::new(0));
        assert_eq!((rest.stopped, rest.resumed as u64), (false, stop_at - 1));
        assert!(rest.records == whole.records, "stopped after {stop_at}");
        assert!(std::fs::read(&path).unwrap() == expected, "stopped after {stop_at}");
    }
    // Nothing is left to do; other settings begin anew.
    assert_eq!(run(&atlas, &ids, true, &RunContext::new(0)).resumed, ids.len());
    assert_eq!(run(&atlas, &ids, true, &RunContext::new(1)).resumed, 0);
    assert_eq!(golgi_data::atlas::explanations(folder.path()).unwrap().len(), ids.len());
}

#[test]
fn other_explanations_of_the_user_stay() {
    let (folder, atlas) = planted();
    let own = "{\"id\":0,\"unit\":\"L0N0\",\"by\":\"me\",\"text\":\"mine\"}\n";
    std::fs::write(explanations_file(folder.path()), own).unwrap();
    for _ in 0..2 {
        run(&atlas, &[0, 1], false, &RunContext::new(0));
        let found = golgi_data::atlas::explanations(folder.path()).unwrap();
        assert_eq!(found.iter().map(|one| one.by.as_str()).collect::<Vec<_>>(), ["me", "describer", "describer"]);
    }
    let page = atlas.page(0).unwrap();
    assert_eq!(page.explanations.iter().map(|one| one.text.as_str()).next(), Some("mine"));
    assert_eq!(page.explanations.len(), 2);
}
