//! Why an authority was not opened.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use signet_store::OpenError;

use super::ACCURACIES;
use crate::authority::AuthorityError;

/// Why an authority was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TsaError {
    /// Timestamps would state what no clock keeps, or what is worth nothing.
    #[error("timestamps cannot state an accuracy of {} ms: it is from {} ms to {} ms", accuracy.as_millis(),
        ACCURACIES.start().as_millis(), ACCURACIES.end().as_millis())]
    Accuracy {
        /// What they were to state.
        accuracy: Duration,
    },
    /// Its key or certificates are unusable.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The certificates are not those of a timestamp authority.
    #[error("the certificates do not make a timestamp authority: {why}")]
    Certificate {
        /// The rule that is broken.
        why: &'static str,
    },
    /// The data directory cannot be opened.
    #[error(transparent)]
    Dir(#[from] OpenError),
    /// No policy is configured.
    #[error("a timestamp authority needs a policy")]
    NoPolicy,
    /// The numbers given out so far are unknown, so they would come again.
    #[error("`{}` is unusable ({error}): without it serial numbers would repeat", path.display())]
    Serials {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        error: io::Error,
    },
}
