//! What a bundle leads to, followed anew each time that it is read.

use signet_formats::trust_bundle::TrustBundle;
use signet_formats::tuf::Role;
use signet_verify::tuf::{SearchStep, Source, Step, Updater};

use super::home::Ages;
use super::{FollowError, HomeError, SIGNING_CONFIG, TRUSTED_ROOT};

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
