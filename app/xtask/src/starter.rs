//! The starter corpus, assembled from Debian packages.

use golgi_fetch::starter;

use crate::host::Host;

/// Sees to it that the starter corpus is there. Everything else works without it, so that a failure is only said.
pub fn ensure(host: &Host) {
    match starter::ensure(&host.home, &mut |step| eprintln!("{step}")) {
        Ok(_) => {}
        Err(error) => eprintln!("note: {error}"),
    }
}
