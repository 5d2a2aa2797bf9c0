//! A neuron that carries what is said of it, and one beside it that does not.

use golgi_data::unit::Unit;
use golgi_probes::OpenModel;

use super::super::scores::{Bench, Candidate, Experiment, measure};
use super::*;
use crate::families::planted::{Size, blank, zeros};

const VOCABULARY: i64 = 12;

/// The stream holds the token one-hot, then what the unembedding reads. Every token is followed by token 10, unless neuron 0 fires,
/// which it does on tokens 1 to 4: then by token 11. Neuron 1 fires on tokens 2 and 6 and says nothing.
fn model() -> OpenModel {
    let size = Size { layers: 1, width: 2 * VOCABULARY, heads: 1, mlp: 4, vocabulary: VOCABULARY, context: 40 };
    let (tokens, unembed) = (zeros(&[VOCABULARY, size.width]), zeros(&[VOCABULARY, size.width]));
    for token in 0..VOCABULARY {
        let _ = tokens.get(token).get(token).fill_(1.0);
        let _ = tokens.get(token).get(VOCABULARY + 10).fill_(0.5);
        let _ = unembed.get(token).get(VOCABULARY + token).fill_(1.0);
    }
    let model = blank(size, tokens, zeros(&[size.context, size.width]), unembed);
    let mlp = &model.model.blocks[0].mlp;
    for token in 1..=4 {
        let _ = mlp.pre.weight.get(0).get(token).fill_(1.0);
    }
    let _ = mlp.down.weight.get(VOCABULARY + 11).get(0).fill_(2.0);
    for token in [2, 6] {
        let _ = mlp.pre.weight.get(1).get(token).fill_(1.0);
    }
    model
}

#[test]
fn the_neuron_that_carries_it_swaps_the_output_and_its_neighbour_does_not() {
    let model = model();
    let ctx = RunContext::new(0);
    let passage = |context: u32, peak: u32| Passage {
        context,
        start: 1,
        pieces: [5, 7, peak, 8].map(|token| format!("t{token}")).to_vec(),
        values: vec![0.0, 0.0, if peak <= 4 { 4.0 } else { 0.0 }, 0.0],
        language: None,
        genre: None,
        rival: false,
    };
    let contexts = (0..24).map(|n: u32| (n, vec![0, 5, 7, if n < 8 { 1 + n % 4 } else { 6 + n % 3 }, 8])).collect();
    let all = |n: u32| passage(n, if n < 8 { 1 + n % 4 } else { 6 + n % 3 });
    let evidence =
        Evidence { negative: false, scale: 4.0, threshold: 1.2, train: vec![all(0)], test: (0..24).map(all).collect() };
    let clauses = (1..=4).map(|token| Clause {
        atom: Atom::Token { token: format!("t{token}") },
        strength: 4.0,
        fired: 1,
        occurs: 1,
    });
    let account =
        Account { text: String::new(), rule: Some(Rule { clauses: clauses.collect(), base: 0.0, negative: false }) };
    let exam = Exam::new(&evidence, 20, 0);
    let candidate =
        Candidate { evidence: &evidence, exam: &exam, account: &account, others: &[], simulated: 1, seed: 0 };
    let test = |neuron: u32| {
        let unit = Unit::neuron(0, neuron);
        let experiment = Experiment { model: &model, contexts: &contexts, unit, units: 4, ctx: &ctx };
        let mut rule = ByRule;
        measure(Score::Intervention, &candidate, &mut Bench::new(&mut rule), None, Some(&experiment)).unwrap().unwrap()
    };
    let carries = test(0);
    assert_eq!((carries["pairs"], carries["score"], carries["layer"]), (Some(8.0), Some(1.0), Some(1.0)));
    assert!((carries["moved"].unwrap() - 1.0).abs() < 1e-4, "{carries:?}");
    // None of the others does, so neither does a random one.
    assert_eq!((carries["null"], carries["moved_null"].map(|moved| moved.abs() < 0.2)), (Some(0.0), Some(true)));
    let idle = test(1);
    assert_eq!((idle["score"], idle["layer"]), (Some(0.0), Some(1.0)));
}
