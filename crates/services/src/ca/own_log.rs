//! The log of certificates of an authority that keeps it in its own directory.

use std::sync::Arc;

use signet_store::DataDir;

use super::CaError;
use crate::authority::AuthorityError;
use crate::clock::Clock;
use crate::ctlog::CertificateLogs;
use crate::key_files::{KeyFiles, OWN_LOG};
use crate::log::{HomeError, origin_of};
use crate::own_key::made_up_name;

/// The log that the authority of this directory keeps itself, begun if there is none. One that was begun is not begun again if it
/// is gone: clients know its key, and no other log shows what was promised by it.
pub async fn own_log(dir: &DataDir, clock: Arc<dyn Clock>) -> Result<CertificateLogs, CaError> {
    let mut files = KeyFiles::open(dir.disk(), dir.path())?;
    let path = dir.path().join(OWN_LOG);
    // Its name is fixed when it is made.
    let origin = match origin_of(&path).map_err(HomeError::from)? {
        Some(origin) => origin,
        None if files.is_noted(OWN_LOG) => return Err(AuthorityError::Lost { path }.into()),
        None => made_up_name(OWN_LOG),
    };
    let log = CertificateLogs::open_home_on(dir.disk().clone(), &path, &origin, clock).await?;
    files.note(OWN_LOG)?;
    Ok(log)
}
