//! What a machine that verifies keeps: one pinned root, what it led to, and the last complete state of it.
//!
//! `metadata/` is the client's store, `current.json` the last state that was complete: metadata and all targets in
//! one file, a bundle. Verifying reads that file alone and follows it from its first root to its targets, at the
//! time of verifying; so it needs no lock, and an update that was cut off leaves it as it was.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use signet_formats::trust_bundle::{MAX_BYTES, TrustBundle, TrustBundleError};
use signet_formats::tuf::{MAX_ROOT_BYTES, MAX_TARGETS_BYTES, Role, TufError, versioned};
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind, OpenError};
use signet_verify::tuf::{Freshness, SearchStep, Source, Step, Updater};

use super::client::{download, follow, look_up};
use super::{Fetch, FetchError, FollowError, Repository, Store};

/// The target that says whom to trust.
pub const TRUSTED_ROOT: &str = "trusted_root.json";
/// The target that says which services to sign with.
pub const SIGNING_CONFIG: &str = "signing_config.v0.2.json";

/// The directory of a machine's pinned trust.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
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
    pub fn is_pinned(&self) -> bool {
        self.dir.join(METADATA).join("root.json").is_file()
    }

    /// The repository that is followed, if there is one.
    pub fn source(&self) -> Result<SourceFile, HomeError> {
        let bytes = Store::new(Disk::default(), self.dir.clone()).read(SOURCE, MAX_SOURCE)?;
        let bytes = bytes.ok_or_else(|| HomeError::not_pinned(&self.dir))?;
        serde_json::from_slice(&bytes).map_err(|_| HomeError::Source)
    }

    /// Follows the repository to its newest state, at this time.
    pub async fn update(&self, fetch: &dyn Fetch, at: i64) -> Result<(), HomeError> {
        let source = self.source()?;
        let url = source.url.clone().ok_or(HomeError::NoRepository)?;
        let repository = Repository::at(fetch, &url);
        let dir = self.open()?;
        let bundle = self.gather(&dir, &repository, at, Ages::default()).await?;
        self.write_current(&dir, &bundle)?;
        self.write_source(&dir, &SourceFile { updated: Some(at), max_age: None, ..source })
    }

    /// Follows a bundle instead of a repository. With a `max_age` of our own it may be used for so many seconds after
    /// its timestamp was signed, also beyond its expiry; what the bundle says itself can only shorten that.
    pub async fn import(&self, bundle: &TrustBundle, max_age: Option<i64>, at: i64) -> Result<(), HomeError> {
        let source = self.source()?;
        let ages = Ages { stated: bundle.max_age, own: max_age };
        let files = BundleFetch(bundle);
        let repository = Repository { fetch: &files, metadata: String::new(), targets: TARGETS.to_owned() };
        let dir = self.open()?;
        let gathered = self.gather(&dir, &repository, at, ages).await?;
        self.write_current(&dir, &gathered)?;
        self.write_source(&dir, &SourceFile { updated: Some(at), max_age, ..source })
    }

    /// The last complete state, as a bundle.
    pub fn bundle(&self) -> Result<TrustBundle, HomeError> {
        let bytes = Store::new(Disk::default(), self.dir.clone()).read(CURRENT, MAX_BYTES)?;
        match bytes {
            Some(bytes) => Ok(TrustBundle::parse(&bytes)?),
            None if self.is_pinned() => Err(HomeError::Empty { dir: self.dir.clone() }),
            None => Err(HomeError::not_pinned(&self.dir)),
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

    pub(super) fn metadata(&self, disk: &Disk) -> Store {
        Store::new(disk.clone(), self.dir.join(METADATA)).scratch(self.dir.clone())
    }

    /// Brings the store up to date and puts all that a reader of it needs into a bundle.
    async fn gather(
        &self,
        dir: &DataDir,
        repository: &Repository<'_>,
        at: i64,
        ages: Ages,
    ) -> Result<TrustBundle, HomeError> {
        let store = self.metadata(dir.disk());
        let kept = Store::new(dir.disk().clone(), self.dir.join(TARGETS_DIR)).scratch(self.dir.clone());
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

    fn write_current(&self, dir: &DataDir, bundle: &TrustBundle) -> Result<(), HomeError> {
        Ok(dir.disk().put(&self.dir, &self.dir.join(CURRENT), bundle.to_json()?.as_bytes())?)
    }

    pub(super) fn write_source(&self, dir: &DataDir, source: &SourceFile) -> Result<(), HomeError> {
        let text = serde_json::to_vec(source).map_err(|_| HomeError::Source)?;
        Ok(dir.disk().put(&self.dir, &self.dir.join(SOURCE), &text)?)
    }
}

/// Follows a bundle from its first root to its targets, with nothing else at hand. With a `max_age` of our own, see
/// [`Home::import`].
pub fn open(bundle: &TrustBundle, max_age: Option<i64>, at: i64) -> Result<Current, HomeError> {
    let roots = bundle.metadata.iter().filter_map(|(name, bytes)| {
        name.strip_suffix(".root.json")?.parse::<u64>().ok().map(|version| (version, bytes))
    });
    let first = roots.min_by_key(|(version, _)| *version).ok_or(HomeError::NoRoot)?.1;
    let freshness = Ages { stated: bundle.max_age, own: max_age }.freshness();
    let mut updater = Updater::new(first, at, Source::Repository, freshness).map_err(FollowError::from)?;
    loop {
        let file = match updater.step().map_err(FollowError::from)? {
            Step::Done => break,
            Step::Read(_) => None,
            Step::Fetch(wanted) => bundle.metadata.get(&wanted.name),
        };
        updater.take(file.map(Vec::as_slice)).map_err(FollowError::from)?;
    }
    let target = |name| target_of(bundle, &updater, name);
    let (trusted_root, signing_config) = (target(TRUSTED_ROOT)?, target(SIGNING_CONFIG)?);
    Ok(Current { updater, trusted_root, signing_config, max_age: bundle.max_age })
}

/// What is trusted at one time.
#[derive(Debug)]
pub struct Current {
    /// The metadata, followed to its end.
    pub updater: Updater,
    /// The target `trusted_root.json`.
    pub trusted_root: Option<Vec<u8>>,
    /// The target `signing_config.v0.2.json`.
    pub signing_config: Option<Vec<u8>>,
    /// How many seconds after its timestamp was signed it may be used at most.
    pub max_age: Option<i64>,
}

impl Current {
    /// Every top-level role, with its version and from which second on it may not be used any more.
    pub fn roles(&self) -> Vec<(Role, u64, i64)> {
        let root = self.updater.root();
        let timestamp = self.updater.timestamp().map(|it| (Role::Timestamp, it.version, it.expires));
        let snapshot = self.updater.snapshot().map(|it| (Role::Snapshot, it.version, it.expires));
        let targets = self.updater.targets().map(|it| (Role::Targets, it.version, it.expires));
        let others = [timestamp, snapshot, targets].into_iter().flatten();
        [(Role::Root, root.version, root.expires)].into_iter().chain(others).collect()
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
}

impl HomeError {
    fn not_pinned(dir: &Path) -> Self {
        FollowError::NotPinned { store: dir.display().to_string() }.into()
    }
}

/// How many seconds after its timestamp was signed trust may be used.
#[derive(Clone, Copy, Default)]
struct Ages {
    /// As the bundle says, which nobody signs: whoever carries it could have written it.
    stated: Option<i64>,
    /// As whoever verifies says.
    own: Option<i64>,
}

impl Ages {
    fn least(self) -> Option<i64> {
        [self.stated, self.own].into_iter().flatten().min()
    }

    fn freshness(self) -> Freshness {
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

fn target_of(bundle: &TrustBundle, updater: &Updater, name: &str) -> Result<Option<Vec<u8>>, HomeError> {
    let mut search = updater.search(name).map_err(FollowError::from)?;
    let found = loop {
        let file = match search.step().map_err(FollowError::from)? {
            SearchStep::Done(found) => break found,
            SearchStep::Read(_) => None,
            SearchStep::Fetch(wanted) => bundle.metadata.get(&wanted.name),
        };
        search.take(file.map(Vec::as_slice)).map_err(FollowError::from)?;
    };
    let Some(found) = found else { return Ok(None) };
    let bytes = bundle.targets.get(&found.url);
    let bytes = bytes.ok_or_else(|| FollowError::NoTarget { url: found.url.clone() })?;
    match found.file.fits(bytes) {
        true => Ok(Some(bytes.clone())),
        false => Err(FollowError::OtherTarget { url: found.url }.into()),
    }
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
            Some(bytes) if bytes.len() > limit => Err(FetchError(format!("it is larger than {limit} bytes"))),
            file => Ok(file.cloned()),
        }
    }
}

pub(super) const CURRENT: &str = "current.json";
pub(super) const METADATA: &str = "metadata";
pub(super) const SOURCE: &str = "source.json";
pub(super) const TARGETS_DIR: &str = "targets";
const TARGETS: &str = "targets/";
const MAX_SOURCE: usize = 64 * 1024;
/// Of a trusted root or signing configuration; those of Sigstore have 10 KiB.
const MAX_TARGET: usize = 4 * 1024 * 1024;
