//! The browser in which the tests open reports: installed where that is possible, and else only missed.

use crate::host::{Host, Manager, find_program};
use crate::system;

/// Programs that show a page without a window.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Installs Chromium on Debian-like systems as root. Everything else works without it, so nothing here is an error.
pub fn ensure(host: &Host) {
    if std::env::var_os("GOLGI_CHROMIUM").is_some() || PROGRAMS.iter().any(|name| find_program(name).is_some()) {
        return;
    }
    if host.manager == Manager::Apt && host.root {
        match system::install(&["chromium"]) {
            Ok(()) => return,
            Err(error) => eprintln!("note: {error:#}"),
        }
    }
    eprintln!("note: {}", advice(host.manager));
}

fn advice(manager: Manager) -> String {
    let how = match manager {
        Manager::Apt => "`sudo apt-get install -y chromium`",
        Manager::Dnf => "`sudo dnf install -y chromium`",
        Manager::Pacman => "`sudo pacman -S --needed chromium`",
        Manager::Zypper => "`sudo zypper install -y chromium`",
        Manager::Mac | Manager::Unknown => "set GOLGI_CHROMIUM to the program of one",
    };
    format!("no Chromium is installed, so tests will not open reports in a browser; to have that too: {how}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_is_told_its_own_command() {
        assert!(advice(Manager::Apt).ends_with("`sudo apt-get install -y chromium`"));
        assert!(advice(Manager::Unknown).contains("GOLGI_CHROMIUM"));
    }
}
