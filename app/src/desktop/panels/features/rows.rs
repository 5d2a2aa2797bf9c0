//! The rows of the table: active latents, filtered and sorted once per change.

use std::sync::Arc;

use golgi_analysis::sae::{ActiveLatent, PromptFeatures};

use crate::desktop::widgets::virtual_table::Sort;

/// A latent at a token.
pub struct Row {
    /// The token's position.
    pub position: usize,
    /// The latent.
    pub active: ActiveLatent,
}

/// The rows of one result in one order.
pub struct Rows {
    features: Arc<PromptFeatures>,
    token: Option<usize>,
    sort: Sort,
    list: Vec<Row>,
}

impl Rows {
    /// The latents of one token, or of all.
    pub fn new(features: &Arc<PromptFeatures>, token: Option<usize>, sort: Sort) -> Rows {
        let positions = features.active.iter().enumerate().filter(|(position, _)| token.is_none_or(|t| t == *position));
        let mut list: Vec<Row> = positions
            .flat_map(|(position, row)| row.iter().map(move |active| Row { position, active: *active }))
            .collect();
        let key = |row: &Row| match sort.column {
            0 => row.position as f32,
            2 => row.active.activation,
            // What speaks most, for or against.
            3 => row.active.attribution.abs(),
            4 => row.active.loss_effect.abs(),
            _ => row.active.latent as f32,
        };
        list.sort_by(|a, b| {
            let order = key(a).total_cmp(&key(b));
            let order = if sort.descending { order.reverse() } else { order };
            order.then(a.position.cmp(&b.position)).then(a.active.latent.cmp(&b.active.latent))
        });
        Rows { features: Arc::clone(features), token, sort, list }
    }

    /// Whether these are the rows of that.
    pub fn is_of(&self, features: &Arc<PromptFeatures>, token: Option<usize>, sort: Sort) -> bool {
        Arc::ptr_eq(&self.features, features) && self.token == token && self.sort == sort
    }

    /// The rows.
    pub fn list(&self) -> &[Row] {
        &self.list
    }

    /// What they are from.
    pub fn features(&self) -> &PromptFeatures {
        &self.features
    }

    /// The largest activation, |attribution| and |loss effect|, never 0.
    pub fn most(&self) -> [f32; 3] {
        let of = |value: fn(&ActiveLatent) -> f32| {
            self.list.iter().map(|row| value(&row.active).abs()).fold(f32::MIN_POSITIVE, f32::max)
        };
        [of(|one| one.activation), of(|one| one.attribution), of(|one| one.loss_effect)]
    }
}
