//! What can be wrong with a key that a program holds.

use signet_crypto::KeyAlgorithm;

use super::PATIENCE;
use super::reference::MAX;

/// Why a key outside of this process could not be used.
#[derive(Debug, thiserror::Error)]
#[error("`{reference}`: {fault}")]
pub struct OutsideError {
    /// The key, as it was named.
    pub reference: String,
    /// What was wrong.
    #[source]
    pub fault: Fault,
}

/// What was wrong with a key outside of this process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The caller's: no such key can be asked for.
    #[error(
        "not a key of a program: `NAME://ID`, of at most {} printable characters, where NAME is of small letters, digits and `-`",
        MAX
    )]
    Malformed,
    /// The caller's: what everybody on the machine sees holds a secret.
    #[error(
        "there is a secret in it, which others on this machine could see: have the program take it from its environment"
    )]
    Secret,
    /// The caller's: the program does not make signatures by such keys.
    #[error("keys of algorithm {0} do not sign from outside of Signet: take ECDSA, RSA or Ed25519")]
    Algorithm(KeyAlgorithm),
    /// The caller's: so many signatures are asked for at once that this one was not.
    #[error("too many signatures are asked for at once")]
    Busy,
    /// The program's: it is not there, or cannot be run.
    #[error("the program `{program}` cannot be run: {error}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        error: std::io::Error,
    },
    /// The program's: it took too long.
    #[error("its program gave no answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// The program's: it refused or failed, in its own words.
    #[error("its program failed: {0}")]
    Refused(String),
    /// The program's: what it wrote is none of the protocol's answers.
    #[error("its program gave no answer that is understood")]
    NoAnswer,
    /// The program's: its public key is none.
    #[error("its program gave no public key: {0}")]
    Key(crate::Error),
}
