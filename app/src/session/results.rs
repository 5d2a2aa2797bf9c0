//! What is computed from the prompt: one slot per kind of result.

use golgi_analysis::prompt::attention::AttentionMaps;
use golgi_analysis::prompt::attribution::Attribution;
use golgi_analysis::prompt::effect::Effect;
use golgi_analysis::prompt::logit_lens::LogitLens;
use golgi_analysis::prompt::token_stats::TokenStats;
use golgi_analysis::units::page::UnitPage;
use golgi_analysis::units::table::NeuronTable;

use super::loadable::Loadable;

/// The kinds of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResultKind {
    /// Loss, probability, rank and entropy of each token, and the next-token table.
    TokenStats,
    /// Predictions at every depth.
    LogitLens,
    /// Attention patterns.
    AttentionMaps,
    /// All neurons at the selected token.
    NeuronTable,
    /// The page of the selected unit.
    UnitPage,
    /// What the interventions change.
    Effect,
    /// The logit as a sum over everything that writes.
    Attribution,
    /// What the open atlas knows of the selected unit.
    AtlasPage,
    /// The documents of the open atlas.
    Corpus,
    /// The selected unit's activation over the document that is being read.
    Painted,
    /// The selected unit's activation over a text of the user.
    Trial,
    /// The latents of the open dictionary that the prompt makes active.
    PromptFeatures,
    /// A continuation with changed latents, beside one without and a control.
    Steering,
    /// The picture as a convolutional network sees it, with its classes.
    Picture,
    /// The maps of a site over the picture.
    ChannelMaps,
    /// The pictures that excite the channels of a site most.
    BestPictures,
}

impl ResultKind {
    /// Every kind, the quickest to compute first.
    pub const ALL: &'static [ResultKind] = &[
        ResultKind::TokenStats,
        ResultKind::Effect,
        ResultKind::LogitLens,
        ResultKind::AttentionMaps,
        ResultKind::NeuronTable,
        ResultKind::UnitPage,
        ResultKind::Attribution,
        ResultKind::AtlasPage,
        ResultKind::Corpus,
        ResultKind::Painted,
        ResultKind::Trial,
        ResultKind::PromptFeatures,
        ResultKind::Steering,
        ResultKind::Picture,
        ResultKind::ChannelMaps,
        ResultKind::BestPictures,
    ];

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            ResultKind::TokenStats => "Token statistics",
            ResultKind::LogitLens => "Logit lens",
            ResultKind::AttentionMaps => "Attention patterns",
            ResultKind::NeuronTable => "Neuron table",
            ResultKind::UnitPage => "Unit page",
            ResultKind::Effect => "Effect of interventions",
            ResultKind::Attribution => "Logit attribution",
            ResultKind::AtlasPage => "Page of the atlas",
            ResultKind::Corpus => "Documents of the atlas",
            ResultKind::Painted => "Activation over the document",
            ResultKind::Trial => "Activation over your text",
            ResultKind::PromptFeatures => "Features of the prompt",
            ResultKind::Steering => "Steering",
            ResultKind::Picture => "Classes of the picture",
            ResultKind::ChannelMaps => "Maps of the channels",
            ResultKind::BestPictures => "Best pictures",
        }
    }

    /// Whether the result is about the selected token.
    pub fn follows_token(self) -> bool {
        matches!(self, ResultKind::NeuronTable | ResultKind::Effect | ResultKind::Attribution)
    }
}

/// The results, each in its state.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// See [`ResultKind::TokenStats`].
    pub stats: Loadable<TokenStats>,
    /// See [`ResultKind::LogitLens`].
    pub lens: Loadable<LogitLens>,
    /// See [`ResultKind::AttentionMaps`].
    pub attention: Loadable<AttentionMaps>,
    /// See [`ResultKind::NeuronTable`].
    pub neurons: Loadable<NeuronTable>,
    /// See [`ResultKind::UnitPage`].
    pub unit: Loadable<UnitPage>,
    /// See [`ResultKind::Effect`]. Empty where no intervention is on.
    pub effect: Loadable<Effect>,
    /// See [`ResultKind::Attribution`].
    pub attribution: Loadable<Attribution>,
}
