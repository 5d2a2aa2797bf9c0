//! One forward pass under way: which sites are wanted, which are still to come, and when to stop.

use golgi_data::site::{BlockPoint, Site};
use tch::Tensor;

use crate::error::{ProbeError, Result};
use crate::tap::Tap;

/// Why a pass ends before its last line.
pub(crate) enum Halt {
    /// All that was wanted has been visited.
    Done,
    /// It failed.
    Failed(ProbeError),
}

impl<E: Into<ProbeError>> From<E> for Halt {
    fn from(error: E) -> Halt {
        Halt::Failed(error.into())
    }
}

/// A step of a pass: a value, or the reason to stop.
pub(crate) type Flow<T> = std::result::Result<T, Halt>;

/// Which of a model's sites a tap wants, asked once so that the pass itself only tests bits.
pub(crate) struct Plan {
    /// One bit per [`BlockPoint`], for each layer.
    blocks: Vec<u64>,
    plain: Vec<Site>,
    count: usize,
}

impl Plan {
    pub(crate) fn new(sites: impl Iterator<Item = Site>, n_layers: usize, tap: &dyn Tap) -> Plan {
        let mut plan = Plan { blocks: vec![0; n_layers], plain: Vec::new(), count: 0 };
        for site in sites.filter(|site| tap.wants(site)) {
            plan.count += 1;
            match site {
                Site::Block { layer, point } => plan.blocks[layer as usize] |= 1 << point as u32,
                plain => plan.plain.push(plain),
            }
        }
        plan
    }
}

/// The state of one pass.
pub(crate) struct Pass<'a> {
    tap: &'a mut dyn Tap,
    plan: Plan,
    /// Wanted sites not yet visited.
    remaining: usize,
    /// Whether to go on to the logits when nothing is wanted any more.
    to_the_end: bool,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(tap: &'a mut dyn Tap, plan: Plan, to_the_end: bool) -> Pass<'a> {
        let remaining = plan.count;
        Pass { tap, plan, remaining, to_the_end }
    }

    /// Ends a pass that has nothing to do at all.
    pub(crate) fn start(&self) -> Flow<()> {
        if self.remaining == 0 && !self.to_the_end { Err(Halt::Done) } else { Ok(()) }
    }

    pub(crate) fn wants_block(&self, layer: u32, point: BlockPoint) -> bool {
        self.plan.blocks[layer as usize] & (1 << point as u32) != 0
    }

    pub(crate) fn wants(&self, site: &Site) -> bool {
        match site {
            Site::Block { layer, point } => self.wants_block(*layer, *point),
            plain => self.plan.plain.contains(plain),
        }
    }

    /// Hands `activation` to the tap if it wants this point of a block.
    pub(crate) fn block(&mut self, layer: u32, point: BlockPoint, activation: Tensor) -> Flow<Tensor> {
        if self.wants_block(layer, point) {
            self.hand_over(Site::Block { layer, point }, activation)
        } else {
            Ok(activation)
        }
    }

    /// Hands `activation` to the tap if it wants `site`.
    pub(crate) fn site(&mut self, site: Site, activation: Tensor) -> Flow<Tensor> {
        if self.wants(&site) { self.hand_over(site, activation) } else { Ok(activation) }
    }

    fn hand_over(&mut self, site: Site, activation: Tensor) -> Flow<Tensor> {
        let expected = activation.size();
        let answer = self.tap.visit(&site, activation)?;
        let found = answer.size();
        if found != expected {
            return Err(ProbeError::TapShape { site, expected, found }.into());
        }
        self.remaining -= 1;
        if self.remaining == 0 && !self.to_the_end { Err(Halt::Done) } else { Ok(answer) }
    }
}

/// Turns the end of a pass into a result: `None` when it stopped early because nothing more was wanted.
pub(crate) fn finish<T>(flow: Flow<T>) -> Result<Option<T>> {
    match flow {
        Ok(value) => Ok(Some(value)),
        Err(Halt::Done) => Ok(None),
        Err(Halt::Failed(error)) => Err(error),
    }
}
