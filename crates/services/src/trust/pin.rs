//! The pinning of a root: done whole, or as if it had not been tried.

use std::fs;
use std::io;
use std::path::Path;

use signet_store::DataDir;
use signet_store::fs::Disk;
use signet_verify::tuf::{Freshness, Source, Updater};

use super::home::{CURRENT, METADATA, SOURCE, TARGETS_DIR};
use super::{Fetch, FollowError, Home, HomeError, SourceFile};

impl Home {
    /// Pins a root and follows its repository, if there is one to ask. The same root may be pinned again, and be given a
    /// repository that it did not have. What fails leaves the directory as it was, so that another root may be tried.
    pub async fn init(
        &self,
        root: &[u8],
        url: Option<&str>,
        fetch: &dyn Fetch,
        at: i64,
    ) -> Result<(), HomeError> {
        let before = self.is_pinned().then(|| self.source()).transpose()?;
        self.pin(root, url)?;
        if url.is_none() {
            return Ok(());
        }
        let followed = match self.update(fetch, at).await {
            Ok(()) => self.current(at).map(drop),
            Err(error) => Err(error),
        };
        if followed.is_err() {
            let dir = self.open()?;
            match before {
                Some(before) => self.write_source(&dir, &before)?,
                None => self.forget(&dir)?,
            }
        }
        followed
    }

    /// Pins a root, of a repository if there is one to ask. Another root is not replaced: that would be to trust
    /// somebody else.
    pub fn pin(&self, root: &[u8], url: Option<&str>) -> Result<(), HomeError> {
        // Refused before anything is made.
        let pinned = Updater::new(root, i64::MIN, Source::Repository, Freshness::Expiry);
        let version = pinned.map_err(FollowError::from)?.root().version;
        let dir = self.open()?;
        let (store, name) = (self.metadata(dir.disk()), format!("roots/{version}.root.json"));
        let url = url.map(str::to_owned);
        if self.is_pinned() {
            let source = self.source()?;
            let is_same = store.read(&name, root.len())?.as_deref() == Some(root);
            let is_moved = url.is_some() && source.url.is_some() && url != source.url;
            return match is_same && !is_moved {
                true => self.write_source(&dir, &SourceFile { url: url.or(source.url), ..source }),
                false => Err(HomeError::Pinned { dir: self.path().to_owned() }),
            };
        }
        // What another root led to, in a try that was cut off, is not to be taken for what this one leads to.
        self.forget(&dir)?;
        store.put(&name, root)?;
        self.write_source(&dir, &SourceFile { url, ..SourceFile::default() })?;
        // Last: what makes it pinned.
        Ok(store.put("root.json", root)?)
    }

    /// Leaves nothing of what is pinned and of what it led to.
    fn forget(&self, dir: &DataDir) -> Result<(), HomeError> {
        let (disk, home) = (dir.disk(), self.path());
        // First: what makes it pinned.
        disk.remove(&home.join(METADATA).join("root.json"))?;
        [CURRENT, SOURCE].into_iter().try_for_each(|name| disk.remove(&home.join(name)).map(drop))?;
        [METADATA, TARGETS_DIR].into_iter().try_for_each(|name| clear(disk, &home.join(name)))?;
        Ok(())
    }
}

/// Removes the directory and all that is in it.
fn clear(disk: &Disk, dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => clear(disk, &entry.path())?,
            false => drop(disk.remove(&entry.path())?),
        }
    }
    disk.remove_empty_dir(dir);
    Ok(())
}
