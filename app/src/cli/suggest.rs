//! What a mistyped site may have meant.

use golgi_probes::{ProbeError, Transformer};

/// Adds suggestions to the refusal of a site.
pub fn with_sites(error: ProbeError, model: &Transformer) -> anyhow::Error {
    let ProbeError::UnknownSite { site, hint } = &error else { return error.into() };
    if !hint.is_empty() {
        return error.into();
    }
    let meant = closest(site, model);
    if meant.is_empty() {
        return error.into();
    }
    let names: Vec<String> = meant.iter().map(|name| format!("`{name}`")).collect();
    super::error::failure(format!(
        "the model has no site `{site}`; did you mean {}? `golgi inspect MODEL` lists its sites",
        names.join(" or ")
    ))
}

/// Up to three names of sites like `wanted`. A glob over layers is compared with globs over layers.
fn closest(wanted: &str, model: &Transformer) -> Vec<String> {
    let over_layers = wanted.starts_with("blocks.*.");
    let mut names: Vec<String> = Vec::new();
    for spec in model.sites() {
        let name = match (over_layers, spec.site.point()) {
            (true, Some(point)) => format!("blocks.*.{}", point.name()),
            (true, None) => continue,
            (false, _) => spec.site.to_string(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let limit = (wanted.chars().count() / 4).clamp(2, 6);
    let mut scored: Vec<(usize, String)> =
        names.into_iter().map(|name| (distance(wanted, &name), name)).filter(|(far, _)| *far <= limit).collect();
    scored.sort();
    let best = scored.first().map_or(0, |(far, _)| *far);
    scored.into_iter().take_while(|(far, _)| *far <= best + 1).take(3).map(|(_, name)| name).collect()
}

/// Levenshtein's distance, a swap of neighbours counting once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(300).collect(), b.chars().collect());
    let (mut before, mut above): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = above[j] + usize::from(a[i] != b[j]);
            let mut best = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("hook_psot", "hook_post"), 1);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("ab", ""), 2);
    }
}
