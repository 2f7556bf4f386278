//! What can go wrong, by whose fault it is.

use signet_formats::jwt::JwtError;
use signet_http::SetupError;

/// What a client answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a service did not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Caller: a certificate authority's file or a client key that cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Caller: a URL that is none, or that is not HTTPS and not on this machine.
    #[error("`{url}` {reason}")]
    Url {
        /// The URL, without user, query and fragment.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Network: no connection, or it broke off.
    #[error("{what}: {host} cannot be reached: {reason}")]
    Unreachable {
        /// What was asked for.
        what: String,
        /// The host.
        host: String,
        /// What the connection said.
        reason: String,
    },
    /// Network: the host could not prove its name.
    #[error("{what}: no TLS connection with {host}: {reason}")]
    Tls {
        /// What was asked for.
        what: String,
        /// The host.
        host: String,
        /// What TLS said.
        reason: String,
    },
    /// Network: it took too long.
    #[error("{what}: {host} gave no complete answer in time")]
    Timeout {
        /// What was asked for.
        what: String,
        /// The host.
        host: String,
    },
    /// Service: it does not want to do it, in its own words.
    #[error("{what}: {host} refused with status {status}{detail}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The host.
        host: String,
        /// The status of HTTP.
        status: u16,
        /// The service's words, led by `: `, or nothing.
        detail: String,
    },
    /// Service: it could not do it now (429 or 5xx), also when asked again.
    #[error("{what}: {host} failed with status {status}{detail}")]
    Failed {
        /// What was asked for.
        what: String,
        /// The host.
        host: String,
        /// The status of HTTP.
        status: u16,
        /// The service's words, led by `: `, or nothing.
        detail: String,
    },
    /// Service: a log that takes no more entries.
    #[error("the log at {host} is frozen and takes no more entries")]
    Frozen {
        /// The host.
        host: String,
    },
    /// Service: its answer is not what its API says.
    #[error("{what}: the answer of {host} is malformed: {reason}")]
    Malformed {
        /// What was asked for.
        what: String,
        /// The host.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Service: a redirect that is not followed.
    #[error("{what}: a redirect to {target} is not followed: {reason}")]
    Redirected {
        /// What was asked for.
        what: String,
        /// Where it pointed, without its query.
        target: String,
        /// Why not.
        reason: &'static str,
    },
    /// Identity: a token that is none.
    #[error("the identity token from {source_name} cannot be used: {reason}")]
    Token {
        /// Where it came from.
        source_name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Identity: a place that should have a token gives none.
    #[error("no identity token from {source_name}: {reason}")]
    NoToken {
        /// Where it was looked for.
        source_name: String,
        /// Why there is none.
        reason: String,
    },
    /// Identity: the person, or the provider, said no.
    #[error("the login was not completed: {0}")]
    Login(String),
}

impl Error {
    pub(crate) fn token(source_name: &str, error: &JwtError) -> Self {
        Self::Token { source_name: source_name.to_owned(), reason: error.to_string() }
    }

    pub(crate) fn no_token(source_name: &str, reason: impl ToString) -> Self {
        Self::NoToken { source_name: source_name.to_owned(), reason: reason.to_string() }
    }
}
