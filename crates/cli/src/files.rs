//! Files that the user names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::dsse::PAE_START;
use signet_images::{FileDigests, digest_reader};
use signet_platform::{Access, Existing, Staged, write_whole};
use signet_verify::Code;

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
    hash(path, algorithms, face, |_| Ok(()))
}

/// The SHA-256 of a file of any size.
pub(crate) fn sha256(path: &Path, face: Face) -> Result<Digest, CliError> {
    only(digests(path, &[DigestAlgorithm::Sha256], face)?)
}

/// One digest of a file of any size, for its content to be signed by. What a DSSE signature is over is refused: a signature
/// of the file would be one of the envelope, and stand for whatever it says.
pub(crate) fn digest_to_sign(
    path: &Path,
    algorithm: DigestAlgorithm,
    face: Face,
) -> Result<Digest, CliError> {
    only(hash(path, &[algorithm], face, |start| match start == PAE_START.as_bytes() {
        true => Err(encoded_envelope(path)),
        false => Ok(()),
    })?)
}

/// Hashes a file if its first bytes, as many as [`PAE_START`] has, are as they should be.
fn hash(
    path: &Path,
    algorithms: &[DigestAlgorithm],
    face: Face,
    check: impl FnOnce(&[u8]) -> Result<(), CliError>,
) -> Result<FileDigests, CliError> {
    let unreadable = |error| CliError::unreadable(path, error);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut start = Vec::new();
    file.by_ref().take(PAE_START.len() as u64).read_to_end(&mut start).map_err(unreadable)?;
    check(&start)?;
    let progress = Progress::of_bytes("hashing", face);
    progress.expect(file.metadata().map_err(unreadable)?.len());
    digest_reader(progress.reading(start.as_slice().chain(file)), algorithms).map_err(unreadable)
}

fn only(hashed: FileDigests) -> Result<Digest, CliError> {
    hashed.digests.first().copied().ok_or_else(|| CliError::internal("no digest was computed"))
}

fn encoded_envelope(path: &Path) -> CliError {
    let detail = format!(
        "`{}` begins with `{PAE_START}`: signed as a file, it would be a signed attestation of what it says",
        path.display()
    );
    CliError::new(Code::UsageInvalid, detail)
        .hint("sign the file inside an archive, if it is to be signed as a file")
}

/// Writes a file that must not exist yet, whole or not at all.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write_whole(path, bytes, Access::Public, Existing::Refuse)
        .map_err(|error| CliError::unwritable(path, &error))
}

/// Has `write` write a file for its owner only, which must not exist yet: whole or not at all.
pub(crate) fn write_secret<T>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let unwritable = |error: std::io::Error| CliError::unwritable(path, &error);
    if path.exists() {
        return Err(unwritable(std::io::ErrorKind::AlreadyExists.into()));
    }
    let mut staged = Staged::beside(path, Access::Private).map_err(unwritable)?;
    let written = write(staged.file())?;
    staged.publish().map_err(unwritable)?;
    Ok(written)
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
        assert_eq!(read(&path, 4).unwrap_err().code, Code::FileUnreadable);
        assert_eq!(create(&path, b"6").unwrap_err().code, Code::WouldOverwrite);
        assert_eq!(read(&path, 5).unwrap(), b"12345");
    }
}
