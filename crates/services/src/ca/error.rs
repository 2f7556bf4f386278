//! Why no certificate was issued, and because of whom.

use std::time::Duration;

use signet_store::OpenError;

use super::{CtError, ProofError};
use crate::authority::AuthorityError;
use crate::journal::JournalError;
use crate::log::HomeError;
use crate::oidc::TokenError;

/// Why a CA was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// Its keys, certificates or files are unusable.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The log of certificates that it keeps itself.
    #[error("the log of certificates: {0}")]
    Ct(#[from] HomeError),
    /// The data directory cannot be opened.
    #[error(transparent)]
    Dir(#[from] OpenError),
}

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The token is not to be believed.
    #[error("the identity token is not accepted: {0}")]
    Token(#[from] TokenError),
    /// The client has not proven to hold the key.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Too many certificates for this identity or issuer.
    #[error("too many certificates for this identity or issuer; try again in {} s", wait.as_secs() + 1)]
    RateLimited {
        /// When to try again.
        wait: Duration,
    },
    /// The log promised nothing.
    #[error(transparent)]
    Log(#[from] CtError),
    /// The record could not be written.
    #[error("the certificate could not be recorded: {0}")]
    Audit(#[from] JournalError),
    /// No certificate of the CA is valid.
    #[error("the authority's own certificate is not valid now")]
    Expired,
    /// The CA's key did not sign.
    #[error("the authority did not sign: {0}")]
    Authority(#[from] AuthorityError),
}

impl IssueError {
    /// Who alone can do something about it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Token(TokenError::KeysUnavailable { .. }) => Fault::Issuer,
            Self::Token(_) | Self::Proof(_) | Self::RateLimited { .. } => Fault::Client,
            Self::Log(_) | Self::Audit(_) | Self::Expired | Self::Authority(_) => Fault::Authority,
        }
    }
}

/// Because of whom no certificate was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Who asked, or how.
    Client,
    /// The issuer of the token: its keys cannot be had.
    Issuer,
    /// The authority, and what it depends on.
    Authority,
}
