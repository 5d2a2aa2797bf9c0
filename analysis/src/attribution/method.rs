//! The methods.

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;

/// How a value y is traced back to the pixels x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// |∂y/∂x|, the largest over the colours (Simonyan et al., arXiv 1312.6034).
    Saliency,
    /// x ⊙ ∂y/∂x, summed over the colours; x as the network reads it.
    InputTimesGradient,
    /// (x − x′) ⊙ ∫₀¹ ∂y(x′ + α (x − x′))/∂x dα, summed over the colours (Sundararajan et al., arXiv 1703.01365).
    Integrated(Baseline),
    /// What guided backpropagation brings back, its absolute value, the largest over the colours (arXiv 1412.6806).
    Guided,
    /// What deconvolution brings back, its absolute value, the largest over the colours (arXiv 1311.2901).
    Deconvnet,
    /// max(0, Σ_k α_k A_k) with A a map of the network and α_k the mean of ∂y/∂A_k over its positions, brought to the picture's size (Selvaraju et al.,
    /// arXiv 1610.02391).
    GradCam,
    /// Grad-CAM times what guided backpropagation brings back.
    GuidedGradCam,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 9] = [
        Method::Saliency,
        Method::InputTimesGradient,
        Method::Integrated(Baseline::Black),
        Method::Integrated(Baseline::Mean),
        Method::Integrated(Baseline::Blurred),
        Method::Guided,
        Method::Deconvnet,
        Method::GradCam,
        Method::GuidedGradCam,
    ];

    /// Whether its values have a sign that means something.
    pub fn is_signed(self) -> bool {
        matches!(self, Method::InputTimesGradient | Method::Integrated(_))
    }

    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Method::Saliency => "saliency",
            Method::InputTimesGradient => "input-gradient",
            Method::Integrated(Baseline::Black) => "integrated-black",
            Method::Integrated(Baseline::Mean) => "integrated-mean",
            Method::Integrated(Baseline::Blurred) => "integrated-blurred",
            Method::Guided => "guided",
            Method::Deconvnet => "deconvnet",
            Method::GradCam => "grad-cam",
            Method::GuidedGradCam => "guided-grad-cam",
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Method, String> {
        Method::ALL.into_iter().find(|method| method.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
            format!("`{text}` is no method; {} are", names.join(", "))
        })
    }
}
