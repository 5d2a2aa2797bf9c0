//! `golgi report --atlas`: what an atlas knows of some units, as a file.

use std::collections::HashSet;
use std::path::Path;

use golgi_data::atlas::{Atlas, AtlasError};
use golgi_data::tables::arrow::{Array, RecordBatch};
use golgi_data::tables::{TextColumn, i64s};
use golgi_data::unit::Unit;
use serde_json::json;

use crate::cli::error::failure;
use crate::cli::exit::Exit;
use crate::cli::report::pages_text;
use crate::cli::work::Work;
use crate::report::{OutFile, UnitFormat, UnitReport, spaced};

/// Which units, and in what form.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "With --atlas")]
pub struct Chosen {
    /// Addresses of units, separated by commas
    #[arg(
        long = "units",
        id = "addresses",
        value_name = "UNIT,…",
        value_delimiter = ',',
        requires = "atlas",
        conflicts_with = "query"
    )]
    units: Vec<String>,
    /// A query that chooses them: its answer has a column `unit`
    #[arg(long, value_name = "SQL", requires = "atlas")]
    query: Option<String>,
    /// At most so many units of the query's answer
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// The form, where the file's ending does not say it: html, md, json, neuronpedia
    #[arg(long, value_name = "FORMAT", requires = "atlas", value_parser = ["html", "md", "json", "neuronpedia"])]
    format: Option<String>,
}

pub fn run(work: &Work, folder: &Path, chosen: &Chosen, out: &Path) -> anyhow::Result<Exit> {
    let format = UnitFormat::of(chosen.format.as_deref(), out)?;
    let out = OutFile::new(out)?;
    let atlas = super::open(folder)?;
    let (ids, found) = choose(&atlas, chosen.query.as_deref(), &chosen.units, chosen.limit as usize)?;
    let watch = work.watch();
    let mut report = UnitReport::new(&atlas, &ids, &work.ctx)?;
    report.query.clone_from(&chosen.query);
    if found > ids.len() {
        let text = format!("The query finds {} units; these are the first {}.", spaced(found as u64), ids.len());
        report.warnings.push(text);
    }
    work.ctx.check()?;
    let figures = report.save(out.path(), format)?;
    drop(watch);
    if work.out.json {
        let units: Vec<String> = report.pages.iter().map(|page| page.unit.to_string()).collect();
        let fields = json!({ "out": out.path(), "figures": figures, "units": units, "found": found });
        work.out.document("report.atlas", fields)?;
    } else {
        work.out.line(&format!("{} written to {}", pages_text(ids.len()), out.path().display()))?;
        if let Some(folder) = figures {
            work.out.line(&format!("Its figures lie in {}", folder.display()))?;
        }
        if found > ids.len() {
            work.out.line(&format!("The query finds {found} units; --limit {found} takes all of them"))?;
        }
    }
    Ok(Exit::Success)
}

/// The units that a query or addresses choose, at most `limit` of the query's, and how many it finds.
pub fn choose(atlas: &Atlas, query: Option<&str>, units: &[String], limit: usize) -> anyhow::Result<(Vec<u32>, usize)> {
    let (ids, found) = match (query, units) {
        (Some(query), _) => {
            let mut ids = of_answer(atlas, &atlas.sql(query)?)?;
            let found = ids.len();
            ids.truncate(limit);
            (ids, found)
        }
        (None, []) => {
            return Err(failure("no unit is named; give --units L5N3,L7N1 or --query \"SELECT unit FROM units …\""));
        }
        (None, addresses) => {
            let ids = addresses.iter().map(|text| Ok(atlas.id_of(&text.trim().parse::<Unit>()?)?));
            let ids = distinct(ids.collect::<anyhow::Result<Vec<u32>>>()?);
            let found = ids.len();
            (ids, found)
        }
    };
    if ids.is_empty() {
        return Err(failure("the query finds no unit; try it with `golgi atlas query` first"));
    }
    Ok((ids, found))
}

/// The units that an answer names in its column `unit`: by address, or by the number that the other tables use.
fn of_answer(atlas: &Atlas, answer: &RecordBatch) -> anyhow::Result<Vec<u32>> {
    if let Ok(texts) = TextColumn::of(answer, "unit") {
        let texts = (0..answer.num_rows()).filter_map(|row| texts.get(row));
        let ids = texts.map(|text| Ok(atlas.id_of(&text.parse::<Unit>()?)?));
        return Ok(distinct(ids.collect::<anyhow::Result<Vec<u32>>>()?));
    }
    let numbers = i64s(answer, "unit").map_err(|_| {
        let names: Vec<String> = answer.schema().fields().iter().map(|field| format!("`{}`", field.name())).collect();
        failure(format!(
            "the answer has no column `unit`, only {}; select it, or name a column so with AS unit",
            names.join(", ")
        ))
    })?;
    let unknown = |id: i64| AtlasError::NoUnit { unit: format!("number {id}"), model: atlas.manifest().model.clone() };
    let ids = (0..numbers.len()).filter(|row| numbers.is_valid(*row)).map(|row| numbers.value(row));
    let known = ids
        .map(|id| u32::try_from(id).ok().filter(|id| *id < atlas.manifest().units()).ok_or_else(|| unknown(id).into()));
    Ok(distinct(known.collect::<anyhow::Result<Vec<u32>>>()?))
}

/// Each once, where it comes first.
fn distinct(mut ids: Vec<u32>) -> Vec<u32> {
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    ids
}

#[cfg(test)]
mod tests {
    use golgi_data::atlas::testing::Fixture;

    use super::*;

    #[test]
    fn answers_name_units_by_address_or_number() {
        let folder = tempfile::tempdir().unwrap();
        Fixture::default().write(folder.path()).unwrap();
        let atlas = Atlas::open(folder.path()).unwrap();
        let ids = |query: &str| of_answer(&atlas, &atlas.sql(query).unwrap());
        assert_eq!(ids("SELECT unit FROM units WHERE short IN ('L0N3', 'L1H2')").unwrap(), [3, 126]);
        assert_eq!(ids("SELECT unit, family FROM families WHERE unit < 4 ORDER BY unit DESC").unwrap(), [3, 2, 1, 0]);
        assert_eq!(ids("SELECT unit FROM examples WHERE unit = 5").unwrap(), [5]);
        let error = ids("SELECT short FROM units").unwrap_err().to_string();
        assert!(error.contains("no column `unit`") && error.contains("`short`"), "{error}");
        assert!(ids("SELECT unit + 1000000 AS unit FROM families").unwrap_err().to_string().contains("number 1000000"));
    }
}
