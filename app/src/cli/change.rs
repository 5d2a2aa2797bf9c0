//! Interventions as one types them: `L18H6=zero`, `L5N7=set:3@last`, or the name of a file.
//!
//! `TARGET=EDIT[:VALUE][@POSITIONS]`. The target is a unit (`L18H6`, `blocks.5.mlp.hook_post:7`) or a glob over sites; the edit
//! is `zero`, `mean`, `set:X`, `scale:X` or `clamp:MIN..MAX`; positions are `last`, `prompt`, `generated` or numbers such as
//! `0,-1`. Everything else (directions, traces) is written in a file.

use std::path::Path;

use anyhow::Context;
use golgi_data::site::SitePattern;
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Edit, Intervention, Positions};
use serde_json::Value;

use super::error::failure;

/// The largest file of interventions that is read.
const MAX_BYTES: u64 = 16 << 20;

/// Reads every `--intervene`, in order.
///
/// # Errors
/// If one is neither a change nor a readable file of changes.
pub fn parse(changes: &[String]) -> anyhow::Result<Vec<Intervention>> {
    let mut all = Vec::new();
    for change in changes {
        let ending = Path::new(change).extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("toml" | "json") => all.extend(file(Path::new(change))?),
            _ if change.trim_start().starts_with(['{', '[']) => {
                let value: Value = serde_json::from_str(change).with_context(|| malformed(change))?;
                all.extend(from_value(value).with_context(|| malformed(change))?);
            }
            _ => all.push(inline(change)?),
        }
    }
    Ok(all)
}

fn malformed(change: &str) -> String {
    format!("the intervention `{}` cannot be read", change.chars().take(120).collect::<String>())
}

fn file(path: &Path) -> anyhow::Result<Vec<Intervention>> {
    let cannot = || format!("the interventions in `{}` cannot be read", path.display());
    let bytes = std::fs::metadata(path).with_context(cannot)?.len();
    if bytes > MAX_BYTES {
        return Err(
            failure(format!("it has {bytes} bytes, more than a list of interventions can have")).context(cannot())
        );
    }
    let text = std::fs::read_to_string(path).with_context(cannot)?;
    let value = if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
        serde_json::from_str(&text).with_context(cannot)?
    } else {
        toml::from_str::<Value>(&text).with_context(cannot)?
    };
    from_value(value).with_context(cannot)
}

/// A list of interventions, one alone, or a table that holds them as `interventions`, as a probe script does.
fn from_value(value: Value) -> anyhow::Result<Vec<Intervention>> {
    Ok(match value {
        Value::Array(_) => serde_json::from_value(value)?,
        Value::Object(mut table) => match table.remove("interventions") {
            Some(list) => serde_json::from_value(list)?,
            None => vec![serde_json::from_value(Value::Object(table))?],
        },
        _ => return Err(failure("it is no list of interventions; see `golgi prompt --help`")),
    })
}

fn inline(text: &str) -> anyhow::Result<Intervention> {
    let wrong = |cause: &str| {
        let example =
            "write it like `L18H6=zero`, `L5N7=set:3@last` or `blocks.*.hook_mlp_out=scale:0.5`, or name a .toml file";
        failure(format!("`{}` is no intervention: {cause}; {example}", text.chars().take(200).collect::<String>()))
    };
    let (target, rest) = text.rsplit_once('=').ok_or_else(|| wrong("it has no `=`"))?;
    let (edit, positions) = rest.split_once('@').map_or((rest, None), |(edit, at)| (edit, Some(at)));
    let (name, value) = edit.split_once(':').map_or((edit, None), |(name, value)| (name, Some(value)));
    let number = |text: Option<&str>| {
        let text = text.ok_or_else(|| wrong(&format!("`{name}` needs a number, as in `{name}:2`")))?;
        text.parse::<f64>().map_err(|_| wrong(&format!("`{text}` is no number")))
    };
    let edit = match name {
        "zero" => Edit::Zero,
        "mean" => Edit::Mean { trace: None },
        "set" => Edit::Set { value: number(value)? },
        "scale" => Edit::Scale { factor: number(value)? },
        "clamp" => {
            let (min, max) =
                value.and_then(|value| value.split_once("..")).ok_or_else(|| wrong("`clamp` needs `MIN..MAX`"))?;
            let bound = |text: &str| if text.is_empty() { Ok(None) } else { number(Some(text)).map(Some) };
            Edit::Clamp { min: bound(min)?, max: bound(max)? }
        }
        other => return Err(wrong(&format!("`{other}` is none of zero, mean, set, scale, clamp"))),
    };
    let mut intervention = match target.parse::<Unit>() {
        Ok(unit) => Intervention::of_unit(&unit, edit),
        Err(_) => Intervention::new(SitePattern::new(target)?, edit),
    };
    intervention.scope.positions = match positions {
        None | Some("all") => Positions::All,
        Some("last") => Positions::Last,
        Some("prompt") => Positions::Prompt,
        Some("generated") => Positions::Generated,
        Some(list) => {
            let numbers = list.split(',').map(|number| number.trim().parse::<i64>()).collect::<Result<_, _>>();
            Positions::These(numbers.map_err(|_| wrong(&format!("`{list}` are no positions")))?)
        }
    };
    intervention.label = text.to_owned();
    Ok(intervention)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> anyhow::Result<Intervention> {
        parse(&[text.to_owned()]).map(|mut list| list.remove(0))
    }

    #[test]
    fn short_forms() {
        let head = one("L18H6=zero").unwrap();
        assert_eq!((head.edit, head.scope.heads), (Edit::Zero, Some(vec![6])));
        let neuron = one("blocks.5.mlp.hook_post:7=set:-3.5@last").unwrap();
        assert_eq!((neuron.edit, neuron.scope.units), (Edit::Set { value: -3.5 }, Some(vec![7])));
        assert_eq!(neuron.scope.positions, Positions::Last);
        let glob = one("blocks.*.hook_mlp_out=scale:0.5@0,-1").unwrap();
        assert_eq!(glob.scope.positions, Positions::These(vec![0, -1]));
        assert_eq!(one("L0N0=clamp:..2").unwrap().edit, Edit::Clamp { min: None, max: Some(2.0) });
    }

    #[test]
    fn json_and_files() {
        let text = r#"{ "site": "blocks.1.hook_mlp_out", "edit": "zero" }"#;
        assert_eq!(one(text).unwrap().edit, Edit::Zero);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, "[[interventions]]\nsite = \"blocks.1.hook_mlp_out\"\nedit = \"scale\"\nfactor = 2.0\n")
            .unwrap();
        assert_eq!(one(path.to_str().unwrap()).unwrap().edit, Edit::Scale { factor: 2.0 });
        std::fs::write(&path, "[[interventions]\n").unwrap();
        assert!(one(path.to_str().unwrap()).is_err());
        assert!(one("/no/such.toml").is_err());
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for bad in [
            "",
            "L18H6",
            "L18H6=",
            "L18H6=explode",
            "L18H6=set",
            "L18H6=set:x",
            "L0N0=zero@x",
            "[=zero",
            "L0N0=clamp:1",
            "{",
        ] {
            assert!(one(bad).is_err(), "{bad}");
        }
        assert!(one("L18H6=explode").unwrap_err().to_string().contains("L18H6=zero"));
    }
}
