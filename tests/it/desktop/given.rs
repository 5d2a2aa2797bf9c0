//! Plain data for the panels around the prompt: statistics, an effect, a model with every kind of site.

use golgi::session::document::{BlockParameters, Document, ModelInfo, SiteInfo};
use golgi::session::loadable::Loadable;
use golgi_analysis::prompt::Candidate;
use golgi_analysis::prompt::effect::{Effect, EffectRow};
use golgi_analysis::prompt::token_stats::{TokenStat, TokenStats};
use golgi_data::site::{BlockPoint, Site};
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Edit, Intervention};

use super::stage::{LAYERS, TOKENS, computed, opened};

/// Token `i` has the id `10 + i`; behind every token, ` down` follows with 50 %.
pub fn stats() -> TokenStats {
    let token = |i: usize| TokenStat {
        id: 10 + i as u32,
        text: TOKENS[i].to_owned(),
        loss: (i > 0).then_some(i as f32),
        prob: (i > 0).then(|| (-(i as f32)).exp()),
        rank: (i > 0).then_some(i as u32),
        entropy: 2.0,
    };
    let candidate = |id, text: &str, prob| Candidate { id, text: text.to_owned(), prob, logit: 1.0 };
    let next = vec![candidate(14, " down", 0.5), candidate(99, "\u{202e}up", 0.25)];
    TokenStats { tokens: (0..TOKENS.len()).map(token).collect(), mean_loss: Some(2.5), next: vec![next; TOKENS.len()] }
}

/// ` down` falls from 50 % to 10 %.
pub fn effect() -> Effect {
    let row = |text: &str, before, after| EffectRow {
        id: 14,
        text: text.to_owned(),
        before,
        after,
        logit_before: 2.0,
        logit_after: 1.0,
    };
    Effect {
        position: 4,
        rows: vec![row(" down", 0.5, 0.1), row(" up", 0.25, 0.6)],
        kl: 0.75,
        kl_by_position: vec![0.0, 0.1, 0.2, 0.3, 0.75],
        loss_before: Some(2.5),
        loss_after: Some(3.0),
    }
}

/// A change of head 1.1.
pub fn ablation() -> Intervention {
    Intervention::of_unit(&Unit::head(1, 1), Edit::Zero)
}

/// A model with sites outside and inside blocks, and names of the hub.
pub fn model() -> ModelInfo {
    let site = |site: Site, shape: &str, about, alias: Option<String>, units, has_heads, is_residual| SiteInfo {
        site,
        shape: shape.to_owned(),
        about: std::borrow::Cow::Borrowed(about),
        alias,
        units,
        has_heads,
        is_residual,
    };
    let mut sites = vec![site(
        Site::Embed,
        "[batch, pos, 8]",
        "token embedding",
        Some("model.embed_tokens".into()),
        8,
        false,
        true,
    )];
    for layer in 0..LAYERS as u32 {
        let alias = |rest: &str| Some(format!("model.layers.{layer}{rest}"));
        let at = |point| Site::block(layer, point);
        sites.push(site(
            at(BlockPoint::Q),
            "[batch, pos, 2, 4]",
            "queries",
            alias(".self_attn.q_proj"),
            2,
            true,
            false,
        ));
        sites.push(site(at(BlockPoint::Z), "[batch, pos, 2, 4]", "values mixed", None, 2, true, false));
        sites.push(site(at(BlockPoint::MlpPost), "[batch, pos, 40]", "neuron activations", None, 40, false, false));
        sites.push(site(at(BlockPoint::ResidPost), "[batch, pos, 8]", "residual stream", alias(""), 8, false, true));
    }
    sites.push(site(Site::Logits, "[batch, pos, 16]", "logits", Some("lm_head".into()), 16, false, false));
    let blocks = vec![BlockParameters { attn: 1000, mlp: 2000, norms: 34 }; LAYERS];
    let tiny = opened();
    let base = tiny.model().expect("the stage's model is open").clone();
    ModelInfo { sites, embedding_parameters: 1_500_000, block_parameters: blocks, head_parameters: 16, ..base }
}

/// Model and text, and everything that is computed of them.
pub fn everything() -> Document {
    let mut document = computed();
    document.model = Loadable::ready(model());
    document.results.stats = Loadable::ready(stats());
    document
}

/// The same with an intervention and its effect.
pub fn changed() -> Document {
    let mut document = everything();
    document.interventions = vec![ablation()];
    document.results.effect = Loadable::ready(effect());
    document
}
