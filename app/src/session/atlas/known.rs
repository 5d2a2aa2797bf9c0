//! What the columns of an atlas are called and mean.

/// A column of `units.parquet`.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its name in the file.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whether it is shown before anything was chosen.
    pub shown: bool,
}

const fn hidden(name: &'static str, title: &'static str, about: &'static str) -> Known {
    Known { name, title, about, shown: false }
}

const fn shown(name: &'static str, title: &'static str, about: &'static str) -> Known {
    Known { name, title, about, shown: true }
}

/// The columns that every atlas has, in the order in which they are offered.
pub const KNOWN: &[Known] = &[
    hidden("kind", "Kind", "Neuron, attention head or dimension of the residual stream"),
    hidden("layer", "Layer", "Its layer"),
    hidden("index", "Index", "Its index within the layer"),
    shown("family", "Families", "The families it belongs to; golgi find families looks for them"),
    shown("max", "Max", "Largest activation"),
    shown("frac_active", "Active", "Share of tokens at which it is active"),
    hidden("mean_active", "Mean if active", "Mean activation over the tokens at which it is active"),
    hidden("mean", "Mean", "Mean activation"),
    hidden("std", "Std. dev.", "Standard deviation of the activation"),
    hidden("skewness", "Skewness", "Third standardised moment of the activation"),
    shown("kurtosis", "Kurtosis", "Fourth standardised moment of the activation; 3 for a Gaussian"),
    hidden("min", "Min", "Smallest activation"),
    hidden("count", "Tokens", "How many activations were seen"),
    hidden("active_threshold", "Threshold", "From this |activation| on it counts as active"),
    hidden("q01", "1 %", "1st percentile of the activation"),
    hidden("q05", "5 %", "5th percentile"),
    hidden("q25", "25 %", "25th percentile"),
    hidden("q50", "Median", "Median of the activation"),
    hidden("q75", "75 %", "75th percentile"),
    hidden("q95", "95 %", "95th percentile"),
    hidden("q99", "99 %", "99th percentile"),
    hidden("q999", "99.9 %", "99.9th percentile"),
    shown("top_activating", "Strongest at", "Vocabulary tokens at which it is strongest on average"),
    shown("top_promoted", "Promotes", "Tokens whose logits it raises when positive"),
    hidden("top_suppressed", "Suppresses", "Tokens whose logits it lowers when positive"),
    hidden("top_language", "Language", "The language in which it is strongest on average"),
    hidden("top_genre", "Genre", "The genre in which it is strongest on average"),
    hidden("position_mi", "Position MI", "Mutual information of activity and position, in nats"),
    hidden("norm_in", "Read norm", "Length of the read vector"),
    hidden("norm_gate", "Gate norm", "Length of the gate's read vector, in a gated MLP"),
    hidden("norm_out", "Write norm", "Length of the write vector"),
    hidden("cos_in_out", "cos(in, out)", "Cosine of read and write vector"),
    hidden("cos_gate_out", "cos(gate, out)", "Cosine of the gate's read vector and the write vector"),
    hidden("bias_in", "Bias", "Bias in front of the activation function"),
    hidden("vocab_mean", "Logit mean", "Mean of the write vector's weights towards the logits"),
    hidden("vocab_var", "Logit variance", "Variance of the weights towards the logits: small for entropy neurons"),
    hidden(
        "vocab_skew",
        "Logit skewness",
        "Skewness of the weights towards the logits: positive promotes, negative suppresses",
    ),
    hidden(
        "vocab_kurt",
        "Logit kurtosis",
        "Kurtosis of the weights towards the logits: large where few tokens are meant",
    ),
];

/// Where a column stands in [`KNOWN`]; foreign ones stand behind.
pub fn place(name: &str) -> usize {
    KNOWN.iter().position(|known| known.name == name).unwrap_or(KNOWN.len())
}

/// What is known of a column.
pub fn known(name: &str) -> Option<&'static Known> {
    KNOWN.get(place(name))
}

/// Heading of a column; its own name where nothing is known of it.
pub fn title(name: &str) -> &str {
    known(name).map_or(name, |known| known.title)
}
