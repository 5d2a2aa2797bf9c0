//! Taps: the one way to look into a forward pass and to change it.
//!
//! A pass asks its tap once, before it starts, which sites it [`wants`](Tap::wants). It then hands the tensor at each
//! of these to [`visit`](Tap::visit) and goes on with what comes back. Capturing, intervening, taking gradients and
//! stopping early are all this one mechanism; it lives for one call, and nothing is global.

use golgi_data::site::Site;
use tch::Tensor;

use crate::error::Result;

/// What a tap is told when a pass begins.
#[derive(Debug, Clone, Copy)]
pub struct PassInfo<'a> {
    /// Sequences in the batch.
    pub batch: i64,
    /// Positions computed in this pass.
    pub pos: i64,
    /// Positions that a key-value cache holds already: the absolute position of this pass's first token.
    pub offset: i64,
    /// Length of the prompt while generating; equal to `pos` in a plain pass.
    pub prompt_len: i64,
    /// True where a token is real, `[batch, pos]`; `None` when all are.
    pub mask: Option<&'a Tensor>,
}

/// Reads and changes activations during one or several forward passes.
pub trait Tap {
    /// Whether [`visit`](Tap::visit) is to be called at `site`. Work for sites that nobody wants is not done.
    fn wants(&self, site: &Site) -> bool;

    /// Called with the activation at a wanted site; the pass goes on with the tensor that is returned.
    ///
    /// # Errors
    /// Any error ends the pass.
    fn visit(&mut self, site: &Site, activation: Tensor) -> Result<Tensor>;

    /// Called before the first site of each pass.
    ///
    /// # Errors
    /// Any error ends the pass before it starts.
    fn begin(&mut self, _pass: &PassInfo<'_>) -> Result<()> {
        Ok(())
    }

    /// Whether the pass must record a graph for gradients.
    fn needs_grad(&self) -> bool {
        false
    }
}

/// The tap that wants nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoTap;

impl Tap for NoTap {
    fn wants(&self, _site: &Site) -> bool {
        false
    }

    fn visit(&mut self, _site: &Site, activation: Tensor) -> Result<Tensor> {
        Ok(activation)
    }
}

/// Several taps, one behind the other: each sees what the one before it returned. Put interventions before captures to
/// capture what the model goes on with.
#[derive(Default)]
pub struct Stack<'a> {
    taps: Vec<&'a mut dyn Tap>,
}

impl<'a> Stack<'a> {
    /// An empty stack, which wants nothing.
    pub fn new() -> Stack<'a> {
        Stack::default()
    }

    /// The same stack with `tap` behind the others.
    #[must_use]
    pub fn with(mut self, tap: &'a mut dyn Tap) -> Stack<'a> {
        self.taps.push(tap);
        self
    }
}

impl Tap for Stack<'_> {
    fn wants(&self, site: &Site) -> bool {
        self.taps.iter().any(|tap| tap.wants(site))
    }

    fn visit(&mut self, site: &Site, mut activation: Tensor) -> Result<Tensor> {
        for tap in &mut self.taps {
            if tap.wants(site) {
                activation = tap.visit(site, activation)?;
            }
        }
        Ok(activation)
    }

    fn begin(&mut self, pass: &PassInfo<'_>) -> Result<()> {
        self.taps.iter_mut().try_for_each(|tap| tap.begin(pass))
    }

    fn needs_grad(&self) -> bool {
        self.taps.iter().any(|tap| tap.needs_grad())
    }
}
