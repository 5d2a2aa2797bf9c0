//! Taps on the tiny models of every family: captures, early stop, interventions, gradients, generation.

use std::cell::RefCell;
use std::rc::Rc;

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site, SitePattern};
use golgi_data::unit::Unit;
use golgi_probes::generate::{GenerateOptions, KvCache, Sampling, Stop, generate};
use golgi_probes::intervention::{Direction, Edit, Edits, Intervention, Positions, Traces};
use golgi_probes::{
    Batch, Capture, Device, ForwardOptions, GradientTap, Kind, NoTap, ProbeError, SiteAxes, Stack, Tap, Tensor, Trace,
    Transformer, preflight,
};

use crate::parity::{reference_names, reference_tokens, tiny};

fn batch(name: &str) -> Batch {
    Batch::from_tensors(reference_tokens(name), None)
}

fn glob(text: &str) -> SitePattern {
    SitePattern::new(text).unwrap()
}

fn logits(model: &Transformer, batch: &Batch, tap: &mut dyn Tap) -> Tensor {
    model.forward(batch, tap, ForwardOptions::logits()).unwrap().unwrap()
}

fn changed(model: &Transformer, batch: &Batch, interventions: &[Intervention], traces: &Traces) -> Tensor {
    logits(model, batch, &mut Edits::new(model, interventions, traces).unwrap())
}

fn capture(model: &Transformer, batch: &Batch, pattern: &str) -> Trace {
    let mut tap = Capture::new(vec![glob(pattern)]);
    model.forward(batch, &mut tap, ForwardOptions::default()).unwrap();
    tap.into_trace(vec![]).unwrap()
}

/// Counts how many sites a pass offers, and refuses to be called where it did not ask.
struct Counting {
    only: Site,
    seen: Rc<RefCell<Vec<String>>>,
}

impl Tap for Counting {
    fn wants(&self, site: &Site) -> bool {
        *site == self.only
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> Result<Tensor, ProbeError> {
        self.seen.borrow_mut().push(site.to_string());
        Ok(activation)
    }
}

#[test]
fn a_pass_stops_behind_the_last_wanted_site() {
    let model = tiny("gemma3", Kind::Float);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut tap = Counting { only: Site::block(1, BlockPoint::Q), seen: seen.clone() };
    let out = model.forward(&batch("gemma3"), &mut tap, ForwardOptions::default()).unwrap();
    assert!(out.is_none(), "no logits are computed");
    assert_eq!(*seen.borrow(), ["blocks.1.attn.hook_q"]);
    // Nothing wanted and no logits asked for: nothing is run at all.
    assert!(model.forward(&batch("gemma3"), &mut NoTap, ForwardOptions::default()).unwrap().is_none());
}

#[test]
fn an_intervention_that_changes_nothing_changes_no_bit() {
    for name in reference_names() {
        let model = tiny(&name, Kind::Float);
        let batch = batch(&name);
        let plain = logits(&model, &batch, &mut NoTap);
        let own = Traces::from([("own".to_owned(), capture(&model, &batch, "*"))]);
        let nothing = [
            vec![Intervention::new(glob("*"), Edit::Scale { factor: 1.0 })],
            vec![Intervention::new(glob("*"), Edit::Patch { trace: "own".into() })],
            vec![Intervention::new(glob("*"), Edit::Zero).at(Positions::These(vec![]))],
            vec![Intervention::new(glob("*"), Edit::Zero).at(Positions::Generated)],
            vec![Intervention { enabled: false, ..Intervention::new(glob("*"), Edit::Zero) }],
        ];
        for interventions in nothing {
            let same = changed(&model, &batch, &interventions, &own);
            assert!(same.equal(&plain), "{name}: {interventions:?}");
        }
    }
}

#[test]
fn each_edit_does_what_it_says_at_its_scope_and_nowhere_else() {
    let model = tiny("llama", Kind::Float);
    let batch = batch("llama");
    let site = Site::block(0, BlockPoint::MlpPost);
    let before = capture(&model, &batch, &site.to_string()).sites.remove(&site).unwrap();
    let width = before.size()[2] as usize;
    let direction: Vec<f32> = (0..width).map(|i| (i as f32 * 0.7).sin()).collect();
    let d = Tensor::from_slice(&direction);
    let reference =
        Traces::from([("other".to_owned(), capture(&tiny("llama3_rope", Kind::Float), &batch, &site.to_string()))]);
    let other = reference["other"].get(&site).unwrap().shallow_clone();
    let mean = |x: &Tensor| x.mean_dim([0i64, 1].as_slice(), true, None::<Kind>).expand_as(&before);
    let cases: Vec<(Edit, Tensor)> = vec![
        (Edit::Zero, before.zeros_like()),
        (Edit::Set { value: 2.5 }, before.full_like(2.5)),
        (Edit::Scale { factor: -3.0 }, &before * -3.0),
        (Edit::Clamp { min: Some(-0.01), max: Some(0.02) }, before.clamp(-0.01, 0.02)),
        (Edit::Clamp { min: None, max: Some(0.02) }, before.clamp_max(0.02)),
        (Edit::Add { direction: Direction::Values(direction.clone()), strength: 2.0 }, &before + &d * 2.0),
        (
            Edit::ProjectOut { direction: Direction::Values(direction.clone()) },
            &before - (&before * &d).sum_dim_intlist(-1, true, None::<Kind>) / d.square().sum(None::<Kind>) * &d,
        ),
        (Edit::Mean { trace: None }, mean(&before)),
        (Edit::Mean { trace: Some("other".into()) }, mean(&other)),
        (Edit::Patch { trace: "other".into() }, other.shallow_clone()),
    ];
    for (edit, expected) in cases {
        let mut intervention = Intervention::new(&site, edit);
        intervention.scope.positions = Positions::These(vec![2, -1]);
        intervention.scope.units = Some(vec![0, 5, 6]);
        let list = [intervention];
        let mut edits = Edits::new(&model, &list, &reference).unwrap();
        let mut tap = Capture::sites([&site]);
        model.forward(&batch, &mut Stack::new().with(&mut edits).with(&mut tap), ForwardOptions::default()).unwrap();
        let after = tap.into_trace(vec![]).unwrap().sites.remove(&site).unwrap();
        let inside = Tensor::zeros(before.size(), (Kind::Bool, Device::Cpu));
        for pos in [2, 12] {
            for unit in [0, 5, 6] {
                let _ = inside.narrow(1, pos, 1).narrow(2, unit, 1).fill_(1);
            }
        }
        let expected = expected.where_self(&inside, &before);
        assert!(after.allclose(&expected, 1e-6, 1e-7, false), "{}", list[0].title());
        let outside = inside.logical_not();
        assert!(after.masked_select(&outside).equal(&before.masked_select(&outside)), "{}", list[0].title());
    }
}

#[test]
fn silencing_a_head_equals_silencing_what_it_writes() {
    for name in reference_names() {
        let model = tiny(&name, Kind::Float);
        let batch = batch(&name);
        let at = |point| {
            let mut intervention = Intervention::new(&Site::block(0, point), Edit::Zero);
            intervention.scope.heads = Some(vec![1]);
            vec![intervention]
        };
        let by_z = changed(&model, &batch, &at(BlockPoint::Z), &Traces::new());
        let by_result = changed(&model, &batch, &at(BlockPoint::Result), &Traces::new());
        assert!(by_z.allclose(&by_result, 1e-4, 1e-5, false), "{name}");
        assert!(!by_z.allclose(&logits(&model, &batch, &mut NoTap), 1e-4, 1e-5, false), "{name}: no effect");
    }
}

#[test]
fn interventions_are_applied_in_order() {
    let model = tiny("gpt2", Kind::Float);
    let site = Site::block(1, BlockPoint::ResidPre);
    let set = Intervention::new(&site, Edit::Set { value: 1.0 });
    let scale = Intervention::new(&site, Edit::Scale { factor: 3.0 });
    let run = |list: &[Intervention]| {
        let traces = Traces::new();
        let mut edits = Edits::new(&model, list, &traces).unwrap();
        let mut tap = Capture::sites([&site]);
        let mut stack = Stack::new().with(&mut edits).with(&mut tap);
        model.forward(&batch("gpt2"), &mut stack, ForwardOptions::default()).unwrap();
        tap.into_trace(vec![]).unwrap().get(&site).unwrap().double_value(&[0, 0, 0])
    };
    assert_eq!(run(&[set.clone(), scale.clone()]), 3.0);
    assert_eq!(run(&[scale, set]), 1.0);
}

#[test]
fn interventions_that_do_not_fit_are_refused_with_the_reason() {
    let model = tiny("llama", Kind::Float);
    let refuse = |intervention: Intervention| {
        let list = [intervention];
        Edits::new(&model, &list, &Traces::new()).err().map(|error| error.to_string()).unwrap()
    };
    let mut head = Intervention::new(&Site::block(0, BlockPoint::Z), Edit::Zero);
    head.scope.heads = Some(vec![9]);
    assert!(refuse(head).contains("4 heads"));
    let mut unit = Intervention::new(&Site::block(0, BlockPoint::MlpPost), Edit::Zero);
    unit.scope.units = Some(vec![64]);
    assert!(refuse(unit).contains("64 units"));
    assert!(refuse(Intervention::new(glob("blocks.7.*"), Edit::Zero)).contains("blocks.7"));
    let short = Edit::Add { direction: Direction::Values(vec![1.0]), strength: 1.0 };
    assert!(refuse(Intervention::new(&Site::block(0, BlockPoint::ResidPre), short)).contains("32 wide"));
    assert!(refuse(Intervention::new(glob("*"), Edit::Patch { trace: "x".into() })).contains("no trace `x`"));
    assert!(refuse(Intervention::new(glob("*"), Edit::Clamp { min: Some(2.0), max: Some(1.0) })).contains("min"));
    assert!(refuse(Intervention::new(glob("*"), Edit::Scale { factor: f64::NAN })).contains("NaN"));
    let write = Edit::Add { direction: Direction::Writes(Unit::neuron(0, 999)), strength: 1.0 };
    assert!(refuse(Intervention::new(&Site::block(0, BlockPoint::ResidPre), write)).contains("999"));
}

/// A directional derivative by central differences, through an intervention that adds `±h·direction`.
fn finite_difference(
    model: &Transformer,
    batch: &Batch,
    site: &Site,
    direction: &[f32],
    objective: &dyn Fn(&Tensor) -> f64,
) -> f64 {
    let h = 1e-5;
    let shifted = |strength: f64| {
        let list = [Intervention::new(site, Edit::Add { direction: Direction::Values(direction.to_vec()), strength })];
        objective(&changed(model, batch, &list, &Traces::new()))
    };
    (shifted(h) - shifted(-h)) / (2.0 * h)
}

#[test]
fn gradients_agree_with_finite_differences_at_every_kind_of_site() {
    for name in ["gpt2", "gpt_neox", "opt_post_ln", "llama", "qwen3", "gemma3", "bert"] {
        // In f64, so that the differences are not drowned by rounding.
        let model = tiny(name, Kind::Double);
        let batch = batch(name);
        let scalar = |logits: &Tensor| logits.select(1, -1).select(0, 0).narrow(0, 3, 9).tanh().sum(None::<Kind>);
        let mut tap = GradientTap::new(vec![glob("*")]);
        let out = logits(&model, &batch, &mut tap);
        let gradients = tap.gradients(&scalar(&out)).unwrap();
        assert_eq!(gradients.len(), model.sites().len());
        for spec in model.sites() {
            if spec.axes == SiteAxes::Pattern || spec.site.layer().is_some_and(|layer| layer > 1) {
                continue; // Patterns have no fixed last axis to add a direction to; two layers say it all.
            }
            let gradient = &gradients[&spec.site];
            let width = *gradient.size().last().unwrap();
            let direction: Vec<f32> = (0..width).map(|i| (i as f32 + 0.5).cos()).collect();
            let d = Tensor::from_slice(&direction).to_kind(Kind::Double);
            let expected = (gradient * d).sum(None::<Kind>).double_value(&[]);
            let found = finite_difference(&model, &batch, &spec.site, &direction, &|out| scalar(out).double_value(&[]));
            let error = (expected - found).abs();
            assert!(error < 1e-5 * (1.0 + found.abs()), "{name} {}: {expected} against {found}", spec.site);
        }
    }
}

#[test]
fn gradients_say_when_there_is_nothing_to_differentiate() {
    let model = tiny("gpt2", Kind::Float);
    let mut tap = GradientTap::new(vec![glob("blocks.1.mlp.hook_post")]);
    let out = logits(&model, &batch("gpt2"), &mut tap);
    assert!(tap.gradients(&out).unwrap_err().to_string().contains("single number"));
    assert!(tap.gradients(&Tensor::from(1.0f32)).unwrap_err().to_string().contains("none of the tracked sites"));
    // The first position's activations of a causal model do not depend on the last one's, so their gradient is zero.
    let scalar = out.select(1, 0).sum(None::<Kind>);
    let gradient = tap.gradients(&scalar).unwrap().remove(&Site::block(1, BlockPoint::MlpPost)).unwrap();
    assert_eq!(gradient.narrow(1, 1, 12).abs().max().double_value(&[]), 0.0);
    assert!(gradient.narrow(1, 0, 1).abs().max().double_value(&[]) > 0.0);
}

#[test]
fn cached_steps_equal_one_whole_pass() {
    for name in reference_names().into_iter().filter(|name| name != "bert") {
        let model = tiny(&name, Kind::Float);
        let tokens: Vec<u32> = (5..17).collect();
        let whole = Batch::single(&tokens).unwrap();
        let expected = logits(&model, &whole, &mut NoTap);
        let mut cache = KvCache::new(model.blocks.len());
        let mut tap = Capture::new(vec![glob("*")]);
        for piece in [&tokens[..5], &tokens[5..6], &tokens[6..9], &tokens[9..]] {
            let at = cache.len();
            let options = ForwardOptions { logits: true, cache: Some(&mut cache), ..ForwardOptions::default() };
            let out = model.forward(&Batch::single(piece).unwrap(), &mut tap, options).unwrap().unwrap();
            let same = (out - expected.narrow(1, at, piece.len() as i64)).abs().max().double_value(&[]) < 1e-5;
            assert!(same, "{name}: from position {at}");
        }
        // What was captured step by step is what one pass captures.
        let (steps, once) = (tap.into_trace(vec![]).unwrap(), capture(&model, &whole, "*"));
        for (site, value) in &once.sites {
            let scores = site.point() == Some(BlockPoint::AttnScores);
            let difference = (steps.get(site).unwrap() - value).abs();
            // Masked scores are −∞ in one pass and absent in steps.
            let difference = if scores { difference.masked_fill(&value.isinf(), 0.0) } else { difference };
            assert!(difference.max().double_value(&[]) < 1e-4, "{name}: {site}");
        }
    }
}

#[test]
fn generation_is_seeded_stops_where_told_and_feels_interventions() {
    let model = tiny("qwen2", Kind::Float);
    let prompt = [5, 6, 7];
    let run = |options: &GenerateOptions, tap: &mut dyn Tap, seed| {
        generate(&model, &prompt, options, tap, &RunContext::new(seed), &mut |_| {}).unwrap()
    };
    let greedy = GenerateOptions { max_tokens: 8, ..GenerateOptions::default() };
    let first = run(&greedy, &mut NoTap, 0);
    assert_eq!(first.steps.len(), 8);
    let mut row = prompt.to_vec();
    for step in &first.steps {
        let out = logits(&model, &Batch::single(&row).unwrap(), &mut NoTap);
        assert_eq!(out.select(1, -1).argmax(-1, false).int64_value(&[0]), i64::from(step.token));
        row.push(step.token);
    }
    let random =
        GenerateOptions { sampling: Sampling::Random { temperature: 3.0, top_k: 0, top_p: 1.0 }, ..greedy.clone() };
    assert_eq!(run(&random, &mut NoTap, 1), run(&random, &mut NoTap, 1));
    assert_ne!(run(&random, &mut NoTap, 1).tokens(), run(&random, &mut NoTap, 2).tokens());
    let stop = GenerateOptions { stop: vec![first.steps[2].token], ..greedy.clone() };
    let stopped = run(&stop, &mut NoTap, 0);
    let until = first.steps.iter().position(|step| step.token == first.steps[2].token).unwrap();
    assert_eq!((stopped.stop, stopped.steps.len()), (Stop::StopToken, until));
    let long = run(&GenerateOptions { max_tokens: 500, ..greedy.clone() }, &mut NoTap, 0);
    assert_eq!((long.stop, long.steps.len() + prompt.len()), (Stop::Context, model.dims.n_ctx + 1));

    // Steering towards one token while generating: it is all that comes out; the prompt is left alone.
    let steer = Edit::Add { direction: Direction::Token(42), strength: 500.0 };
    let list = [Intervention::new(&Site::block(1, BlockPoint::ResidPost), steer)];
    let traces = Traces::new();
    let steered = run(&greedy, &mut Edits::new(&model, &list, &traces).unwrap(), 0);
    assert!(steered.tokens().iter().all(|token| *token == 42), "{:?}", steered.tokens());
    let late = [list[0].clone().at(Positions::Generated)];
    let late = run(&greedy, &mut Edits::new(&model, &late, &traces).unwrap(), 0);
    assert_eq!(late.steps[0].token, first.steps[0].token);
    assert_eq!(late.steps[1].token, 42);
}

#[test]
fn impossible_passes_are_refused() {
    let model = tiny("gpt2", Kind::Float);
    let run = |batch: &Batch| {
        model.forward(batch, &mut NoTap, ForwardOptions::logits()).err().map(|e| e.to_string()).unwrap()
    };
    assert!(run(&Batch::single(&[96]).unwrap()).contains("vocabulary of 96"));
    assert!(run(&Batch::single(&[1; 65]).unwrap()).contains("context holds 64"));
    assert!(matches!(Batch::single(&[]), Err(ProbeError::NoTokens)));
    let refused = preflight(&model, &[glob("blocks.0.mlp.hook_pst")], (1, 4), false, None).unwrap_err().to_string();
    assert!(refused.contains("golgi inspect"), "{refused}");
    let refused = preflight(&model, &[glob("blocks.9.mlp.hook_post")], (1, 4), false, None).unwrap_err().to_string();
    assert!(refused.contains("2 layers"), "{refused}");
    let refused = preflight(&model, &[glob("*")], (1, 4), false, Some(1000)).unwrap_err().to_string();
    assert!(refused.contains("1.0 kB") && refused.contains("fewer sites"), "{refused}");
}

#[test]
fn fused_attention_is_close_and_only_used_when_asked_for() {
    for name in reference_names() {
        let model = tiny(&name, Kind::Float);
        let plain = logits(&model, &batch(&name), &mut NoTap);
        let options = ForwardOptions { fused_attention: true, ..ForwardOptions::logits() };
        let fused = model.forward(&batch(&name), &mut NoTap, options).unwrap().unwrap();
        assert!((fused - plain).abs().max().double_value(&[]) < 1e-4, "{name}");
    }
}

#[test]
fn traces_survive_a_round_trip_and_leave_nothing_half_written() {
    let model = tiny("gemma2", Kind::Float);
    let folder = tempfile::tempdir().unwrap();
    let mut trace = capture(&model, &batch("gemma2"), "*");
    trace.tokens = vec![vec![4, 5, 6], vec![7]];
    let path = folder.path().join("t.safetensors");
    trace.save(&path).unwrap();
    let read = Trace::load(&path).unwrap();
    assert_eq!(read.tokens, vec![vec![4, 5, 6], vec![7, 0, 0]]);
    assert_eq!(read.sites.len(), trace.sites.len());
    for (site, value) in &trace.sites {
        assert!(read.get(site).unwrap().equal(value), "{site}");
    }
    let error = trace.save(&folder.path().join("missing/t.safetensors")).unwrap_err().to_string();
    assert!(error.contains("could not be written"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
