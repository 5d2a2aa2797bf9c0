//! Where within a site an intervention acts.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::tap::PassInfo;
use crate::transformer::SiteSpec;

/// Positions of the sequence, counted from 0 over prompt and generated tokens alike.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// All of them.
    #[default]
    All,
    /// The prompt, not what is generated after it.
    Prompt,
    /// What is generated, not the prompt. In a plain pass: nothing.
    Generated,
    /// The last position of each pass: the prompt's last token, then each generated one.
    Last,
    /// These. Negative ones count from the prompt's end: −1 is its last token.
    #[serde(untagged)]
    These(Vec<i64>),
}

/// Positions, heads and units of a site; what is not given is not restricted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Which positions (of queries, at scores and patterns).
    #[serde(default, skip_serializing_if = "is_all")]
    pub positions: Positions,
    /// Which heads, at sites that have a head axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<Vec<u32>>,
    /// Which indices of the last axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<Vec<u32>>,
}

fn is_all(positions: &Positions) -> bool {
    *positions == Positions::All
}

/// What the scope must know of a pass.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    pub pos: i64,
    pub offset: i64,
    pub prompt_len: i64,
}

impl From<&PassInfo<'_>> for Window {
    fn from(pass: &PassInfo<'_>) -> Window {
        Window { pos: pass.pos, offset: pass.offset, prompt_len: pass.prompt_len }
    }
}

impl Window {
    /// The last `held` positions alone: all that is left behind the last block when only the last logits are wanted.
    pub(crate) fn last(self, held: i64) -> Window {
        Window { pos: held, offset: self.offset + self.pos - held, ..self }
    }
}

impl Positions {
    /// The positions of this pass (counted within the pass) that are meant.
    pub(crate) fn within(&self, window: Window) -> Vec<i64> {
        let Window { pos, offset, prompt_len } = window;
        let all = 0..pos;
        match self {
            Positions::All => all.collect(),
            Positions::Prompt => all.filter(|p| p + offset < prompt_len).collect(),
            Positions::Generated => all.filter(|p| p + offset >= prompt_len).collect(),
            Positions::Last => vec![pos - 1],
            Positions::These(list) => {
                let absolute = list.iter().map(|p| if *p < 0 { prompt_len + p } else { *p });
                let mut here: Vec<i64> = absolute.map(|p| p - offset).filter(|p| (0..pos).contains(p)).collect();
                here.sort_unstable();
                here.dedup();
                here
            }
        }
    }
}

impl Scope {
    /// True where the edit acts, broadcastable to an activation of `size` at `spec`; `None` when it acts everywhere,
    /// `Some` of a mask without a true value when it acts nowhere in this pass.
    pub(crate) fn mask(&self, spec: &SiteSpec, size: &[i64], window: Window, device: Device) -> Result<Option<Tensor>> {
        let mut mask: Option<Tensor> = None;
        let mut restrict = |axis: usize, chosen: &[i64]| -> Result<()> {
            let mut shape = vec![1; size.len()];
            shape[axis] = size[axis];
            let along = Tensor::f_zeros([size[axis]], (Kind::Bool, Device::Cpu))?;
            let along = along.f_index_fill(0, &Tensor::f_from_slice(chosen)?, 1)?;
            let along = along.f_view(shape.as_slice())?.f_to_device(device)?;
            mask = Some(match mask.take() {
                Some(mask) => mask.f_logical_and(&along)?,
                None => along,
            });
            Ok(())
        };
        if self.positions != Positions::All {
            // While generating, the query axis is what this pass computes; so is the window.
            restrict(spec.pos_axis() as usize, &self.positions.within(window))?;
        }
        let wide = |list: &[u32]| list.iter().map(|index| i64::from(*index)).collect::<Vec<_>>();
        if let (Some(heads), Some(axis)) = (&self.heads, spec.head_axis()) {
            restrict(axis as usize, &wide(heads))?;
        }
        if let Some(units) = &self.units {
            restrict(size.len() - 1, &wide(units))?;
        }
        Ok(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_over_prompt_and_generation() {
        let prompt = Window { pos: 5, offset: 0, prompt_len: 5 };
        let step = Window { pos: 1, offset: 6, prompt_len: 5 };
        assert_eq!(Positions::These(vec![-1, 0, 9]).within(prompt), vec![0, 4]);
        assert_eq!(Positions::These(vec![6]).within(step), vec![0]);
        assert_eq!(Positions::Prompt.within(step), Vec::<i64>::new());
        assert_eq!(Positions::Generated.within(step), vec![0]);
        assert_eq!(Positions::Generated.within(prompt), Vec::<i64>::new());
        assert_eq!(Positions::Last.within(prompt), vec![4]);
    }

    #[test]
    fn the_last_position_keeps_its_number() {
        let last = Window { pos: 5, offset: 2, prompt_len: 7 }.last(1);
        assert_eq!((last.pos, last.offset), (1, 6));
        assert_eq!(Positions::These(vec![-1]).within(last), vec![0]);
        assert_eq!(Positions::Last.within(last), vec![0]);
        assert_eq!(Positions::These(vec![3]).within(last), Vec::<i64>::new());
    }

    #[test]
    fn positions_are_words_or_lists() {
        assert_eq!(serde_json::from_str::<Positions>("\"last\"").unwrap(), Positions::Last);
        assert_eq!(serde_json::from_str::<Positions>("[1, -1]").unwrap(), Positions::These(vec![1, -1]));
        assert!(serde_json::from_str::<Positions>("\"lst\"").is_err());
    }
}
