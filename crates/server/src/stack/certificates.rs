//! Another log of certificates in the place of the one that is written: between two runs of the stack.

use std::path::Path;
use std::sync::Arc;

use signet_services::clock::{Clock, SystemClock};
use signet_services::ctlog::CertificateLog;
use signet_services::log;
use signet_store::{DataDir, Kind};

use super::StackError;
use super::made;
use super::names::{Names, Shard};

/// The log of certificates that is to come, or has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextCertificateLog {
    /// Its name.
    pub origin: String,
    /// Its keys.
    pub keys: Vec<String>,
}

/// Makes the next log of certificates of the stack in `data`, which must not run. From the next start on it takes the certificates
/// and the one before is only read; with `prepare` clients are given its key, and nothing else changes.
pub async fn rotate_certificates(
    data: &Path,
    origin: Option<String>,
    prepare: bool,
) -> Result<NextCertificateLog, StackError> {
    let unusable = |why: &str| StackError::Names { path: data.to_owned(), why: why.to_owned() };
    if !Names::is_in(data) {
        return Err(unusable("there is no stack in it"));
    }
    let root = DataDir::open(data, Kind::Stack)?;
    let names = Names::read(&root)?.ok_or_else(|| unusable("there is no stack in it"))?;
    if let Some(lost) = made::lost(Some(&names), root.path()).into_iter().next() {
        return Err(lost.into());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (names, next) = prepared(&root, names, origin, clock.seconds())?;
    let log = CertificateLog::open(&Names::dir(&root, "ct", &next), &next.origin, Arc::clone(&clock)).await?;
    let keys = log.log().signer().keys().map(ToString::to_string).collect();
    log.log().close().await;
    if !prepare {
        let last = names.ct.last().map(|last| Names::dir(&root, "ct", last));
        keep(&names.turned_ct(clock.seconds()), &root)?;
        // A crash before this is made good by the next start.
        let frozen = last.map(|last| log::freeze_at(root.disk(), &last)).transpose();
        frozen.map_err(|error| unusable(&error.to_string()))?;
    }
    Ok(NextCertificateLog { origin: next.origin, keys })
}

/// The names with a log of certificates that is to come: the one that is there already, or another.
fn prepared(
    root: &DataDir,
    names: Names,
    origin: Option<String>,
    now: i64,
) -> Result<(Names, Shard), StackError> {
    let unusable = |why: String| StackError::Names { path: root.path().to_owned(), why };
    match names.next_ct.clone() {
        Some(next) if origin.as_ref().is_none_or(|origin| *origin == next.origin) => Ok((names, next)),
        Some(next) => Err(unusable(format!("the log of certificates `{}` is prepared already", next.origin))),
        None => {
            let next = Shard::named(origin, "ct", now);
            let names = Names { next_ct: Some(next.clone()), ..names };
            if !names.is_whole() {
                return Err(unusable(format!("`{}` cannot be the name of another log", next.origin)));
            }
            keep(&names, root)?;
            Ok((names, next))
        }
    }
}

fn keep(names: &Names, root: &DataDir) -> Result<(), StackError> {
    let unusable = |why: String| StackError::Names { path: root.path().to_owned(), why };
    names.keep(root).map_err(|error| unusable(error.to_string()))
}
