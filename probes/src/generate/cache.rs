//! Keys and values of the positions that a model has seen already.

use tch::Tensor;

use crate::error::Result;

/// Keys and values of one layer, rotated, `[batch, pos, n_kv_heads, d_head]`.
#[derive(Debug, Default)]
pub struct LayerCache {
    held: Option<(Tensor, Tensor)>,
}

impl LayerCache {
    /// Appends this pass's keys and values; returns all of them.
    pub(crate) fn extend(&mut self, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor)> {
        let (k, v) = match self.held.take() {
            Some((old_k, old_v)) => (Tensor::f_cat(&[old_k, k], 1)?, Tensor::f_cat(&[old_v, v], 1)?),
            None => (k, v),
        };
        self.held = Some((k.shallow_clone(), v.shallow_clone()));
        Ok((k, v))
    }
}

/// The cache of a whole model.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<LayerCache>,
}

impl KvCache {
    /// An empty cache for a model of `n_layers` layers.
    pub fn new(n_layers: usize) -> KvCache {
        KvCache { layers: (0..n_layers).map(|_| LayerCache::default()).collect() }
    }

    /// How many positions it holds.
    pub fn len(&self) -> i64 {
        self.layers.first().and_then(|layer| layer.held.as_ref()).map_or(0, |(k, _)| k.size()[1])
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn layer(&mut self, index: usize) -> &mut LayerCache {
        &mut self.layers[index]
    }
}
