//! A secret to hash with.

use std::fs;
use std::io;
use std::path::Path;

use aws_lc_rs::hmac;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_platform::{Access, Existing, write_whole};
use zeroize::Zeroizing;

use crate::private::random;

/// A secret that texts are hashed with (HMAC-SHA-256, RFC 2104): whoever does not have it cannot find the text of a hash by
/// trying the likely ones.
pub struct HashKey(hmac::Key);

impl HashKey {
    /// The key in a file; `None` if there is no file, or no key in it.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Zeroizing::new(bytes).as_slice().try_into().ok().map(Self::of)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A new key, and the file that keeps it, for its owner only. What was there is replaced.
    pub fn make(path: &Path) -> io::Result<Self> {
        let bytes = Zeroizing::new(random::<BYTES>().map_err(io::Error::other)?);
        write_whole(path, bytes.as_slice(), Access::Private, Existing::Replace)?;
        Ok(Self::of(&bytes))
    }

    /// The hash of a text.
    pub fn hash(&self, text: &[u8]) -> Digest {
        let tag = hmac::sign(&self.0, text);
        Digest::from_bytes(DigestAlgorithm::Sha256, tag.as_ref()).expect("HMAC-SHA-256 has 32 bytes")
    }

    fn of(bytes: &[u8; BYTES]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

const BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hmac_sha_256_and_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(HashKey::read(&path).unwrap().is_none());
        let hash = HashKey::make(&path).unwrap().hash(b"text");
        assert_eq!(HashKey::read(&path).unwrap().unwrap().hash(b"text"), hash);
        assert_ne!(HashKey::make(&path).unwrap().hash(b"text"), hash);
        // RFC 4231, test case 2: zeros after a key do not change it.
        let mut jefe = [0; BYTES];
        jefe[..4].copy_from_slice(b"Jefe");
        fs::write(&path, jefe).unwrap();
        assert_eq!(
            HashKey::read(&path).unwrap().unwrap().hash(b"what do ya want for nothing?").hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        fs::write(&path, b"short").unwrap();
        assert!(HashKey::read(&path).unwrap().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        HashKey::make(&dir.path().join("key")).unwrap();
        assert_eq!(fs::metadata(dir.path().join("key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
