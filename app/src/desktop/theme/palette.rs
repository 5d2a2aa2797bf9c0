//! Colours with a meaning.

use egui::Color32;

/// The colours of a theme. Colour maps for numbers are in [`colormap`](crate::desktop::widgets::colormap).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Whether the ground is dark.
    pub dark: bool,
    /// Behind everything: gaps between panels, the tab bars.
    pub backdrop: Color32,
    /// The ground of panels.
    pub panel: Color32,
    /// Cards and rows that stand out from the panel.
    pub raised: Color32,
    /// Fields to write into, bars' tracks.
    pub sunken: Color32,
    /// Buttons at rest.
    pub control: Color32,
    /// Buttons under the pointer.
    pub control_hovered: Color32,
    /// Buttons being pressed.
    pub control_pressed: Color32,
    /// Hairlines.
    pub line: Color32,
    /// Hairlines that must be seen: borders of fields and cards under the pointer.
    pub line_strong: Color32,
    /// Headings and what matters.
    pub text_strong: Color32,
    /// Text.
    pub text: Color32,
    /// Captions and units.
    pub text_weak: Color32,
    /// The product's colour: what is selected, the main button, links.
    pub accent: Color32,
    /// Ground of the main button.
    pub accent_fill: Color32,
    /// Ground of selected rows.
    pub accent_veil: Color32,
    /// Text on `accent_fill`.
    pub on_accent: Color32,
    /// It went well.
    pub good: Color32,
    /// Something is odd.
    pub warning: Color32,
    /// It failed.
    pub error: Color32,
    /// An intervention is in force.
    pub changed: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Palette {
    /// On dark ground.
    pub const DARK: Palette = Palette {
        dark: true,
        backdrop: rgb(0x0e_0f_13),
        panel: rgb(0x16_18_1d),
        raised: rgb(0x1e_20_27),
        sunken: rgb(0x10_11_15),
        control: rgb(0x272a32),
        control_hovered: rgb(0x33_37_41),
        control_pressed: rgb(0x3d_42_4e),
        line: rgb(0x272a32),
        line_strong: rgb(0x43_48_55),
        text_strong: rgb(0xf3_f4_f7),
        text: rgb(0xc9_cd_d6),
        text_weak: rgb(0x8d_93_a1),
        accent: rgb(0xff_6f_b5),
        accent_fill: rgb(0xb8_2d_75),
        accent_veil: rgb(0x3b_1f_30),
        on_accent: rgb(0xff_ff_ff),
        good: rgb(0x5c_c9_a0),
        warning: rgb(0xe6_b4_50),
        error: rgb(0xff_7a_70),
        changed: rgb(0x9d_a9_ff),
    };

    /// On light ground.
    pub const LIGHT: Palette = Palette {
        dark: false,
        backdrop: rgb(0xe4_e6_eb),
        panel: rgb(0xfc_fc_fd),
        raised: rgb(0xf2_f3_f6),
        sunken: rgb(0xec_ee_f2),
        control: rgb(0xe4_e7_ed),
        control_hovered: rgb(0xd9_dd_e5),
        control_pressed: rgb(0xcf_d3_dd),
        line: rgb(0xdf_e2_e8),
        line_strong: rgb(0xb4_ba_c6),
        text_strong: rgb(0x12_14_19),
        text: rgb(0x30_35_3f),
        text_weak: rgb(0x5f_66_74),
        accent: rgb(0xc2_18_7a),
        accent_fill: rgb(0xb8_1c_72),
        accent_veil: rgb(0xfb_e3_f0),
        on_accent: rgb(0xff_ff_ff),
        good: rgb(0x10_70_4c),
        warning: rgb(0x8c_5c_00),
        error: rgb(0xc0_2b_24),
        changed: rgb(0x44_4f_c4),
    };

    /// The palette of the theme in force.
    pub fn of(visuals: &egui::Visuals) -> &'static Palette {
        if visuals.dark_mode { &Palette::DARK } else { &Palette::LIGHT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance as the accessibility guidelines define it.
    fn luminance(color: Color32) -> f64 {
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn everything_can_be_read() {
        for p in [Palette::DARK, Palette::LIGHT] {
            for ground in [p.panel, p.raised, p.sunken] {
                for (name, color) in [
                    ("text", p.text),
                    ("weak", p.text_weak),
                    ("accent", p.accent),
                    ("good", p.good),
                    ("warning", p.warning),
                    ("error", p.error),
                    ("changed", p.changed),
                ] {
                    let ratio = contrast(color, ground);
                    assert!(ratio >= 4.5, "{name} has {ratio:.2} to 1 (dark: {})", p.dark);
                }
            }
            assert!(contrast(p.on_accent, p.accent_fill) >= 4.5);
            assert!(contrast(p.text, p.control) >= 4.5);
            assert!(contrast(p.text, p.accent_veil) >= 4.5);
        }
    }
}
