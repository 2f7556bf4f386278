//! What a stack has begun. A directory that is gone must not be begun a second time, under the same name and with other keys:
//! all that was signed until then would stop to verify. The directories themselves cannot tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use signet_services::log::{self, OpenError};
use signet_services::{key_files, trust, witness};
use signet_store::{Kind, kind_of};

use super::StackError;
use super::names::{FILE, Line, Names, Shard};

/// The parts that were begun, besides the logs, each with the keys that it was seen with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Made(BTreeMap<Part, BTreeSet<String>>);

/// A part of a stack that has a directory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part {
    Ca,
    Registry,
    Trust,
    Tsa,
    Witness,
}

impl Made {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same without a part, which may be begun anew.
    pub(super) fn without(mut self, part: Part) -> Self {
        self.0.remove(&part);
        self
    }

    /// The same without the parts whose keys were moved away, to have them make others.
    pub(super) fn without_moved_keys(mut self, data: &Path) -> Self {
        let is_moved = |part: Part| {
            part.may_change_keys() && part.is_in(data) && key_files::are_moved(&data.join(part.name()))
        };
        self.0.retain(|part, _| !is_moved(*part));
        self
    }

    /// The same, and what there is in the directory now.
    fn noting(mut self, data: &Path) -> Self {
        for part in PARTS.into_iter().filter(|part| part.is_in(data)) {
            self.0.entry(part).or_default().extend(part.key(data));
        }
        self
    }

    fn lost(&self, data: &Path) -> impl Iterator<Item = Lost> {
        self.0.iter().filter_map(|(part, known)| {
            let why = match (part.is_in(data), part.key(data)) {
                (false, _) => Why::Gone,
                (true, Some(key)) if !known.is_empty() && !known.contains(&key) => Why::OtherKey,
                (true, None) if !known.is_empty() && !part.may_change_keys() => Why::Gone,
                _ => return None,
            };
            Some(Lost { path: PathBuf::from(part.name()), why })
        })
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Registry => "registry",
            Self::Trust => "trust",
            Self::Tsa => "tsa",
            Self::Witness => "witness",
        }
    }

    fn is_in(self, data: &Path) -> bool {
        let kind = match self {
            Self::Ca => Kind::Ca,
            Self::Registry => Kind::Registry,
            Self::Trust => Kind::Trust,
            Self::Tsa => Kind::Tsa,
            Self::Witness => Kind::Witness,
        };
        kind_of(&data.join(self.name())) == Some(kind)
    }

    /// What others know it by, as far as that can be read; the part itself says what is damaged.
    fn key(self, data: &Path) -> Option<String> {
        let path = data.join(self.name());
        match self {
            Self::Registry => None,
            Self::Ca | Self::Tsa => key_files::own_root(&path).map(|digest| digest.to_string()),
            Self::Trust => trust::first_root(&path).map(|digest| digest.to_string()),
            Self::Witness => witness::key_of(&path),
        }
    }

    /// Whether operators move its keys away to have it make others.
    fn may_change_keys(self) -> bool {
        matches!(self, Self::Ca | Self::Tsa)
    }
}

impl Names {
    /// The same, and what there is in the directory now.
    pub(super) fn noting(&self, data: &Path) -> Self {
        let mut noted = self.clone();
        noted.made = noted.made.noting(data);
        for shard in noted.log.iter_mut().chain(&mut noted.next) {
            shard.note_key(data, Line::Log);
        }
        for shard in noted.ct.iter_mut().chain(&mut noted.next_ct) {
            shard.note_key(data, Line::Ct);
        }
        noted
    }

    fn lost(&self, data: &Path) -> Vec<Lost> {
        let of = |line: Line| self.known(line).map(move |shard| (line, shard));
        let lost = of(Line::Log).chain(of(Line::Ct)).filter_map(|(line, shard)| {
            let path = Path::new(line.dir()).join(&shard.origin);
            Some(Lost { why: shard.lost(&data.join(&path), line.kind())?, path })
        });
        lost.chain(self.made.lost(data)).collect()
    }
}

impl Shard {
    fn note_key(&mut self, data: &Path, line: Line) {
        if self.key.is_none() {
            self.key = first_key(&Names::dir_in(data, line, self)).ok().flatten();
        }
    }

    fn lost(&self, path: &Path, kind: Kind) -> Option<Why> {
        // One that is only named is made at the next start.
        let was_begun = self.key.is_some() || self.end.is_some();
        if !was_begun {
            return None;
        }
        if kind_of(path) != Some(kind) {
            return Some(Why::Gone);
        }
        match (first_key(path), &self.key) {
            (Ok(None) | Err(OpenError::Damaged(_)), _) => Some(Why::Gone),
            (Ok(Some(key)), Some(known)) if key != *known => Some(Why::OtherKey),
            // What else is wrong with it the log itself says.
            _ => None,
        }
    }
}

/// The first key of the log in a directory: the others may be added later.
fn first_key(path: &Path) -> Result<Option<String>, OpenError> {
    Ok(log::keys_of(path)?.first().map(ToString::to_string))
}

/// Something that was begun and is not there as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// Below the stack's directory.
    path: PathBuf,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Gone,
    OtherKey,
}

impl Lost {
    /// Whether a backup leaves it out.
    pub(super) fn is_left_out(&self) -> bool {
        self.path == Path::new(Part::Witness.name())
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::Gone => "was begun and is gone, or what says whose it is",
            Why::OtherKey => "has another key than the one that it was begun with",
        };
        write!(f, "`{}` {why}", self.path.display())
    }
}

impl From<Lost> for StackError {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost.to_string())
    }
}

/// What was begun in this directory and is not there as it was. `names` are those that are kept in it.
pub(super) fn lost(names: Option<&Names>, data: &Path) -> Vec<Lost> {
    let Some(names) = names else {
        let has_logs = [Line::Log, Line::Ct].iter().any(|line| is_filled(&data.join(line.dir())));
        let names = Lost { path: PathBuf::from(FILE), why: Why::Gone };
        return has_logs.then_some(names).into_iter().collect();
    };
    names.lost(data)
}

fn is_filled(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

const PARTS: [Part; 5] = [Part::Ca, Part::Registry, Part::Trust, Part::Tsa, Part::Witness];
