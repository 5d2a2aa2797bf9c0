//! The common form of every result: what the command line prints, exports render and scripts check.

use base64::Engine;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name and version of the JSON form. A change that breaks readers raises the number.
pub const SCHEMA: &str = "golgi.report/1";
/// Of pictures inside reports, 1 to 100.
const JPEG_QUALITY: u8 = 92;

/// Where a result comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub version: String,
    /// The model, as named by the user.
    pub model: String,
    /// SHA-256 of its weight files.
    pub model_digest: String,
    /// `cpu`, `cuda:0`, `mps`.
    pub device: String,
    /// `float32` or `bfloat16`.
    pub dtype: String,
    /// `explicit` or `fused`.
    pub attention: String,
    /// The seed of every random choice.
    pub seed: u64,
    /// How many tokens the result rests on.
    pub tokens: usize,
    /// The interventions in force, as text; empty for the model as it is.
    pub interventions: Vec<String>,
}

/// A labelled value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// The value: a number, a text or a truth value.
    pub value: Value,
    /// How it is computed, where that is not obvious.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub formula: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name, unique within the report.
    pub name: String,
    /// Column headings, with units where there are any.
    pub columns: Vec<String>,
    /// Rows of numbers, texts and nulls.
    pub rows: Vec<Vec<Value>>,
}

/// A figure, as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Figure {
    /// A grid of numbers.
    Heatmap {
        /// Heading.
        title: String,
        /// Row names, top to bottom.
        rows: Vec<String>,
        /// Column names.
        columns: Vec<String>,
        /// `rows × columns`, row by row; null where there is no value.
        values: Vec<Option<f32>>,
        /// Texts in the cells, or empty.
        labels: Vec<String>,
        /// Whether the numbers have a sign that means something.
        signed: bool,
    },
    /// A text with one number per token.
    Tokens {
        /// Heading.
        title: String,
        /// The tokens.
        tokens: Vec<String>,
        /// One number per token; null where there is none.
        values: Vec<Option<f32>>,
        /// Whether the numbers have a sign that means something.
        signed: bool,
    },
    /// Bars.
    Bars {
        /// Heading.
        title: String,
        /// One name per bar.
        labels: Vec<String>,
        /// One height per bar.
        values: Vec<f32>,
        /// Whether the numbers have a sign that means something.
        signed: bool,
    },
    /// Points in a plane.
    Scatter {
        /// Heading.
        title: String,
        /// What goes to the right.
        x: String,
        /// What goes up.
        y: String,
        /// Whether x is logarithmic; points with x of 0 or less are left out then.
        log_x: bool,
        /// Whether both axes have one scale.
        square: bool,
        /// The points, by kind.
        series: Vec<Series>,
        /// Lines to compare with.
        levels: Vec<Level>,
    },
    /// Pictures beside each other.
    Pictures {
        /// Heading.
        title: String,
        /// The pictures, in order.
        pictures: Vec<Shown>,
    },
}

/// A picture inside a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// What it is.
    pub caption: String,
    /// More about it, in small print; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Width and height, in pixels.
    pub size: [u32; 2],
    /// A JPEG file, in base64.
    pub jpeg: String,
}

impl Shown {
    /// A picture with its caption.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn new(
        caption: impl Into<String>,
        detail: impl Into<String>,
        picture: &golgi_data::images::Picture,
    ) -> std::result::Result<Shown, golgi_data::images::ImageError> {
        let jpeg = base64::engine::general_purpose::STANDARD.encode(picture.to_jpeg(JPEG_QUALITY)?);
        let size = [picture.width(), picture.height()];
        Ok(Shown { caption: caption.into(), detail: detail.into(), size, jpeg })
    }
}

/// Points of one kind in a scatter plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What they are; empty where there is only one kind.
    pub name: String,
    /// x and y.
    pub points: Vec<[f32; 2]>,
    /// What each point is, or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Whether points are joined in their order.
    #[serde(default)]
    pub joined: bool,
}

/// A horizontal line with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub y: f32,
}

/// A result in its common form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The registered name of the method.
    pub analysis: String,
    /// A heading.
    pub title: String,
    /// The result in a few facts.
    pub summary: Vec<Fact>,
    /// What the result is compared with: nulls and controls.
    pub controls: Vec<Fact>,
    /// Tables.
    pub tables: Vec<Table>,
    /// Figures.
    pub figures: Vec<Figure>,
    /// Oddities that did not stop the work.
    pub warnings: Vec<String>,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl Fact {
    /// A labelled value.
    pub fn new(label: impl Into<String>, value: impl Into<Value>) -> Fact {
        Fact { label: label.into(), value: value.into(), formula: String::new() }
    }

    /// The same, with its formula.
    #[must_use]
    pub fn by(mut self, formula: impl Into<String>) -> Fact {
        self.formula = formula.into();
        self
    }
}

impl Report {
    /// An empty report of the method `analysis`.
    pub fn new(analysis: &str, title: impl Into<String>, provenance: Provenance) -> Report {
        Report {
            schema: SCHEMA.to_owned(),
            analysis: analysis.to_owned(),
            title: title.into(),
            summary: Vec::new(),
            controls: Vec::new(),
            tables: Vec::new(),
            figures: Vec::new(),
            warnings: Vec::new(),
            provenance,
        }
    }

    /// The value of the fact `label` in summary or controls.
    pub fn fact(&self, label: &str) -> Option<&Value> {
        self.summary.iter().chain(&self.controls).find(|fact| fact.label == label).map(|fact| &fact.value)
    }
}

/// A number as it is written in f32: `0.1`, not `0.10000000149011612`; null if it is none.
pub fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// The same, null for `None`.
pub(crate) fn optional(value: Option<f32>) -> Value {
    value.map_or(Value::Null, number)
}
