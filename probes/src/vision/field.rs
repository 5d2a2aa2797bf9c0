//! Receptive fields: which pixels an activation can see.

use super::graph::Network;
use super::op::{Op, Padding, same};
use crate::error::Result;

/// Along one axis: position `p` of a map sees pixels `first + p · jump` to `first + p · jump + size`, the end excluded; those
/// outside the image are border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first pixel of position 0; negative inside the border.
    pub first: i64,
    /// Pixels from one position to the next.
    pub jump: i64,
    /// How many pixels.
    pub size: i64,
}

/// What the positions of a node see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// From top to bottom.
    pub rows: Span,
    /// From left to right.
    pub columns: Span,
}

/// A rectangle of pixels; ends are excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// First row.
    pub top: i64,
    /// First column.
    pub left: i64,
    /// Behind the last row.
    pub bottom: i64,
    /// Behind the last column.
    pub right: i64,
}

impl Span {
    const PIXEL: Span = Span { first: 0, jump: 1, size: 1 };

    fn whole(size: i64) -> Span {
        Span { first: 0, jump: 0, size }
    }

    fn window(self, kernel: i64, stride: i64, border: i64) -> Span {
        Span {
            first: self.first - border * self.jump,
            jump: self.jump * stride,
            size: self.size + (kernel - 1) * self.jump,
        }
    }

    /// What two branches see together.
    fn join(self, other: Span) -> Span {
        if other.jump == 0 {
            return other;
        }
        let (first, end) = (self.first.min(other.first), (self.first + self.size).max(other.first + other.size));
        Span { first, size: end - first, ..self }
    }

    fn at(self, position: i64, size: i64) -> (i64, i64) {
        let first = self.first + position * self.jump;
        (first.clamp(0, size), (first + self.size).clamp(0, size))
    }
}

impl Network {
    /// The receptive field of every node for images of `height` × `width`. Behind a mean over the whole map it is the whole image,
    /// and so it is for tokens, since attention may bring them anything.
    ///
    /// # Errors
    /// As [`Network::spatial`].
    pub fn fields(&self, height: i64, width: i64) -> Result<Vec<Field>> {
        let sizes = self.spatial(height, width)?;
        let mut fields: Vec<Field> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let Some(first) = node.inputs.first() else {
                fields.push(Field { rows: Span::PIXEL, columns: Span::PIXEL });
                continue;
            };
            let before = fields[*first];
            let axis = |span: Span, kernel: i64, stride: i64, padding: Padding, size: i64| match padding {
                Padding::Zeros(border) => span.window(kernel, stride, border),
                Padding::Same => span.window(kernel, stride, same(size, kernel, stride).0),
            };
            let slid = |kernel: (i64, i64), stride: i64, padding: Padding| Field {
                rows: axis(before.rows, kernel.0, stride, padding, sizes[*first].0),
                columns: axis(before.columns, kernel.1, stride, padding, sizes[*first].1),
            };
            fields.push(match &node.op {
                Op::Conv(conv) => slid(conv.kernel(), conv.stride, conv.padding),
                Op::MaxPool(w) | Op::AvgPool(w) => slid((w.size, w.size), w.stride, Padding::Zeros(w.padding)),
                Op::AdaptiveAvgPool(_) | Op::Flatten | Op::Token(_) => {
                    Field { rows: Span::whole(height), columns: Span::whole(width) }
                }
                _ => node.inputs[1..].iter().fold(before, |joined, input| Field {
                    rows: joined.rows.join(fields[*input].rows),
                    columns: joined.columns.join(fields[*input].columns),
                }),
            });
        }
        Ok(fields)
    }
}

impl Field {
    /// The pixels that position (`row`, `column`) sees in an image of `height` × `width`.
    pub fn crop(&self, (row, column): (i64, i64), (height, width): (i64, i64)) -> Crop {
        let ((top, bottom), (left, right)) = (self.rows.at(row, height), self.columns.at(column, width));
        Crop { top, left, bottom, right }
    }
}
