//! Traces: what a capture brings back, and the tap that captures.

use std::collections::BTreeMap;
use std::path::Path;

use golgi_data::site::{Site, SitePattern};
use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Kind, Tensor};

use crate::error::{ProbeError, Result};
use crate::tap::Tap;
use crate::transformer::{MemoryEstimate, Transformer};

/// Activations by site, with the tokens that caused them.
#[derive(Debug, Default)]
pub struct Trace {
    /// The activation at each captured site; shapes as in [`SiteSpec`](crate::transformer::SiteSpec).
    pub sites: BTreeMap<Site, Tensor>,
    /// The tokens of each sequence, padding left out.
    pub tokens: Vec<Vec<u32>>,
}

impl Trace {
    /// The activation at `site`.
    ///
    /// # Errors
    /// [`ProbeError::Trace`] if it was not captured.
    pub fn get(&self, site: &Site) -> Result<&Tensor> {
        self.sites.get(site).ok_or_else(|| ProbeError::Trace(format!("it holds nothing of `{site}`")))
    }

    /// Writes every site under its canonical name, and `tokens` (int64, `[batch, pos]`, padded with 0), as safetensors.
    /// The file appears when it is whole.
    ///
    /// # Errors
    /// If the file cannot be written; nothing is left behind.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = |cause: String| ProbeError::File { path: path.display().to_string(), action: "written", cause };
        let longest = self.tokens.iter().map(Vec::len).max().unwrap_or(0);
        let mut ids = Vec::with_capacity(self.tokens.len() * longest * 8);
        for row in &self.tokens {
            let padded = row.iter().map(|id| i64::from(*id)).chain(std::iter::repeat(0)).take(longest);
            ids.extend(padded.flat_map(i64::to_le_bytes));
        }
        let mut entries = vec![("tokens".to_owned(), Dtype::I64, vec![self.tokens.len(), longest], ids)];
        for (site, tensor) in &self.sites {
            let (dtype, bytes) = raw_bytes(tensor)?;
            entries.push((site.to_string(), dtype, tensor.size().iter().map(|n| *n as usize).collect(), bytes));
        }
        let views = entries
            .iter()
            .map(|(name, dtype, shape, bytes)| Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| failed(error.to_string()))?;
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if std::fs::metadata(path).is_ok_and(|known| !known.is_file() && !known.is_dir()) {
            // A device or a pipe is written to; it must not be replaced by a file.
            let bytes = safetensors::serialize(views, None).map_err(|error| failed(error.to_string()))?;
            return std::fs::write(path, bytes).map_err(|error| failed(error.to_string()));
        }
        let mut temporary = tempfile::Builder::new();
        temporary.prefix(".golgi-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What any new file gets; the user's mask is applied to it.
            temporary.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = temporary.tempfile_in(folder).map_err(|error| failed(error.to_string()))?;
        safetensors::serialize_to_file(views, None, file.path()).map_err(|error| failed(error.to_string()))?;
        let file = file.persist(path).map_err(|error| failed(error.error.to_string()))?;
        file.sync_all().map_err(|error| failed(error.to_string()))
    }

    /// Reads what [`Trace::save`] wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is no safetensors file, or holds an entry that is no site.
    pub fn load(path: &Path) -> Result<Trace> {
        let failed = |cause: String| ProbeError::File { path: path.display().to_string(), action: "read", cause };
        let weights = golgi_data::weights::Weights::open(path)?;
        let mut trace = Trace::default();
        let names: Vec<String> = weights.names().map(str::to_owned).collect();
        for name in names {
            let shape = weights.info(&name).map(|info| info.shape.clone()).unwrap_or_default();
            if name == "tokens" {
                let ids = weights.read_i64(&name)?;
                let pos = shape.last().copied().unwrap_or(0).max(1);
                trace.tokens = ids.chunks(pos).map(|row| row.iter().map(|id| *id as u32).collect()).collect();
                continue;
            }
            let site: Site = name.parse().map_err(|error: golgi_data::site::SiteError| failed(error.to_string()))?;
            let size: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
            trace.sites.insert(site, Tensor::f_from_slice(&weights.read_f32(&name)?)?.f_view(size.as_slice())?);
        }
        Ok(trace)
    }
}

fn raw_bytes(tensor: &Tensor) -> Result<(Dtype, Vec<u8>)> {
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let (dtype, width) = match tensor.kind() {
        Kind::BFloat16 => (Dtype::BF16, 2),
        Kind::Half => (Dtype::F16, 2),
        Kind::Float => (Dtype::F32, 4),
        Kind::Double => (Dtype::F64, 8),
        Kind::Int64 => (Dtype::I64, 8),
        other => return Err(ProbeError::Trace(format!("{other:?} values cannot be stored"))),
    };
    let mut bytes = vec![0u8; tensor.numel() * width];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
    Ok((dtype, bytes))
}

/// The tap that captures. Used for several passes, as while generating, it joins them along the positions.
#[derive(Debug)]
pub struct Capture {
    patterns: Vec<SitePattern>,
    keep_device: bool,
    parts: BTreeMap<Site, Vec<Tensor>>,
}

impl Capture {
    /// Captures every site that matches one of `patterns`; what is captured lands in main memory.
    pub fn new(patterns: Vec<SitePattern>) -> Capture {
        Capture { patterns, keep_device: false, parts: BTreeMap::new() }
    }

    /// Captures just these sites.
    pub fn sites<'a>(sites: impl IntoIterator<Item = &'a Site>) -> Capture {
        Capture::new(sites.into_iter().map(SitePattern::from).collect())
    }

    /// Leaves what is captured on the model's device.
    #[must_use]
    pub fn on_device(mut self) -> Capture {
        self.keep_device = true;
        self
    }

    /// What was captured. Positions of several passes are joined; attention patterns, whose key axis grows, are padded
    /// with zeros on the right.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn into_trace(self, tokens: Vec<Vec<u32>>) -> Result<Trace> {
        let mut sites = BTreeMap::new();
        for (site, parts) in self.parts {
            sites.insert(site, join(parts)?);
        }
        Ok(Trace { sites, tokens })
    }
}

fn join(mut parts: Vec<Tensor>) -> Result<Tensor> {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return Ok(only);
    }
    let keys = parts.iter().map(|part| part.size().last().copied().unwrap_or(0)).max().unwrap_or(0);
    let uneven = parts.iter().any(|part| part.size().last() != Some(&keys));
    if !uneven {
        return Ok(Tensor::f_cat(&parts, 1)?);
    }
    let padded: Vec<Tensor> = parts
        .iter()
        .map(|part| part.f_constant_pad_nd([0, keys - part.size().last().copied().unwrap_or(0)]))
        .collect::<Result<_, _>>()?;
    Ok(Tensor::f_cat(&padded, 2)?)
}

impl Tap for Capture {
    fn wants(&self, site: &Site) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(site))
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> Result<Tensor> {
        // No copy: the forward pass never writes into a tensor that it has handed out.
        let kept = activation.f_detach()?;
        let kept = if self.keep_device { kept } else { kept.f_to_device(Device::Cpu)? };
        self.parts.entry(site.clone()).or_default().push(kept);
        Ok(activation)
    }
}

/// Refuses a capture that would not fit, before anything is computed.
///
/// # Errors
/// [`ProbeError::Budget`] with estimate and budget; [`ProbeError::UnknownSite`] if a pattern matches no site.
pub fn preflight(
    model: &Transformer,
    patterns: &[SitePattern],
    (batch, pos): (usize, usize),
    logits: bool,
    budget_bytes: Option<u64>,
) -> Result<MemoryEstimate> {
    let sites = model.sites();
    for pattern in patterns {
        if !sites.iter().any(|spec| pattern.matches(&spec.site)) {
            // A well-formed name gets the more precise refusal of `Transformer::site`.
            if let Ok(site) = pattern.as_str().parse::<Site>() {
                model.site(&site)?;
            }
            return Err(ProbeError::UnknownSite { site: pattern.to_string(), hint: String::new() });
        }
    }
    let estimate = model.estimate(batch, pos, |site| patterns.iter().any(|pattern| pattern.matches(site)), logits);
    match budget_bytes {
        Some(budget) if estimate.total() > budget => Err(ProbeError::Budget {
            needed: golgi_data::context::bytes_text(estimate.total()),
            budget: golgi_data::context::bytes_text(budget),
        }),
        _ => Ok(estimate),
    }
}
