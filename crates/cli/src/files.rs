//! Files that the user names.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_images::{FileDigests, digest_reader};

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

/// The SHA-256 of a file of any size.
pub(crate) fn sha256(path: &Path, face: Face) -> Result<Digest, CliError> {
    digest(path, DigestAlgorithm::Sha256, face)
}

/// One digest of a file of any size.
pub(crate) fn digest(path: &Path, algorithm: DigestAlgorithm, face: Face) -> Result<Digest, CliError> {
    let hashed = digests(path, &[algorithm], face)?;
    hashed.digests.first().copied().ok_or_else(|| CliError::internal("no digest was computed"))
}

/// Writes a file that must not exist yet; what could not be written whole is removed.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| CliError::unwritable(path, &error))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| {
        // The error says more than that the remains could not be removed either.
        let _ = std::fs::remove_file(path);
        CliError::unwritable(path, &error)
    })
}

/// Has `write` write a file for its owner only, which must not exist yet; what could not be written whole is removed.
pub(crate) fn write_secret<T>(
    path: &Path,
    write: impl FnOnce(&File) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let unwritable = |error: std::io::Error| CliError::unwritable(path, &error);
    let file = owners_only().write(true).create_new(true).open(path).map_err(unwritable)?;
    let written = write(&file).and_then(|written| {
        file.sync_all().map_err(unwritable)?;
        Ok(written)
    });
    written.inspect_err(|_| {
        // The error says more than that the remains could not be removed either.
        let _ = std::fs::remove_file(path);
    })
}

#[cfg(unix)]
fn owners_only() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn owners_only() -> OpenOptions {
    OpenOptions::new()
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
