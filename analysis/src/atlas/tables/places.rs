//! `contexts.parquet` and `examples.parquet`.

use std::path::Path;

use golgi_data::context::RunContext;
use golgi_data::tables::Columns;

use super::{BuildError, Source, Table};
use crate::atlas::plan::Plan;
use crate::atlas::units::Units;
use crate::error::Result;

/// Contexts that can be read alone.
const CONTEXTS: usize = 64;
/// Examples that can be read alone.
const EXAMPLES: usize = 8192;
/// Contexts whose tokens are put into words at once.
const AT_ONCE: usize = 1024;

/// Writes the contexts with their tokens.
pub(super) fn contexts(source: &Source, out: &Path) -> Result<()> {
    let plan = source.plan;
    let documents = plan.corpus.documents();
    let mut file = Table::new(out, "contexts", CONTEXTS);
    let numbers: Vec<u32> = (0..plan.contexts.len() as u32).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let tokens: Vec<Vec<u32>> = numbers
            .iter()
            .map(|number| {
                let mut tokens = Vec::with_capacity(plan.len(*number));
                plan.push_tokens(*number, &mut tokens);
                tokens
            })
            .collect();
        let pieces: Vec<Vec<String>> =
            tokens.iter().map(|ids| ids.iter().map(|id| source.model.piece(*id)).collect()).collect();
        let about = |number: &u32| &plan.contexts[*number as usize];
        let document = |number: &u32| &documents[about(number).document as usize];
        let columns = Columns::new()
            .u32("context", numbers.to_vec())
            .u32("document", numbers.iter().map(|number| about(number).document).collect::<Vec<_>>())
            .text("document_id", numbers.iter().map(|number| document(number).id.as_str()).collect::<Vec<_>>())
            .u32("start", numbers.iter().map(|number| about(number).start).collect::<Vec<_>>())
            .text("language", numbers.iter().map(|number| plan.corpus.language(document(number))).collect::<Vec<_>>())
            .text("genre", numbers.iter().map(|number| plan.corpus.genre(document(number))).collect::<Vec<_>>())
            .text("split", numbers.iter().map(|number| document(number).split.name()).collect::<Vec<_>>())
            .u32_lists("tokens", &tokens)
            .text_lists("pieces", &pieces);
        file.push(columns)?;
    }
    Ok(file.finish().map_err(BuildError::from)?)
}

/// Writes the examples, layer by layer.
pub(super) fn examples(plan: &Plan, units: &Units, out: &Path, ctx: &RunContext) -> Result<()> {
    let mut file = Table::new(out, "examples", EXAMPLES);
    for group in &units.groups {
        let (mut unit, mut band, mut rank, mut context) = (vec![], vec![], vec![], vec![]);
        let (mut position, mut value, mut start, mut window) = (vec![], vec![], vec![], vec![]);
        for block in &group.blocks {
            for lane in 0..block.used {
                let id = group.about.start + (block.first + lane) as u32;
                for (number, places) in block.examples.of(lane) {
                    for (place, found) in places.iter().enumerate() {
                        unit.push(id);
                        band.push(number as i8);
                        rank.push(place as u8);
                        context.push(found.context);
                        position.push(found.position);
                        value.push(found.value);
                        start.push(found.window_start() as u16);
                        window.push(found.window(plan.len(found.context)));
                    }
                }
            }
        }
        let columns = Columns::new().u32("unit", unit).i8("band", band).u8("rank", rank).u32("context", context);
        let columns = columns.u16("position", position).f32("value", value).u16("window_start", start);
        file.push(columns.f32_lists("window", &window))?;
        ctx.check()?;
        ctx.advance(u64::from(group.about.count));
    }
    Ok(file.finish().map_err(BuildError::from)?)
}
