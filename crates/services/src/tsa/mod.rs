//! The timestamp authority (RFC 3161): states that it saw a digest at a time, and refuses when it does
//! not know the time as well as it would have to state.
//!
//! Trusted? The key and the clock are: who holds the key can state any time. May the data directory be
//! lost? Its key: signatures stay valid, new ones need a new authority in the trust root. Its numbers:
//! no, see `serials`; the authority does not start without them.

mod bound;
mod config;
mod error;
mod identity;
mod metrics;
pub mod ntp;
mod renewal;
mod serials;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use const_oid::ObjectIdentifier;
use futures_util::future::BoxFuture;
use signet_formats::timestamp::{PkiFailure, ReceivedRequest, Statement, granted, rejected};
use signet_formats::x509::Certificate;
use signet_store::{DataDir, Kind, fs::Disk};

pub use bound::{ClockBound, KernelBound, SourceState};
pub use config::{ACCURACIES, Config, DEFAULT_POLICY, TimeSource};
pub use error::TsaError;
use identity::Identities;
pub use identity::Identity;
pub use metrics::{Counters, Outcome};

use crate::authority::refuse_given;
use crate::clock::Reading;
use crate::given_key;
use serials::Serials;

/// A timestamp authority. Clones are the same one.
#[derive(Clone)]
pub struct Tsa {
    inner: Arc<Inner>,
}

struct Inner {
    identities: RwLock<Arc<Identities>>,
    /// Whether they come from elsewhere, and no next one is made.
    given: bool,
    config: Config,
    serials: Serials,
    counters: Counters,
    dir: DataDir,
}

impl Tsa {
    /// Opens the authority of this data directory, making it if there is none. With `identity` it signs
    /// with that; without, with a key and a root of its own, kept in the directory.
    pub async fn open(path: &Path, identity: Option<Identity>, config: Config) -> Result<Self, TsaError> {
        Self::open_on(Disk::default(), path, identity, config).await
    }

    /// The same, on a disk that may inject faults.
    pub fn open_on(
        disk: Disk,
        path: &Path,
        identity: Option<Identity>,
        config: Config,
    ) -> BoxFuture<'_, Result<Self, TsaError>> {
        Box::pin(Self::opened(disk, path, identity, config))
    }

    async fn opened(
        disk: Disk,
        path: &Path,
        identity: Option<Identity>,
        config: Config,
    ) -> Result<Self, TsaError> {
        if config.policies.is_empty() {
            return Err(TsaError::NoPolicy);
        }
        if let Some(accuracy) = config.accuracy().filter(|accuracy| !ACCURACIES.contains(accuracy)) {
            return Err(TsaError::Accuracy { accuracy });
        }
        let (given, development) = (identity.is_some(), config.is_development());
        refuse_given(given, development)?;
        let dir = DataDir::open_on(disk, path, Kind::Tsa)?;
        let now = config.clock.seconds();
        let serials = open_serials(&dir, now)?;
        let identities = match identity {
            Some(identity) => {
                let given = Identities::given(&dir, identity, development)?;
                if let Some(identity) = given.first() {
                    given_key::ask_first(identity.signer()).await;
                }
                given
            }
            None => Identities::of_directory(&dir, now, development).await?,
        };
        let (identities, counters) = (RwLock::new(Arc::new(identities)), Counters::default());
        let inner = Inner { identities, given, config, serials, counters, dir };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Answers a DER `TimeStampReq` with a DER `TimeStampResp`; refusals are answers too.
    pub async fn answer(&self, request: &[u8]) -> Vec<u8> {
        match ReceivedRequest::parse(request) {
            Ok(request) => self.stamp(&request).await.unwrap_or_else(|refusal| refusal.to_der()),
            Err(failure) => self.refuse(failure, unacceptable(failure)).to_der(),
        }
    }

    /// The DER `TimeStampResp` that grants this request.
    pub async fn stamp(&self, request: &ReceivedRequest) -> Result<Vec<u8>, Refusal> {
        let inner = &self.inner;
        let policy = self.policy(request)?;
        let unknown = || {
            self.refuse(PkiFailure::TimeNotAvailable, "the authority does not know the time well enough now")
        };
        // By a time that is not known no certificate is valid or not.
        inner.config.time_now().ok_or_else(unknown)?;
        let identities = inner.identities();
        let identity = identities.active(inner.config.clock.seconds());
        let identity = identity.ok_or_else(|| {
            self.refuse(PkiFailure::SystemFailure, "the authority's own certificate is not valid now")
        })?;
        let taken = inner.serials.take(|| inner.config.time_now()).await;
        let taken =
            taken.map_err(|_| self.refuse(PkiFailure::SystemFailure, "the authority's disk failed"))?;
        let (serial, now) = taken.ok_or_else(unknown)?;
        let failed = |why| move || self.refuse(PkiFailure::SystemFailure, why);
        let (seconds, millis) = split(&now);
        let statement = Statement {
            request,
            policy,
            serial,
            seconds,
            millis,
            accuracy: inner.config.accuracy(),
            authority: None,
        };
        let content = statement.to_der().map_err(|_| failed("the clock is out of bounds")())?;
        let token = identity.sign(&content, seconds, request.with_certificates).await;
        let token = token.ok_or_else(failed("the authority's key does not sign now"))?;
        inner.counters.count(Outcome::Granted);
        Ok(granted(&token))
    }

    /// The chain that it signs with now: the authority's certificate first, its root last. Empty if none is valid.
    pub fn chain(&self) -> Vec<Certificate> {
        let identities = self.inner.identities();
        let active = identities.active(self.inner.config.clock.seconds());
        active.map(|identity| identity.chain().to_vec()).unwrap_or_default()
    }

    /// The chains that verifiers need to know, the oldest first.
    pub fn chains(&self) -> Vec<Vec<Certificate>> {
        self.inner.identities().chains().map(<[_]>::to_vec).collect()
    }

    /// How many requests ended how.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// How far the clock may be off now, and what the sources say; `None` in development.
    pub fn time_state(&self) -> Option<(Option<Duration>, Vec<SourceState>)> {
        match &self.inner.config.time {
            TimeSource::Bounded { bound, .. } => {
                Some((bound.bound(&self.inner.config.clock.read()), bound.sources()))
            }
            TimeSource::Development => None,
        }
    }

    /// Whether a request now would get a timestamp.
    pub fn is_ready(&self) -> bool {
        self.doubt().is_none()
    }

    /// Why a request now would get none, in words; `None` if it would.
    pub fn doubt(&self) -> Option<String> {
        let config = &self.inner.config;
        let certificate = self.inner.identities().active(config.clock.seconds()).is_none();
        let failure = self.inner.serials.failure();
        failure
            .map(|error| format!("its disk failed, so that it has no serial numbers: {error}"))
            .or_else(|| config.doubt())
            .or_else(|| certificate.then(|| "its own certificate is not valid now".to_owned()))
            .or_else(|| self.key_doubt().map(|doubt| format!("its key does not sign: {doubt}")))
    }

    /// Why its key is not to be counted on to sign now.
    pub fn key_doubt(&self) -> Option<String> {
        self.inner.identities().active(self.inner.config.clock.seconds())?.signer().doubt()
    }

    fn policy(&self, request: &ReceivedRequest) -> Result<ObjectIdentifier, Refusal> {
        let policies = &self.inner.config.policies;
        let policy = match request.policy {
            None => policies.first(),
            Some(asked) => policies.iter().find(|policy| **policy == asked),
        };
        let refuse = || self.refuse(PkiFailure::UnacceptedPolicy, "the authority has no such policy");
        policy.copied().ok_or_else(refuse)
    }

    fn refuse(&self, failure: PkiFailure, text: &'static str) -> Refusal {
        self.inner.counters.count(Outcome::Refused(failure));
        Refusal { failure, text }
    }
}

impl Inner {
    fn identities(&self) -> Arc<Identities> {
        Arc::clone(&self.identities.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why no token was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The failure of RFC 3161.
    pub failure: PkiFailure,
    /// What was wrong.
    pub text: &'static str,
}

impl Refusal {
    /// The DER `TimeStampResp` that says so.
    pub fn to_der(self) -> Vec<u8> {
        rejected(self.failure, self.text)
    }
}

/// What is wrong with the numbers of the authority in this directory.
pub fn fsck(dir: &Path) -> Vec<String> {
    let path = dir.join(SERIALS);
    match dir.exists() {
        true => {
            Serials::check(&path).err().map(|error| format!("`{SERIALS}`: {error}")).into_iter().collect()
        }
        false => Vec::new(),
    }
}

/// Numbers are written before all that says that an authority was here: a directory that has one without the other has lost
/// them.
fn open_serials(dir: &DataDir, now: i64) -> Result<Serials, TsaError> {
    let path = dir.path().join(SERIALS);
    let failed = |error| TsaError::Serials { path: path.clone(), error };
    if !path.exists() && !Identities::were_in(dir) {
        Serials::create(dir.disk(), &path).map_err(failed)?;
    }
    Serials::open(dir.disk().clone(), path.clone(), now).map_err(failed)
}

/// Why a request was not read, in words.
fn unacceptable(failure: PkiFailure) -> &'static str {
    match failure {
        PkiFailure::BadAlg => "the digest is not of SHA-256, SHA-384 or SHA-512",
        PkiFailure::BadRequest => "the request is not of version 1, or its nonce has more than 64 bytes",
        PkiFailure::UnacceptedExtension => "the authority takes no extensions",
        _ => "the request is not the DER of a TimeStampReq, or its digest is not as long as its algorithm's",
    }
}

/// Seconds and milliseconds. DER cuts zeros off a fraction's end, and sigstore-js reads exactly three digits
/// or none, so a last digit of zero is made one less.
fn split(now: &Reading) -> (i64, u16) {
    let millis = u16::try_from(now.wall.subsec_millis()).unwrap_or(0);
    match millis {
        0 => (now.seconds(), 0),
        _ if millis % 10 == 0 => (now.seconds(), millis - 1),
        _ => (now.seconds(), millis),
    }
}

/// Where the numbers are.
const SERIALS: &str = "serials.json";
#[cfg(test)]
mod tests;
