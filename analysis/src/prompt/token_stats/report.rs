//! What the token statistics found.

use serde::{Deserialize, Serialize};

use crate::prompt::{Candidate, candidate_table};
use crate::report::{Fact, Figure, Provenance, Report, Table, number, optional};

/// How well the model predicted one token from those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenStat {
    /// The token.
    pub id: u32,
    /// Its text, for display.
    pub text: String,
    /// `−ln p(token | earlier tokens)`, nats; `None` for the first token, which nothing predicts.
    pub loss: Option<f32>,
    /// `p(token | earlier tokens)`.
    pub prob: Option<f32>,
    /// How many tokens of the vocabulary were more probable; 0 is the best.
    pub rank: Option<u32>,
    /// Entropy of the distribution over the *next* token, nats.
    pub entropy: f32,
}

/// Statistics of every token of a prompt, and what comes next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenStats {
    /// One entry per position.
    pub tokens: Vec<TokenStat>,
    /// Mean of the losses, nats per token; `None` for a single token.
    pub mean_loss: Option<f32>,
    /// The most probable next tokens at every position: `next[pos]`, most probable first.
    pub next: Vec<Vec<Candidate>>,
}

/// The common form.
pub fn report(stats: &TokenStats, provenance: Provenance) -> Report {
    let mut report = Report::new("token_stats", "Token statistics", provenance);
    if let Some(loss) = stats.mean_loss {
        report
            .summary
            .push(Fact::new("mean loss", number(loss)).by("mean of −ln p(token | earlier tokens), nats per token"));
        report.summary.push(Fact::new("perplexity", number(loss.exp())).by("exp(mean loss)"));
    } else {
        report.warnings.push("no token was predicted from earlier ones, so there is no loss".to_owned());
    }
    if let Some(best) = stats.next.last().and_then(|top| top.first()) {
        report.summary.push(Fact::new("next token", best.text.clone()));
        report.summary.push(Fact::new("next token probability", number(best.prob)));
    }
    let row = |(pos, token): (usize, &TokenStat)| {
        vec![
            pos.into(),
            token.id.into(),
            token.text.clone().into(),
            optional(token.loss),
            optional(token.prob),
            token.rank.into(),
            number(token.entropy),
        ]
    };
    report.tables.push(Table {
        name: "tokens".into(),
        columns: ["position", "id", "token", "loss (nats)", "probability", "rank", "entropy (nats)"]
            .map(String::from)
            .to_vec(),
        rows: stats.tokens.iter().enumerate().map(row).collect(),
    });
    report.tables.extend(stats.next.last().map(|top| candidate_table("next", top)));
    report.figures.push(Figure::Tokens {
        title: "Loss (nats)".into(),
        tokens: stats.tokens.iter().map(|token| token.text.clone()).collect(),
        values: stats.tokens.iter().map(|token| token.loss).collect(),
        signed: false,
    });
    report
}
