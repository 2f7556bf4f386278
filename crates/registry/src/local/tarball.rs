//! A tar file whose entries are read in place.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::Stream;
use tempfile::{NamedTempFile, TempPath};

use super::file_chunks;
use crate::{Error, Limits, Result};

/// Where in the file each regular entry is, also by the names of links to it. Nothing is unpacked.
pub(super) struct Tarball {
    path: PathBuf,
    /// What a gzipped one was unpacked to, to be read in place.
    unpacked: Option<TempPath>,
    entries: HashMap<String, Span>,
}

/// Where the content of an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Span {
    start: u64,
    size: u64,
}

impl Tarball {
    /// Reads the headers of a tar, which may be gzipped.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NotFound { what: format!("`{}`", path.display()) },
            _ => Error::damaged(path, error),
        };
        let mut file = File::open(path).map_err(failed)?;
        let unpacked = unpacked(path, &mut file, limits)?;
        if let Some(unpacked) = &unpacked {
            file = File::open(unpacked).map_err(failed)?;
        }
        let mut archive = tar::Archive::new(file);
        let (mut entries, mut links) = (HashMap::new(), Vec::new());
        for entry in archive.entries_with_seek().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entries.len() + links.len() >= limits.archive_entries {
                let what = format!("entries of `{}`", path.display());
                return Err(Error::LimitHit { what, limit: limits.archive_entries as u64 });
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            let span = Span { start: entry.raw_file_position(), size: entry.size() };
            if entry.header().entry_type().is_file() && entries.insert(name.clone(), span).is_some() {
                return Err(twice(path));
            }
            links.extend(linked_to(&entry, &name).map(|target| (name, target)));
        }
        // One step: a link to a link leads nowhere.
        let linked = links.into_iter().filter_map(|(name, target)| Some((name, *entries.get(&target)?)));
        for (name, span) in linked.collect::<Vec<_>>() {
            if entries.insert(name, span).is_some() {
                return Err(twice(path));
            }
        }
        Ok(Self { path: path.to_owned(), unpacked, entries })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// What the entries are called, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub(super) fn size(&self, name: &str) -> Result<u64> {
        self.span(name).map(|span| span.size)
    }

    /// A whole entry of at most `most` bytes.
    pub(super) fn bytes(&self, name: &str, most: usize) -> Result<Vec<u8>> {
        let span = self.span(name)?;
        if span.size > most as u64 {
            let what = format!("`{name}` in `{}`", self.path.display());
            return Err(Error::TooLarge { what, limit: most as u64 });
        }
        let mut bytes = Vec::new();
        self.reader(name)?.read_to_end(&mut bytes).map_err(|error| Error::io(&self.path, &error))?;
        Ok(bytes)
    }

    /// An entry to read at once.
    pub(super) fn reader(&self, name: &str) -> Result<impl Read> {
        let span = self.span(name)?;
        let failed = |error: std::io::Error| Error::io(&self.path, &error);
        let mut file = File::open(self.data()).map_err(failed)?;
        file.seek(SeekFrom::Start(span.start)).map_err(failed)?;
        Ok(file.take(span.size))
    }

    /// An entry in chunks.
    pub(super) async fn chunks(
        &self,
        name: &str,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static> {
        let span = self.span(name)?;
        file_chunks(self.data().to_owned(), span.start, span.size).await
    }

    /// The file that the entries are in.
    fn data(&self) -> &Path {
        self.unpacked.as_deref().unwrap_or(&self.path)
    }

    /// Where an entry is: by several names it is the same.
    pub(super) fn span(&self, name: &str) -> Result<Span> {
        let missing = || Error::NotFound { what: format!("`{name}` in `{}`", self.path.display()) };
        self.entries.get(name).copied().ok_or_else(missing)
    }
}

/// Readers differ in which of two entries of one name they take.
fn twice(path: &Path) -> Error {
    Error::damaged(path, "an entry is there twice")
}

/// The name of the entry that a link leads to: older dockers save a layer that occurs again as one.
fn linked_to(entry: &tar::Entry<'_, impl Read>, name: &str) -> Option<String> {
    let kind = entry.header().entry_type();
    let target = String::from_utf8_lossy(&entry.link_name_bytes()?).into_owned();
    let mut parts: Vec<&str> = match (kind.is_symlink(), kind.is_hard_link()) {
        (true, _) if !target.starts_with('/') => name.split('/').rev().skip(1).collect(),
        (_, true) => Vec::new(),
        _ => return None,
    };
    parts.reverse();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => parts.pop().map(|_| ())?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What a gzipped file holds, in a file of its own that goes with the tarball; nothing if it is not gzipped.
fn unpacked(path: &Path, file: &mut File, limits: &Limits) -> Result<Option<TempPath>> {
    let damaged = |error: std::io::Error| Error::damaged(path, error);
    let mut magic = Vec::new();
    file.take(2).read_to_end(&mut magic).map_err(damaged)?;
    file.rewind().map_err(damaged)?;
    if magic != GZIP {
        return Ok(None);
    }
    let failed = |error: std::io::Error| Error::io(&std::env::temp_dir(), &error);
    let mut whole = NamedTempFile::new().map_err(failed)?;
    let limit = limits.unpacked_bytes;
    let mut content = MultiGzDecoder::new(file).take(limit.saturating_add(1));
    let mut buffer = vec![0; super::CHUNK];
    let mut total = 0;
    loop {
        let read = content.read(&mut buffer).map_err(damaged)?;
        let chunk = buffer.get(..read).unwrap_or_default();
        total += chunk.len() as u64;
        if chunk.is_empty() {
            return Ok(Some(whole.into_temp_path()));
        }
        if total > limit {
            return Err(Error::TooLarge { what: format!("`{}`, unpacked,", path.display()), limit });
        }
        whole.write_all(chunk).map_err(failed)?;
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
