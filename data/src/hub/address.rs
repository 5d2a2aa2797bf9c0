//! Addresses of models on the hub.

use super::HubError;

/// `hf://org/repo`, with a file in it, a revision (branch, tag or commit), or both: `hf://org/repo/file.gguf@v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `org/repo`, or one name for the hub's oldest models.
    pub repo: String,
    /// One file of weights, where the repository holds several models.
    pub file: Option<String>,
    /// The revision asked for; the main branch where there is none.
    pub revision: Option<String>,
}

impl Address {
    /// Reads an address.
    ///
    /// ```
    /// use golgi_data::hub::Address;
    ///
    /// let address = Address::parse("hf://org/repo@main")?;
    /// assert_eq!((address.repo.as_str(), address.revision()), ("org/repo", "main"));
    /// # Ok::<(), golgi_data::hub::HubError>(())
    /// ```
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Address, HubError> {
        let wrong = || HubError::Address { text: text.to_owned() };
        let rest = text.strip_prefix("hf://").ok_or_else(wrong)?;
        let (path, revision) = match rest.split_once('@') {
            Some((path, revision)) => (path, Some(revision)),
            None => (rest, None),
        };
        let mut names = path.splitn(3, '/');
        let repo: Vec<&str> = names.by_ref().take(2).collect();
        let file = names.next();
        let sound =
            repo.iter().all(|name| is_repo_name(name)) && file.is_none_or(is_inside) && revision.is_none_or(is_inside);
        if !sound {
            return Err(wrong());
        }
        Ok(Address { repo: repo.join("/"), file: file.map(str::to_owned), revision: revision.map(str::to_owned) })
    }

    /// The revision to look for.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }
}

fn is_repo_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 96 && name.chars().all(sound) && !name.starts_with('.') && !name.contains("--")
}

/// Whether a path from a stranger stays inside the folder it is put in, on every system.
pub(super) fn is_inside(path: &str) -> bool {
    let sound = |name: &str| {
        !matches!(name, "" | "." | "..") && !name.chars().any(|c| matches!(c, '\\' | ':') || c.is_control())
    };
    path.len() <= 1024 && path.split('/').all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address() {
        let parse = |text| Address::parse(text).map(|a| (a.repo, a.file, a.revision));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parse("hf://gpt2").unwrap(), ("gpt2".to_owned(), None, None));
        assert_eq!(parse("hf://o/r@refs/pr/1").unwrap(), ("o/r".to_owned(), None, some("refs/pr/1")));
        assert_eq!(parse("hf://o/r/a/b.gguf@v1").unwrap(), ("o/r".to_owned(), some("a/b.gguf"), some("v1")));
    }

    #[test]
    fn what_is_none() {
        for text in [
            "org/repo",
            "hf://",
            "hf:///x",
            "hf://o/",
            "hf://o/..",
            "hf://../r",
            "hf://o/r@",
            "hf://o/r@../x",
            "hf://o/r/../x",
            "hf://o/r@a\\b",
            "hf://o r/x",
            "hf://o/a--b",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.to_string().contains("hf://org/repo"), "{text}: {error}");
        }
    }
}
