//! The findings about a prompt, for people.

use golgi_analysis::prompt::Candidate;
use golgi_analysis::prompt::attribution::Attribution;
use golgi_analysis::prompt::effect::Effect;
use golgi_analysis::prompt::logit_lens::LogitLens;
use golgi_analysis::prompt::token_stats::TokenStats;
use golgi_data::unit::Unit;

use super::{Found, controls};
use crate::cli::output::Output;
use crate::cli::show::{facts, matrix, strength_style};
use crate::cli::style::Style;
use crate::cli::table::{Cell, Table};
use crate::report::{Scale, bar, number, one_line, percent};

const BAR_WIDTH: usize = 20;
/// How many heads are listed by their share.
const HEADS: usize = 10;
/// The smallest share that three digits can show.
const SMALLEST: f32 = 0.0005;

pub(super) fn found(out: &Output, found: &Found, position: usize) -> std::io::Result<()> {
    let p = &found.provenance;
    let changed =
        if p.interventions.is_empty() { String::new() } else { format!(", changed by {}", p.interventions.join("; ")) };
    let head = format!("{} · {} tokens · {} on {}{changed}", p.model, p.tokens, p.dtype, p.device);
    out.line(&out.paint.style(&one_line(&head), Style::Bold))?;
    tokens(out, &found.stats)?;
    if let Some(next) = found.stats.next.get(position) {
        out.heading(&after(found, position))?;
        candidates(out, next)?;
    }
    if let Some(effect) = &found.effect {
        changes(out, effect)?;
    }
    if let Some(lens) = &found.lens {
        depths(out, lens)?;
    }
    if let Some(attribution) = &found.attribution {
        shares(out, attribution)?;
    }
    let controls = controls(found);
    if !controls.is_empty() {
        out.heading("Compared with")?;
        facts(out, &controls)?;
    }
    Ok(())
}

fn after(found: &Found, position: usize) -> String {
    let text = found.stats.tokens.get(position).map(|token| one_line(&token.text)).unwrap_or_default();
    if position + 1 == found.stats.tokens.len() {
        "Next token".to_owned()
    } else {
        format!("Next token after position {position}, {text}")
    }
}

fn tokens(out: &Output, stats: &TokenStats) -> std::io::Result<()> {
    match stats.mean_loss {
        Some(loss) => out.heading(&format!("Tokens, mean loss {} nats", number(loss.into())))?,
        None => out.heading("Tokens")?,
    }
    let mut table =
        Table::new().right("").flexible("token").right("id").right("loss").right("probability").right("rank");
    for (at, token) in stats.tokens.iter().enumerate() {
        table.row([
            Cell::new(at.to_string(), Style::Dim),
            one_line(&token.text).into(),
            Cell::new(token.id.to_string(), Style::Dim),
            token.loss.map(|loss| format!("{loss:.2}")).unwrap_or_default().into(),
            Cell::new(token.prob.map(percent).unwrap_or_default(), strength_style(token.prob.unwrap_or(0.0))),
            token.rank.map(|rank| rank.to_string()).unwrap_or_default().into(),
        ]);
    }
    out.table(&table)
}

fn candidates(out: &Output, next: &[Candidate]) -> std::io::Result<()> {
    let mut table = Table::new().flexible("token").right("id").right("probability").right("logit").left("");
    for candidate in next {
        table.row([
            one_line(&candidate.text).into(),
            Cell::new(candidate.id.to_string(), Style::Dim),
            percent(candidate.prob).into(),
            format!("{:.2}", candidate.logit).into(),
            Cell::new(bar(candidate.prob, BAR_WIDTH), Style::Good),
        ]);
    }
    out.table(&table)
}

fn changes(out: &Output, effect: &Effect) -> std::io::Result<()> {
    out.heading(&format!("What the interventions change, KL {} nats", number(effect.kl.into())))?;
    let mut table = Table::new().flexible("token").right("before").right("after").right("Δ logit");
    for row in &effect.rows {
        let delta = row.logit_after - row.logit_before;
        let style = if delta < 0.0 { Style::Cool } else { Style::Good };
        let cells = [percent(row.before).into(), percent(row.after).into(), Cell::new(share_text(delta), style)];
        table.row(std::iter::once(Cell::from(one_line(&row.text))).chain(cells));
    }
    out.table(&table)?;
    if let (Some(before), Some(after)) = (effect.loss_before, effect.loss_after) {
        let text = format!("  mean loss {} before, {} after", number(before.into()), number(after.into()));
        out.line(&text)?;
    }
    Ok(())
}

fn depths(out: &Output, lens: &LogitLens) -> std::io::Result<()> {
    out.heading("Logit lens: the most probable next token at each depth, with its probability in %")?;
    let cell = |at: usize| {
        let best = lens.cells.get(at).and_then(|cell| cell.top.first());
        best.map_or_else(Cell::default, |best| {
            let text = crate::cli::table::truncate(&one_line(&best.text), 10);
            Cell::new(format!("{text} {:.0}", best.prob * 100.0), strength_style(best.prob))
        })
    };
    matrix(out, &lens.depths, &lens.tokens, &cell)
}

fn shares(out: &Output, found: &Attribution) -> std::io::Result<()> {
    let target = one_line(&found.target.text);
    let what = match &found.foil {
        Some(foil) => format!("logit of {target} minus logit of {}", one_line(&foil.text)),
        None => format!("logit of {target}"),
    };
    out.heading(&format!(
        "Direct attribution at position {}: {what} = {}",
        found.position,
        number(found.actual.into())
    ))?;
    let heads = |layer: &Vec<f32>| layer.iter().sum::<f32>();
    let by_layer: Vec<f32> = found.heads.iter().map(heads).collect();
    let scale = Scale::new(by_layer.iter().chain(&found.mlps).copied(), true);
    let share = |value: f32| Cell::new(share_text(value), sign_style(value, &scale));
    let mut table = Table::new().right("layer").right("heads").right("MLP").left("largest heads");
    for (layer, (sum, mlp)) in by_layer.iter().zip(&found.mlps).enumerate() {
        table.row([
            Cell::new(layer.to_string(), Style::Dim),
            share(*sum),
            share(*mlp),
            largest(&found.heads[layer]).into(),
        ]);
    }
    out.table(&table)?;
    let mut rest = Table::new().left("").right("");
    let biases: f32 = found.attn_bias.iter().sum();
    for (name, value) in [
        ("embedding", found.embed),
        ("position embedding", found.pos_embed),
        ("attention biases", biases),
        ("constant", found.constant),
        ("interventions", found.interventions),
    ] {
        // Rounding alone is not worth a line.
        if value.abs() >= SMALLEST {
            rest.row([Cell::new(name, Style::Dim), share_text(value).into()]);
        }
    }
    rest.row([Cell::new("sum of all parts", Style::Dim), share_text(found.total).into()]);
    out.line("")?;
    out.table(&rest)?;

    let mut all: Vec<(String, f32)> = Vec::new();
    for (layer, heads) in found.heads.iter().enumerate() {
        let named =
            heads.iter().enumerate().map(|(head, value)| (Unit::head(layer as u32, head as u32).short(), *value));
        all.extend(named);
    }
    all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    all.truncate(HEADS);
    out.heading("Heads with the largest shares")?;
    ranked(out, &all)?;
    if !found.neurons.is_empty() {
        out.heading("Neurons with the largest shares")?;
        let neurons: Vec<(String, f32)> = found.neurons.iter().map(|(unit, value)| (unit.short(), *value)).collect();
        ranked(out, &neurons)?;
    }
    Ok(())
}

/// The three largest heads of a layer, such as `6 +1.234  0 -0.5`.
fn largest(heads: &[f32]) -> String {
    let mut order: Vec<usize> = (0..heads.len()).collect();
    order.sort_by(|a, b| heads[*b].abs().total_cmp(&heads[*a].abs()));
    let shown = order.into_iter().take(3).map(|head| format!("{head:>2} {:+.2}", heads[head]));
    shown.collect::<Vec<_>>().join("  ")
}

fn ranked(out: &Output, list: &[(String, f32)]) -> std::io::Result<()> {
    let scale = Scale::new(list.iter().map(|(_, value)| *value), true);
    let mut table = Table::new().left("").right("").left("");
    for (name, value) in list {
        let bar =
            Cell::new(bar(scale.strength(*value), BAR_WIDTH), if *value < 0.0 { Style::Cool } else { Style::Good });
        table.row([Cell::new(name, Style::Name), share_text(*value).into(), bar]);
    }
    out.table(&table)
}

/// A share of a logit, all with the same number of digits.
fn share_text(value: f32) -> String {
    format!("{value:+.3}")
}

fn sign_style(value: f32, scale: &Scale) -> Style {
    strength_style(scale.strength(value))
}
