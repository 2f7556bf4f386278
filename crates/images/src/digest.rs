//! Digests of files of any size, in one pass and little memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use signet_crypto::{Digest, DigestAlgorithm, Hasher};

/// The digests that were asked for, in that order, and the size of what they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDigests {
    /// One digest for each algorithm asked for.
    pub digests: Vec<Digest>,
    /// The size in bytes.
    pub size: u64,
}

/// Reads a file once and computes its digest under each of `algorithms`.
pub fn digest_file(path: &Path, algorithms: &[DigestAlgorithm]) -> io::Result<FileDigests> {
    digest_reader(File::open(path)?, algorithms)
}

/// Reads to the end and computes the digest under each of `algorithms`.
pub fn digest_reader(mut reader: impl Read, algorithms: &[DigestAlgorithm]) -> io::Result<FileDigests> {
    let mut hashers: Vec<_> = algorithms.iter().map(|algorithm| Hasher::new(*algorithm)).collect();
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let chunk = buffer.get(..read).unwrap_or_default();
        hashers.iter_mut().for_each(|hasher| hasher.update(chunk));
        size += chunk.len() as u64;
    }
    Ok(FileDigests { digests: hashers.into_iter().map(Hasher::finish).collect(), size })
}

/// Large enough that system calls cost nothing, small enough to stay in the cache between read and hash.
const BUFFER: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_gives_every_digest_asked_for() {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        let content: Vec<u8> = (0..3 * BUFFER + 17).map(|i| i.to_le_bytes()[0]).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &content).unwrap();
        let found = digest_file(file.path(), &[Sha512, Sha256, Sha384]).unwrap();
        let want = [Sha512, Sha256, Sha384].map(|algorithm| Digest::of(algorithm, &content));
        assert_eq!((found.digests, found.size), (want.to_vec(), content.len() as u64));
    }

    #[test]
    fn a_read_that_fails_is_an_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        assert!(digest_reader(Broken, &[DigestAlgorithm::Sha256]).is_err());
        assert!(digest_file(Path::new("/nonexistent/file"), &[]).is_err());
    }
}
