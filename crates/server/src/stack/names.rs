//! What the logs of a stack are called: fixed when each is made, because clients know them by it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use signet_services::{ctlog, made_up_name};
use signet_store::{DataDir, Kind};

use super::StackError;
use super::made::{self, Made};

/// The names, oldest first: the last of each list is the one that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    pub(super) log: Vec<Shard>,
    pub(super) ct: Vec<Shard>,
    /// The log that is to be written after the last one: clients may know it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<Shard>,
    /// The same of certificates.
    #[serde(default, rename = "nextCt", skip_serializing_if = "Option::is_none")]
    pub(super) next_ct: Option<Shard>,
    /// Whether it is for development.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dev: Option<bool>,
    /// What else was begun.
    #[serde(default, skip_serializing_if = "Made::is_empty")]
    pub(super) made: Made,
}

/// What a log of a stack has entries of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Signatures: the transparency log.
    Log,
    /// Certificates.
    Ct,
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
    /// The key that it was begun with, as a note's verifier has it; none while it is only named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
}

impl Line {
    /// The directory of its logs, below the stack's.
    pub(super) fn dir(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Ct => ctlog::DIR,
        }
    }

    /// What the directory of each is.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Log => Kind::Log,
            Self::Ct => Kind::Ct,
        }
    }
}

impl Shard {
    pub(super) fn new(line: Line, start: i64) -> Self {
        Self::named(None, line, start)
    }

    /// One of this name; without one, a name is made up.
    pub(super) fn named(origin: Option<String>, line: Line, start: i64) -> Self {
        Self { origin: origin.unwrap_or_else(|| made_up_name(line.dir())), start, end: None, key: None }
    }
}

impl Names {
    /// The names that are kept in the directory; in a new one, new names. What was begun for development, or was not, stays so:
    /// its keys are trusted as such. Refused if something that was begun is gone.
    pub(super) fn of(root: &DataDir, now: i64, dev: bool) -> Result<Self, StackError> {
        let kept = Self::read(root)?;
        if let Some(Self { dev: Some(was), .. }) = kept
            && was != dev
        {
            return Err(StackError::Mode { dev: was });
        }
        match made::lost(kept.as_ref(), root.path()).into_iter().next() {
            Some(lost) => Err(lost.into()),
            None => Self::begin(kept, root, now, dev),
        }
    }

    fn begin(kept: Option<Self>, root: &DataDir, now: i64, dev: bool) -> Result<Self, StackError> {
        let new = || Self {
            log: vec![Shard::new(Line::Log, now)],
            ct: vec![Shard::new(Line::Ct, now)],
            next: None,
            next_ct: None,
            dev: None,
            made: Made::default(),
        };
        let mut names = Self { dev: Some(dev), ..kept.clone().unwrap_or_else(new) };
        // Before others are made: whoever dies in between is not to find keys that nobody knows.
        names.made = names.made.without_moved_keys(root.path());
        if kept.as_ref() == Some(&names) {
            return Ok(names);
        }
        let path = root.path().join(FILE);
        names.keep(root).map_err(|error| StackError::Names { path, why: error.to_string() })?;
        Ok(names)
    }

    /// Whether the directory is a stack's.
    pub(super) fn is_in(data: &Path) -> bool {
        data.join(FILE).is_file()
    }

    /// The names that are kept in the directory; `None` in a new one.
    pub(super) fn read(root: &DataDir) -> Result<Option<Self>, StackError> {
        Self::read_in(root.path())
    }

    /// The same, of a stack that may be running elsewhere.
    pub(super) fn read_in(data: &Path) -> Result<Option<Self>, StackError> {
        let path = data.join(FILE);
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
    pub(super) fn dir(root: &DataDir, line: Line, shard: &Shard) -> PathBuf {
        Self::dir_in(root.path(), line, shard)
    }

    /// The same, of a stack that may be running elsewhere.
    pub(super) fn dir_in(data: &Path, line: Line, shard: &Shard) -> PathBuf {
        data.join(line.dir()).join(&shard.origin)
    }

    /// Writes them to the directory.
    pub(super) fn keep(&self, root: &DataDir) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        root.disk().put(root.path(), &root.path().join(FILE), &text)
    }

    /// Who runs the services, for clients that count what several operators vouch for: no other stack has a log of the name
    /// of our first.
    pub(super) fn operator(&self) -> &str {
        self.log.first().map_or("", |shard| &shard.origin)
    }

    /// The logs of a line, the oldest first.
    pub(super) fn shards(&self, line: Line) -> &[Shard] {
        match line {
            Line::Log => &self.log,
            Line::Ct => &self.ct,
        }
    }

    /// The log of a line that is to come.
    pub(super) fn next(&self, line: Line) -> Option<&Shard> {
        match line {
            Line::Log => self.next.as_ref(),
            Line::Ct => self.next_ct.as_ref(),
        }
    }

    /// The logs of a line that clients have to know: also the one that is to come.
    pub(super) fn known(&self, line: Line) -> impl Iterator<Item = &Shard> {
        self.shards(line).iter().chain(self.next(line))
    }

    /// The names with a log of a line that is to come.
    pub(super) fn with_next(&self, line: Line, next: Shard) -> Self {
        self.with(line, self.shards(line).to_vec(), Some(next))
    }

    /// The names once the next log of a line is the one that is written: then the last has ended.
    pub(super) fn turned(&self, line: Line, now: i64) -> Self {
        let Some(next) = self.next(line) else { return self.clone() };
        let mut shards = self.shards(line).to_vec();
        shards.iter_mut().rev().take(1).for_each(|last| last.end = Some(now));
        shards.push(next.clone());
        self.with(line, shards, None)
    }

    /// Whether there is a log of each kind, and every name can be a directory's and a host's, and is one log's.
    pub(super) fn is_whole(&self) -> bool {
        let is_name = |shard: &Shard| {
            let label = |part: &str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            shard.origin.len() <= 255 && shard.origin.split('.').all(label)
        };
        let mut names = BTreeSet::new();
        let all = self.known(Line::Log).chain(self.known(Line::Ct));
        !self.log.is_empty()
            && !self.ct.is_empty()
            && all.into_iter().all(|shard| is_name(shard) && names.insert(&shard.origin))
    }

    fn with(&self, line: Line, shards: Vec<Shard>, next: Option<Shard>) -> Self {
        match line {
            Line::Log => Self { log: shards, next, ..self.clone() },
            Line::Ct => Self { ct: shards, next_ct: next, ..self.clone() },
        }
    }
}

pub(super) const FILE: &str = "stack.json";

#[cfg(test)]
mod tests {
    use signet_store::Kind;

    use super::*;

    #[test]
    fn names_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = DataDir::open(dir.path(), Kind::Stack).unwrap();
        let first = Names::of(&root, 1_795_000_000, false).unwrap();
        assert_eq!(Names::of(&root, 1_799_000_000, false).unwrap(), first);
        assert_ne!(first.log, first.ct);
        let next = first.with_next(Line::Log, Shard::named(Some("b".into()), Line::Log, 5));
        let turned = next.turned(Line::Log, 9);
        assert_eq!(
            (turned.log[0].end, turned.log[1].origin.as_str(), turned.log[1].end),
            (Some(9), "b", None)
        );
        assert_eq!((turned.next.is_none(), turned.turned(Line::Log, 10)), (true, turned.clone()));
    }

    #[test]
    fn what_was_begun_for_development_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        let root = DataDir::open(dir.path(), Kind::Stack).unwrap();
        fs::write(
            dir.path().join(FILE),
            r#"{"log":[{"origin":"a","start":1}],"ct":[{"origin":"b","start":1}]}"#,
        )
        .unwrap();
        let names = Names::of(&root, 1, true).unwrap();
        assert_eq!(
            (names.dev, names.log[0].origin.as_str()),
            (Some(true), "a"),
            "one from before is taken over"
        );
        assert!(matches!(Names::of(&root, 1, false), Err(StackError::Mode { dev: true })));
        assert_eq!(Names::of(&root, 1, true).unwrap(), names);
    }

    /// Who died between making others and noting them would find keys that nobody knows, and start no more.
    #[test]
    fn keys_that_were_moved_away_are_forgotten_before_others_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let root = DataDir::open(dir.path(), Kind::Stack).unwrap();
        drop(DataDir::open(&dir.path().join("tsa"), Kind::Tsa).unwrap());
        let logs = r#""log":[{"origin":"a","start":1}],"ct":[{"origin":"b","start":1}],"dev":false"#;
        fs::write(dir.path().join(FILE), format!(r#"{{{logs},"made":{{"tsa":["sha256:former"]}}}}"#))
            .unwrap();
        let names = Names::of(&root, 1, false).unwrap();
        assert!(names.made.is_empty());
        assert_eq!(Names::read(&root).unwrap(), Some(names));
    }

    /// Whoever puts back another authority's would not be told.
    #[test]
    fn a_root_that_is_only_lost_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let root = DataDir::open(dir.path(), Kind::Stack).unwrap();
        drop(DataDir::open(&dir.path().join("ca"), Kind::Ca).unwrap());
        fs::write(dir.path().join("ca/made.json"), r#"["root"]"#).unwrap();
        let logs = r#""log":[{"origin":"a","start":1}],"ct":[{"origin":"b","start":1}],"dev":false"#;
        fs::write(dir.path().join(FILE), format!(r#"{{{logs},"made":{{"ca":["sha256:former"]}}}}"#)).unwrap();
        assert!(!Names::of(&root, 1, false).unwrap().made.is_empty());
    }

    #[test]
    fn a_name_that_leaves_the_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = DataDir::open(dir.path(), Kind::Stack).unwrap();
        for origin in ["../ca", "", "a/b", ".."] {
            let text =
                format!(r#"{{"log":[{{"origin":"{origin}","start":1}}],"ct":[{{"origin":"a","start":1}}]}}"#);
            fs::write(dir.path().join(FILE), text).unwrap();
            assert!(matches!(Names::of(&root, 1, false), Err(StackError::Names { .. })), "{origin}");
        }
        let twice = r#"{"log":[{"origin":"a","start":1}],"ct":[{"origin":"a","start":1}]}"#;
        fs::write(dir.path().join(FILE), twice).unwrap();
        assert!(Names::of(&root, 1, false).is_err());
        fs::write(dir.path().join(FILE), r#"{"log":[],"ct":[]}"#).unwrap();
        assert!(Names::of(&root, 1, false).is_err());
    }
}
