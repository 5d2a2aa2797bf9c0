//! `golgi inspect`: what a model is.

mod vision;

use golgi_data::context::bytes_text;
use golgi_data::models::ModelFiles;
use golgi_data::tokenizer::Tokenizer;
use golgi_data::weights::Weights;
use golgi_probes::vision::OpenVision;
use golgi_probes::{OpenModel, ProbeError, SiteSpec};
use serde_json::{Value, json};

use super::exit::Exit;
use super::style::Style;
use super::table::{Cell, Table};
use super::work::{Work, advised};
use crate::report::{compact, count, one_line};

/// Arguments of `golgi inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name from `golgi models`, a folder, a file, or hf://org/repo
    model: String,
    /// List every site of every layer, not only those of the first
    #[arg(long)]
    all: bool,
    /// List the tensors of the files too
    #[arg(long)]
    tensors: bool,
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let watch = work.watch();
    let files = work.global.resolver().resolve(&args.model, &work.ctx).map_err(advised)?;
    let on_disk = OnDisk::of(&files);
    if golgi_probes::vision::is_vision(&files, &work.ctx) {
        let open = OpenVision::from_files(files, &work.global.open_options(), &work.ctx)?;
        drop(watch);
        if work.out.json {
            work.out.document("inspect", vision::json(&open, &on_disk, args.tensors)?)?;
        } else {
            vision::network(work, &open, &on_disk, args.tensors)?;
        }
        return Ok(Exit::Success);
    }
    let opened = match OpenModel::from_files(files, &work.global.open_options(), &work.ctx) {
        Ok(model) => Ok(model),
        // Weights without a known network can still be looked at.
        Err(error @ (ProbeError::NoConfig(_) | ProbeError::UnknownFamily { .. })) => Err(error),
        Err(error) => return Err(error.into()),
    };
    drop(watch);
    match opened {
        Ok(model) if work.out.json => work.out.document("inspect", network_json(&model, &on_disk, args.tensors))?,
        Ok(model) => network(work, &model, &on_disk, args)?,
        Err(error) => {
            let reason = error.to_string();
            if work.out.json {
                let mut fields = on_disk.json(true);
                fields["network"] = Value::Null;
                fields["reason"] = json!(reason);
                work.out.document("inspect", fields)?;
            } else {
                on_disk.print(work)?;
                on_disk.print_tensors(work)?;
                work.out.line(&format!("\nGolgi can read these weights but not run them: {}.", one_line(&reason)))?;
            }
        }
    }
    Ok(Exit::Success)
}

/// What the files hold, network or not.
struct OnDisk {
    name: String,
    path: String,
    licence: Option<String>,
    revision: Option<String>,
    parameters: u64,
    bytes: u64,
    /// Element types with the number of elements stored so, most first.
    stored: Vec<(String, u64)>,
    /// Name, shape, type.
    tensors: Vec<(String, Vec<usize>, String)>,
}

impl OnDisk {
    fn of(files: &ModelFiles) -> OnDisk {
        let weights: &Weights = &files.weights;
        let mut stored: Vec<(String, u64)> = Vec::new();
        let mut tensors = Vec::new();
        for name in weights.names() {
            let Some(info) = weights.info(name) else { continue };
            let kind = info.stored.to_string();
            match stored.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, elements)) => *elements += info.elements() as u64,
                None => stored.push((kind.clone(), info.elements() as u64)),
            }
            tensors.push((name.to_owned(), info.shape.clone(), kind));
        }
        stored.sort_by_key(|(_, elements)| std::cmp::Reverse(*elements));
        OnDisk {
            name: files.name.clone(),
            path: files.path.display().to_string(),
            licence: files.licence.clone(),
            revision: files.revision.clone(),
            parameters: weights.parameters(),
            bytes: weights.bytes_on_disk(),
            stored,
            tensors,
        }
    }

    fn json(&self, with_tensors: bool) -> Value {
        let stored: Vec<Value> = self.stored.iter().map(|(kind, n)| json!({ "type": kind, "elements": n })).collect();
        let tensors =
            self.tensors.iter().map(|(name, shape, kind)| json!({ "name": name, "shape": shape, "type": kind }));
        json!({
            "name": self.name,
            "path": self.path,
            "licence": self.licence,
            "revision": self.revision,
            "bytes_on_disk": self.bytes,
            "parameters_on_disk": self.parameters,
            "stored": stored,
            "tensors": with_tensors.then(|| tensors.collect::<Vec<_>>()),
        })
    }

    fn print(&self, work: &Work) -> std::io::Result<()> {
        work.out.line(&work.out.paint.style(&one_line(&self.name), Style::Bold))?;
        let stored: Vec<String> = self.stored.iter().map(|(kind, n)| format!("{kind} {}", compact(*n))).collect();
        facts(
            work,
            &[
                ("path", one_line(&self.path)),
                ("licence", self.licence.as_deref().map_or_else(|| "not stated".to_owned(), one_line)),
                ("revision", self.revision.as_deref().map(one_line).unwrap_or_default()),
                ("on disk", format!("{} in {} tensors", bytes_text(self.bytes), self.tensors.len())),
                ("stored as", stored.join(", ")),
            ],
        )
    }

    fn print_tensors(&self, work: &Work) -> std::io::Result<()> {
        work.out.heading("Tensors")?;
        let mut table = Table::new().flexible("name").left("shape").left("type");
        for (name, shape, kind) in &self.tensors {
            table.row([Cell::new(one_line(name), Style::Name), format!("{shape:?}").into(), kind.as_str().into()]);
        }
        work.out.table(&table)
    }
}

fn facts(work: &Work, facts: &[(&str, String)]) -> std::io::Result<()> {
    let mut table = Table::new().left("").flexible("");
    for (label, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        table.row([Cell::new(*label, Style::Dim), value.as_str().into()]);
    }
    work.out.table(&table)
}

fn network(work: &Work, model: &OpenModel, on_disk: &OnDisk, args: &Args) -> std::io::Result<()> {
    on_disk.print(work)?;
    let (network, out) = (&model.model, &work.out);
    let dims = &network.dims;
    let counts = network.parameter_counts();
    out.heading("Network")?;
    let heads = match (dims.n_heads, dims.n_kv_heads) {
        (n, kv) if n == kv => format!("{n} of {}", dims.d_head),
        (n, kv) => format!("{n} of {}, sharing {kv} keys and values", dims.d_head),
    };
    let sum = |part: fn(&(u64, u64, u64)) -> u64| counts.blocks.iter().map(part).sum::<u64>();
    facts(
        work,
        &[
            ("family", network.family.to_owned()),
            ("layers", dims.n_layers.to_string()),
            ("width of the residual stream", dims.d_model.to_string()),
            ("heads per layer", heads),
            ("neurons per layer", count(dims.d_mlp as u64)),
            ("vocabulary", count(dims.d_vocab as u64)),
            ("context", format!("{} tokens", count(dims.n_ctx as u64))),
            ("predicts tokens", if network.has_logits() { "yes" } else { "no" }.to_owned()),
            ("computes in", format!("{} on {}", model.dtype, work.global.open_options().device)),
            ("parameters", count(network.parameters())),
        ],
    )?;
    let mut parts = Table::new().left("").right("");
    for (name, n) in [
        ("embeddings", counts.embedding),
        ("attention", sum(|block| block.0)),
        ("MLPs", sum(|block| block.1)),
        ("norms", sum(|block| block.2)),
        ("head", counts.head),
    ] {
        parts.row([Cell::new(format!("  {name}"), Style::Dim), count(n).into()]);
    }
    out.table(&parts)?;
    out.heading("Tokenizer")?;
    match &model.tokenizer {
        None => out.line("  none; give token ids in place of texts")?,
        Some(tokenizer) => tokenizer_facts(work, tokenizer)?,
    }
    sites(work, model, args.all)?;
    if args.tensors {
        on_disk.print_tensors(work)?;
    }
    Ok(())
}

fn tokenizer_facts(work: &Work, tokenizer: &Tokenizer) -> std::io::Result<()> {
    let named = |id: Option<u32>| id.map(|id| format!("{} ({id})", one_line(&tokenizer.piece(id)))).unwrap_or_default();
    let ends: Vec<String> = tokenizer.end_ids().iter().map(|id| named(Some(*id))).collect();
    facts(
        work,
        &[
            ("entries", count(tokenizer.vocab_size() as u64)),
            ("begins with", named(tokenizer.bos())),
            ("ends at", ends.join(", ")),
            ("pads with", named(tokenizer.pad())),
            ("chat template", if tokenizer.has_chat_template() { "yes" } else { "no" }.to_owned()),
        ],
    )
}

fn sites(work: &Work, model: &OpenModel, all: bool) -> std::io::Result<()> {
    let specs = model.model.sites();
    let n_layers = model.model.dims.n_layers;
    work.out.heading(&format!("Sites ({})", specs.len()))?;
    let mut table = Table::new().left("site").left("shape").flexible("what it is");
    let short = !all && n_layers > 1;
    for spec in &specs {
        // The layers of a model are alike, as a rule; what only later layers have is shown where it first appears.
        let seen =
            |other: &&SiteSpec| other.site.point() == spec.site.point() && other.site.layer() < spec.site.layer();
        if short && spec.site.layer().is_some() && specs.iter().any(|other| seen(&other)) {
            continue;
        }
        let cells = [spec.shape_text(&model.model.dims).into(), Cell::new(spec.description(), Style::Dim)];
        table.row(std::iter::once(Cell::new(spec.site.to_string(), Style::Name)).chain(cells));
    }
    work.out.table(&table)?;
    if short {
        let rest = if n_layers == 2 { "Layer 1 has".to_owned() } else { format!("Layers 1 to {} have", n_layers - 1) };
        work.out.line(&format!("\n{rest} the same sites; --all lists them."))?;
    }
    Ok(())
}

fn network_json(model: &OpenModel, on_disk: &OnDisk, with_tensors: bool) -> Value {
    let network = &model.model;
    let counts = network.parameter_counts();
    let sites = network.sites().into_iter().map(|spec| {
        json!({
            "site": spec.site,
            "axes": spec.axes,
            "shape": spec.shape_text(&network.dims),
            "units": spec.units(&network.dims),
            "description": spec.description(),
        })
    });
    let tokenizer = model.tokenizer.as_ref().map(|tokenizer| {
        json!({
            "entries": tokenizer.vocab_size(),
            "bos": tokenizer.bos(),
            "eos": tokenizer.eos(),
            "pad": tokenizer.pad(),
            "end_ids": tokenizer.end_ids(),
            "chat_template": tokenizer.has_chat_template(),
        })
    });
    let blocks = counts
        .blocks
        .iter()
        .map(|(attention, mlp, norms)| json!({ "attention": attention, "mlp": mlp, "norms": norms }));
    let mut fields = on_disk.json(with_tensors);
    fields["network"] = json!({
        "family": network.family,
        "dims": network.dims,
        "predicts_tokens": network.has_logits(),
        "causal": network.causal,
        "dtype": model.dtype.to_string(),
        "parameters": network.parameters(),
        "parameter_counts": { "embedding": counts.embedding, "blocks": blocks.collect::<Vec<_>>(), "head": counts.head },
        "tokenizer": tokenizer,
        "sites": sites.collect::<Vec<_>>(),
    });
    fields
}
