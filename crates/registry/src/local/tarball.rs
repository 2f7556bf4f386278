//! A tar file whose entries are read in place.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::Stream;

use super::file_chunks;
use crate::{Error, Limits, Result};

/// Where in the file each regular entry is. Nothing is unpacked.
pub(super) struct Tarball {
    path: PathBuf,
    entries: HashMap<String, Span>,
}

#[derive(Clone, Copy)]
struct Span {
    start: u64,
    size: u64,
}

impl Tarball {
    /// Reads the headers of an uncompressed tar.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NotFound { what: format!("`{}`", path.display()) },
            _ => Error::damaged(path, error),
        };
        let mut archive = tar::Archive::new(File::open(path).map_err(failed)?);
        let mut entries = HashMap::new();
        for entry in archive.entries_with_seek().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entries.len() >= limits.archive_entries {
                let what = format!("entries of `{}`", path.display());
                return Err(Error::LimitHit { what, limit: limits.archive_entries as u64 });
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            let span = Span { start: entry.raw_file_position(), size: entry.size() };
            if entry.header().entry_type().is_file() && entries.insert(name, span).is_some() {
                // Readers differ in which of two entries of one name they take.
                return Err(Error::damaged(path, "an entry is there twice"));
            }
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
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
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(span.start)).map_err(failed)?;
        Ok(file.take(span.size))
    }

    /// An entry in chunks.
    pub(super) async fn chunks(
        &self,
        name: &str,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static> {
        let span = self.span(name)?;
        file_chunks(self.path.clone(), span.start, span.size).await
    }

    fn span(&self, name: &str) -> Result<Span> {
        let missing = || Error::NotFound { what: format!("`{name}` in `{}`", self.path.display()) };
        self.entries.get(name).copied().ok_or_else(missing)
    }
}
