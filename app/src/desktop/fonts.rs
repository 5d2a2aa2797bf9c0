//! Fonts: Golgi's own for Latin, Greek and Cyrillic, and the system's for every other script.
//!
//! The system's fonts are searched on a thread of their own, and a file is read only once a character needs it: the first frame
//! never waits, and a text in a new script shows boxes for a moment until its font has arrived.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use crossbeam_channel::{Receiver, Sender, unbounded};
use egui::epaint::text::{FontPriority, InsertFontFamily};
use egui::{Context, FallbackRequest, FontData, FontDefinitions, FontFamily, FontInsert, FontProvider};

use super::theme::family;

/// The largest font file that is read.
const MAX_FONT_BYTES: u64 = 256 << 20;

/// Golgi's fonts, with egui's own behind them.
pub fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let own: [(&str, &'static [u8]); 3] = [
        ("Inter", include_bytes!("../../../assets/fonts/Inter-Regular.otf")),
        ("Inter SemiBold", include_bytes!("../../../assets/fonts/Inter-SemiBold.otf")),
        ("Golgi icons", include_bytes!("../../../assets/fonts/golgi-icons.ttf")),
    ];
    for (name, bytes) in own {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    let proportional = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let monospace = fonts.families.get(&FontFamily::Monospace).cloned().unwrap_or_default();
    let chain = |first: &[&str], rest: &[&[String]]| -> Vec<String> {
        let mut names: Vec<String> = first.iter().map(|name| (*name).to_owned()).collect();
        for name in rest.iter().copied().flatten() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    };
    let behind = [proportional.as_slice(), monospace.as_slice()];
    fonts.families.insert(FontFamily::Proportional, chain(&["Inter", "Golgi icons"], &behind));
    fonts.families.insert(family::semibold(), chain(&["Inter SemiBold", "Golgi icons"], &behind));
    fonts.families.insert(FontFamily::Monospace, chain(&["Hack", "Inter", "Golgi icons"], &behind));
    fonts
}

/// Installs Golgi's fonts, and the search among the system's.
pub fn install(ctx: &Context) {
    ctx.set_fonts(definitions());
    let (asked, questions) = unbounded();
    let worker = ctx.clone();
    let spawned = std::thread::Builder::new().name("fonts".into()).spawn(move || answer(&worker, &questions));
    if spawned.is_ok() {
        ctx.add_font_provider(Arc::new(Asking(asked)));
    }
}

/// Passes on what no installed font can draw. The answer arrives as a new font, in a later frame.
struct Asking(Sender<char>);

impl FontProvider for Asking {
    fn font_for(&self, request: &FallbackRequest<'_>) -> Option<FontInsert> {
        if let Some(first) = request.cluster.chars().next() {
            // Without the thread there is no answer; the character stays a box.
            let _ = self.0.send(first);
        }
        None
    }
}

/// The font thread: looks for a face for each character and installs it.
fn answer(ctx: &Context, questions: &Receiver<char>) {
    let index = OnceLock::new();
    let mut asked = HashSet::new();
    let mut installed = HashSet::new();
    while let Ok(first) = questions.recv() {
        // Characters of one text arrive together; one change of the fonts serves them all.
        let mut missing: Vec<char> = std::iter::once(first).chain(questions.try_iter()).collect();
        missing.retain(|c| asked.insert(*c));
        for c in missing {
            let index = index.get_or_init(Index::of_system);
            let Some(face) = index.face_for(c).filter(|face| installed.insert(face.key())) else { continue };
            let Some(bytes) = face.read() else { continue };
            let insert = |family| InsertFontFamily { family, priority: FontPriority::Lowest };
            let data = FontData { index: face.index, ..FontData::from_owned(bytes) };
            let families =
                vec![insert(FontFamily::Proportional), insert(family::semibold()), insert(FontFamily::Monospace)];
            ctx.add_font(FontInsert::new(&face.key(), data, families));
            ctx.request_repaint();
        }
    }
}

/// A face of the system and what it can draw.
struct Face {
    path: std::path::PathBuf,
    index: u32,
    name: String,
    /// Sorted, inclusive ranges of characters.
    covers: Vec<(u32, u32)>,
}

impl Face {
    fn key(&self) -> String {
        format!("system: {} ({}#{})", self.name, self.path.display(), self.index)
    }

    fn has(&self, c: char) -> bool {
        let code = c as u32;
        let behind = self.covers.partition_point(|(start, _)| *start <= code);
        behind > 0 && self.covers[behind - 1].1 >= code
    }

    fn read(&self) -> Option<Vec<u8>> {
        let small = std::fs::metadata(&self.path).is_ok_and(|meta| meta.len() <= MAX_FONT_BYTES);
        if small { std::fs::read(&self.path).ok() } else { None }
    }
}

/// The system's faces, the best first.
struct Index(Vec<Face>);

impl Index {
    fn of_system() -> Index {
        let mut database = fontdb::Database::new();
        database.load_system_fonts();
        Index::of(&database)
    }

    fn of(database: &fontdb::Database) -> Index {
        // One face per family: the upright one whose weight is nearest to regular.
        let mut best: HashMap<&str, (u32, &fontdb::FaceInfo)> = HashMap::new();
        for face in database.faces() {
            let Some((name, _)) = face.families.first() else { continue };
            let slanted = u32::from(face.style != fontdb::Style::Normal) * 1000;
            let distance = slanted + u32::from(face.weight.0.abs_diff(fontdb::Weight::NORMAL.0));
            let entry = best.entry(name).or_insert((distance, face));
            if distance < entry.0 {
                *entry = (distance, face);
            }
        }
        let mut faces: Vec<Face> = best.into_values().filter_map(|(_, info)| face_of(database, info)).collect();
        faces.sort_by_cached_key(|face| (rank(&face.name), face.name.clone()));
        Index(faces)
    }

    fn face_for(&self, c: char) -> Option<&Face> {
        self.0.iter().find(|face| face.has(c))
    }
}

/// Plain sans-serif text faces first: they sit best beside Inter. Colour bitmaps last: only outlines are drawn.
fn rank(name: &str) -> u8 {
    match name {
        n if n.contains("Color") || n.contains("Last Resort") => 9,
        n if n.starts_with("Noto Sans CJK") => 0,
        n if n.starts_with("Noto Sans") || n.starts_with("PingFang") || n.starts_with("Segoe UI") => 1,
        n if n.contains("Sans") || n.contains("Gothic") || n.contains("Helvetica") => 2,
        n if n.contains("Serif") || n.contains("Mono") => 4,
        n if n.contains("Symbol") || n.contains("Emoji") => 5,
        _ => 3,
    }
}

fn face_of(database: &fontdb::Database, info: &fontdb::FaceInfo) -> Option<Face> {
    let path = match &info.source {
        fontdb::Source::File(path) | fontdb::Source::SharedFile(path, _) => path.clone(),
        fontdb::Source::Binary(_) => return None,
    };
    let covers = database.with_face_data(info.id, coverage)??;
    let name = info.families.first().map(|(name, _)| name.clone())?;
    Some(Face { path, index: info.index, name, covers })
}

/// The characters of a face as sorted ranges; `None` if the file is damaged.
fn coverage(data: &[u8], index: u32) -> Option<Vec<(u32, u32)>> {
    let face = ttf_parser::Face::parse(data, index).ok()?;
    let mut codes = Vec::new();
    for table in face.tables().cmap?.subtables.into_iter().filter(ttf_parser::cmap::Subtable::is_unicode) {
        table.codepoints(|code| codes.push(code));
    }
    codes.sort_unstable();
    codes.dedup();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for code in codes {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == code => *end = code,
            _ => ranges.push((code, code)),
        }
    }
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_fonts_cover_what_the_window_says() {
        let mut fonts = egui::epaint::text::Fonts::new(egui::epaint::text::TextOptions::default(), definitions());
        let text = "Golgi “wörds” – Ελληνικά Русский · ↵ → ← ↑ ↓ ‹U+202E› ∅ … × ÷ ≤ ≥ Δ σ ‖ − ½ • ⏎ ⇥ ⌘ ∞";
        for family in [FontFamily::Proportional, family::semibold(), FontFamily::Monospace] {
            let id = egui::FontId::new(14.0, family.clone());
            for c in text.chars().filter(|c| !c.is_whitespace()) {
                assert!(fonts.has_glyph(&id, c), "{c} in {family:?}");
            }
            for (name, icon) in super::super::theme::icons::ALL {
                assert!(icon.chars().all(|c| fonts.has_glyph(&id, c)), "{name} in {family:?}");
            }
        }
    }

    #[test]
    fn coverage_is_read_and_damage_is_survived() {
        let bytes = include_bytes!("../../../assets/fonts/Inter-Regular.otf");
        let covers = coverage(bytes, 0).unwrap();
        let face = Face { path: "x".into(), index: 0, name: "Inter".into(), covers };
        assert!(face.has('a') && face.has('Ω') && !face.has('漢') && !face.has('\u{10ffff}'));
        assert!(coverage(&bytes[..100], 0).is_none());
        assert!(coverage(b"", 0).is_none());
    }
}
