//! Entry bundles: entries one after another, each behind its length in two bytes, big-endian.

use std::fmt;

/// The longest entry that a bundle has room for, in bytes.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Appends an entry to a bundle. An error if it is longer than [`MAX_ENTRY_BYTES`].
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong { bytes: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle, in order. After an error there are no more.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Entries<'a> {
    /// Reads a bundle. Nothing is copied.
    pub fn new(bundle: &'a [u8]) -> Self {
        Self { rest: bundle }
    }

    fn split(&self) -> Option<(&'a [u8], &'a [u8])> {
        let (length, rest) = self.rest.split_first_chunk::<2>()?;
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((entry, rest)) = self.split() else {
            self.rest = &[];
            return Some(Err(BundleError::Truncated));
        };
        self.rest = rest;
        Some(Ok(entry))
    }
}

/// Why a bundle was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// An entry does not fit a bundle.
    EntryTooLong {
        /// Its length.
        bytes: usize,
    },
    /// It ends within an entry.
    Truncated,
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryTooLong { bytes } => {
                write!(f, "the entry has {bytes} bytes, more than the {MAX_ENTRY_BYTES} that a log takes")
            }
            Self::Truncated => f.write_str("the entry bundle ends within an entry"),
        }
    }
}

impl std::error::Error for BundleError {}
