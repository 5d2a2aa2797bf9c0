//! Where a model runs, and the CUDA half of the tensor library, which is loaded only where it is installed.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tch::Device;

use crate::error::{ProbeError, Result};

/// A device, as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The processor: the reference.
    #[default]
    Cpu,
    /// The n-th NVIDIA GPU, from 0.
    Cuda(usize),
    /// The GPU of an Apple machine.
    Mps,
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(0) => f.write_str("cuda"),
            DeviceChoice::Cuda(index) => write!(f, "cuda:{index}"),
            DeviceChoice::Mps => f.write_str("mps"),
        }
    }
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<DeviceChoice, String> {
        let unknown = || format!("`{text}` is no device; cpu, cuda, cuda:1 and mps are");
        match text {
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            "mps" => Ok(DeviceChoice::Mps),
            other => {
                let index = other.strip_prefix("cuda:").ok_or_else(unknown)?;
                index.parse().map(DeviceChoice::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl DeviceChoice {
    /// The tensor library's device.
    ///
    /// # Errors
    /// [`ProbeError::Device`] if it is not there, with what is missing.
    pub fn resolve(self) -> Result<Device> {
        let refuse = |cause: &str| ProbeError::Device { device: self.to_string(), cause: cause.to_owned() };
        match self {
            DeviceChoice::Cpu => Ok(Device::Cpu),
            DeviceChoice::Cuda(index) => {
                if !load_cuda() {
                    return Err(refuse(
                        "the CUDA build of the tensor library is not installed; set GOLGI_CUDA=1 and run \
                         `cargo xtask setup`, or leave --device away",
                    ));
                }
                let found = tch::Cuda::device_count();
                if (index as i64) < found {
                    Ok(Device::Cuda(index))
                } else {
                    Err(refuse(&format!("{found} CUDA devices were found")))
                }
            }
            DeviceChoice::Mps if tch::utils::has_mps() => Ok(Device::Mps),
            DeviceChoice::Mps => Err(refuse("no Apple GPU is available to the tensor library")),
        }
    }
}

/// Loads `libtorch_cuda` beside `libtorch_cpu`, once, if it is there: this is how one program serves machines with and
/// without a GPU. Returns whether CUDA can be used.
pub fn load_cuda() -> bool {
    static LOADED: OnceLock<bool> = OnceLock::new();
    *LOADED.get_or_init(|| {
        if tch::Cuda::is_available() {
            return true;
        }
        cuda_library().is_some_and(|path| open_globally(&path)) && tch::Cuda::is_available()
    })
}

/// The library's file: in $LIBTORCH at run time, or in the folder that the program was built against.
fn cuda_library() -> Option<PathBuf> {
    let folders = [std::env::var_os("LIBTORCH").map(PathBuf::from), option_env!("LIBTORCH").map(PathBuf::from)];
    folders.into_iter().flatten().map(|folder| folder.join("lib/libtorch_cuda.so")).find(|path| path.is_file())
}

#[cfg(unix)]
fn open_globally(path: &std::path::Path) -> bool {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: opening a library runs its initialisers. This one is part of the tensor library that the program is linked
    // with, and registers its CUDA kernels there; that is its only effect.
    match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            // Kernels stay registered as long as the program runs, so the library must never be closed.
            std::mem::forget(library);
            true
        }
        Err(_) => false,
    }
}

#[cfg(not(unix))]
fn open_globally(_path: &std::path::Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["cpu", "cuda", "cuda:1", "mps"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert!("gpu".parse::<DeviceChoice>().unwrap_err().contains("cuda:1"));
    }
}
