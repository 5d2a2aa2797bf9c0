//! Token-suppressing detectors (Voita et al., arXiv 2309.04827): detectors that lower the logits of their own triggers.
//!
//! Score: the mean over a detector's triggers of `W_U w_out` (folded and centred, see [`super::weights`]), in standard deviations over the
//! vocabulary; times −1 where its activations are mostly negative. Suppressing if negative.
//! Null: the same for as many random places of the corpus, 20 draws per detector.

use rand::Rng;

use super::detectors::Trigger;
use super::outcome::{Finding, Null, Outcome};
use super::weights::Vocabulary;
use crate::distribution::floats;
use crate::error::Result;
use golgi_probes::Tensor;

const FAMILY: &str = "suppressing detector";
const DRAWS: usize = 20;

/// A token detector with what it writes.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    /// Its id.
    pub unit: u32,
    /// What it writes, `[d_model]`.
    pub written: Tensor,
    /// Standard deviation of its logits over the vocabulary.
    pub spread: f64,
    /// 1, or −1 where its activations are mostly negative.
    pub sign: f64,
    /// Its triggers.
    pub triggers: Vec<&'a Trigger>,
}

fn score(vocabulary: &Vocabulary, neuron: &Candidate, tokens: &[u32]) -> Result<f64> {
    let logits = floats(&vocabulary.rows(tokens)?.f_mv(&neuron.written)?)?;
    let mean = logits.iter().map(|logit| f64::from(*logit)).sum::<f64>() / logits.len().max(1) as f64;
    Ok(neuron.sign * mean / neuron.spread.max(1e-20))
}

/// The suppressing ones among token detectors. `tokens` are those of the corpus, one per place.
pub(crate) fn find(
    detectors: &[Candidate],
    vocabulary: &Vocabulary,
    tokens: &[u32],
    rng: &mut impl Rng,
) -> Result<Outcome> {
    let mut outcome = Outcome::new(FAMILY, detectors.len());
    let (mut tested, mut passed) = (0, 0);
    for neuron in detectors {
        let own: Vec<u32> = neuron.triggers.iter().filter_map(|trigger| trigger.ids.last().copied()).collect();
        if own.is_empty() {
            continue;
        }
        let found = score(vocabulary, neuron, &own)?;
        if found < 0.0 {
            let texts = neuron.triggers.iter().take(5).map(|trigger| format!("`{}`", trigger.text));
            let texts = texts.collect::<Vec<_>>().join(", ");
            outcome.findings.push(Finding {
                unit: neuron.unit,
                family: FAMILY,
                kind: String::new(),
                score: found as f32,
                threshold: 0.0,
                evidence: format!("logits of its triggers {texts}: {found:+.2} standard deviations"),
            });
        }
        for _ in 0..if tokens.is_empty() { 0 } else { DRAWS } {
            let drawn: Vec<u32> = own.iter().map(|_| tokens[rng.random_range(0..tokens.len())]).collect();
            tested += 1;
            passed += usize::from(score(vocabulary, neuron, &drawn)? < 0.0);
        }
    }
    let about = format!("the logits of as many random tokens of the corpus, {DRAWS} draws per detector");
    outcome.null = Some(Null { about, tested, passed });
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::planted::large_vocabulary;
    use super::*;

    #[test]
    fn the_sign_of_the_trigger_decides() {
        let model = large_vocabulary(1);
        let vocabulary = Vocabulary::new(&model).unwrap().unwrap();
        let trigger = |token: u32| Trigger { ids: vec![token], text: token.to_string(), fired: 9, occurs: 9 };
        let triggers = [trigger(5), trigger(60), trigger(5)];
        // Writes its trigger's row; takes it away; takes it away, but is negative when it is active.
        let neurons: Vec<Candidate> = [(5, 1.0, 1.0), (60, -1.0, 1.0), (5, -1.0, -1.0)]
            .into_iter()
            .zip(&triggers)
            .enumerate()
            .map(|(unit, ((token, factor, sign), trigger))| Candidate {
                unit: unit as u32,
                written: vocabulary.rows(&[token]).unwrap().get(0) * factor,
                spread: 1.0,
                sign,
                triggers: vec![trigger],
            })
            .collect();
        let tokens: Vec<u32> = (0..400).collect();
        let found = find(&neurons, &vocabulary, &tokens, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        assert_eq!(found.findings.iter().map(|f| f.unit).collect::<Vec<_>>(), [1]);
        let null = found.null.unwrap();
        assert!(null.tested == 60 && (12..48).contains(&null.passed), "{null:?}");
    }
}
