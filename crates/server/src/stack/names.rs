//! What the logs of a stack are called: fixed when each is made, because clients know them by it.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use signet_services::made_up_name;
use signet_store::DataDir;

use super::StackError;

/// The names, oldest first: the last of each list is the one that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    pub(super) log: Vec<Shard>,
    pub(super) ct: Vec<Shard>,
}

/// One log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shard {
    /// Its name.
    pub(super) origin: String,
    /// When it was made, in seconds since 1970.
    pub(super) start: i64,
    /// When it took its last entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<i64>,
}

impl Shard {
    pub(super) fn new(kind: &str, start: i64) -> Self {
        Self { origin: made_up_name(kind), start, end: None }
    }
}

impl Names {
    /// The names that are kept in the directory; in a new one, new names.
    pub(super) fn of(root: &DataDir, now: i64) -> Result<Self, StackError> {
        if let Some(names) = Self::read(root)? {
            return Ok(names);
        }
        let names = Self { log: vec![Shard::new("log", now)], ct: vec![Shard::new("ct", now)] };
        let path = root.path().join(FILE);
        names.keep(root).map_err(|error| StackError::Names { path, why: error.to_string() })?;
        Ok(names)
    }

    /// The names that are kept in the directory; `None` in a new one.
    pub(super) fn read(root: &DataDir) -> Result<Option<Self>, StackError> {
        let path = root.path().join(FILE);
        let unusable = |why: String| StackError::Names { path: path.clone(), why };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error.to_string())),
        };
        let names: Self = serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
        match names.is_whole() {
            true => Ok(Some(names)),
            false => Err(unusable("a log without a proper name".to_owned())),
        }
    }

    /// Where the log of this name is.
    pub(super) fn dir(root: &DataDir, kind: &str, shard: &Shard) -> PathBuf {
        root.path().join(kind).join(&shard.origin)
    }

    /// Writes them to the directory.
    pub(super) fn keep(&self, root: &DataDir) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        root.disk().put(root.path(), &root.path().join(FILE), &text)
    }

    /// Whether there is a log of each kind, and every name can be a directory's and a host's.
    fn is_whole(&self) -> bool {
        let is_name = |shard: &Shard| {
            let label = |part: &str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            shard.origin.len() <= 255 && shard.origin.split('.').all(label)
        };
        let is_whole = |shards: &[Shard]| !shards.is_empty() && shards.iter().all(is_name);
        is_whole(&self.log) && is_whole(&self.ct)
    }
}

const FILE: &str = "stack.json";

#[cfg(test)]
mod tests {
    use signet_store::Kind;

    use super::*;

    #[test]
    fn names_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = DataDir::open(dir.path(), Kind::Stack).unwrap();
        let first = Names::of(&root, 1_795_000_000).unwrap();
        assert_eq!(Names::of(&root, 1_799_000_000).unwrap(), first);
        assert_ne!(first.log, first.ct);
    }

    #[test]
    fn a_name_that_leaves_the_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = DataDir::open(dir.path(), Kind::Stack).unwrap();
        for origin in ["../ca", "", "a/b", ".."] {
            let text =
                format!(r#"{{"log":[{{"origin":"{origin}","start":1}}],"ct":[{{"origin":"a","start":1}}]}}"#);
            fs::write(dir.path().join(FILE), text).unwrap();
            assert!(matches!(Names::of(&root, 1), Err(StackError::Names { .. })), "{origin}");
        }
        fs::write(dir.path().join(FILE), r#"{"log":[],"ct":[]}"#).unwrap();
        assert!(Names::of(&root, 1).is_err());
    }
}
