//! Whose log a directory is, and whether all of it is there.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use signet_store::fs::Disk;

use super::chunk::Layout;
use super::form::Form;
use super::{Kind, LogSigner, OpenError};
use crate::own_key::lost_keys;

/// Whose log a directory is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) origin: String,
    pub(super) keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Form::is_default")]
    pub(super) form: Form,
    /// What it takes; one from before it was kept does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Kind>,
    /// The SHA-256 of the witness policy; absent if nobody has to cosign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<String>,
    /// Whether it takes no more entries, for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) frozen: bool,
}

impl Identity {
    pub(super) fn of(signer: &LogSigner, kind: Option<Kind>) -> Self {
        let keys = signer.keys().map(ToString::to_string).collect();
        Self {
            origin: signer.origin().to_owned(),
            keys,
            form: signer.form(),
            kind,
            policy: None,
            frozen: false,
        }
    }

    /// Whose log is in this directory; `None` in a new one.
    pub(super) fn read(root: &Path) -> Result<Option<Self>, OpenError> {
        let malformed = |error: serde_json::Error| OpenError::Damaged(format!("`{IDENTITY_FILE}`: {error}"));
        match fs::read(root.join(IDENTITY_FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(malformed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Identity::read`], of a log that has to be there, in a format that this build reads.
    pub(super) fn demand(root: &Path) -> Result<Self, OpenError> {
        signet_store::format_of(root)?;
        Self::read(root)?.ok_or_else(|| OpenError::Damaged(format!("`{IDENTITY_FILE}` is missing")))
    }

    /// As [`Identity::read`]. Refused if a part of the log is there and another is gone: it would be begun a second time.
    pub(super) fn begun(root: &Path) -> Result<Option<Self>, OpenError> {
        let missing = |name: &str| Err(OpenError::Damaged(format!("`{name}` is missing")));
        let (found, layout) = (Self::read(root)?, Layout::new(root));
        match &found {
            Some(_) if !layout.checkpoint().is_file() => missing("checkpoint"),
            None if has_traces(&layout)? => missing(IDENTITY_FILE),
            _ => Ok(found),
        }
    }

    /// The same of a log that keeps its keys: they are there, too.
    pub(super) fn at_home(root: &Path) -> Result<Option<Self>, OpenError> {
        let found = Self::begun(root)?;
        let lost = found.as_ref().and_then(|found| lost_keys(root, &found.keys).into_iter().next());
        match lost {
            Some(path) => Err(OpenError::Damaged(format!("`{}` is missing", path.display()))),
            None => Ok(found),
        }
    }

    /// Refuses another log's directory. Keys may be added, not taken away. What stands in it; `None` if the log is new.
    pub(super) fn check(&self, layout: &Layout) -> Result<Option<Self>, OpenError> {
        let Some(found) = Self::begun(&layout.root)? else { return Ok(None) };
        if found.origin != self.origin {
            return Err(OpenError::WrongOrigin { found: found.origin, wanted: self.origin.clone() });
        }
        if found.form != self.form {
            return Err(OpenError::Damaged(format!("`{IDENTITY_FILE}` is of another kind of log")));
        }
        if let Some(other) = found.keys.iter().find(|key| !self.keys.contains(key)) {
            return Err(OpenError::WrongKey { found: other.clone() });
        }
        Ok(Some(found))
    }

    pub(super) fn write(&self, disk: &Disk, layout: &Layout) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        disk.put(&layout.scratch, &layout.root.join(IDENTITY_FILE), &text)
    }

    /// Makes an end of the log: in two places, so that none can be lost without a word.
    pub(super) fn freeze(&self, disk: &Disk, layout: &Layout) -> io::Result<()> {
        disk.put(&layout.scratch, &layout.frozen(), b"")?;
        Self { frozen: true, ..self.clone() }.write(disk, layout)
    }
}

/// Whether a directory without an identity has more than a first start that was cut off leaves: keys, empty directories, and
/// a checkpoint of nothing.
fn has_traces(layout: &Layout) -> Result<bool, OpenError> {
    for dir in [&layout.entries, &layout.chunks] {
        match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Ok(true),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    match layout.published() {
        Err(OpenError::Damaged(_)) => Ok(true),
        published => Ok(published? > 0),
    }
}

const IDENTITY_FILE: &str = "log.json";
