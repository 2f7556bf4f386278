//! What can go wrong, by whose fault it is.

use std::path::Path;
use std::time::Duration;

use signet_crypto::Digest;
use signet_formats::oci::WalkError;
use signet_http::SetupError;

/// Why a registry, layout or archive did not give or take what was asked.
///
/// Only [`Error::NotFound`] says that something is absent; whatever else happens means "not known".
/// Every variant has its code where the command maps them, and a new one does not compile without.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The registry wants credentials, or other ones (401).
    #[error("{registry} wants {wants}")]
    Unauthorized {
        /// The registry.
        registry: String,
        /// Other credentials than it was given, or some, and where there are none.
        wants: String,
    },
    /// The credentials do not allow it (403).
    #[error("{what}: not allowed{detail}")]
    Forbidden {
        /// What was asked for.
        what: String,
        /// The registry's words, led by `: `, or nothing.
        detail: String,
        /// What the registry said to do, where it is one of Signet's.
        advice: Option<Advice>,
    },
    /// It is not there (404).
    #[error("{what} does not exist")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The host could not be reached, or broke off.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// What the connection said.
        reason: String,
    },
    /// The host could not prove its name, or did not accept what proves ours.
    #[error("no TLS connection with {host}: {reason}")]
    Tls {
        /// The host.
        host: String,
        /// What TLS said.
        reason: String,
    },
    /// It took too long.
    #[error("{what}: no complete answer in time")]
    Timeout {
        /// What was asked for.
        what: String,
    },
    /// The answer is larger than may be read.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// The bound, in bytes.
        limit: u64,
    },
    /// The content is not what its digest says.
    #[error("content of {expected} has the digest {actual}")]
    DigestMismatch {
        /// The digest asked for.
        expected: Box<Digest>,
        /// The digest of what came.
        actual: Box<Digest>,
    },
    /// The content is not as long as its descriptor says; `actual` counts what came before it was cut.
    #[error("content of {digest} should have {expected} bytes and has {actual} or more")]
    SizeMismatch {
        /// The digest asked for.
        digest: Digest,
        /// The size stated.
        expected: u64,
        /// The bytes that were counted.
        actual: u64,
    },
    /// The answer is not what the protocol says.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// What was read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Too many requests (429), also after waiting.
    #[error("{registry} limits the rate of requests")]
    RateLimited {
        /// The registry.
        registry: String,
        /// When it said to come back.
        retry_after: Option<Duration>,
    },
    /// The registry failed (5xx), also when asked again.
    #[error("{what}: the registry failed with status {status}{detail}")]
    Server {
        /// What was asked for.
        what: String,
        /// The status.
        status: u16,
        /// The registry's words, led by `: `, or nothing.
        detail: String,
        /// When it said to come back.
        retry_after: Option<Duration>,
    },
    /// Somebody else changed it meanwhile, or it may not be changed (409, 412).
    #[error("{what} conflicts with what the registry has{detail}")]
    Conflict {
        /// What was written.
        what: String,
        /// The registry's words, led by `: `, or nothing.
        detail: String,
    },
    /// The tag names something else, and the registry does not let tags be moved.
    #[error("tag {tag} cannot be moved{detail}")]
    TagImmutable {
        /// The repository and tag.
        tag: String,
        /// The registry's words, led by `: `, or nothing.
        detail: String,
    },
    /// The registry's tags name no digest of this algorithm; the manifest is there by its digest.
    #[error("{tag} cannot name {digest}: this registry's tags name sha256 digests only")]
    TagNotSet {
        /// The repository and tag.
        tag: String,
        /// The digest.
        digest: Box<Digest>,
    },
    /// The registry refused it for another reason (other 4xx).
    #[error("{what} was refused with status {status}{detail}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The status.
        status: u16,
        /// The registry's words, led by `: `, or nothing.
        detail: String,
    },
    /// A redirect, an upload's location or a next page that is not followed.
    #[error("redirect of {what} to {target} is not followed: {reason}")]
    RedirectRefused {
        /// What was asked for.
        what: String,
        /// Where it pointed, without its query.
        target: String,
        /// Why not.
        reason: &'static str,
    },
    /// A token realm to which no credentials are sent.
    #[error("{registry} names the token realm {realm}: {reason}")]
    RealmRefused {
        /// The registry.
        registry: String,
        /// The realm it named, without its query.
        realm: String,
        /// Why not.
        reason: &'static str,
    },
    /// More of something than may be read.
    #[error("{what}: more than {limit}")]
    LimitHit {
        /// What was counted.
        what: String,
        /// The bound.
        limit: u64,
    },
    /// The host does not speak HTTPS, and nobody said that plain HTTP will do.
    #[error("{host} does not speak HTTPS, and is not asked over plain HTTP")]
    PlainHttpRefused {
        /// The host.
        host: String,
    },
    /// A credential helper failed.
    #[error("credential helper `{helper}`: {reason}")]
    CredentialHelper {
        /// The helper's name as the configuration has it.
        helper: String,
        /// What happened.
        reason: String,
    },
    /// A credentials file, certificate or key that cannot be used.
    #[error("`{path}`: {reason}")]
    Configuration {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or directory that cannot be read or written.
    #[error("`{path}`: {reason}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A layout or archive that is none, or is damaged.
    #[error("`{path}` is no sound image layout or archive: {reason}")]
    Damaged {
        /// The file or directory.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A layout or archive holds several images, and none of them was named.
    #[error("{place} holds several images, name one of them{names}")]
    SeveralImages {
        /// The layout or archive.
        place: String,
        /// What some of them are called, led by `: `, or nothing.
        names: String,
    },
    /// A source or target that is not one of the spellings.
    #[error("`{text}` is not a place of an image: {reason}")]
    Location {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The detail of a registry's error, as Signet's own registry gives it. Made printable and short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// A code of Signet's, `SGN-nnnn`, if the registry is honest.
    pub code: String,
    /// What to do next.
    pub hint: String,
}

impl From<SetupError> for Error {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Configuration { path, reason } => Self::Configuration { path, reason },
            SetupError::System(reason) => Self::Unreachable { host: "the network".to_owned(), reason },
        }
    }
}

impl Error {
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), reason: error.to_string() }
    }

    pub(crate) fn digest_mismatch(expected: Digest, actual: Digest) -> Self {
        Self::DigestMismatch { expected: expected.into(), actual: actual.into() }
    }

    pub(crate) fn malformed(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Malformed { what: what.into(), reason: reason.into() }
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged { path: path.display().to_string(), reason: reason.to_string() }
    }

    pub(crate) fn configuration(path: &Path, reason: impl ToString) -> Self {
        Self::Configuration { path: path.display().to_string(), reason: reason.to_string() }
    }

    /// Whether asking the same again may go better. What a registry has not implemented (501) it has not a moment
    /// later either, and whether it has room again (507) is for who asks to find out (RFC 4918, 11.5).
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Server { status, .. } => !matches!(status, 501 | 507),
            _ => matches!(self, Self::Unreachable { .. } | Self::RateLimited { .. }),
        }
    }

    /// Whether it says that something is absent, as opposed to unknown.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

impl From<WalkError> for Error {
    fn from(error: WalkError) -> Self {
        Self::LimitHit { what: error.counted().to_owned(), limit: error.limit() as u64 }
    }
}
