//! Shapes: which points lie inside.

use serde::{Deserialize, Serialize};

/// A shape, each a concept. Its centre and size are those of the object that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// max(|x|, |y|) ≤ 0.8
    Square,
    /// x² + y² ≤ 0.9²
    Circle,
    /// Equal sides, its corners at a distance of 1.
    Triangle,
    /// Two bars of a length of 1.8 and a width of 0.6.
    Cross,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 4] = [Shape::Square, Shape::Circle, Shape::Triangle, Shape::Cross];

    /// Such as `square`.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Square => "square",
            Shape::Circle => "circle",
            Shape::Triangle => "triangle",
            Shape::Cross => "cross",
        }
    }

    /// Whether a point lies in the shape at the origin with a radius of 1.
    ///
    /// ```
    /// use golgi_data::images::generate::Shape;
    /// assert!(Shape::Square.contains(0.75, 0.75) && !Shape::Circle.contains(0.75, 0.75));
    /// ```
    pub fn contains(self, x: f32, y: f32) -> bool {
        match self {
            Shape::Square => x.abs().max(y.abs()) <= 0.8,
            Shape::Circle => x * x + y * y <= 0.81,
            // One side below, two that meet at (0, −1).
            Shape::Triangle => y <= 0.5 && 3.0f32.sqrt() * x.abs() - y <= 1.0,
            Shape::Cross => x.abs().min(y.abs()) <= 0.3 && x.abs().max(y.abs()) <= 0.9,
        }
    }
}
