//! Directories that several processes change, each for a moment.

use std::time::Duration;

use signet_store::{DataDir, OpenError};
use tokio::time::{Instant, sleep};

/// Opens the directory; while another process has it, waits for that one.
pub(super) async fn in_turn(open: impl Fn() -> Result<DataDir, OpenError>) -> Result<DataDir, OpenError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(OpenError::InUse { .. }) if Instant::now() < end => sleep(PAUSE).await,
            opened => return opened,
        }
    }
}

/// Longer than a whole look at a repository that does not answer ([`super::Patience`]).
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);
