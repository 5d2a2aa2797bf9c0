//! `golgi inspect` for networks for images.

use golgi_data::images::Fit;
use golgi_probes::vision::{Extent, OpenVision};
use serde_json::{Value, json};

use super::{OnDisk, facts};
use crate::cli::style::Style;
use crate::cli::table::{Cell, Table};
use crate::cli::work::Work;
use crate::report::count;

pub(super) fn network(work: &Work, open: &OpenVision, on_disk: &OnDisk, tensors: bool) -> anyhow::Result<()> {
    on_disk.print(work)?;
    let (network, out) = (&open.network, &work.out);
    let settings = open.preprocess.settings();
    let fit = match settings.fit {
        Fit::SquareThenResize(n) => format!("the square at its centre, resized to {n} × {n}"),
        Fit::ResizeThenCrop { resize, crop } => {
            format!("its shorter side resized to {resize}, then {crop} × {crop} at its centre")
        }
        Fit::Stretch(n) => format!("stretched to {n} × {n}"),
    };
    let size = open.preprocess.input_size() as i64;
    let sizes = network.spatial(size, size)?;
    out.heading("Network")?;
    facts(
        work,
        &[
            ("family", network.family.to_owned()),
            (
                "classes",
                match network.classes() {
                    0 => "none: its last layer describes the image".to_owned(),
                    classes => count(classes as u64),
                },
            ),
            ("a picture becomes", fit),
            ("its values become", format!("(x · {} − {:?}) / {:?}", settings.scale, settings.mean, settings.std)),
            ("computes in", format!("{} on {}", open.dtype, work.global.open_options().device)),
            ("parameters", count(network.parameters())),
            ("multiplications for one picture", count(network.multiplications(size, size)?)),
        ],
    )?;
    out.heading(&format!("Sites ({})", network.nodes.len()))?;
    let mut table = Table::new().left("site").left("shape").right("sees").flexible("what it is");
    let fields = network.fields(size, size)?;
    for ((node, (height, width)), field) in network.nodes.iter().zip(sizes).zip(fields) {
        let sides: Vec<String> = node.extent.shape((height, width)).iter().map(i64::to_string).collect();
        let shape = format!("[batch, {}]", sides.join(", "));
        let sees = format!("{}", field.rows.size.min(size));
        let what = Cell::new(node.op.description(), Style::Dim);
        table.row([Cell::new(node.site.to_string(), Style::Name), shape.into(), sees.into(), what]);
    }
    out.table(&table)?;
    out.line("\n`sees`: rows of the picture within the receptive field of one position.")?;
    if tensors {
        on_disk.print_tensors(work)?;
    }
    Ok(())
}

pub(super) fn json(open: &OpenVision, on_disk: &OnDisk, tensors: bool) -> anyhow::Result<Value> {
    let network = &open.network;
    let size = open.preprocess.input_size() as i64;
    let (sizes, receptive) = (network.spatial(size, size)?, network.fields(size, size)?);
    let sites = network.nodes.iter().zip(sizes).zip(receptive).map(|((node, (height, width)), field)| {
        json!({
            "site": node.site,
            "axes": match node.extent {
                Extent::Map(_) => "map",
                Extent::Vector(_) => "vector",
                Extent::Tokens(_) => "tokens",
                Extent::Heads { .. } => "heads",
                Extent::Pattern(_) => "pattern",
            },
            "shape": node.extent.shape((height, width)),
            "units": node.extent.channels(),
            "receptive_field": field.rows.size.min(size),
            "description": node.op.description(),
        })
    });
    let sites: Vec<Value> = sites.collect();
    let mut fields = on_disk.json(tensors);
    fields["network"] = json!({
        "family": network.family,
        "classes": network.classes(),
        "preprocess": open.preprocess,
        "dtype": open.dtype.to_string(),
        "parameters": network.parameters(),
        "multiplications": network.multiplications(size, size)?,
        "sites": sites,
    });
    Ok(fields)
}
