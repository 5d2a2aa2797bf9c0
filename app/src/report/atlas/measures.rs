//! What the statistics of a unit are called and what they mean.

/// One column of the units table, as it is shown.
pub(super) struct Measure {
    /// The column.
    pub name: &'static str,
    /// What people read.
    pub label: &'static str,
    /// What it is, for who hovers.
    pub about: &'static str,
    /// Whether it comes from the weights alone.
    pub weights: bool,
    /// Whether it is a share, shown in percent.
    pub share: bool,
}

const fn activation(name: &'static str, label: &'static str, about: &'static str) -> Measure {
    Measure { name, label, about, weights: false, share: false }
}

const fn weights(name: &'static str, label: &'static str, about: &'static str) -> Measure {
    Measure { name, label, about, weights: true, share: false }
}

/// The statistics that reports show, in order.
pub(super) const MEASURES: &[Measure] = &[
    Measure { share: true, ..activation("frac_active", "active", "share of tokens at which the unit is active") },
    activation("max", "maximum", "largest activation"),
    activation("mean_active", "mean when active", "mean over the tokens at which the unit is active"),
    activation("mean", "mean", "mean activation"),
    activation("std", "standard deviation", "of the activation"),
    activation("skewness", "skewness", "third standardised moment of the activation"),
    activation("kurtosis", "kurtosis", "fourth standardised moment of the activation; 3 for a normal distribution"),
    activation("min", "minimum", "smallest activation"),
    activation("q50", "median", "of the activation"),
    activation("q99", "99 % quantile", "of the activation"),
    activation("q999", "99.9 % quantile", "of the activation"),
    activation("active_threshold", "active above", "threshold on the size of the activation"),
    activation("position_mi", "position information", "mutual information of position and activation, in nats"),
    weights("norm_in", "‖w_in‖", "norm of the input vector"),
    weights("norm_gate", "‖w_gate‖", "norm of the gate's vector"),
    weights("norm_out", "‖w_out‖", "norm of the output vector"),
    weights("cos_in_out", "cos(w_in, w_out)", "cosine of input and output vector"),
    weights("cos_gate_out", "cos(w_gate, w_out)", "cosine of the gate's and the output vector"),
    weights("bias_in", "input bias", "bias before the activation function"),
    weights("vocab_mean", "mean of W_U·w_out", "mean effect on the logits"),
    weights("vocab_var", "variance of W_U·w_out", "variance of the effects on the logits"),
    weights("vocab_skew", "skewness of W_U·w_out", "positive: promotes a few tokens; negative: suppresses a few"),
    weights("vocab_kurt", "kurtosis of W_U·w_out", "large: acts on few tokens; 3 for a normal distribution"),
];

/// The measure of the column `name`.
pub(super) fn measure(name: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|measure| measure.name == name)
}
