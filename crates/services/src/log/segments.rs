//! The segments of a log as they are read: known by name, opened when they are needed, few of them kept open.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use signet_store::fs::Disk;

use super::form::Form;
use super::seal::Seal;
use super::wal::{Item, Place, Reader, Writer, parse_name};

/// The segments, for reading. Clones share what they have open.
#[derive(Clone, Default)]
pub(super) struct Segments {
    known: Arc<BTreeMap<u64, Segment>>,
    /// By the first entry; the last used is at the end.
    open: Arc<Mutex<VecDeque<(u64, Opened)>>>,
}

/// A segment that can be read.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) file: Arc<File>,
    pub(super) seal: Seal,
}

/// Entries that are to be read, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// Where the first of them begins.
    place: Place,
    /// The first of them.
    index: u64,
    /// The one after the last of them.
    end: u64,
}

impl Span {
    /// `count` entries, of which the first has this index and begins at `place`.
    pub(super) fn new(place: Place, first: u64, count: u64) -> Self {
        Self { place, index: first, end: first.saturating_add(count) }
    }

    pub(super) fn has_more(&self) -> bool {
        self.index < self.end
    }
}

#[derive(Clone)]
struct Segment {
    path: PathBuf,
    /// Whether it begins with a secret.
    is_salted: bool,
}

impl Segments {
    /// Those in `dir`.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let mut known = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let named = entry.file_name().to_str().and_then(parse_name);
            let (first, is_salted) =
                named.ok_or_else(|| io::Error::other(format!("{:?} is no segment", entry.path())))?;
            if known.insert(first, Segment { path: entry.path(), is_salted }).is_some() {
                return Err(io::Error::other(format!("two segments begin with entry {first}")));
            }
        }
        Ok(Self { known: Arc::new(known), ..Self::default() })
    }

    /// These and the one that is written, or that in the place of one of the same name.
    #[must_use]
    pub(super) fn with(mut self, writer: &Writer) -> Self {
        let (first, path) = writer.segment();
        let segment = Segment { path: path.to_owned(), is_salted: true };
        Arc::make_mut(&mut self.known).insert(first, segment);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|(open, _)| *open != first);
        self
    }

    /// The first entry of the last segment.
    pub(super) fn last(&self) -> Option<u64> {
        self.known.keys().next_back().copied()
    }

    /// The path of the segment that begins at `first`.
    pub(super) fn path(&self, first: u64) -> Option<&Path> {
        self.known.get(&first).map(|segment| segment.path.as_path())
    }

    /// The first segment that begins after the one at `segment`.
    pub(super) fn after(&self, segment: u64) -> Option<u64> {
        self.known.range(segment.checked_add(1)?..).next().map(|(first, _)| *first)
    }

    /// Goes on writing in the last segment, which ends in a whole batch. `None` if there is none, or one that is only read.
    pub(super) fn resume(&self, disk: &Disk) -> io::Result<Option<Writer>> {
        let Some((first, segment)) = self.known.iter().next_back().filter(|(_, segment)| segment.is_salted)
        else {
            return Ok(None);
        };
        let seal = self.open(*first)?.seal;
        Writer::resume(disk, segment.path.clone(), *first, seal).map(Some)
    }

    /// Reads entries as readers get them, until they have `enough` bytes, and leaves the others in `span`.
    pub(super) fn piece(&self, form: Form, span: &mut Span, enough: usize) -> io::Result<Vec<u8>> {
        let mut reader = self.reader(span.place)?;
        let mut piece = Vec::new();
        while span.has_more() && piece.len() < enough {
            if self.after(reader.place.segment) == Some(span.index) {
                reader = self.reader(Place { segment: span.index, offset: 0 })?;
            }
            match reader.next()? {
                Some(Item::Entry(entry)) => {
                    form.push(&mut piece, &entry)?;
                    span.index += 1;
                }
                Some(Item::Frame(_)) => {}
                None => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the entries end too early"));
                }
            }
        }
        span.place = reader.place;
        Ok(piece)
    }

    /// Reads from `place` on, to the end of its segment.
    pub(super) fn reader(&self, place: Place) -> io::Result<Reader> {
        Reader::new(&self.open(place.segment)?, place)
    }

    fn open(&self, first: u64) -> io::Result<Opened> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = open.iter().position(|(segment, _)| *segment == first).and_then(|at| open.remove(at));
        let opened = match kept {
            Some((_, opened)) => opened,
            None => self.known.get(&first).map_or_else(|| Err(missing(first)), Segment::open)?,
        };
        if open.len() >= KEPT_OPEN {
            open.pop_front();
        }
        open.push_back((first, opened.clone()));
        Ok(opened)
    }
}

impl Segment {
    fn open(&self) -> io::Result<Opened> {
        let file = File::open(&self.path)?;
        let seal = match self.is_salted {
            true => Seal::read(&file)?,
            false => Seal::Plain,
        };
        Ok(Opened { file: Arc::new(file), seal })
    }
}

fn missing(segment: u64) -> io::Error {
    io::Error::other(format!("segment {segment} is missing"))
}

/// How many segments are kept open.
const KEPT_OPEN: usize = 8;

#[cfg(test)]
impl Segments {
    /// How many are open.
    pub(super) fn count_open(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
