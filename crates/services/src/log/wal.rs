//! The entries on disk: segments that are only ever appended to.
//!
//! Trusted? No: what is read for recovery is hashed again and has to give the roots that stand in it. What
//! an attacker who can write it gains: he can stop the log, or, together with its signing key, fork it; `fsck`
//! against a checkpoint that somebody else kept shows it. May it be lost? No, it is the log.
//!
//! A batch is a frame: a header, and the entries as entry bundles have them. One write and one sync make it
//! durable. An entry is never empty, so the two zero bytes that begin a header are no entry's length; what proves that
//! it is one is the segment's [`Seal`]. A segment begins when the last one is large, and at a start that finds its end torn:
//! what is torn is left there, and nobody reads it, because the next segment's name says where the one before ended.
//!
//! The name of a segment is its first entry's index; `.2` after it says that its headers are sealed with a secret. Those of
//! format version 1 have no such ending: they are read as they are, and what follows goes to a new segment.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use signet_formats::merkle::Hash;
use signet_formats::tlog::{TILE_WIDTH, push_entry};
use signet_store::fs::{Disk, read_exact_at};

use super::chunk::Layout;
use super::seal::Seal;
use super::segments::Opened;

/// Where an entry begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The segment, by the index of its first entry.
    pub(super) segment: u64,
    /// The byte in it.
    pub(super) offset: u64,
}

/// What the header of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The index of the first entry.
    pub(super) first: u64,
    /// How many entries there are.
    pub(super) count: u32,
    /// The root of the tree with them.
    pub(super) root: Hash,
}

impl Frame {
    /// The size of the tree with these entries.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    pub(super) fn encode(&self, seal: &Seal) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let parts: [&[u8]; 5] =
            [&MARK, seal.magic(), &self.first.to_be_bytes(), &self.count.to_be_bytes(), &self.root];
        let text = parts.concat();
        let check = seal.check(&text);
        for (slot, byte) in bytes.iter_mut().zip(text.iter().chain(check.as_bytes())) {
            *slot = *byte;
        }
        bytes
    }

    fn decode(bytes: &[u8; HEADER_BYTES], seal: &Seal) -> Option<Self> {
        // Looked at before anything is hashed: where a header is searched for, nearly nothing is one.
        let rest = bytes.strip_prefix(&MARK)?.strip_prefix(seal.magic())?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let root = rest.first_chunk::<32>()?;
        let (first, count) = (u64::from_be_bytes(*first), u32::from_be_bytes(*count));
        let frame = Self { first, count, root: *root };
        (frame.encode(seal) == *bytes && count > 0).then_some(frame)
    }
}

/// The segment that is written.
pub(super) struct Writer {
    disk: Disk,
    path: PathBuf,
    file: File,
    seal: Seal,
    segment: u64,
    offset: u64,
    buffer: Vec<u8>,
}

impl Writer {
    /// Begins a segment at `first`. It has its name once its seal is durable: a damaged seal is never a torn one.
    pub(super) fn begin(disk: &Disk, layout: &Layout, first: u64) -> io::Result<Self> {
        let (path, seal) = (layout.entries.join(segment_name(first)), Seal::fresh()?);
        disk.put(&layout.scratch, &path, &seal.preamble())?;
        Self::resume(disk, path, first, seal)
    }

    /// Goes on at the end of a segment, which is whole. Whoever wrote it may have died before it was durable.
    pub(super) fn resume(disk: &Disk, path: PathBuf, first: u64, seal: Seal) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(&path)?;
        disk.sync(&file, &path)?;
        let offset = file.metadata()?.len();
        Ok(Self { disk: disk.clone(), path, file, seal, segment: first, offset, buffer: Vec::new() })
    }

    /// Whether it is time for another segment.
    pub(super) fn is_large(&self) -> bool {
        self.offset >= SEGMENT_BYTES
    }

    /// The index of its first entry, and its path: for readers.
    pub(super) fn segment(&self) -> (u64, &Path) {
        (self.segment, &self.path)
    }

    /// Makes a batch durable. Returns where bundles begin in it.
    pub(super) fn append<'a>(
        &mut self,
        frame: &Frame,
        entries: impl IntoIterator<Item = &'a Bytes>,
    ) -> io::Result<Vec<Place>> {
        let mut places = Vec::new();
        self.buffer.clear();
        self.buffer.extend_from_slice(&frame.encode(&self.seal));
        for (index, entry) in (frame.first..).zip(entries) {
            if index.is_multiple_of(TILE_WIDTH) {
                let offset = self.offset + u64::try_from(self.buffer.len()).map_err(io::Error::other)?;
                places.push(Place { segment: self.segment, offset });
            }
            push_entry(&mut self.buffer, entry).map_err(io::Error::other)?;
        }
        self.disk.write(&mut self.file, &self.path, &self.buffer)?;
        self.disk.sync(&self.file, &self.path)?;
        self.offset += u64::try_from(self.buffer.len()).map_err(io::Error::other)?;
        self.buffer.shrink_to(KEPT_BUFFER);
        Ok(places)
    }
}

/// What a segment has.
#[derive(Debug)]
pub(super) enum Item {
    /// An entry.
    Entry(Bytes),
    /// The header of a batch.
    Frame(Frame),
}

/// Reads a segment from front to back.
pub(super) struct Reader {
    file: Arc<File>,
    seal: Seal,
    length: u64,
    /// Where the next item begins.
    pub(super) place: Place,
    /// Bytes of the file before `self.place` that were read ahead: those from `at` on are not used yet.
    buffer: Vec<u8>,
    at: usize,
}

impl Reader {
    /// Reads an open segment from `place` to the end that it has now. What is written later is not read.
    pub(super) fn new(opened: &Opened, place: Place) -> io::Result<Self> {
        let Opened { file, seal } = opened.clone();
        let length = file.metadata()?.len();
        let place = Place { offset: place.offset.max(seal.first_offset()), ..place };
        Ok(Self { file, seal, length, place, buffer: Vec::new(), at: 0 })
    }

    /// Goes to another place of the segment.
    pub(super) fn seek(&mut self, offset: u64) {
        self.place.offset = offset;
        (self.buffer, self.at) = (Vec::new(), 0);
    }

    /// The next item; `None` at the end, and where what follows is no whole item.
    pub(super) fn next(&mut self) -> io::Result<Option<Item>> {
        let Some(length) = self.peek::<2>()? else { return Ok(None) };
        if length == MARK {
            let header = self.peek::<HEADER_BYTES>()?;
            let Some(frame) = header.and_then(|header| Frame::decode(&header, &self.seal)) else {
                return Ok(None);
            };
            self.skip(HEADER_BYTES);
            return Ok(Some(Item::Frame(frame)));
        }
        let whole = 2 + usize::from(u16::from_be_bytes(length));
        if !self.fill(whole)? {
            return Ok(None);
        }
        let entry = self.buffer.get(self.at + 2..self.at + whole).unwrap_or_default();
        let entry = Bytes::copy_from_slice(entry);
        self.skip(whole);
        Ok(Some(Item::Entry(entry)))
    }

    /// Whether a batch's header stands anywhere after this place: then what is here is damage, not an end.
    pub(super) fn has_frame_ahead(&mut self) -> io::Result<bool> {
        while let Some(header) = self.peek::<HEADER_BYTES>()? {
            if Frame::decode(&header, &self.seal).is_some() {
                return Ok(true);
            }
            self.skip(1);
        }
        Ok(false)
    }

    /// How many bytes of the segment are not read yet.
    pub(super) fn left(&self) -> u64 {
        self.length.saturating_sub(self.place.offset)
    }

    fn peek<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        Ok(match self.fill(N)? {
            true => self.buffer.get(self.at..).and_then(|rest| rest.first_chunk()).copied(),
            false => None,
        })
    }

    /// Makes sure that `count` bytes are in the buffer; `false` if the file has no more so many.
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        let there = self.buffer.len() - self.at;
        if there >= count {
            return Ok(true);
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let next = self.place.offset + u64::try_from(there).map_err(io::Error::other)?;
        let left = usize::try_from(self.length.saturating_sub(next)).unwrap_or(usize::MAX);
        let more = left.min(READ_AHEAD);
        self.buffer.resize(there + more, 0);
        read_exact_at(&self.file, self.buffer.get_mut(there..).unwrap_or_default(), next)?;
        Ok(self.buffer.len() >= count)
    }

    fn skip(&mut self, count: usize) {
        self.at += count;
        self.place.offset += u64::try_from(count).unwrap_or(u64::MAX);
    }
}

/// The file of the segment that begins at `first`; names sort as numbers do.
pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}{SALTED}")
}

/// Where the segment of this name begins, and whether its headers are sealed with a secret.
pub(super) fn parse_name(name: &str) -> Option<(u64, bool)> {
    let digits = name.strip_suffix(SALTED);
    let first = digits.unwrap_or(name).parse().ok()?;
    let whole = segment_name(first);
    let whole = if digits.is_some() { whole.as_str() } else { whole.strip_suffix(SALTED)? };
    (name == whole).then_some((first, digits.is_some()))
}

const MARK: [u8; 2] = [0; 2];
const SALTED: &str = ".2";
const HEADER_BYTES: usize = 2 + 4 + 8 + 4 + 32 + 14;
/// After how many bytes another segment begins.
const SEGMENT_BYTES: u64 = 1 << 30;
/// More than the longest entry.
const READ_AHEAD: usize = 128 * 1024;
const KEPT_BUFFER: usize = 1 << 20;
