//! The pinning of a root: done whole, or as if it had not been tried.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use signet_store::fs::Disk;
use signet_verify::tuf::{Freshness, Source, Updater};

use super::home::{AUTHORITIES, Ages, CURRENT, METADATA, SOURCE, TARGETS_DIR};
use super::{Fetch, FollowError, Home, HomeError, Repository, SourceFile, Store};

/// A root that is to be pinned, and where it leads.
#[derive(Clone, Copy, Debug)]
pub struct Pin<'a> {
    /// The root.
    pub root: &'a [u8],
    /// The URL of its repository, if there is one to ask.
    pub url: Option<&'a str>,
    /// The authorities that certify the repository's host besides the system's, in PEM, if there are any.
    pub authorities: Option<&'a [u8]>,
}

impl Home {
    /// Pins a root and follows its repository. The same root may be pinned again, and be given a repository that it did not
    /// have; another is not replaced: that would be to trust somebody else. What fails or is cut off leaves what was pinned
    /// as it was, so that another root may be tried where there was none.
    pub async fn init(&self, pin: Pin<'_>, fetch: &dyn Fetch, at: i64) -> Result<(), HomeError> {
        // Refused before anything is made.
        let pinned = Updater::new(pin.root, i64::MIN, Source::Repository, Freshness::Expiry);
        let version = pinned.map_err(FollowError::from)?.root().version;
        let name = format!("roots/{version}.root.json");
        let dir = self.open_in_turn().await?;
        match self.is_pinned()? {
            true => self.pin_again(dir.disk(), &name, pin, fetch, at).await,
            false => self.pin_first(dir.disk(), &name, pin, fetch, at).await,
        }
    }

    /// Beside what will be pinned, which is then moved into its place: whoever is cut off has pinned nothing.
    async fn pin_first(
        &self,
        disk: &Disk,
        name: &str,
        pin: Pin<'_>,
        fetch: &dyn Fetch,
        at: i64,
    ) -> Result<(), HomeError> {
        self.forget(disk)?;
        let new = Self { dir: self.dir.join(PINNING) };
        let store = new.metadata(disk);
        store.put(name, pin.root)?;
        store.put(ROOT, pin.root)?;
        let source = SourceFile { url: pin.url.map(str::to_owned), ..SourceFile::default() };
        match new.lead(disk, source, pin, fetch, at).await {
            Ok(()) => self.adopt(disk, &new),
            Err(error) => clear(disk, &new.dir).map_err(HomeError::from).and(Err(error)),
        }
    }

    async fn pin_again(
        &self,
        disk: &Disk,
        name: &str,
        pin: Pin<'_>,
        fetch: &dyn Fetch,
        at: i64,
    ) -> Result<(), HomeError> {
        let source = self.source()?;
        let is_same = self.metadata(disk).read(name, pin.root.len())?.as_deref() == Some(pin.root);
        let is_moved = pin.url.is_some() && source.url.is_some() && pin.url != source.url.as_deref();
        if !is_same || is_moved {
            return Err(HomeError::Pinned { dir: self.dir.clone() });
        }
        let url = pin.url.map(str::to_owned).or_else(|| source.url.clone());
        self.lead(disk, SourceFile { url, ..source }, pin, fetch, at).await
    }

    /// Follows the root where that is asked for, and keeps what it leads to.
    async fn lead(
        &self,
        disk: &Disk,
        source: SourceFile,
        pin: Pin<'_>,
        fetch: &dyn Fetch,
        at: i64,
    ) -> Result<(), HomeError> {
        match pin.url {
            Some(url) => {
                let bundle = self.gather(disk, &Repository::at(fetch, url), at, Ages::default()).await?;
                self.keep(disk, &bundle, SourceFile { max_age: None, ..source }, at)?;
            }
            None => self.write_source(disk, &source)?,
        }
        let authorities = Store::new(disk.clone(), self.dir.clone());
        Ok(pin.authorities.map_or(Ok(()), |pem| authorities.put(AUTHORITIES, pem))?)
    }

    /// Takes all that another directory has.
    fn adopt(&self, disk: &Disk, new: &Self) -> Result<(), HomeError> {
        // Last what makes it pinned.
        for name in [TARGETS_DIR, CURRENT, AUTHORITIES, SOURCE, METADATA] {
            let from = new.dir.join(name);
            if from.try_exists()? {
                disk.rename(&from, &self.dir.join(name))?;
            }
        }
        Ok(clear(disk, &new.dir)?)
    }

    /// Leaves nothing of what is pinned and of what it led to, nor of a try that was cut off.
    fn forget(&self, disk: &Disk) -> Result<(), HomeError> {
        let remove = |name: PathBuf| disk.remove(&self.dir.join(name)).map(drop);
        // First what makes it pinned.
        remove(Path::new(METADATA).join(ROOT))?;
        [CURRENT, AUTHORITIES, SOURCE].into_iter().try_for_each(|name| remove(name.into()))?;
        [METADATA, TARGETS_DIR, PINNING]
            .into_iter()
            .try_for_each(|name| clear(disk, &self.dir.join(name)))?;
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

const PINNING: &str = "pinning";
const ROOT: &str = "root.json";
