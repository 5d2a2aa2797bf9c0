//! Runs that are broken off: killed, or by a disk that is full or cannot be written to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::{Golgi, program};

/// Numbers in 0..1, the same in every run (xorshift).
pub(super) struct Random(u64);

impl Random {
    pub fn new() -> Random {
        Random(88_172_645_463_325_252)
    }

    pub fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Every file under `folder`, by its path there.
pub(super) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

impl Golgi {
    /// Runs the program until `reached`, and `pause` longer, then kills it (SIGKILL). Returns whether it had not ended by itself.
    pub(super) fn kill(&self, args: &[&str], reached: impl Fn() -> bool, pause: Duration) -> bool {
        let mut child = self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !reached() {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(pause);
        child.kill().unwrap();
        child.wait().unwrap().code().is_none()
    }

    /// Runs a shell script that may mount file systems, which nobody else sees and which are gone at its end; `$GOLGI` is the program.
    /// Returns whether this system lets us. The script must succeed.
    #[cfg(target_os = "linux")]
    pub(super) fn with_mounts(&self, script: &str) -> bool {
        let shell = |script: &str| {
            let mut command = self.in_folder(Path::new("unshare"));
            command.args(["--map-root-user", "--mount", "sh", "-euc", script]).env("GOLGI", program());
            command.output()
        };
        fs::create_dir_all(self.path("small")).unwrap();
        if !shell("mount -t tmpfs tmpfs small").is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no file system can be mounted here");
            return false;
        }
        let output = shell(script).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        true
    }

    /// What a script has written to the file `name`.
    #[cfg(target_os = "linux")]
    pub(super) fn written(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}
