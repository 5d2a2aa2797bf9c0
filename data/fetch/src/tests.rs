//! Whole fetches without any network: pip is pointed at a local folder of wheels, curl reads `file://`.

use std::fs;
use std::io::Write;

use super::*;
use crate::download::Tools;

const NAME: &str = "golgi-fetch-probe";

/// A folder with one small wheel, and its package entry.
struct Shelf {
    home: tempfile::TempDir,
    package: Package,
    content: Vec<u8>,
}

fn shelf() -> Shelf {
    let home = tempfile::Builder::new().prefix("golgi fetch ").tempdir().unwrap();
    let wheels = home.path().join("the wheels");
    fs::create_dir(&wheels).unwrap();
    let wheel = wheels.join("golgi_fetch_probe-1.0-py3-none-any.whl");
    let mut zip = zip::ZipWriter::new(File::create(&wheel).unwrap());
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, text) in [
        ("golgi_fetch_probe/data.bin", "0123456789".repeat(20_000)),
        ("golgi_fetch_probe-1.0.dist-info/METADATA", format!("Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n")),
        (
            "golgi_fetch_probe-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n".into(),
        ),
        ("golgi_fetch_probe-1.0.dist-info/RECORD", String::new()),
    ] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let sha256: &'static str = sha256_file(&wheel).unwrap().leak();
    let package = Package { name: NAME, version: "1.0", sha256, platform: Platform::Any };
    Shelf { content: fs::read(&wheel).unwrap(), home, package }
}

impl Shelf {
    fn tools(&self) -> Tools {
        // pip splits this setting at spaces.
        let wheels = format!("file://{}", self.home.path().join("the wheels").display()).replace(' ', "%20");
        let env = [("PIP_NO_INDEX", "1".into()), ("PIP_FIND_LINKS", wheels), ("PIP_CONFIG_FILE", "/dev/null".into())];
        Tools { env: env.into(), pause: Duration::from_millis(1), ..Tools::default() }
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join("the cache")
    }

    fn part(&self) -> PathBuf {
        self.cache().join(self.package.file_name() + ".part")
    }

    fn fetch(&self, tools: &Tools) -> Result<PathBuf, FetchError> {
        fetch_with(tools, &self.package, &self.cache(), &mut |_, _| ControlFlow::Continue(()))
    }

    /// The cache holds the right file and nothing but its lock beside it.
    fn assert_whole(&self, result: Result<PathBuf, FetchError>) {
        let path = result.unwrap();
        assert_eq!(path, self.cache().join(self.package.file_name()));
        assert!(fs::read(&path).unwrap() == self.content);
        assert_eq!(fs::read_dir(self.cache()).unwrap().count(), 2);
    }
}

/// Tools that must not be used.
fn no_tools() -> Tools {
    Tools { pythons: Vec::new(), curl: "golgi-no-such-program".to_owned(), ..Tools::default() }
}

#[test]
fn a_package_is_found_by_name_and_kept() {
    let shelf = shelf();
    shelf.assert_whole(shelf.fetch(&shelf.tools()));
    // The second time neither pip nor curl is needed.
    shelf.assert_whole(shelf.fetch(&no_tools()));
    // A damaged file is replaced.
    fs::write(shelf.cache().join(shelf.package.file_name()), "damaged").unwrap();
    shelf.assert_whole(shelf.fetch(&shelf.tools()));
}

#[test]
fn a_partial_file_is_continued_whatever_it_holds() {
    let shelf = shelf();
    let longer = [shelf.content.as_slice(), b"and more"].concat();
    let begun = &shelf.content[..shelf.content.len() / 3];
    let corrupt = vec![b'x'; shelf.content.len() / 2];
    for part in [begun, &longer, &corrupt] {
        fs::create_dir_all(shelf.cache()).unwrap();
        fs::write(shelf.part(), part).unwrap();
        shelf.assert_whole(shelf.fetch(&shelf.tools()));
        fs::remove_dir_all(shelf.cache()).unwrap();
    }
    // One that is whole needs no program at all.
    fs::create_dir_all(shelf.cache()).unwrap();
    fs::write(shelf.part(), &shelf.content).unwrap();
    shelf.assert_whole(shelf.fetch(&no_tools()));
}

#[test]
fn a_wrong_file_is_deleted_and_named() {
    let mut shelf = shelf();
    let actual = shelf.package.sha256;
    shelf.package.sha256 = "00000000000000000000000000000000000000000000000000000000000000ff";
    let error = shelf.fetch(&shelf.tools()).unwrap_err();
    let FetchError::Checksum { expected, actual: found, .. } = &error else { panic!("{error}") };
    assert_eq!((expected.as_str(), found.as_str()), (shelf.package.sha256, actual));
    assert!(!shelf.part().exists() && !shelf.cache().join(shelf.package.file_name()).exists());
}

#[test]
fn without_curl_pip_downloads() {
    let shelf = shelf();
    shelf.assert_whole(shelf.fetch(&Tools { curl: "golgi-no-such-program".to_owned(), ..shelf.tools() }));
}

#[test]
fn without_pip_the_command_is_named() {
    let shelf = shelf();
    let error = shelf.fetch(&Tools { pythons: vec!["golgi-no-such-program".to_owned()], ..shelf.tools() }).unwrap_err();
    assert!(matches!(error, FetchError::NoPip { .. }), "{error}");
    assert!(error.to_string().contains(&pip_command()), "{error}");
}

#[test]
fn an_unknown_version_is_one_sentence() {
    let mut shelf = shelf();
    shelf.package.version = "9.9";
    let error = shelf.fetch(&shelf.tools()).unwrap_err();
    assert!(matches!(error, FetchError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("golgi-fetch-probe 9.9"), "{error}");
}

#[test]
fn a_stop_keeps_what_was_downloaded() {
    let shelf = shelf();
    fs::create_dir_all(shelf.cache()).unwrap();
    fs::write(shelf.part(), &shelf.content[..1000]).unwrap();
    let error = fetch_with(&shelf.tools(), &shelf.package, &shelf.cache(), &mut |_, _| ControlFlow::Break(()));
    assert!(matches!(error, Err(FetchError::Cancelled)));
    assert_eq!(fs::metadata(shelf.part()).unwrap().len(), 1000);
    shelf.assert_whole(shelf.fetch(&shelf.tools()));
}

#[test]
fn a_second_fetch_waits_for_the_first() {
    let shelf = shelf();
    fs::create_dir_all(shelf.cache()).unwrap();
    let path = shelf.cache().join(shelf.package.file_name() + ".lock");
    let held = File::create(&path).unwrap();
    held.lock().unwrap();
    let mut held = Some(held);
    let mut waited = 0;
    let result = fetch_with(&shelf.tools(), &shelf.package, &shelf.cache(), &mut |_, _| {
        waited += 1;
        if waited == 3 {
            held = None;
        }
        ControlFlow::Continue(())
    });
    shelf.assert_whole(result);
    assert!(waited > 3);
}

#[test]
fn digests_are_lower_case_hexadecimal() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("abc");
    fs::write(&path, "abc").unwrap();
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256_file(&path).unwrap(), known);
    assert!(matches!(sha256_file(&home.path().join("none")), Err(FetchError::Io { .. })));
}

#[cfg(unix)]
#[test]
fn a_pip_that_speaks_differently_downloads_itself() {
    use std::os::unix::fs::PermissionsExt;
    let shelf = shelf();
    let python = shelf.home.path().join("python");
    let wheel = shelf.home.path().join("the wheels/golgi_fetch_probe-1.0-py3-none-any.whl");
    let script = format!(
        "#!/bin/sh\necho 'Trouvé: quelque chose'\nwhile [ $# -gt 0 ]; do\n  [ \"$1\" = --dest ] && cp '{}' \"$2\"\n  shift\ndone\n",
        wheel.display()
    );
    fs::write(&python, script).unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    let pythons = vec![python.to_string_lossy().into_owned()];
    shelf.assert_whole(shelf.fetch(&Tools { pythons, ..no_tools() }));
}
