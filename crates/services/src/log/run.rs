//! One sorted part of the index of deduplication.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use signet_formats::merkle::Hash;
use signet_store::fs::{Disk, read_exact_at};

use super::chunk::{CHUNK_WIDTH, Layout};
use super::filter::Filter;

/// The entries that a run has: from an index, to before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunName {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl RunName {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (from, to) = name.split_once('-')?;
        let name = Self { from: from.parse().ok()?, to: to.parse().ok()? };
        (name.from < name.to).then_some(name)
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:020}", self.from, self.to)
    }
}

/// What a run has of an entry: the first eight bytes of its leaf hash, and its index. 16 bytes on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    prefix: u64,
    index: u64,
}

impl Record {
    fn encode(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.prefix.to_be_bytes());
        bytes.extend_from_slice(&self.index.to_be_bytes());
    }

    fn decode(bytes: &[u8; RECORD_BYTES]) -> Self {
        let number = u128::from_be_bytes(*bytes);
        Self { prefix: (number >> 64) as u64, index: number as u64 }
    }
}

/// A sorted file of records, behind them the filter and the first prefix of each page.
pub(super) struct Run {
    name: RunName,
    file: File,
    filter: Filter,
    /// The first prefix of each page.
    fences: Vec<u64>,
}

impl Run {
    /// Writes the run of a chunk.
    pub(super) fn of_chunk(layout: &Layout, disk: &Disk, number: u64, leaves: &[Hash]) -> io::Result<Self> {
        let name = RunName { from: number * CHUNK_WIDTH, to: (number + 1) * CHUNK_WIDTH };
        let records = (name.from..).zip(leaves).map(|(index, leaf)| Record { prefix: prefix(leaf), index });
        Self::write(layout, disk, name, records.collect())
    }

    fn write(layout: &Layout, disk: &Disk, name: RunName, mut records: Vec<Record>) -> io::Result<Self> {
        records.sort_unstable();
        let mut writer = RunWriter::begin(layout, disk, name)?;
        for record in records {
            writer.push(record)?;
        }
        writer.finish()
    }

    /// Writes one run of several neighbours.
    pub(super) fn merge(layout: &Layout, disk: &Disk, parts: &[Arc<Self>]) -> io::Result<Self> {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return Err(io::Error::other("nothing to merge"));
        };
        let name = RunName { from: first.name.from, to: last.name.to };
        let mut writer = RunWriter::begin(layout, disk, name)?;
        let mut heads: Vec<Records<'_>> = parts.iter().map(|part| part.records()).collect();
        loop {
            let smallest = heads.iter_mut().map(|head| head.peek()).collect::<io::Result<Vec<_>>>()?;
            let smallest =
                smallest.into_iter().enumerate().filter_map(|(at, record)| Some((record?, at))).min();
            let Some((record, at)) = smallest else { break };
            writer.push(record)?;
            if let Some(head) = heads.get_mut(at) {
                head.advance();
            }
        }
        writer.finish()
    }

    /// Opens a run.
    pub(super) fn open(layout: &Layout, name: RunName) -> io::Result<Self> {
        let path = layout.index.join(name.to_string());
        let file = File::open(&path)?;
        let damaged =
            || io::Error::new(io::ErrorKind::InvalidData, format!("`{}` is damaged", path.display()));
        let count = name.to - name.from;
        let filter_bytes = Filter::bytes_for(count);
        let fence_bytes = count.div_ceil(PAGE_RECORDS) * 8;
        let records = count * RECORD_BYTES as u64;
        if file.metadata()?.len() != records + filter_bytes + fence_bytes + MAGIC.len() as u64 {
            return Err(damaged());
        }
        let mut rest =
            vec![0; usize::try_from(filter_bytes + fence_bytes).map_err(io::Error::other)? + MAGIC.len()];
        read_exact_at(&file, &mut rest, records)?;
        let rest = rest.strip_suffix(MAGIC).ok_or_else(damaged)?;
        let (filter, fences) = rest.split_at(usize::try_from(filter_bytes).map_err(io::Error::other)?);
        let fences = fences.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect();
        Ok(Self { name, file, filter: Filter::decode(filter), fences })
    }

    pub(super) fn name(&self) -> RunName {
        self.name
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> u64 {
        self.name.to - self.name.from
    }

    /// The entries whose leaf hashes begin as this one does.
    pub(super) fn candidates(&self, leaf: &Hash) -> io::Result<Vec<u64>> {
        let prefix = prefix(leaf);
        if !self.filter.may_have(prefix) {
            return Ok(Vec::new());
        }
        // Equal prefixes may reach over the end of a page.
        let page = self.fences.partition_point(|fence| *fence < prefix).saturating_sub(1);
        let mut records = Records { run: self, next: page as u64 * PAGE_RECORDS, page: Vec::new(), at: 0 };
        let mut found = Vec::new();
        while let Some(record) = records.peek()?.filter(|record| record.prefix <= prefix) {
            if record.prefix == prefix {
                found.push(record.index);
            }
            records.advance();
        }
        Ok(found)
    }

    /// Reads all of it: in order, and found by the filter.
    pub(super) fn check(&self) -> io::Result<()> {
        let (mut records, mut last) = (self.records(), None);
        while let Some(record) = records.peek()? {
            let within = (self.name.from..self.name.to).contains(&record.index);
            if !within || last >= Some(record) || !self.filter.may_have(record.prefix) {
                let why = format!("`{}` is damaged", self.name);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            last = Some(record);
            records.advance();
        }
        Ok(())
    }

    fn records(&self) -> Records<'_> {
        Records { run: self, next: 0, page: Vec::new(), at: 0 }
    }
}

/// Reads a run in order, a page at a time.
struct Records<'a> {
    run: &'a Run,
    /// The number of the first record after the page.
    next: u64,
    page: Vec<u8>,
    at: usize,
}

impl Records<'_> {
    fn peek(&mut self) -> io::Result<Option<Record>> {
        if self.at == self.page.len() {
            let count = self.run.len().saturating_sub(self.next).min(PAGE_RECORDS);
            self.page.resize(usize::try_from(count).map_err(io::Error::other)? * RECORD_BYTES, 0);
            read_exact_at(&self.run.file, &mut self.page, self.next * RECORD_BYTES as u64)?;
            self.next += count;
            self.at = 0;
        }
        Ok(self.page.get(self.at..).and_then(|rest| rest.first_chunk()).map(Record::decode))
    }

    fn advance(&mut self) {
        self.at += RECORD_BYTES;
    }
}

/// Writes a run in order.
struct RunWriter<'a> {
    layout: &'a Layout,
    disk: &'a Disk,
    name: RunName,
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    filter: Filter,
    fences: Vec<u64>,
    written: u64,
}

impl<'a> RunWriter<'a> {
    fn begin(layout: &'a Layout, disk: &'a Disk, name: RunName) -> io::Result<Self> {
        let path = layout.scratch.join(uuid::Uuid::new_v4().to_string());
        let file = disk.create(&path)?;
        let filter = Filter::new(name.to - name.from);
        let (buffer, fences) = (Vec::with_capacity(WRITE_BYTES), Vec::new());
        Ok(Self { layout, disk, name, path, file, buffer, filter, fences, written: 0 })
    }

    fn push(&mut self, record: Record) -> io::Result<()> {
        if self.written.is_multiple_of(PAGE_RECORDS) {
            self.fences.push(record.prefix);
        }
        self.filter.insert(record.prefix);
        record.encode(&mut self.buffer);
        self.written += 1;
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn finish(mut self) -> io::Result<Run> {
        if self.written != self.name.to - self.name.from {
            return Err(io::Error::other("a run has not as many entries as its name says"));
        }
        self.flush()?;
        self.buffer.extend(self.filter.encode());
        self.buffer.extend(self.fences.iter().flat_map(|fence| fence.to_be_bytes()));
        self.buffer.extend_from_slice(MAGIC);
        self.flush()?;
        self.disk.sync(&self.file, &self.path)?;
        let target = self.layout.index.join(self.name.to_string());
        self.disk.rename(&self.path, &target)?;
        Ok(Run { name: self.name, file: File::open(target)?, filter: self.filter, fences: self.fences })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.disk.write(&mut self.file, &self.path, &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

fn prefix(leaf: &Hash) -> u64 {
    leaf.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

const MAGIC: &[u8] = b"SLI1";
const PAGE_RECORDS: u64 = 256;
const RECORD_BYTES: usize = 16;
const WRITE_BYTES: usize = 256 * 1024;
