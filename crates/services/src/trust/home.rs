//! What a machine that verifies keeps: one pinned root, what it led to, and the last complete state of it.
//!
//! `metadata/` is the client's store, `current.json` the last state that was complete: metadata and all targets in
//! one file, a bundle. Verifying reads that file alone and follows it from its first root to its targets, at the
//! time of verifying; so it needs no lock, and an update that was cut off leaves it as it was. `source.json` says where
//! trust comes from, `authorities.pem` who certifies that host, if that is not for the system to say.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use signet_formats::time;
use signet_formats::trust_bundle::{MAX_BYTES, TrustBundle, TrustBundleError};
use signet_formats::tuf::{MAX_ROOT_BYTES, MAX_TARGETS_BYTES, Role, TufError, versioned};
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind, OpenError};
use signet_verify::tuf::{Freshness, Updater};

use super::client::{download, follow, look_up};
use super::turn::in_turn;
use super::{Current, Failure, Fetch, FetchError, FollowError, Repository, Store, open};

/// The target that says whom to trust.
pub const TRUSTED_ROOT: &str = "trusted_root.json";
/// The target that says which services to sign with.
pub const SIGNING_CONFIG: &str = "signing_config.v0.2.json";

/// The directory of a machine's pinned trust.
#[derive(Clone, Debug)]
pub struct Home {
    pub(super) dir: PathBuf,
}

impl Home {
    /// The home in this directory; nothing is opened yet.
    pub fn new(dir: &Path) -> io::Result<Self> {
        std::path::absolute(dir).map(|dir| Self { dir })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Whether a root is pinned here.
    pub fn is_pinned(&self) -> Result<bool, HomeError> {
        self.dir.join(METADATA).join("root.json").try_exists().map_err(|error| self.unreadable(error))
    }

    /// The repository that is followed, if there is one.
    pub fn source(&self) -> Result<SourceFile, HomeError> {
        let bytes = if self.is_pinned()? { self.read(SOURCE, MAX_SOURCE)? } else { None };
        let bytes = bytes.ok_or_else(|| self.not_pinned())?;
        serde_json::from_slice(&bytes).map_err(|_| HomeError::Source)
    }

    /// The file of authorities that certify the repository's host besides the system's, if there are any.
    pub fn authorities(&self) -> Option<PathBuf> {
        Some(self.dir.join(AUTHORITIES)).filter(|path| path.is_file())
    }

    /// Follows the repository to its newest state, at this time.
    pub async fn update(&self, fetch: &dyn Fetch, at: i64) -> Result<(), HomeError> {
        // Nothing is made where nothing is pinned.
        self.source()?;
        let dir = self.open_in_turn().await?;
        self.advance(dir.disk(), &self.source()?, fetch, at).await
    }

    /// Follows a bundle instead of a repository. With a `max_age` of our own it may be used for so many seconds after
    /// its timestamp was signed, also beyond its expiry; what the bundle says itself can only shorten that.
    pub async fn import(&self, bundle: &TrustBundle, max_age: Option<i64>, at: i64) -> Result<(), HomeError> {
        let source = self.source()?;
        let ages = Ages { stated: bundle.max_age, own: max_age };
        let files = BundleFetch(bundle);
        let repository = Repository { fetch: &files, metadata: String::new(), targets: TARGETS.to_owned() };
        let dir = self.open_in_turn().await?;
        let gathered = self.gather(dir.disk(), &repository, at, ages).await?;
        self.keep(dir.disk(), &gathered, SourceFile { max_age, ..source }, at)
    }

    /// The last complete state, as a bundle.
    pub fn bundle(&self) -> Result<TrustBundle, HomeError> {
        if !self.is_pinned()? {
            return Err(self.not_pinned());
        }
        match self.read(CURRENT, MAX_BYTES)? {
            Some(bytes) => Ok(TrustBundle::parse(&bytes)?),
            None => Err(HomeError::Empty { dir: self.dir.clone() }),
        }
    }

    /// What is trusted at this time, checked anew from the first root on.
    pub fn current(&self, at: i64) -> Result<Current, HomeError> {
        let bundle = self.bundle()?;
        open(&bundle, self.source()?.max_age, at)
    }

    pub(super) fn open(&self) -> Result<DataDir, OpenError> {
        DataDir::open(&self.dir, Kind::TrustClient)
    }

    pub(super) async fn open_in_turn(&self) -> Result<DataDir, OpenError> {
        in_turn(|| self.open()).await
    }

    pub(super) fn metadata(&self, disk: &Disk) -> Store {
        Store::new(disk.clone(), self.dir.join(METADATA)).scratch(self.dir.clone())
    }

    /// Follows the repository of this source to its newest state.
    pub(super) async fn advance(
        &self,
        disk: &Disk,
        source: &SourceFile,
        fetch: &dyn Fetch,
        at: i64,
    ) -> Result<(), HomeError> {
        let url = source.url.as_deref().ok_or(HomeError::NoRepository)?;
        let bundle = self.gather(disk, &Repository::at(fetch, url), at, Ages::default()).await?;
        self.keep(disk, &bundle, SourceFile { max_age: None, ..source.clone() }, at)
    }

    /// Brings the store up to date and puts all that a reader of it needs into a bundle.
    pub(super) async fn gather(
        &self,
        disk: &Disk,
        repository: &Repository<'_>,
        at: i64,
        ages: Ages,
    ) -> Result<TrustBundle, HomeError> {
        let store = self.metadata(disk);
        let kept = Store::new(disk.clone(), self.dir.join(TARGETS_DIR)).scratch(self.dir.clone());
        let updater = follow(&store, repository, at, ages.freshness()).await?;
        let mut bundle = TrustBundle { created: at, max_age: ages.least(), ..TrustBundle::default() };
        for name in [TRUSTED_ROOT, SIGNING_CONFIG] {
            if let Some(found) = look_up(&updater, &store, repository, name).await? {
                let bytes = download(&found, &kept, repository, MAX_TARGET).await?;
                bundle.targets.insert(found.url, bytes);
            }
        }
        bundle.metadata = collect(&store, &updater)?;
        Ok(bundle)
    }

    /// Keeps the newest state, if all of it can be used.
    pub(super) fn keep(
        &self,
        disk: &Disk,
        bundle: &TrustBundle,
        source: SourceFile,
        at: i64,
    ) -> Result<(), HomeError> {
        open(bundle, source.max_age, at)?;
        disk.put(&self.dir, &self.dir.join(CURRENT), bundle.to_json()?.as_bytes())?;
        self.write_source(disk, &SourceFile { updated: Some(at), failed: None, ..source })
    }

    pub(super) fn write_source(&self, disk: &Disk, source: &SourceFile) -> Result<(), HomeError> {
        let text = serde_json::to_vec(source).map_err(|_| HomeError::Source)?;
        Ok(disk.put(&self.dir, &self.dir.join(SOURCE), &text)?)
    }

    fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, HomeError> {
        let store = Store::new(Disk::default(), self.dir.clone());
        store.read(name, limit).map_err(|error| self.unreadable(error))
    }

    fn not_pinned(&self) -> HomeError {
        FollowError::NotPinned { store: self.dir.display().to_string() }.into()
    }

    fn unreadable(&self, error: io::Error) -> HomeError {
        HomeError::Unreadable { dir: self.dir.clone(), error }
    }
}

/// Where trust comes from, and when it came last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// The repository's URL, unless only bundles are imported.
    pub url: Option<String>,
    /// When it was last followed to its end, in Unix time.
    pub updated: Option<i64>,
    /// How many seconds after its timestamp was signed it may be used also beyond its expiry, as said when it was
    /// imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
    /// The tries since then that brought nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
}

/// Why pinned trust was not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// Metadata or a target was refused or not had.
    #[error(transparent)]
    Client(#[from] FollowError),
    /// The directory was not opened.
    #[error(transparent)]
    Dir(#[from] OpenError),
    /// A root is pinned, but it was never followed.
    #[error("`{}` has a pinned root that was never followed to its targets", dir.display())]
    Empty {
        /// The directory.
        dir: PathBuf,
    },
    /// The disk failed.
    #[error("the directory of pinned trust: {0}")]
    Io(#[from] io::Error),
    /// The bundle is malformed.
    #[error(transparent)]
    Bundle(#[from] TrustBundleError),
    /// A file in the store is malformed.
    #[error(transparent)]
    Form(#[from] TufError),
    /// Only bundles can be imported.
    #[error("the root was pinned without a repository to ask")]
    NoRepository,
    /// The bundle has no root.
    #[error("the bundle has no root")]
    NoRoot,
    /// Another root is pinned already.
    #[error("`{}` has a pinned root already", dir.display())]
    Pinned {
        /// The directory.
        dir: PathBuf,
    },
    /// The file that says where trust comes from is malformed.
    #[error("the directory of pinned trust does not say where its trust comes from")]
    Source,
    /// What is stored may not be used, and nothing newer could be had.
    #[error("{stale}; and nothing was had from the repository since {}: {}", moment(failure.since), failure.why)]
    Stale {
        /// Why what is stored may not be used.
        stale: Box<HomeError>,
        /// Why there is nothing newer.
        failure: Failure,
    },
    /// This user may not read it, or the disk failed.
    #[error("pinned trust in `{}` cannot be read: {error}", dir.display())]
    Unreadable {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

fn moment(at: i64) -> String {
    time::format(at).unwrap_or_else(|_| at.to_string())
}

/// How many seconds after its timestamp was signed trust may be used.
#[derive(Clone, Copy, Default)]
pub(super) struct Ages {
    /// As the bundle says, which nobody signs: whoever carries it could have written it.
    pub(super) stated: Option<i64>,
    /// As whoever verifies says.
    pub(super) own: Option<i64>,
}

impl Ages {
    fn least(self) -> Option<i64> {
        [self.stated, self.own].into_iter().flatten().min()
    }

    pub(super) fn freshness(self) -> Freshness {
        match (self.least(), self.own) {
            (None, _) => Freshness::Expiry,
            (Some(age), None) => Freshness::Within(age),
            (Some(age), Some(_)) => Freshness::MaxAge(age),
        }
    }
}

/// The store's metadata under the names that a repository has it by, every root that was ever trusted here included.
fn collect(store: &Store, updater: &Updater) -> Result<BTreeMap<String, Vec<u8>>, HomeError> {
    let mut files = BTreeMap::new();
    for version in (1..=updater.root().version).rev() {
        let name = versioned(Role::Root.name(), Some(version))?;
        let Some(bytes) = store.read(&format!("roots/{name}"), MAX_ROOT_BYTES)? else { break };
        files.insert(name, bytes);
    }
    for (role, version) in listed(updater) {
        // A delegated role that no target of ours needed is not there.
        if let Some(bytes) = store.read(&versioned(role, None)?, MAX_TARGETS_BYTES)? {
            files.insert(versioned(role, version)?, bytes);
        }
    }
    Ok(files)
}

/// All roles but root, with the version that their files' names bear.
fn listed(updater: &Updater) -> Vec<(&str, Option<u64>)> {
    let in_name = |version| updater.root().body.consistent_snapshot.then_some(version);
    let snapshot = updater.snapshot();
    let own = [(Role::Timestamp, None), (Role::Snapshot, snapshot.and_then(|it| in_name(it.version)))];
    let own = own.map(|(role, version)| (role.name(), version));
    let targets = snapshot.into_iter().flat_map(|snapshot| &snapshot.body.meta).filter_map(|(name, meta)| {
        let role = name.strip_suffix(".json")?;
        // Sigstore's snapshot lists a root too, the second that it ever had.
        let is_targets = ![Role::Root, Role::Timestamp, Role::Snapshot].iter().any(|top| top.name() == role);
        is_targets.then(|| (role, in_name(meta.version)))
    });
    own.into_iter().chain(targets).collect()
}

/// A bundle as a repository whose URLs are the names of its files.
struct BundleFetch<'a>(&'a TrustBundle);

#[async_trait]
impl Fetch for BundleFetch<'_> {
    async fn get(&self, url: &str, limit: usize) -> Result<Option<Vec<u8>>, FetchError> {
        let file = match url.strip_prefix(TARGETS) {
            Some(name) => self.0.targets.get(name),
            None => self.0.metadata.get(url),
        };
        match file {
            Some(bytes) if bytes.len() > limit => {
                Err(FetchError::Silent(format!("it is larger than {limit} bytes")))
            }
            file => Ok(file.cloned()),
        }
    }
}

pub(super) const AUTHORITIES: &str = "authorities.pem";
pub(super) const CURRENT: &str = "current.json";
pub(super) const METADATA: &str = "metadata";
pub(super) const SOURCE: &str = "source.json";
pub(super) const TARGETS_DIR: &str = "targets";
const TARGETS: &str = "targets/";
const MAX_SOURCE: usize = 64 * 1024;
/// Of a trusted root or signing configuration; those of Sigstore have 10 KiB.
const MAX_TARGET: usize = 4 * 1024 * 1024;
