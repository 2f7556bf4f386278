//! Files that the user names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use signet_crypto::DigestAlgorithm;
use signet_images::{FileDigests, digest_reader};
use signet_platform::{Access, Existing, write_whole};

use crate::error::CliError;
use crate::face::Face;
use crate::progress::Progress;

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, CliError> {
    let file = File::open(path).map_err(|error| CliError::unreadable(path, error))?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|error| CliError::unreadable(path, error))?;
    match bytes.len() > limit {
        true => Err(CliError::unreadable(path, format_args!("it is larger than {limit} bytes"))),
        false => Ok(bytes),
    }
}

/// Hashes a file of any size, reading it once.
pub(crate) fn digests(
    path: &Path,
    algorithms: &[DigestAlgorithm],
    face: Face,
) -> Result<FileDigests, CliError> {
    let unreadable = |error| CliError::unreadable(path, error);
    let file = File::open(path).map_err(unreadable)?;
    let progress = Progress::of_bytes("hashing", face);
    progress.expect(file.metadata().map_err(unreadable)?.len());
    digest_reader(progress.reading(file), algorithms).map_err(unreadable)
}

/// Writes a file that must not exist yet, whole or not at all.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write_whole(path, bytes, Access::Public, Existing::Refuse)
        .map_err(|error| CliError::unwritable(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_bounded_and_writing_never_overwrites() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        create(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().code, signet_verify::Code::FileUnreadable);
        assert_eq!(create(&path, b"6").unwrap_err().code, signet_verify::Code::WouldOverwrite);
        assert_eq!(read(&path, 5).unwrap(), b"12345");
    }
}
