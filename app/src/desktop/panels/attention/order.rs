//! In which order heads are shown, and which.

use golgi_analysis::prompt::attention::{AttentionMaps, HeadScore};

/// What heads are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By layer, one row each.
    #[default]
    Layer,
    /// By [`HeadScore::previous`].
    Previous,
    /// By [`HeadScore::induction`].
    Induction,
    /// By [`HeadScore::duplicate`].
    Duplicate,
    /// By [`HeadScore::first`].
    First,
    /// By [`HeadScore::current`].
    Current,
    /// By [`HeadScore::entropy`], the most concentrated first.
    Entropy,
}

impl Order {
    /// All of them.
    pub const ALL: [Order; 7] = [
        Order::Layer,
        Order::Previous,
        Order::Induction,
        Order::Duplicate,
        Order::First,
        Order::Current,
        Order::Entropy,
    ];

    /// In the menu.
    pub fn name(self) -> &'static str {
        match self {
            Order::Layer => "layer",
            Order::Previous => "previous token",
            Order::Induction => "induction",
            Order::Duplicate => "duplicate token",
            Order::First => "first position",
            Order::Current => "own position",
            Order::Entropy => "entropy",
        }
    }

    /// What the score means.
    pub fn about(self) -> &'static str {
        match self {
            Order::Layer => "One row per layer",
            Order::Previous => "Mean attention to the position just before the query",
            Order::Induction => "Mean attention to what came after earlier occurrences of the query's token",
            Order::Duplicate => "Mean attention to earlier occurrences of the query's token",
            Order::First => "Mean attention to the first position",
            Order::Current => "Mean attention to the query's own position",
            Order::Entropy => "Mean entropy of a query's attention, nats; the most concentrated heads first",
        }
    }

    /// The score that this order is by; none for the order by layer.
    pub fn score(self, head: &HeadScore) -> Option<f32> {
        Some(match self {
            Order::Layer => return None,
            Order::Previous => head.previous,
            Order::Induction => head.induction,
            Order::Duplicate => head.duplicate,
            Order::First => head.first,
            Order::Current => head.current,
            Order::Entropy => head.entropy,
        })
    }
}

/// The heads of the layers `first..=last` in order, as `(layer, head)`.
pub fn heads(maps: &AttentionMaps, order: Order, (first, last): (usize, usize)) -> Vec<(usize, usize)> {
    let layers = first..last.saturating_add(1).min(maps.n_layers);
    let mut heads: Vec<(usize, usize)> =
        layers.flat_map(|layer| (0..maps.n_heads).map(move |head| (layer, head))).collect();
    let key = |&(layer, head): &(usize, usize)| {
        let score = score(maps, layer, head).and_then(|score| order.score(score)).unwrap_or(f32::NEG_INFINITY);
        if order == Order::Entropy { -score } else { score }
    };
    if order != Order::Layer {
        heads.sort_by(|a, b| key(b).total_cmp(&key(a)));
    }
    heads
}

/// A head's scores.
pub fn score(maps: &AttentionMaps, layer: usize, head: usize) -> Option<&HeadScore> {
    if head < maps.n_heads { maps.scores.get(layer * maps.n_heads + head) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps() -> AttentionMaps {
        let score = |layer, head, previous, entropy| HeadScore {
            layer,
            head,
            previous,
            duplicate: 0.0,
            induction: 0.0,
            first: 0.0,
            current: 0.0,
            entropy,
        };
        let scores = vec![score(0, 0, 0.1, 2.0), score(0, 1, 0.9, 1.0), score(1, 0, 0.5, 0.1), score(1, 1, 0.2, 3.0)];
        AttentionMaps { tokens: Vec::new(), n_layers: 2, n_heads: 2, patterns: Vec::new(), scores }
    }

    #[test]
    fn best_heads_first() {
        assert_eq!(heads(&maps(), Order::Previous, (0, 1)), [(0, 1), (1, 0), (1, 1), (0, 0)]);
        assert_eq!(heads(&maps(), Order::Entropy, (0, 1))[0], (1, 0));
        assert_eq!(heads(&maps(), Order::Layer, (1, 9)), [(1, 0), (1, 1)]);
        assert!(score(&maps(), 0, 7).is_none());
    }
}
