//! Content compared with its digest: all at once, or slowly while the registry serves.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Instant;

use signet_crypto::{Digest, Hasher};

use super::super::StoreError;
use super::super::blobs::hash_file;
use super::super::files::{FsRegistry, Inner};
use super::super::layout::present;

impl FsRegistry {
    pub(in crate::registry) async fn scrub_all(
        &self,
        rest: u32,
        damaged: &(dyn Fn(Digest) + Sync),
    ) -> Result<(), StoreError> {
        for (digest, path) in self.blocking(Inner::contents_list).await? {
            if self.is_intact(digest, path.clone(), rest).await? {
                continue;
            }
            if self.blocking(move |inner| inner.set_aside_if_damaged(&digest, &path)).await? {
                damaged(digest);
            }
        }
        Ok(())
    }

    async fn is_intact(&self, digest: Digest, path: PathBuf, rest: u32) -> Result<bool, StoreError> {
        let mut check = self.blocking(move |_| Check::begin(digest, &path)).await?;
        loop {
            let began = Instant::now();
            check = match self.blocking(move |_| Ok(check.go_on(SLICE))).await? {
                Checked::SoFar(check) => check,
                Checked::Whole(intact) => return Ok(intact),
            };
            tokio::time::sleep(began.elapsed() * rest).await;
        }
    }
}

impl Inner {
    pub(super) fn set_aside_if_damaged(&self, digest: &Digest, path: &Path) -> Result<bool, StoreError> {
        if is_intact(*digest, path)? {
            return Ok(false);
        }
        // Once more while nobody can put it anew: it may just have been healed.
        let _alone = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        if is_intact(*digest, path)? {
            return Ok(false);
        }
        self.disk().rename(path, &self.layout.damaged(digest))?;
        self.disk().sync_parent(path)?;
        Ok(true)
    }
}

/// Whether content has its digest.
pub(super) fn is_intact(digest: Digest, path: &Path) -> Result<bool, StoreError> {
    match Check::begin(digest, path)?.go_on(u64::MAX) {
        Checked::Whole(intact) => Ok(intact),
        Checked::SoFar(_) => Ok(false),
    }
}

/// Content being compared with its digest.
struct Check {
    digest: Digest,
    hasher: Hasher,
    /// Absent if it was removed meanwhile.
    file: Option<File>,
}

enum Checked {
    SoFar(Check),
    Whole(bool),
}

impl Check {
    fn begin(digest: Digest, path: &Path) -> Result<Self, StoreError> {
        Ok(Self { digest, hasher: Hasher::new(digest.algorithm()), file: present(File::open(path))? })
    }

    /// Reads the next `slice` bytes. What was removed is intact; what cannot be read is not.
    fn go_on(mut self, slice: u64) -> Checked {
        let Some(file) = &mut self.file else { return Checked::Whole(true) };
        match hash_file(&mut file.take(slice), &mut self.hasher) {
            Ok(read) if read == slice => Checked::SoFar(self),
            Ok(_) => Checked::Whole(self.hasher.finish() == self.digest),
            Err(_) => Checked::Whole(false),
        }
    }
}

/// Some hundredths of a second.
const SLICE: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_checked_in_slices_of_any_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("content");
        std::fs::write(&path, b"nine byte").unwrap();
        for (content, slice, intact) in [
            (b"nine byte", 3, true),
            (b"nine byte", 4, true),
            (b"nine byte", 99, true),
            (b"other one", 3, false),
        ] {
            let mut check = Check::begin(Digest::sha256(content), &path).unwrap();
            let found = loop {
                check = match check.go_on(slice) {
                    Checked::SoFar(check) => check,
                    Checked::Whole(intact) => break intact,
                };
            };
            assert_eq!(found, intact, "slices of {slice}");
        }
        let gone = Check::begin(Digest::sha256(b""), &dir.path().join("gone")).unwrap();
        assert!(matches!(gone.go_on(1), Checked::Whole(true)));
    }
}
