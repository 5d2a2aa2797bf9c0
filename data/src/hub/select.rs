//! Which files of a model are needed.

/// Files around the weights that are worth having, where a model has them.
pub(super) const AROUND: [&str; 13] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "preprocessor_config.json",
    "README.md",
];

/// Files with the endings of weights that hold none.
const NOT_WEIGHTS: [&str; 5] = ["training_args.", "optimizer.", "scheduler.", "rng_state", "adapter_model."];

/// Where the weights of a model are, by the names of its files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// In one file.
    One(String),
    /// In the files that this index lists.
    Index(String),
    /// In several files that seem to be models of their own.
    Several(Vec<String>),
    /// Nowhere.
    Nothing,
}

/// Chooses by name, best format first. Files in subfolders belong to something else.
pub(crate) fn choose_weights(names: &[String]) -> Choice {
    let has = |name: &str| names.iter().any(|n| n == name);
    for stem in ["model.safetensors", "pytorch_model.bin"] {
        let index = format!("{stem}.index.json");
        if has(stem) {
            return Choice::One(stem.to_owned());
        } else if has(&index) {
            return Choice::Index(index);
        } else if let Some(choice) = only(names, if stem.starts_with("model") { ".safetensors" } else { ".gguf" }) {
            return choice;
        }
    }
    let mut others = Vec::new();
    for ending in [".pth", ".pt", ".bin"] {
        others.extend(ending_in(names, ending));
    }
    one_of(others).unwrap_or(Choice::Nothing)
}

/// The choice among files with an ending: an index, the only file, or several.
fn only(names: &[String], ending: &str) -> Option<Choice> {
    if let [index] = ending_in(names, &format!("{ending}.index.json")).as_slice() {
        return Some(Choice::Index(index.clone()));
    }
    one_of(ending_in(names, ending))
}

fn one_of(mut names: Vec<String>) -> Option<Choice> {
    names.sort();
    match names.len() {
        0 => None,
        1 => names.pop().map(Choice::One),
        _ => Some(Choice::Several(names)),
    }
}

fn ending_in(names: &[String], ending: &str) -> Vec<String> {
    let weights = |name: &&String| {
        name.ends_with(ending) && !name.contains('/') && !NOT_WEIGHTS.iter().any(|start| name.starts_with(start))
    };
    names.iter().filter(weights).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(names: &[&str]) -> Choice {
        choose_weights(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    fn one(name: &str) -> Choice {
        Choice::One(name.to_owned())
    }

    #[test]
    fn the_safest_format_wins() {
        assert_eq!(choose(&["pytorch_model.bin", "model.safetensors", "m.gguf"]), one("model.safetensors"));
        assert_eq!(choose(&["pytorch_model.bin", "other.safetensors"]), one("other.safetensors"));
        assert_eq!(choose(&["pytorch_model.bin", "m.gguf"]), one("pytorch_model.bin"));
        assert_eq!(choose(&["m.gguf", "net.pth"]), one("m.gguf"));
        assert_eq!(choose(&["net.pth", "config.json"]), one("net.pth"));
    }

    #[test]
    fn shards_need_their_index() {
        let index = |name: &str| Choice::Index(name.to_owned());
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        assert!(matches!(choose(&shards), Choice::Several(_)));
        let with = [shards[0], shards[1], "model.safetensors.index.json"];
        assert_eq!(choose(&with), index("model.safetensors.index.json"));
        assert_eq!(choose(&["a.bin", "pytorch_model.bin.index.json"]), index("pytorch_model.bin.index.json"));
    }

    #[test]
    fn what_only_looks_like_weights() {
        assert_eq!(choose(&["training_args.bin", "optimizer.pt", "onnx/model.safetensors"]), Choice::Nothing);
        assert_eq!(choose(&["b.gguf", "a.gguf"]), Choice::Several(vec!["a.gguf".to_owned(), "b.gguf".to_owned()]));
    }
}
