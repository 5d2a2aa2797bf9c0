//! The exact files libtorch is made of. Versions belong together: tch 0.24 speaks to PyTorch 2.11.0, whose wheel
//! names the CUDA packages; digests are those the package index states.

use golgi_fetch::{Package, Platform};

/// The PyTorch release, part of the folder's name.
pub const TORCH_VERSION: &str = "2.11.0";

const LINUX_X86: Platform = Platform::Tags(&[
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_25_x86_64",
    "manylinux_2_18_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "manylinux1_x86_64",
]);
const LINUX_ARM: Platform = Platform::Tags(&[
    "manylinux_2_28_aarch64",
    "manylinux_2_25_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
]);
const MAC_ARM: Platform = Platform::Tags(&["macosx_11_0_arm64"]);

const fn pin(name: &'static str, version: &'static str, sha256: &'static str, platform: Platform) -> Package {
    Package { name, version, sha256, platform }
}

/// PyTorch and the two small CUDA libraries that even its CPU code is linked to.
pub const CPU_LINUX_X86: &[Package] = &[
    pin("torch", TORCH_VERSION, "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a", LINUX_X86),
    CUPTI_X86,
    CUDART_X86,
];

/// As [`CPU_LINUX_X86`].
pub const CPU_LINUX_ARM: &[Package] = &[
    pin("torch", TORCH_VERSION, "d91aac77f24082809d2c5a93f52a5f085032740a1ebc9252a7b052ef5a4fddc6", LINUX_ARM),
    pin("nvidia-cuda-cupti", "13.0.85", "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151", LINUX_ARM),
    pin(
        "nvidia-cuda-runtime",
        "13.0.96",
        "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
        LINUX_ARM,
    ),
];

/// The wheel for Apple's processors is whole in itself.
pub const CPU_MAC_ARM: &[Package] =
    &[pin("torch", TORCH_VERSION, "7b6a60d48062809f58595509c524b88e6ddec3ebe25833d6462eeab81e5f2ce4", MAC_ARM)];

const CUPTI_X86: Package =
    pin("nvidia-cuda-cupti", "13.0.85", "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8", LINUX_X86);
const CUDART_X86: Package = pin(
    "nvidia-cuda-runtime",
    "13.0.96",
    "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    LINUX_X86,
);

/// Everything the CUDA code needs: the torch wheel's requirements, with cuda-toolkit 13.0.2 resolved to its parts.
pub const CUDA_LINUX_X86: &[Package] = &[
    CPU_LINUX_X86[0],
    CUPTI_X86,
    CUDART_X86,
    pin("nvidia-cublas", "13.1.0.3", "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171", LINUX_X86),
    pin("nvidia-cufft", "12.0.0.61", "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3", LINUX_X86),
    pin("nvidia-cufile", "1.15.1.6", "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44", LINUX_X86),
    pin("nvidia-curand", "10.4.0.35", "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc", LINUX_X86),
    pin("nvidia-cusolver", "12.0.4.66", "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112", LINUX_X86),
    pin("nvidia-cusparse", "12.6.3.3", "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b", LINUX_X86),
    pin("nvidia-nvjitlink", "13.0.88", "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b", LINUX_X86),
    pin("nvidia-cuda-nvrtc", "13.0.88", "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575", LINUX_X86),
    pin("nvidia-nvtx", "13.0.85", "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4", LINUX_X86),
    pin(
        "nvidia-cudnn-cu13",
        "9.19.0.56",
        "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
        LINUX_X86,
    ),
    pin(
        "nvidia-cusparselt-cu13",
        "0.8.0",
        "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
        LINUX_X86,
    ),
    pin("nvidia-nccl-cu13", "2.28.9", "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42", LINUX_X86),
    pin("nvidia-nvshmem-cu13", "3.4.5", "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80", LINUX_X86),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_whole_and_differ() {
        for list in [CPU_LINUX_X86, CPU_LINUX_ARM, CPU_MAC_ARM, CUDA_LINUX_X86] {
            let mut digests: Vec<_> = list.iter().map(|package| package.sha256).collect();
            let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
            assert!(digests.iter().all(|digest| digest.len() == 64 && digest.chars().all(hexadecimal)));
            digests.sort_unstable();
            digests.dedup();
            assert_eq!(digests.len(), list.len());
            assert_eq!((list[0].name, list[0].version), ("torch", TORCH_VERSION));
        }
    }
}
