//! The colours of generated pictures.

use serde::{Deserialize, Serialize};

/// A colour that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// (214, 39, 40)
    Red,
    /// (44, 140, 44)
    Green,
    /// (31, 82, 200)
    Blue,
    /// (245, 205, 30)
    Yellow,
    /// (245, 130, 25)
    Orange,
    /// (130, 60, 180)
    Purple,
    /// (245, 245, 245)
    White,
    /// (25, 25, 25)
    Black,
}

impl Colour {
    /// Every colour.
    pub const ALL: [Colour; 8] = [
        Colour::Red,
        Colour::Green,
        Colour::Blue,
        Colour::Yellow,
        Colour::Orange,
        Colour::Purple,
        Colour::White,
        Colour::Black,
    ];

    /// Such as `red`.
    pub fn name(self) -> &'static str {
        match self {
            Colour::Red => "red",
            Colour::Green => "green",
            Colour::Blue => "blue",
            Colour::Yellow => "yellow",
            Colour::Orange => "orange",
            Colour::Purple => "purple",
            Colour::White => "white",
            Colour::Black => "black",
        }
    }

    /// 8-bit sRGB.
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Colour::Red => [214, 39, 40],
            Colour::Green => [44, 140, 44],
            Colour::Blue => [31, 82, 200],
            Colour::Yellow => [245, 205, 30],
            Colour::Orange => [245, 130, 25],
            Colour::Purple => [130, 60, 180],
            Colour::White => [245, 245, 245],
            Colour::Black => [25, 25, 25],
        }
    }

    /// The colour of a texture's other half: 45 % of it on the way to black, or of black to white.
    pub fn shade(self) -> [u8; 3] {
        match self {
            Colour::Black => self.rgb().map(|c| c + 90),
            _ => self.rgb().map(|c| (u16::from(c) * 55 / 100) as u8),
        }
    }
}
