//! Which packages the starter corpus is made of.

use super::{Document, clean};

/// How a package's files become documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The King James Bible, printed by the program of the package `bible-kjv`.
    Bible,
    /// A dictionary in dictd's format.
    Dictionary,
    /// Manual pages under `man/`.
    Manual,
    /// Files of sayings with `%` between them, those with these names.
    Sayings(&'static [&'static str]),
    /// Python's own modules.
    Python,
}

/// A part of the starter corpus: one package, one language, one genre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The Debian package.
    pub package: &'static str,
    /// The label of its documents.
    pub language: &'static str,
    /// The label of its documents.
    pub genre: &'static str,
    /// The licence of what is taken from it, as the package states it.
    pub licence: &'static str,
    pub(super) kind: Kind,
    /// Bytes of text wanted.
    pub(super) bytes: usize,
}

const fn part(
    package: &'static str,
    language: &'static str,
    genre: &'static str,
    licence: &'static str,
    kind: Kind,
    bytes: usize,
) -> Part {
    Part { package, language, genre, licence, kind, bytes }
}

const fn manual(package: &'static str, language: &'static str, licence: &'static str) -> Part {
    part(package, language, "manual", licence, Kind::Manual, 330_000)
}

const PAGES: &str = "GPL-3+ (translation); each page as its original, mostly GPL or Linux-man-pages-copyleft";

/// Every part.
pub const PARTS: &[Part] = &[
    part("bible-kjv-text", "en", "scripture", "public domain (translation of 1611)", Kind::Bible, 700_000),
    part("dict-gcide", "en", "dictionary", "GPL-3+; Webster 1913 public domain", Kind::Dictionary, 400_000),
    manual("manpages", "en", "Linux-man-pages-copyleft, GPL, BSD, Expat; by page"),
    manual("manpages-de", "de", PAGES),
    manual("manpages-fr", "fr", PAGES),
    manual("manpages-es", "es", PAGES),
    manual("manpages-it", "it", PAGES),
    manual("manpages-pl", "pl", PAGES),
    manual("manpages-pt-br", "pt", PAGES),
    manual("manpages-ru", "ru", PAGES),
    manual("manpages-tr", "tr", "GPL; by page"),
    manual("manpages-ja", "ja", "by page, mostly GPL, BSD or Linux-man-pages-copyleft"),
    manual("manpages-zh", "zh", "GFDL-1.2+; some pages GPL-2"),
    part(
        "fortunes-de",
        "de",
        "sayings",
        "GPL-2+ (collection)",
        Kind::Sayings(&["anekdoten", "gedichte", "sprichworte", "wusstensie", "zitate"]),
        90_000,
    ),
    part(
        "fortunes-es",
        "es",
        "sayings",
        "quotations, presumed public domain; collection GPL-2+",
        Kind::Sayings(&[
            "arte.fortunes",
            "ciencia.fortunes",
            "filosofia.fortunes",
            "libertad.fortunes",
            "proverbios.fortunes",
            "sabiduria.fortunes",
            "verdad.fortunes",
            "vida.fortunes",
        ]),
        90_000,
    ),
    part(
        "fortunes-it",
        "it",
        "sayings",
        "quotations, stated to be public domain",
        Kind::Sayings(&["adams", "definizioni", "leggi"]),
        90_000,
    ),
    part(
        "fortunes-pl",
        "pl",
        "sayings",
        "GPL-2+ (collection)",
        Kind::Sayings(&["haiku", "nauka", "puchatek", "seneka", "zen"]),
        90_000,
    ),
    part(
        "fortunes-cs",
        "cs",
        "sayings",
        "GPL (collection)",
        Kind::Sayings(&["chesterton", "citace", "citat", "jerome", "parafraze", "prislovi", "stoa1", "wikiquote"]),
        200_000,
    ),
    part(
        "fortunes-zh",
        "zh",
        "poetry",
        "public domain (poems of the Tang and Song dynasties); collection GPL-3+",
        Kind::Sayings(&["tang300", "song100"]),
        90_000,
    ),
    part("libpython3-stdlib", "python", "code", "PSF-2.0", Kind::Python, 600_000),
];

impl Part {
    /// Whether its language is one that people speak.
    pub fn is_natural(&self) -> bool {
        self.genre != "code"
    }

    /// The documents of one unpacked file, called `name`.
    pub(super) fn documents(&self, name: &str, text: &str) -> Vec<Document> {
        let text = match self.kind {
            Kind::Bible => clean::bible(text),
            Kind::Dictionary => clean::dictionary(text),
            Kind::Manual => clean::manual(text, self.language),
            Kind::Sayings(_) => clean::sayings(text),
            Kind::Python => clean::code(text),
        };
        let pieces = clean::pieces(&text);
        let many = pieces.len() > 1;
        let id =
            |i: usize| format!("{}/{name}{}", self.package, if many { format!("#{}", i + 1) } else { String::new() });
        pieces.into_iter().enumerate().map(|(i, text)| Document { id: id(i), text }).collect()
    }
}
