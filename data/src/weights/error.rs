//! What can be wrong with a file of weights, and with a question about one.

use std::path::PathBuf;

/// A failure to open or to read a file of weights. Each message names the file or the tensor, the cause and the way on.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The operating system refused.
    #[error("cannot read {}: {cause}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file's contents are not what they should be.
    #[error("{}: {fault}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: FormatError,
    },
    /// No tensor has this name.
    #[error("there is no tensor `{name}` in the file{}", suggest(.closest))]
    NoTensor {
        /// The name asked for.
        name: String,
        /// Up to three names that are close to it.
        closest: Vec<String>,
    },
    /// The buffer for a tensor has another length than the tensor.
    #[error("tensor `{name}` has {expected} elements, but the buffer for it holds {actual}")]
    Length {
        /// The tensor.
        name: String,
        /// Its number of elements.
        expected: usize,
        /// The length of the buffer.
        actual: usize,
    },
    /// Integers were asked for, but the tensor holds something else.
    #[error("tensor `{name}` is stored as {actual}, not as integers; read it as f32")]
    NotIntegers {
        /// The tensor.
        name: String,
        /// What it is stored as.
        actual: super::StoredType,
    },
    /// A configuration was asked for, but the GGUF is of a family that is not known here.
    #[error("the GGUF architecture `{found}` is not supported; supported are {supported}")]
    Architecture {
        /// What `general.architecture` says.
        found: String,
        /// The ones that are known.
        supported: String,
    },
    /// The metadata lacks what a configuration needs.
    #[error("the GGUF metadata lacks a usable `{key}`; convert the model again from its original files")]
    Metadata {
        /// The missing key.
        key: String,
    },
}

/// What is wrong with the contents of a file. [`WeightsError::File`] adds which file it is.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Nothing in it.
    #[error("the file is empty; download it again")]
    Empty,
    /// A format without weights that Golgi can read.
    #[error("this is {found}, not a file of weights (safetensors, GGUF or a PyTorch state dict); {advice}")]
    NotWeights {
        /// What the file seems to be.
        found: String,
        /// What to do.
        advice: String,
    },
    /// The file ends too early.
    #[error(
        "the file ends too early: {part} should take {expected} bytes, but only {actual} are left; download the file again"
    )]
    Truncated {
        /// What does not fit.
        part: String,
        /// The bytes that it takes.
        expected: u64,
        /// The bytes that are there.
        actual: u64,
    },
    /// A length or a count beyond what Golgi accepts.
    #[error("{part} is {actual}, above the limit of {limit}; the file is damaged or was not made by an honest program")]
    Limit {
        /// What is too large.
        part: String,
        /// Its size.
        actual: u64,
        /// The largest accepted.
        limit: u64,
    },
    /// The header breaks the rules of its format.
    #[error("the header is malformed: {0}; download the file again")]
    Header(String),
    /// A format version that is not known.
    #[error("this is version {found} of {format}; supported are {supported}")]
    Version {
        /// The format.
        format: &'static str,
        /// The version found.
        found: String,
        /// The ones that are known.
        supported: &'static str,
    },
    /// Two tensors claim the same bytes.
    #[error("tensors `{first}` and `{second}` overlap or leave a gap; the file is damaged or lies")]
    Overlap {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Two tensors have one name.
    #[error("the file holds two tensors called `{0}`")]
    Duplicate(String),
    /// A shape that no file can hold.
    #[error("tensor `{name}` has the absurd shape {shape:?}; the file is damaged or lies")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<u64>,
    },
    /// A shape that does not go with the stored bytes.
    #[error("tensor `{name}` of shape {shape:?} needs {expected} bytes, but the file gives it {actual}")]
    Size {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The bytes the shape needs.
        expected: u64,
        /// The bytes it has.
        actual: u64,
    },
    /// An element type or quantisation that cannot be decoded.
    #[error("tensor `{name}` is stored as {found}, which is not supported; supported are {supported}")]
    StoredType {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
        /// The types that are known for this format.
        supported: &'static str,
    },
    /// The index of a sharded model names a file that is not a plain name.
    #[error("the index names the shard `{0}`, which is not a plain file name in the same folder")]
    ShardName(String),
    /// A shard is not there.
    #[error("the shard `{0}` is missing from the folder; download the model again")]
    MissingShard(String),
    /// A shard lacks a tensor that the index promises.
    #[error("the index says that tensor `{name}` is in `{shard}`, but it is not; download the model again")]
    NotInShard {
        /// The tensor.
        name: String,
        /// The shard.
        shard: String,
    },
    /// A pickle that wants to run something.
    #[error(
        "the file wants to run `{module}.{name}` while it is read, which Golgi never does; \
         convert it to safetensors with a program you trust, or get it in that format"
    )]
    Global {
        /// The Python module.
        module: String,
        /// The name in it.
        name: String,
    },
    /// A pickle that cannot be followed.
    #[error("the pickle is malformed at byte {at}: {cause}")]
    Pickle {
        /// Where, from the start of the pickle.
        at: usize,
        /// Why.
        cause: String,
    },
    /// A ZIP archive that cannot be followed.
    #[error("the ZIP archive is malformed: {0}; download the file again")]
    Zip(String),
    /// Nothing to load.
    #[error("the file holds no tensors")]
    NoTensors,
}

fn suggest(closest: &[String]) -> String {
    match closest {
        [] => String::new(),
        names => format!("; did you mean {}?", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// Up to three of `names` that are most like `wanted`, best first.
pub(crate) fn closest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    const MAX_NAMES: usize = 100_000;
    let wanted: Vec<char> = wanted.chars().take(200).collect();
    let limit = (wanted.len() / 3).max(2);
    let mut scored: Vec<(usize, &str)> = names
        .take(MAX_NAMES)
        .filter(|name| name.len().abs_diff(wanted.len()) <= limit)
        .map(|name| (edit_distance(&wanted, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    scored.sort_unstable();
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// Levenshtein's distance.
fn edit_distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_edits() {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        assert_eq!(edit_distance(&chars("kitten"), "sitting"), 3);
        assert_eq!(edit_distance(&chars(""), "abc"), 3);
        assert_eq!(edit_distance(&chars("same"), "same"), 0);
    }

    #[test]
    fn suggestions_are_close_and_ordered() {
        let names = ["model.norm.weight", "model.norms.weight", "lm_head.weight", "x"];
        assert_eq!(closest("model.nrm.weight", names.into_iter()), ["model.norm.weight", "model.norms.weight"]);
        assert!(closest("entirely.different.thing", names.into_iter()).is_empty());
    }

    #[test]
    fn a_missing_tensor_reads_well() {
        let error = WeightsError::NoTensor { name: "a".into(), closest: vec!["b".into()] };
        assert_eq!(error.to_string(), "there is no tensor `a` in the file; did you mean `b`?");
    }
}
