//! `golgi atlas info`: what an atlas holds.

use std::path::Path;

use golgi_data::atlas::{Manifest, TABLES, UnitKind};
use golgi_data::context::bytes_text;
use golgi_data::tables::{read_rows, row_count};
use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::style::Style;
use crate::cli::table::{Cell, Table};
use crate::cli::work::Work;
use crate::report::{count, one_line, spaced};

pub fn run(work: &Work, folder: &Path) -> anyhow::Result<Exit> {
    let atlas = super::open(folder)?;
    let manifest = atlas.manifest();
    let mut tables = Vec::new();
    for name in TABLES {
        let path = atlas.path(name);
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        let schema = read_rows(&path, None, 0..0)?.schema();
        let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        tables.push((name, row_count(&path)?, meta.len(), columns));
    }
    if work.out.json {
        let tables: Vec<_> = tables
            .iter()
            .map(|(name, rows, bytes, columns)| json!({ "name": name, "rows": rows, "bytes": bytes, "columns": columns }))
            .collect();
        work.out.document("atlas.info", json!({ "folder": folder, "manifest": manifest, "tables": tables }))?;
        return Ok(Exit::Success);
    }
    let mut facts = Table::new().left("").flexible("");
    for (label, value) in summary(manifest) {
        facts.row([Cell::new(label, Style::Dim), one_line(&value).into()]);
    }
    work.out.table(&facts)?;
    work.out.heading("Tables")?;
    let mut list = Table::new().left("table").right("rows").right("size").flexible("columns");
    for (name, rows, bytes, columns) in tables {
        let columns = Cell::new(columns.join(" "), Style::Dim);
        list.row([Cell::new(name, Style::Name), count(rows).into(), bytes_text(bytes).into(), columns]);
    }
    work.out.table(&list)?;
    if manifest.complete && !atlas.has_families() {
        work.out.line(&format!("\nFamilies have not been looked for: `golgi find families {}`", folder.display()))?;
    }
    work.out.warnings(&manifest.warnings);
    Ok(Exit::Success)
}

fn state(m: &Manifest) -> String {
    match (&m.provisional, m.complete) {
        (Some(provisional), _) => super::so_far(provisional),
        (None, true) => "complete".to_owned(),
        (None, false) => "unfinished; build it again with --resume".to_owned(),
    }
}

fn summary(m: &Manifest) -> Vec<(&'static str, String)> {
    let of_kind = |kind: UnitKind| -> u64 {
        m.groups.iter().filter(|group| group.kind == kind).map(|group| u64::from(group.count)).sum()
    };
    let name = |kind: UnitKind| match kind {
        UnitKind::Neuron => "neurons",
        UnitKind::Latent => "latents",
        UnitKind::Head => "heads",
        UnitKind::Residual => "residual dimensions",
    };
    let units = UnitKind::ALL.map(|kind| (of_kind(kind), name(kind)));
    let units: Vec<String> =
        units.into_iter().filter(|one| one.0 > 0).map(|(n, name)| format!("{} {name}", spaced(n))).collect();
    let dictionaries = m.dictionaries.iter().map(|own| format!("{} ({}) from {}", own.site, own.about, own.source));
    let labels = |list: &[golgi_data::atlas::LabelCount]| {
        list.iter().map(|one| format!("{} {}", one.label, spaced(one.tokens))).collect::<Vec<_>>().join(", ")
    };
    let mut rows = vec![
        ("model", format!("{} ({})", m.model, m.family)),
        ("units", units.join(", ")),
        ("dictionaries", dictionaries.collect::<Vec<_>>().join("; ")),
        ("corpus", format!("{}, split {}", m.corpus, m.split)),
        ("tokens", format!("{} in {} contexts of at most {}", spaced(m.tokens), spaced(m.contexts), m.context_len)),
        ("languages", labels(&m.languages)),
        ("genres", labels(&m.genres)),
        ("active", m.active_rule.clone()),
        ("computed", format!("{}, {}, {} attention, seed {}", m.device, m.dtype, m.attention, m.seed)),
        ("weights", m.model_digest.clone()),
        ("corpus digest", m.corpus_digest.clone()),
        ("made by", format!("golgi {}", m.version)),
        ("state", state(m)),
    ];
    rows.retain(|(_, value)| !value.is_empty());
    rows
}
