//! The I/O around `signet_verify::tuf`: reads and stores what it says, and asks the repository.

use std::io;

use async_trait::async_trait;
use signet_formats::tuf::{MAX_ROOT_BYTES, MAX_TARGETS_BYTES};
use signet_verify::tuf::{Change, Found, Freshness, Refusal, SearchStep, Source, Step, Updater, Wanted};

use super::Store;

/// Gets files of a repository.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// The file at this URL, of at most `limit` bytes; `None` if the repository says that it is not there.
    async fn get(&self, url: &str, limit: usize) -> Result<Option<Vec<u8>>, FetchError>;
}

/// Why no answer was had that says anything about the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It did not answer, or not with a file.
    #[error("{0}")]
    Silent(String),
    /// Its host could not prove its name.
    #[error("{0}")]
    Untrusted(String),
}

/// A repository, by where its files are.
pub struct Repository<'a> {
    /// Who gets them.
    pub fetch: &'a dyn Fetch,
    /// Where metadata is; ends with a slash.
    pub metadata: String,
    /// Where targets are; ends with a slash.
    pub targets: String,
}

impl<'a> Repository<'a> {
    /// A repository whose targets are below its metadata, as Sigstore's are.
    pub fn at(fetch: &'a dyn Fetch, url: &str) -> Self {
        Self::apart(fetch, url, &format!("{}/targets", url.trim_end_matches('/')))
    }

    /// A repository whose targets are elsewhere.
    pub fn apart(fetch: &'a dyn Fetch, metadata: &str, targets: &str) -> Self {
        let folder = |url: &str| format!("{}/", url.trim_end_matches('/'));
        Self { fetch, metadata: folder(metadata), targets: folder(targets) }
    }

    async fn metadata(&self, wanted: &Wanted) -> Result<Option<Vec<u8>>, FollowError> {
        let url = format!("{}{}", self.metadata, wanted.name);
        let got = self.fetch.get(&url, wanted.max_bytes).await;
        got.map_err(|error| FollowError::Unreachable { url, error })
    }
}

/// Brings the store's metadata up to date: each file is stored as soon as it is trusted, so that what was
/// learnt before a failure is kept.
pub async fn update(store: &Store, repository: &Repository<'_>, at: i64) -> Result<Updater, FollowError> {
    follow(store, repository, at, Freshness::Expiry).await
}

/// The same, for a repository that may be older than its expiry says: an offline bundle.
pub async fn follow(
    store: &Store,
    repository: &Repository<'_>,
    at: i64,
    freshness: Freshness,
) -> Result<Updater, FollowError> {
    let mut updater = begin(store, at, Source::Repository, freshness)?;
    loop {
        let file = match updater.step()? {
            Step::Done => return Ok(updater),
            Step::Read(name) => store.read(&name, MAX_TARGETS_BYTES)?,
            Step::Fetch(wanted) => repository.metadata(&wanted).await?,
        };
        let changes = updater.take(file.as_deref())?;
        keep_root(store, &updater, &changes)?;
        changes.iter().try_for_each(|change| store.apply(change))?;
    }
}

/// The metadata of the store alone, if it is all there and fresh enough.
pub fn load(store: &Store, at: i64, freshness: Freshness) -> Result<Updater, FollowError> {
    let mut updater = begin(store, at, Source::Store, freshness)?;
    loop {
        match updater.step()? {
            Step::Read(name) => updater.take(store.read(&name, MAX_TARGETS_BYTES)?.as_deref())?,
            Step::Fetch(_) | Step::Done => return Ok(updater),
        };
    }
}

/// Looks for a target. `repository` is asked for metadata of delegated roles that the store does not have.
pub async fn look_up(
    updater: &Updater,
    store: &Store,
    repository: &Repository<'_>,
    target: &str,
) -> Result<Option<Found>, FollowError> {
    let mut search = updater.search(target)?;
    loop {
        let file = match search.step()? {
            SearchStep::Done(found) => return Ok(found),
            SearchStep::Read(name) => store.read(&name, MAX_TARGETS_BYTES)?,
            SearchStep::Fetch(wanted) => repository.metadata(&wanted).await?,
        };
        for change in search.take(file.as_deref())? {
            store.apply(&change)?;
        }
    }
}

/// The target's bytes, from `own` if they are there already, else from the repository and then stored there.
pub async fn download(
    found: &Found,
    own: &Store,
    repository: &Repository<'_>,
    limit: usize,
) -> Result<Vec<u8>, FollowError> {
    let length = usize::try_from(found.file.length).ok().filter(|length| *length <= limit);
    let length = length.ok_or_else(|| FollowError::TooLarge { name: found.name.clone(), limit })?;
    if let Some(bytes) = own.read(&found.name, length)?.filter(|bytes| found.file.fits(bytes)) {
        return Ok(bytes);
    }
    let url = format!("{}{}", repository.targets, found.url);
    let got = repository.fetch.get(&url, length).await;
    let bytes = got.map_err(|error| FollowError::Unreachable { url: url.clone(), error })?;
    let bytes = bytes.ok_or_else(|| FollowError::NoTarget { url: url.clone() })?;
    if !found.file.fits(&bytes) {
        return Err(FollowError::OtherTarget { url });
    }
    own.put(&found.name, &bytes)?;
    Ok(bytes)
}

/// Why trust was not updated, or a target not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The store's disk failed.
    #[error("the store of trusted metadata: {0}")]
    Io(#[from] io::Error),
    /// There is no root to begin with.
    #[error("`{store}` has no pinned root")]
    NotPinned {
        /// The store.
        store: String,
    },
    /// Metadata was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The repository did not answer.
    #[error("`{url}`: {error}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        error: FetchError,
    },
    /// The repository does not have a target that its metadata names.
    #[error("`{url}` is not there")]
    NoTarget {
        /// What was asked for.
        url: String,
    },
    /// What came is not the target that metadata describes.
    #[error("`{url}` has another length or hash than the targets metadata states")]
    OtherTarget {
        /// What was asked for.
        url: String,
    },
    /// The target is larger than is wanted here.
    #[error("the target `{name}` has more than {limit} bytes")]
    TooLarge {
        /// The target.
        name: String,
        /// The most bytes.
        limit: usize,
    },
}

fn begin(store: &Store, at: i64, source: Source, freshness: Freshness) -> Result<Updater, FollowError> {
    let root = store.read("root.json", MAX_ROOT_BYTES)?;
    let root = root.ok_or_else(|| FollowError::NotPinned { store: store.path().display().to_string() })?;
    Ok(Updater::new(&root, at, source, freshness)?)
}

/// Every root that was trusted is kept under its version too: a bundle brings them to whoever is still at an older
/// one.
fn keep_root(store: &Store, updater: &Updater, changes: &[Change]) -> io::Result<()> {
    changes.iter().try_for_each(|change| match change {
        Change::Store { name, bytes } if name == "root.json" => {
            store.put(&format!("roots/{}.root.json", updater.root().version), bytes)
        }
        _ => Ok(()),
    })
}
