//! Interventions: declared changes of activations, applied in order during a pass.
//!
//! An [`Intervention`] says where (a site glob, and within it positions, heads and units) and what ([`Edit`]). It is plain
//! data: it can be stored in a probe script, shown in a list and switched off. [`Edits`] checks a list of them against a
//! model and is the tap that applies them.
//!
//! ```
//! use golgi_probes::intervention::{Edit, Intervention};
//!
//! let text = r#"{ "site": "blocks.18.attn.hook_z", "heads": [6], "edit": "zero" }"#;
//! let ablation: Intervention = serde_json::from_str(text)?;
//! assert_eq!(ablation.edit, Edit::Zero);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod apply;
mod scope;

use golgi_data::site::SitePattern;
use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

pub use apply::{Edits, Traces};
pub use scope::{Positions, Scope};

/// One declared change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervention {
    /// Which sites.
    pub site: SitePattern,
    /// What is done there.
    #[serde(flatten)]
    pub edit: Edit,
    /// Which positions, heads and units of the sites.
    #[serde(flatten)]
    pub scope: Scope,
    /// Whether it is applied.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// A name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_true(value: &bool) -> bool {
    *value
}

/// What is done to the activation `x`, elementwise over the scope. Sites with heads count `[…, head, d_head]`; "unit" is an index
/// of the last axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Edit {
    /// `x ← 0`.
    Zero,
    /// `x ← mean`: over the real positions and sequences of a stored trace, or without one of this very pass.
    Mean {
        /// Name of the trace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
    },
    /// `x ← value`.
    Set {
        /// One number for all.
        value: f64,
    },
    /// `x ← factor · x`.
    Scale {
        /// The factor.
        factor: f64,
    },
    /// `x ← x + strength · direction`.
    Add {
        /// The direction along the last axis.
        direction: Direction,
        /// How much of it.
        #[serde(default = "one")]
        strength: f64,
    },
    /// `x ← min(max(x, min), max)`.
    Clamp {
        /// Lower bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// Upper bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// `x ← ` the same site, position, head and unit of a stored trace. Position `p` takes the trace's position `p`; the
    /// positions of the scope must exist there.
    Patch {
        /// Name of the trace.
        trace: String,
    },
    /// `x ← x − (x·d / d·d) d`: the part along `direction` is removed.
    ProjectOut {
        /// The direction along the last axis.
        direction: Direction,
    },
}

fn one() -> f64 {
    1.0
}

impl Edit {
    /// One word for lists.
    pub fn name(&self) -> &'static str {
        match self {
            Edit::Zero => "zero",
            Edit::Mean { .. } => "mean",
            Edit::Set { .. } => "set",
            Edit::Scale { .. } => "scale",
            Edit::Add { .. } => "add",
            Edit::Clamp { .. } => "clamp",
            Edit::Patch { .. } => "patch",
            Edit::ProjectOut { .. } => "project_out",
        }
    }
}

/// A direction in the space of a site's last axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The numbers themselves.
    Values(Vec<f32>),
    /// What this neuron writes into the residual stream, scaled to length 1.
    Writes(Unit),
    /// The unembedding of this token id, scaled to length 1.
    Token(u32),
}

impl Intervention {
    /// `edit` at every position, head and unit of `site`.
    pub fn new(site: impl Into<SitePattern>, edit: Edit) -> Intervention {
        Intervention { site: site.into(), edit, scope: Scope::default(), enabled: true, label: String::new() }
    }

    /// `edit` of one unit: a neuron, a head or a residual dimension, as its address says.
    pub fn of_unit(unit: &Unit, edit: Edit) -> Intervention {
        use golgi_data::site::BlockPoint as P;
        let by_head = matches!(
            unit.site.point(),
            Some(P::Q | P::K | P::V | P::RotQ | P::RotK | P::Z | P::Result | P::Pattern | P::AttnScores)
                | Some(P::QNormNormalized | P::KNormNormalized | P::QNormScale | P::KNormScale)
        );
        let mut intervention = Intervention::new(&unit.site, edit);
        let index = Some(vec![unit.index]);
        if by_head {
            intervention.scope.heads = index;
        } else {
            intervention.scope.units = index;
        }
        intervention.label = format!("{} {}", intervention.edit.name(), unit.short());
        intervention
    }

    /// The same, at these positions only.
    #[must_use]
    pub fn at(mut self, positions: Positions) -> Intervention {
        self.scope.positions = positions;
        self
    }

    /// The label, or a description where there is none.
    pub fn title(&self) -> String {
        if self.label.is_empty() { format!("{} {}", self.edit.name(), self.site) } else { self.label.clone() }
    }
}
