//! Names that become paths: repositories and uploads.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use signet_formats::oci::Repository;
use uuid::Uuid;

/// A repository's name on this registry, such as `team/app`.
///
/// Its components start with a letter or digit (distribution-spec, "Pulling manifests"), so it is a
/// safe relative path, and a directory that starts with `_` is never part of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Arc<str>);

impl RepositoryName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let repository: Repository = format!("localhost/{name}").parse().map_err(|_| NameError)?;
        Ok(Self(repository.path.into()))
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An upload in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UploadId(Uuid);

impl UploadId {
    /// One that nobody has yet or can guess.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for UploadId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Uuid::parse_str(text).map(Self).map_err(|_| NameError)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not a name of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name is malformed")]
pub struct NameError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_directory() {
        for name in ["", "..", "a/../b", "/a", "a/", "_blobs", "a/_blobs", "A", "a\\b", "a//b", "a:b", "a@b"]
        {
            assert_eq!(name.parse::<RepositoryName>(), Err(NameError), "{name}");
        }
        assert_eq!("team/app".parse::<RepositoryName>().unwrap().as_str(), "team/app");
    }
}
